#!/usr/bin/env python3
"""Races at the door: locks held by readers, many who open at once, several daemons at once, names that somebody else has."""
import errno
import glob
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import time

import daemon_lib as lib
from daemon_lib import TMP, Daemon, shm, test, wait_for
from robust_lib import READ_ONLY, Peek, dll, need_root


@test
def locks_held():
    """a reader that holds every lock its descriptor allows, on every object it may open, stops no daemon"""
    d = Daemon("-m", "2", "--shm-mask=0644", "-a", "0777")
    assert d.client().set("a", b"1") == b"STORED"
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        held = []
        for ext in ("", ".lock"):
            try:
                fd = os.open(shm(ext=ext), os.O_RDONLY)
            except PermissionError:
                held.append(ext + " refused")
                continue
            for name, take in (
                    ("flock", lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
                    ("record", lambda: fcntl.fcntl(fd, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))),
                    ("ofd", lambda: fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))),
                    ("lease", lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK))):
                try:
                    take()
                    held.append(ext + " " + name)
                except OSError:
                    pass
        os.write(w, ", ".join(held).encode())
        time.sleep(60)
        os._exit(0)
    try:
        held = os.read(r, 1000).decode()
        print("# held: %s" % held)
        assert " flock" in held, held
        if os.geteuid() == 0:
            assert ".lock refused" in held, held
        d.kill()
        for size in ("2", "2", "3"):
            d = Daemon("-m", size, "--shm-mask=0644", "-a", "0777")
            assert d.client().get("a") == b"1"
            assert d.stop() == 0
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def opener(seed, until, out):
    """Opens again and again; once it has seen the key, it must be there with a known value for ever. Says what it did."""
    rnd, opened, reads, refused, wrong, last = random.Random(seed), 0, 0, 0, "", 0
    while not os.path.exists(until):
        try:
            p = Peek(flags=rnd.choice((0, READ_ONLY)))
        except OSError as e:
            # before the first daemon there is no name; a descriptor or memory may be short, never a damaged or strange segment
            if e.errno != errno.ENOENT:
                wrong = "open: %s" % e
            elif last > 0:
                wrong = "the name was gone"
            refused += 1
            time.sleep(0.002)
            continue
        opened += 1
        for _ in range(rnd.randrange(1, 40)):
            v = p.get("k")
            reads += 1
            if isinstance(v, int):
                if v not in (-errno.EAGAIN,) and not (v == -errno.ENOENT and last == 0):
                    wrong = "read: %d after %d" % (v, last)
            elif len(v) != 8 or int(v) < last:
                wrong = "%r after %d" % (v, last)
            else:
                last = int(v)
        p.close()
        time.sleep(rnd.random() * 0.02)
    os.write(out, b"%d %d %d %s\n" % (opened, reads, refused, wrong.encode() or b"-"))


