#!/usr/bin/env python3
"""How a segment follows another: killed at each step (MODE=hooks), refused for lack of room, and never two writers."""
import fcntl
import glob
import os
import signal
import struct

import daemon_lib as lib
from daemon_lib import TMP, Daemon, refused, shm, test
from robust_lib import Peek, has_hooks

HEADER_MAGIC, HEADER_VERSION, HEADER_COUNT, HEADER_SHIFT = 0, 8, 64, 128
OFD_SETLK = 37


def poke(off, value):
    with open(shm(), "r+b") as f:
        f.seek(off)
        f.write(value)


def crash_at(label, *args):
    """A start that is killed at the label."""
    d = Daemon(*args, ready=False, env={"PEEK_CRASH_AT": label})
    assert d.wait() == -signal.SIGKILL, (label, d.log())


def temporary():
    return [p for p in glob.glob(shm() + "*") if ".new" in p]


@test
def killed_at_each_step():
    """15.5: an upgrade of another layout, or of a damaged segment, killed at each of its steps, also twice: readers end in the new segment"""
    if not has_hooks():
        raise lib.Skip("needs test points")
    damages = ((HEADER_VERSION, b"\x63"), (HEADER_MAGIC, b"\0" * 8), (HEADER_SHIFT, b"\xff" * 8), (HEADER_SHIFT + 8, b"\0" * 8))
    for off, value in damages:
        for label in ("create:published", "handover:exchanged", "handover:old retired", "handover:old aside"):
            for times in (1, 2):
                d = Daemon("-m", "2")
                d.client().set("a", b"old")
                reader = Peek()
                assert reader.get("a") == b"old"
                d.kill()
                poke(off, value)
                crash_at(label, "-m", "2")
                if times == 2 and label in ("create:published", "handover:old retired"):
                    crash_at(label, "-m", "2")
                e = Daemon("-m", "2")
                assert e.client().set("a", b"new") == b"STORED"
                assert reader.get("a") == b"new", (off, label, times, reader.get("a"))
                assert temporary() == []
                reader.close()
                e.kill()
                for path in glob.glob(shm() + "*"):
                    os.unlink(path)


@test
def other_size_killed():
    """the same for another size: every item is there, and readers follow"""
    if not has_hooks():
        raise lib.Skip("needs test points")
    for label in ("create:allocated", "handover:item carried:7", "handover:all carried", "create:published", "handover:exchanged",
            "handover:old retired", "handover:old aside"):
        d = Daemon("-m", "2")
        c = d.client()
        for i in range(50):
            c.set("k%d" % i, b"%d" % i)
        reader = Peek()
        d.kill()
        crash_at(label, "-m", "4")
        e = Daemon("-m", "4")
        c = e.client()
        assert all(c.get("k%d" % i) == b"%d" % i for i in range(50)), label
        c.set("k1", b"new")
        assert reader.get("k1") == b"new" and temporary() == [], label
        reader.close()
        e.kill()
        for path in glob.glob(shm() + "*"):
            os.unlink(path)


@test
def one_writer():
    """15.9: without the lock file a second daemon is refused by the segment's own lock, with pid and heartbeat; the first goes on"""
    d = Daemon("-m", "4")
    c = d.client()
    c.set("a", b"1")
    for args in (("-m", "4"), ("-m", "8")):
        for remove in (os.unlink, lambda p: os.rename(p, p + "x")):
            remove(shm(ext=".lock"))
            status, log = refused(*args, socket_path=os.path.join(TMP, "other.sock"))
            assert status == 75 and "in use" in log and "pid %d" % d.pid in log and "heartbeat is" in log, (status, log)
            assert not os.path.exists(os.path.join(TMP, "other.sock")) and temporary() == []
    d.p.send_signal(signal.SIGSTOP)  # no heartbeat: the lock holds
    status, log = refused("-m", "4", socket_path=os.path.join(TMP, "other.sock"))
    d.p.send_signal(signal.SIGCONT)
    assert status == 75 and "pid %d" % d.pid in log, (status, log)
    assert c.set("b", b"2") == b"STORED" and c.get("a") == b"1"
    d.kill()  # the lock ends with the process
    e = Daemon("-m", "8")
    assert e.client().get("b") == b"2"
    e.stop()