@test
def two_hundred_open():
    """200 clients open before, during and after creation, restarts and hand-overs: each finds the segment, and never an older value"""
    dll()
    until, (r, w) = os.path.join(TMP, "until"), os.pipe()
    pids = []

    def more(n):
        for _ in range(n):
            pid = os.fork()
            if pid == 0:
                try:
                    opener(len(pids), until, w)
                finally:
                    os._exit(0)
            pids.append(pid)

    more(80)
    version, size, restarts, handovers = 0, 2, 0, 0
    try:
        d = Daemon("-m", str(size), "-c", "1000")
        end = time.monotonic() + 3
        while time.monotonic() < end or len(pids) < 200:
            c = d.client(timeout=20)
            for _ in range(20):
                version += 1
                assert c.set("k", b"%08d" % version) == b"STORED"
            more(20 if len(pids) < 200 else 0)
            if version % 60 == 0:
                size = 5 - size
                handovers += 1
            (d.kill if version % 40 == 0 else d.stop)()
            d = Daemon("-m", str(size), "-c", "1000")
            restarts += 1
    finally:
        open(until, "w").close()
        for pid in pids:
            os.waitpid(pid, 0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        lines = f.read().splitlines()
    assert len(lines) == len(pids) >= 200
    sums = [sum(int(line.split()[i]) for line in lines) for i in range(3)]
    wrong = [line.split(b" ", 3)[3] for line in lines if line.split(b" ", 3)[3] != b"-"]
    print("# %d clients, %d opened, %d reads, %d times no name yet; %d starts of which %d with another size; wrong: %d" % (len(pids), sums[0],
        sums[1], sums[2], restarts + 1, handovers, len(wrong)))
    assert not wrong, wrong[:5]


@test
def daemons_at_once():
    """several daemons started at once on one name: exactly one serves, the others end with status 75, and the items are whole"""
    for turn in range(8):
        ds = [Daemon("-m", str(2 + turn % 2), ready=False, socket_path=os.path.join(TMP, "m%d" % i)) for i in range(4)]
        wait_for(lambda: sum(d.p.poll() is not None for d in ds) == 3, 20, "more than one lives")
        alive = [d for d in ds if d.p.poll() is None]
        assert [d.p.returncode for d in ds if d not in alive] == [75] * 3, [d.p.returncode for d in ds]
        wait_for(lambda: "serves" in alive[0].log(), 10)
        c = alive[0].client()
        for i in range(turn):
            assert c.get("t%d" % i) == b"x", (turn, i)
        assert c.set("t%d" % turn, b"x") == b"STORED"
        (alive[0].kill if turn % 2 else alive[0].stop)()


@test
def names_of_others():
    """a reader believes no object that another user made, that others may write, that is linked elsewhere or no plain file; PEEK_OWNER admits one"""
    need_root()
    d = Daemon("-m", "2", "--shm-mask=0644")
    d.client().set("a", b"1")
    d.kill()
    whole = os.path.join(TMP, "whole")
    shutil.copy(shm(), whole)

    def refused():
        try:
            Peek().close()
            return 0
        except OSError as e:
            return e.errno

    assert refused() == 0
    os.chown(shm(), 65534, 65534)
    assert refused() == errno.EPERM
    os.environ["PEEK_OWNER"] = "65534"
    os.putenv("PEEK_OWNER", "65534")
    assert Peek().get("a") == b"1"
    os.unsetenv("PEEK_OWNER")
    del os.environ["PEEK_OWNER"]
    os.chown(shm(), 0, 0)
    for mode in (0o664, 0o646, 0o666):
        os.chmod(shm(), mode)
        assert refused() == errno.EPERM, oct(mode)
    os.chmod(shm(), 0o644)
    os.link(shm(), shm(ext=".second"))
    assert refused() == errno.EPERM
    os.unlink(shm(ext=".second"))
    assert refused() == 0
    os.unlink(shm())
    for make in (lambda: os.symlink(whole, shm()), lambda: os.mkdir(shm()), lambda: os.mkfifo(shm(), 0o600)):
        make()
        assert refused() in (errno.EPERM, errno.EACCES, errno.EBADMSG, errno.EIO), refused()
        os.rmdir(shm()) if os.path.isdir(shm()) and not os.path.islink(shm()) else os.unlink(shm())
    # Not readable for this user.
    shutil.copy(whole, shm())
    os.chmod(shm(), 0o600)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        os._exit(refused())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EACCES


@test
def taken_before():
    """an ordinary user who takes the names of an instance before root's daemon starts: it is refused, and nothing of the user's is changed"""
    need_root()
    for ext in ("", ".lock", ".new", ".new-0123456789abcdef", ".aside-1-1"):
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            fd = os.open(shm(ext=ext), os.O_RDWR | os.O_CREAT, 0o666)
            os.write(fd, b"mine")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        if ext in ("", ".lock"):  # readers and starts know these names
            status, log = lib.refused("-m", "2")
            assert status == 77 and "65534" in log, (ext, status, log)
        else:  # 15.21: nobody foresees the others
            for m in ("2", "3"):
                assert lib.Daemon("-m", m).stop() == 0
        assert open(shm(ext=ext), "rb").read() == b"mine" and os.stat(shm(ext=ext)).st_uid == 65534
        for path in glob.glob(shm() + "*"):
            os.unlink(path)


lib.main()