@test
def one_writer_after_hand_over():
    """a segment that was handed over, or put in place of a damaged one, is locked as well; a background daemon's too"""
    for off in (None, HEADER_VERSION):
        Daemon("-m", "4").stop()
        if off is not None:
            poke(off, b"\x63")
        d = Daemon("-m", "8" if off is None else "4")
        os.unlink(shm(ext=".lock"))
        status, log = refused("-m", "8", socket_path=os.path.join(TMP, "other.sock"))
        assert status == 75 and "pid %d" % d.pid in log, (status, log)
        d.kill()
        for path in glob.glob(shm() + "*"):
            os.unlink(path)


@test
def readers_lock():
    """a reader's lock of the segment blocks no start, and lets no second daemon in while the first lives"""
    def read_lock():
        fd = os.open(shm(), os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.fcntl(fd, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        return fd
    Daemon("-m", "4").stop()
    fd = read_lock()
    d = Daemon("-m", "4")
    assert "a reader holds a lock" in d.log(), d.log()
    os.unlink(shm(ext=".lock"))
    status, log = refused("-m", "4", socket_path=os.path.join(TMP, "other.sock"))
    assert status == 75 and "pid %d" % d.pid in log, (status, log)
    d.kill()
    e = Daemon("-m", "4")
    os.close(fd)
    e.stop()


@test
def counted_at_the_end():
    """15.6: what a hand-over to a smaller size carried is counted at its end"""
    d = Daemon("-m", "16")
    c = d.client()
    n = 40000
    for begin in range(0, n, 1000):
        c.send(b"".join(b"set key%d 0 0 250\r\n%0250d\r\n" % (i, i) for i in range(begin, begin + 1000)))
        assert c.exact(8000) == b"STORED\r\n" * 1000
    assert int(c.stats()["curr_items"]) == n
    d.kill()
    d = Daemon("-m", "2")
    s = d.client().stats()
    there = int(s["curr_items"])
    assert there < n / 2, there
    assert "handed over %d items from a segment of 16 MiB, %d didn't fit" % (there, n - there) in d.log(), d.log()
    assert int(s["recovered_items"]) == there and int(s["recovered_dropped"]) == n - there, s
    d.stop()


@test
def nothing_may_go():
    """with -M a hand-over that can't carry every item is refused, says both numbers, and the old segment is served as before"""
    d = Daemon("-m", "16", "-M")
    c = d.client()
    for i in range(4000):
        assert c.set("key%d" % i, b"%01000d" % i) == b"STORED"
    d.kill()
    before = os.stat(shm()).st_ino
    status, log = refused("-m", "2", "-M")
    assert status == 73 and "of 4000 items don't fit into 2 MiB" in log and "16 MiB" in log, (status, log)
    assert os.stat(shm()).st_ino == before and temporary() == []
    d = Daemon("-m", "16", "-M")
    c = d.client()
    assert all(c.get("key%d" % i) == b"%01000d" % i for i in range(0, 4000, 37))
    d.stop()


@test
def socket_after_segment():
    """15.29: the control socket of a new instance is not there before its segment; where one is there it listens during the start"""
    if not has_hooks():
        raise lib.Skip("needs test points")

    def stopped_at(label, *args):
        d = Daemon(*args, ready=False, env={"PEEK_STOP_AT": label})
        lib.wait_for(lambda: open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "T")
        return d
    for label in ("create:allocated", "recover:begun", "create:published", "create:named"):
        d = stopped_at(label, "-m", "4")
        assert not os.path.exists(d.path), label
        d.p.send_signal(signal.SIGCONT)
        lib.wait_for(lambda: os.path.exists(d.path))
        Peek().close()  # whoever waited for the socket attaches
        d.client().set("a", b"1")
        d.kill()
        e = stopped_at("recover:begun", "-m", "4")  # a dead one's successor
        c = lib.Client(e.path)
        c.send(b"get a\r\n")
        reader = Peek()
        assert reader.get("a") == b"1"
        reader.close()
        e.p.send_signal(signal.SIGCONT)
        assert c.line() == b"VALUE a 0 1"
        e.kill()
        for path in glob.glob(shm() + "*"):
            os.unlink(path)


@test
def another_socket_stays():
    """a daemon that ends removes its own socket file, and not another daemon's that has taken its place"""
    d = Daemon("-m", "2")
    os.unlink(d.path)
    e = Daemon("-m", "2", suffix="2", socket_path=d.path)
    assert d.stop() == 0 and e.client().ask(b"version").startswith(b"VERSION")
    assert e.stop() == 0 and not os.path.exists(d.path)


lib.main()
