#!/usr/bin/env python3
"""Snapshots (with MODE=hooks: also killed while they load): saved and loaded whole, in slices, by command and over a reboot; damage, full disks, and who may."""
import base64
import glob
import os
import random
import re
import signal
import socket
import subprocess
import time

import daemon_lib as lib
from daemon_lib import ROOT, TMP, Daemon, Skip, main, shm, test, wait_for

PEEKCTL = os.environ.get("PEEKCTL", os.path.join(ROOT, "build/release/peekctl"))
FILE = os.path.join(TMP, "a file.snap")

# saved by a daemon that had no tags
VERSION_1 = ("iXBlZWtzDQoBAAAAAAAAANysCGsAAAAAAgAAAAAAAADBbkPKVTgwLQEAAAAzAAAAMwAAAAIAAABKg1+7v+bMUAAAAAAAAAAAAAAA"
             "AAUAAAADAGtleXZhbHVlAAAAAAAAAAAJAAAAAgAAAAUAb3RoZXJ4eQMAAAAIAAAACAAAAAAAAADVKUXJhDmfKwIAAAAAAAAA")


def ctl(d, *args):
    """(status, output and errors)"""
    r = subprocess.run([PEEKCTL, "-s", d.path, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return r.returncode, r.stdout.decode()


def value_of(i):
    return (b"%d " % i) * (i % 97)


def fill(d, n):
    c = d.client(30)
    for begin in range(0, n, 1000):
        part = range(begin, min(begin + 1000, n))
        c.send(b"".join(b"set key%d %d %d %d\r\n%s\r\n" % (i, i, 0 if i % 3 else 1000, len(value_of(i)), value_of(i)) for i in part))
        assert c.exact(8 * len(part)) == b"STORED\r\n" * len(part)
    return c


def check(d, n):
    """All of fill's items are there; returns how many."""
    c = d.client(30)
    for i in range(n):
        line = c.ask(b"mg key%d f t s v" % i)
        v = value_of(i)
        words = line.split()
        assert words[:3] == [b"VA", b"%d" % len(v), b"f%d" % i], (i, line)
        assert words[3] == b"t-1" if i % 3 else 900 < int(words[3][1:]) <= 1000, line
        assert c.exact(len(v) + 2) == v + b"\r\n"


def count(d):
    return int(d.client().stats()["curr_items"])


@test
def round_trip():
    """what is saved comes back on another daemon: values of all sizes, flags, times to live, odd keys, counters, stale items"""
    for more in ((), ("--snapshot-compress=no",)):
        d = Daemon("-m", "32", *more)
        c = fill(d, 3000)
        big = random.Random(1).randbytes(1000000)
        assert c.set("big", big) == b"STORED" and c.set("empty", b"") == b"STORED" and c.set("n", b"41") == b"STORED"
        assert c.ask(b"incr n 1") == b"42"
        odd = base64.b64encode(b"odd \r\n\0 key")
        assert c.ask(b"ms " + odd + b" 1 b\r\nx") == b"HD"
        assert c.ask(b"set stale 0 0 1\r\ns") == b"STORED" and c.ask(b"md stale I") == b"HD"
        # the empty place of a lease isn't saved, since the lease ends with its connection (15.45)
        assert c.ask(b"mg leased N1000 v") == b"VA 0 W" and c.exact(2) == b"\r\n"
        assert c.ask(b"set stolen 0 0 1\r\ns") == b"STORED" and c.ask(b"md stolen I") == b"HD" and c.ask(b"mg stolen") == b"HD X W"
        status, out = ctl(d, "save", FILE)
        assert status == 0 and "3006 items saved" in out, (status, out)
        assert os.stat(FILE).st_mode & 0o777 == 0o600 and not os.path.exists(FILE + ".new")
        assert "3006 items saved" in d.log() and FILE in d.log()
        assert int(d.client().stats()["snapshot_saved"]) > time.time() - 60
        if more:
            assert os.path.getsize(FILE) > 1000000 + sum(len(value_of(i)) for i in range(3000))
        e = Daemon("-m", "32", suffix="2")
        status, out = ctl(e, "load", FILE)
        assert status == 0 and out.startswith("3006 items loaded"), (status, out)
        check(e, 3000)
        c = e.client()
        assert c.get("big") == big and c.get("empty") == b"" and c.ask(b"incr n 1") == b"43"
        line = c.ask(b"mg " + odd + b" b k v")
        assert line.split()[:2] == [b"VA", b"1"] and b"k" + odd in line and b" b" in line and c.exact(3) == b"x\r\n", line
        line = c.ask(b"mg stale v")
        assert sorted(line.split()) == [b"1", b"VA", b"W", b"X"], line
        assert c.exact(3) == b"s\r\n"
        assert c.ask(b"mg leased v") == b"EN"
        assert c.ask(b"mg stolen") == b"HD Z X"
        assert c.ask(b"ms leased 1\r\nx") == b"HD" and c.ask(b"mg leased") == b"HD"
        lib.clean()


@test
def tags():
    """items keep their tags in a file and in a hand-over, also where the table of tags has another length; a file of version 1 is still read"""
    d = Daemon("-m", "32")
    c = d.client()
    assert c.ask(b"ms both 1 Gone,two F7\r\nx") == b"HD" and c.ask(b"ms one 2 Gone T1000\r\nxy") == b"HD" and c.set("none", b"z") == b"STORED"
    assert ctl(d, "save", FILE)[0] == 0
    e = Daemon("-m", "2", suffix="2")
    assert ctl(e, "load", FILE)[1].startswith("3 items loaded")
    c = e.client()
    assert (c.get("both"), c.get("one"), c.get("none")) == (b"x", b"xy", b"z")
    assert c.ask(b"peek_invalidate two") == b"OK"
    assert (c.get("both"), c.get("one"), c.get("none")) == (None, b"xy", b"z")
    e.stop()
    # handed over to a larger segment, and loaded beside the rest
    e = Daemon("-m", "32", suffix="2")
    c = e.client()
    assert (c.get("both"), c.get("one"), c.get("none")) == (None, b"xy", b"z")
    assert ctl(e, "load", FILE)[1].startswith("1 items loaded") and c.get("both") == b"x"
    assert c.ask(b"peek_invalidate one") == b"OK"
    assert (c.get("both"), c.get("one"), c.get("none")) == (None, None, b"z")
    old = os.path.join(TMP, "old.snap")
    open(old, "wb").write(base64.b64decode(VERSION_1))
    e = Daemon("-m", "32", suffix="3")
    assert ctl(e, "load", old)[1].startswith("2 items loaded"), ctl(e, "load", old)
    assert e.client().get("key") == b"value" and e.client().ask(b"mg other f s v") == b"VA 2 f9 s2"
    lib.clean()


@test
def kept_and_expired():
    """keys that are there keep their values; what has expired since is not loaded; both are counted"""
    d = Daemon()
    c = fill(d, 100)
    assert c.ask(b"set short 0 1 1\r\nx") == b"STORED"
    assert ctl(d, "save", FILE)[0] == 0
    assert c.ask(b"flush_all") == b"OK"
    assert c.set("key5", b"mine") == b"STORED"
    time.sleep(2.1)
    status, out = ctl(d, "load", FILE)
    assert status == 0 and out.startswith("99 items loaded (not loaded: 1 expired, 1 that are there already, 0"), out
    assert c.get("key5") == b"mine" and c.get("short") is None and c.get("key6") == value_of(6)


@test
def damage():
    """a file with any byte changed, or cut at any place, is refused whole, or loaded up to there; how many is told, and nothing else is loaded"""
    d = Daemon("-m", "16")
    fill(d, 6000)
    assert ctl(d, "save", FILE)[0] == 0
    good = open(FILE, "rb").read()
    rng = random.Random(7)
    places = [9, 33, 41, 57, len(good) - 1, len(good) - 30] + [rng.randrange(64, len(good)) for _ in range(3)]
    bad = os.path.join(TMP, "bad")
    c = d.client()
    partly = 0
    for cut in (False, True):
        for at in places:
            with open(bad, "wb") as f:
                f.write(good[:at] if cut else good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:])
            assert c.ask(b"flush_all") == b"OK"
            status, out = ctl(d, "load", bad)
            assert status == 1 and ("damaged" in out or "cut short" in out or "version" in out), (cut, at, status, out)
            whole = int((re.search(r"(\d+) items before", out) or [0, 0])[1])
            assert c.get("key1") is None and c.get("key5999") is None, "something of it was loaded"
            status, out = ctl(d, "load", "--partial", bad)
            if whole == 0:
                assert status == 1, (cut, at, out)
                continue
            partly += 1
            assert status == 0 and out.startswith("%d items loaded" % whole), (cut, at, whole, out)
            c.send(b"get" + b"".join(b" key%d" % i for i in range(6000)) + b"\r\n")
            hits = 0
            for line in iter(c.line, b"END"):
                assert c.exact(int(line.split()[3]) + 2)[:-2] == value_of(int(line.split()[2]))
                hits += 1
            assert hits == whole, (hits, whole)
    assert partly > 2
    for text in (b"", b"hello\n" * 1000, good[:8]):
        with open(bad, "wb") as f:
            f.write(text)
        assert ctl(d, "load", bad)[0] == 1
    assert ctl(d, "load", TMP)[0] == 1 and ctl(d, "load", "/dev/zero")[0] == 1 and ctl(d, "load", bad + "no")[0] == 1
    assert int(c.stats()["snapshot_failures"]) > 15
    assert ctl(d, "load", FILE)[0] == 0


@test
def blocks_of_others():
    """blocks of one file don't fit into another, nor at another place"""
    d = Daemon("-m", "16", "--snapshot-compress=no")
    fill(d, 6000)
    files = []
    for _ in range(2):
        time.sleep(1.01)
        assert ctl(d, "save", FILE)[0] == 0
        files.append(open(FILE, "rb").read())
    assert files[0][40:44] == b"\1\0\0\0" and files[0] != files[1]
    n = 24 + int.from_bytes(files[0][44:48], "little")
    bad = os.path.join(TMP, "bad")
    for mixed in (files[0][:40] + files[1][40:], files[0][:40 + n] + files[0][40:], files[0][:40] + files[0][40 + n:]):
        with open(bad, "wb") as f:
            f.write(mixed)
        status, out = ctl(d, "load", bad)
        assert status == 1 and "damaged" in out, (status, out)


@test
def over_a_reboot():
    """snapshot_path: a clean end saves, a start that finds no segment loads, before it serves; one that finds a segment does not"""
    args = ("-m", "16", "--snapshot-path", FILE)
    d = Daemon(*args)
    assert "isn't there yet" in d.log()
    fill(d, 2000)
    assert d.stop() == 0 and "2000 items saved" in d.log(), d.log()
    e = Daemon(*args)
    assert "took over 2000 items" in e.log() and "loaded" not in e.log()
    e.stop()
    os.unlink(shm())
    f = Daemon(*args)
    assert re.search(r"2000 items loaded.*\n.*serves", f.log()), f.log()
    check(f, 2000)
    f.kill()
    os.unlink(shm())
    data = open(FILE, "rb").read()
    for how, n in (("refuse", 0), ("load", 1)):
        with open(FILE, "wb") as out:
            out.write(data[:-100])
        g = Daemon(*args, "--snapshot-damaged", how)
        assert "cut short" in g.log() and "kept as %s.damaged" % FILE in g.log(), g.log()
        assert open(FILE + ".damaged", "rb").read() == data[:-100] and not os.path.exists(FILE)
        assert (count(g) > 0) == bool(n) or len(data) < 300000, g.log()
        g.kill()
        os.unlink(shm())


def saved_copy(n, *args):
    """A snapshot of n items, and no segment."""
    d = Daemon(*args)
    fill(d, n)
    assert d.stop() == 0 and "%d items saved" % n in d.log(), d.log()
    os.unlink(shm())
    return open(FILE, "rb").read()


@test
def load_is_killed():
    """15.1: a start that is killed while it loads (MODE=hooks) leaves a part; the next one loads again; no end writes a part over the file"""
    if b"PEEK_CRASH_AT" not in lib.PROGRAM:
        raise Skip("needs test points")
    n, args = 20000, ("-m", "32", "--snapshot-path", FILE)
    good = saved_copy(n, *args)
    for crash, more in (("startup:slice:9", args), ("startup:slice:30", args), ("startup:slice:30", ("-m", "48") + args[2:]), ("create:published", args)):
        for ends in (signal.SIGKILL, signal.SIGTERM):
            d = Daemon(*args, ready=False, env={"PEEK_CRASH_AT": crash})
            assert d.wait() == -signal.SIGKILL, d.log()
            # and once more, by whatever a service manager sends, while the next one loads
            d = Daemon(*more, ready=False, env={"PEEK_STOP_AT": "startup:slice:20"})
            wait_for(lambda: open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "T")
            d.p.send_signal(ends)
            d.p.send_signal(signal.SIGCONT)
            assert d.wait() == (0 if ends == signal.SIGTERM else -signal.SIGKILL), d.log()
            assert open(FILE, "rb").read() == good and "saved in" not in d.log(), d.log()
            assert ends == signal.SIGKILL or "loads it again" in d.log(), d.log()
            d = Daemon(*more)
            assert "loaded again" in d.log() or crash == "create:published", d.log()
            check(d, n)
            assert count(d) == n
            c = d.client()
            assert c.ask(b"delete key7") == b"DELETED"
            d.kill()  # whole now: nothing is loaded again, nor does a deleted key come back
            d = Daemon(*more)
            assert count(d) == n - 1 and d.client().get("key7") is None, d.log()
            d.kill()
            for path in glob.glob(shm() + "*"):
                os.unlink(path)
    assert sorted(f for f in os.listdir(TMP) if f.startswith("a file")) == ["a file.snap"], os.listdir(TMP)


@test
def load_and_signals():
    """TERM while it loads ends it at once with status 0, and saves nothing; HUP is obeyed afterwards"""
    if b"PEEK_CRASH_AT" not in lib.PROGRAM:
        raise Skip("needs test points")
    args = ("-m", "32", "--snapshot-path", FILE)
    good = saved_copy(20000, *args)
    for more in ((), ("--unlink",)):
        d = Daemon(*args, *more, ready=False, env={"PEEK_STOP_AT": "startup:slice:10"})
        wait_for(lambda: open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "T")
        d.p.send_signal(signal.SIGHUP)
        d.p.send_signal(signal.SIGTERM)
        d.p.send_signal(signal.SIGCONT)
        assert d.wait() == 0 and "serves" not in d.log(), d.log()
        assert open(FILE, "rb").read() == good and bool(glob.glob(shm() + "*")) == (not more)
    d = Daemon(*args, ready=False, env={"PEEK_STOP_AT": "startup:slice:10"})
    wait_for(lambda: open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "T")
    d.p.send_signal(signal.SIGHUP)
    d.p.send_signal(signal.SIGCONT)
    wait_for(lambda: "serves" in d.log())
    assert "the configuration was read again" in d.log(), d.log()
    check(d, 20000)
    d.stop()


@test
def keys_there_stay():
    """what a segment that is being filled has already keeps its value; without the setting that is said, and asked once"""
    args = ("-m", "32", "--snapshot-path", FILE)
    saved_copy(100, *args)
    for more in (args, ("-m", "48") + args[2:], ("-m", "32")):
        d = Daemon("-m", "32")
        assert d.client().set("key5", b"mine") == b"STORED"
        d.kill()
        with open(shm(), "r+b") as f:  # header.filling
            f.seek(248)
            f.write(b"\1")
        d = Daemon(*more)
        assert d.client().get("key5") == b"mine", d.log()
        assert d.client().get("key6") == (value_of(6) if "--snapshot-path" in more else None), d.log()
        assert "loaded again" in d.log() or "only a part" in d.log(), d.log()
        d.kill()
        assert "again" not in Daemon(*more).log()
        lib.clean() if more[-1] == "32" else [x.kill() for x in lib._daemons]
        for path in glob.glob(shm() + "*"):
            os.unlink(path)


@test
def last_save_fails():
    """15.10: a last save that fails is exit status 74, and --unlink removes nothing"""
    gone = os.path.join(TMP, "gone")
    os.mkdir(gone)
    args = ("-m", "16", "--snapshot-path", os.path.join(gone, "f"))
    for more in (("--unlink",), ()):
        d = Daemon(*args, *more)
        fill(d, 500)
        os.rmdir(gone)
        assert d.stop() == 74, d.log()
        assert "can't be saved" in d.log() and os.path.exists(shm()), d.log()
        assert not more or "nothing is removed" in d.log(), d.log()
        os.mkdir(gone)
        e = Daemon(*args, *more)
        check(e, 500)
        assert e.stop() == 0 and os.path.exists(shm()) == (not more), e.log()
        os.unlink(os.path.join(gone, "f"))
    lib.clean()


@test
def foreign_path():
    """15.11: a snapshot_path that leads to a directory, a link or another's file is refused at the start and by --check; nothing is moved"""
    letter, link, folder = (os.path.join(TMP, n) for n in ("letter", "link", "folder"))
    os.mkdir(folder)
    open(os.path.join(folder, "in it"), "w").close()
    with open(letter, "w") as f:
        f.write("precious data")
    os.symlink(letter, link)
    for path in (letter, link, folder, "/dev/null", PEEKCTL):
        before = os.lstat(path)
        status, log = lib.refused("-m", "16", "--snapshot-path", path)
        assert status == 64 and path in log and "snapshot_path" in log, (status, log)
        assert not glob.glob(shm() + "*"), "something is left"
        r = subprocess.run([lib.PEEKD, "--check", "--snapshot-path", path], stderr=subprocess.PIPE)
        assert r.returncode == 64 and path.encode() in r.stderr, r
        after = os.lstat(path)
        assert (before.st_ino, before.st_size, before.st_mode) == (after.st_ino, after.st_size, after.st_mode)
    assert {"folder", "letter", "link"} <= set(os.listdir(TMP)) and not glob.glob(TMP + "/*.damaged*")
    assert open(letter).read() == "precious data" and os.listdir(folder) == ["in it"]
    open(FILE, "w").close()  # as a reservation it is as good as none
    d = Daemon("-m", "16", "--snapshot-path", FILE)
    fill(d, 10)
    assert d.stop() == 0 and "10 items saved" in d.log(), d.log()


@test
def kept_beside():
    """a file that was not loaded whole is never replaced, nor what was kept of an earlier one: a passing error, too old, no room"""
    def files():
        return sorted(n for n in os.listdir(TMP) if n.startswith("a file"))
    args = ("-m", "16", "--snapshot-path", FILE)
    d = Daemon(*args)
    fill(d, 3000)
    d.stop()
    good = open(FILE, "rb").read()
    for path in glob.glob(shm() + "*"):
        os.unlink(path)
    # it was saved a second ago, and may not be older than that
    time.sleep(2.2)
    d = Daemon(*args, "--snapshot-max-age", "1")
    assert "older than snapshot_max_age" in d.log() and count(d) == 0, d.log()
    assert d.client().stats()["snapshot_age"] == "0"
    fill(d, 5)
    assert d.stop() == 0 and files() == ["a file.snap", "a file.snap.old"], files()
    assert open(FILE + ".old", "rb").read() == good
    # no room for all of it, where nothing may go
    os.replace(FILE + ".old", FILE)
    os.unlink(shm())
    big = random.Random(1).randbytes(900000)
    d = Daemon(*args)
    for i in range(12):
        assert d.client().set("big%d" % i, big) == b"STORED"
    d.stop()
    os.unlink(shm())
    second = open(FILE, "rb").read()
    with open(FILE + ".old", "wb") as f:
        f.write(b"an older one")
    d = Daemon("-m", "4", "-M", "--snapshot-path", FILE)
    assert "for which there is no room" in d.log() and "kept as %s.old-2 too" % FILE in d.log(), d.log()
    age = int(d.client().stats()["snapshot_age"])
    assert 0 <= age < 100 and "saved %d s ago" % age in d.log(), d.log()
    d.kill()  # and what a later life saves doesn't replace it either
    d = Daemon("-m", "4", "-M", "--snapshot-path", FILE)
    assert d.stop() == 0
    assert files() == ["a file.snap", "a file.snap.old", "a file.snap.old-2"], files()
    assert open(FILE + ".old", "rb").read() == b"an older one" and open(FILE + ".old-2", "rb").read() == second
    # all nine names taken: not saved, and said so
    os.unlink(shm())
    os.replace(FILE + ".old-2", FILE)
    for i in range(2, 10):
        open(FILE + ".old-%d" % i, "w").close()
    d = Daemon("-m", "4", "-M", "--snapshot-path", FILE)
    assert d.stop() == 74 and "is not saved" in d.log() and open(FILE, "rb").read() == second, d.log()
    lib.clean()


@test
def damaged_twice():
    """a second damaged file doesn't replace the first one that was kept"""
    args = ("-m", "16", "--snapshot-path", FILE)
    for n in range(2):
        d = Daemon(*args)
        fill(d, 100 + n)
        assert d.stop() == 0
        os.unlink(shm())
        with open(FILE, "r+b") as f:
            f.seek(60)
            byte = f.read(1)[0]
            f.seek(60)
            f.write(bytes([byte ^ 0xff])) # a byte of its own choice could be the one that is there
        Daemon(*args).kill()
        os.unlink(shm())
    kept = sorted(n for n in os.listdir(TMP) if "damaged" in n)
    assert kept == ["a file.snap.damaged", "a file.snap.damaged-2"], kept


def precious():
    """A file of somebody else's."""
    path = os.path.join(TMP, "precious")
    with open(path, "w") as f:
        f.write("precious data")
    return path


@test
def new_is_taken():
    """somebody else's PATH.new doesn't stand in a save's way, and stays"""
    d = Daemon("--snapshot-path", FILE)
    fill(d, 10)
    other = precious()
    os.symlink(other, FILE + ".new")

    def is_saved():
        assert os.path.islink(FILE + ".new") and open(other).read() == "precious data"
        assert sorted(f for f in os.listdir(TMP) if f.startswith("a file")) == ["a file.snap", "a file.snap.new"], os.listdir(TMP)
        e = Daemon(suffix="2")
        assert ctl(e, "load", FILE)[1].startswith("10 items loaded")
        e.kill()
        os.unlink(shm("2"))
        os.unlink(FILE)
    status, out = ctl(d, "save", FILE)  # peekctl makes the file
    assert status == 0 and "10 items saved" in out, out
    is_saved()
    assert d.stop() == 0 and "10 items saved" in d.log(), d.log()  # the daemon does
    is_saved()


@test
def left_alone():
    """a file that is no snapshot, and what a link leads to, are not written over; a directory that refuses is an error; .new of a killed save is replaced"""
    d = Daemon()
    fill(d, 10)
    other = precious()
    os.symlink(other, os.path.join(TMP, "link"))
    for name in ("precious", "link"):
        status, out = ctl(d, "save", os.path.join(TMP, name))
        assert status == 1 and "left alone" in out, out
    assert open(other).read() == "precious data"
    status, out = ctl(d, "save", "/nowhere/at/all")
    assert status == 1 and "No such file" in out, out
    assert ctl(d, "save", FILE)[0] == 0
    os.rename(FILE, FILE + ".new")
    assert ctl(d, "save", FILE)[0] == 0 and ctl(d, "save", FILE)[0] == 0


@test
def full_disk():
    """a disk that is full fails the save, which leaves the older file and nothing else"""
    small = os.path.join(TMP, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("can't mount")
    try:
        d = Daemon("--snapshot-compress=no")
        fill(d, 10)
        target = os.path.join(small, "f")
        assert ctl(d, "save", target)[0] == 0
        before = open(target, "rb").read()
        fill(d, 3000)
        status, out = ctl(d, "save", target)
        assert status == 1 and "No space left" in out, out
        assert open(target, "rb").read() == before and os.listdir(small) == ["f"]
    finally:
        subprocess.run(["umount", small])


@test
def who_may():
    """only administrators, and only over the Unix socket"""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    d = Daemon("-l", "127.0.0.1", "-p", port, "--tcp-access", "admin")
    t = lib.Client(("127.0.0.1", port))
    for verb in (b"peek_save", b"peek_load", b"peek_load_part"):
        assert t.ask(verb + b" " + FILE.replace(" ", "%20").encode()).startswith(b"CLIENT_ERROR permission denied")
    c = d.client()
    assert c.ask(b"peek_save relative").startswith(b"CLIENT_ERROR") and c.ask(b"peek_save /a%zz").startswith(b"CLIENT_ERROR")
    assert c.ask(b"peek_save /a%00b").startswith(b"CLIENT_ERROR") and c.ask(b"peek_save") == b"ERROR"
    assert not os.path.exists(FILE)
    e = Daemon("--access-admin", "nobody", suffix="2")
    status, out = ctl(e, "save", FILE)
    assert status == 1 and "needs admin" in out, out


@test
def file_of_the_caller():
    """15.33: save and load reach the file that the caller means, with the caller's rights, though the daemon sees another /tmp or may not write"""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("needs root and mount namespaces")
    mine = os.path.join(TMP, "mine")
    os.mkdir(mine, 0o700)
    os.chmod(TMP, 0o777)
    # its own sockets lie outside of what it can't see
    script = 'mount -t tmpfs none "$0"; mount --bind -o ro "$0" "$0"; exec "$@"'
    d = Daemon("-u", "nobody", "--access-admin", "root", prefix=["unshare", "-m", "/bin/sh", "-c", script, mine])
    fill(d, 100)
    target = os.path.join(mine, "f.snap")
    status, out = ctl(d, "save", target)
    assert status == 0 and out.startswith("100 items saved"), (status, out)
    assert os.listdir(mine) == ["f.snap"] and os.stat(target).st_mode & 0o777 == 0o600 and os.stat(target).st_uid == 0
    assert "peek_save %s, which the client has opened" % target in d.log(), d.log()
    c = d.client()
    e = Daemon("-u", "nobody", "--access-admin", "root", suffix="2")
    assert ctl(e, "load", target)[1].startswith("100 items loaded")
    check(e, 100)
    # by its path the daemon can't reach it, and says so
    job = c.ask(b"peek_save " + target.encode())
    assert job.isdigit(), job
    wait_for(lambda: "snapshot: " in d.log().split("peek_save %s\n" % target)[-1])
    assert "sandbox" in d.log() and "/var/lib/peekd" in d.log(), d.log()
    # the caller's rights
    before = open(target, "rb").read()
    status, out = ctl(d, "save", "/proc/f.snap")  # nobody can make one there
    assert status == 1 and "can't be made" in out, out
    assert open(target, "rb").read() == before


@test
def descriptors():
    """a descriptor is used once, by who may; what is no plain file is refused; none leaks"""
    d = Daemon()
    fill(d, 10)
    n_open = len(os.listdir("/proc/%d/fd" % d.pid))
    def ask(line, *fds, path=d.path):
        c = lib.Client(path)
        c.s.sendmsg([line + b"\r\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(f.to_bytes(4, "little") for f in fds))] if fds else [])
        return c, c.line()
    f = os.open(FILE, os.O_RDWR | os.O_CREAT, 0o600)
    c, line = ask(b"peek_save -here", f)
    assert line.isdigit(), line
    wait_for(lambda: "10 items saved" in d.log())
    assert c.ask(b"peek_save -here") == b"CLIENT_ERROR no descriptor came with the request"
    assert ask(b"peek_save -")[1].startswith(b"CLIENT_ERROR no descriptor")
    r, w = os.pipe()
    for fd in (w, os.open("/dev/null", os.O_WRONLY), os.open(TMP, os.O_RDONLY)):
        said = d.log().count("no plain file")
        assert ask(b"peek_save -odd", fd)[1].isdigit()
        wait_for(lambda: d.log().count("no plain file") == said + 1)
    clients = [ask(b"version", f, f, f)[0] for _ in range(20)] + [ask(b"version", f)[0] for _ in range(20)]
    for c in clients:
        c.s.sendmsg([b"version\r\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, f.to_bytes(4, "little"))])
        c.line(), c.close()
    c.s.close()
    del c
    wait_for(lambda: len(os.listdir("/proc/%d/fd" % d.pid)) <= n_open, 5, "descriptors are left")
    e = Daemon("--access-admin", "nobody", suffix="2")
    c, line = ask(b"peek_save -x", f, path=e.path)
    assert line.startswith(b"CLIENT_ERROR permission denied"), line
    assert len([x for x in os.listdir("/proc/%d/fd" % e.pid) if "snap" in os.readlink("/proc/%d/fd/%s" % (e.pid, x))]) == 0
    os.close(f)


@test
def while_it_serves():
    """requests don't wait for a save; each item in it is whole; a second job is refused meanwhile; TERM leaves nothing half-done"""
    d = Daemon("-m", "256")
    n = 20000 if lib.SANITIZED else 100000
    c = fill(d, n)
    p = subprocess.Popen([PEEKCTL, "-s", d.path, "save", FILE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: "peek_save" in d.log(), 5)
    assert c.ask(b"peek_load /x").startswith(b"SERVER_ERROR another")
    worst, asked = 0, 0
    while p.poll() is None:
        begin = time.monotonic()
        i = asked * 37 % n
        assert c.ask(b"set key%d %d 0 5\r\n" % (i, i) + b"%05d" % i) == b"STORED"
        worst = max(worst, time.monotonic() - begin)
        asked += 1
    out = p.stdout.read().decode()
    assert p.returncode == 0 and int(out.split()[0]) >= n, out
    assert asked > n / 1000, asked  # one that waited for the save would be alone: how long each takes is a benchmark's matter
    print("# %d requests beside a save of %d items, the slowest %.2f ms" % (asked, n, worst * 1000))
    e = Daemon("-m", "256", suffix="2")
    status, out = ctl(e, "load", FILE)
    assert status == 0, out
    assert count(e) == n
    c = e.client(30)
    for i in range(0, n, 53):
        v = c.get("key%d" % i)
        assert v in (value_of(i), b"%05d" % i), (i, v)
    c = d.client()
    assert c.ask(b"peek_save " + FILE.replace(" ", "%20").encode() + b"2").isdigit()
    wait_for(lambda: os.path.exists(FILE + "2.new") or os.path.exists(FILE + "2"), 5)
    assert d.stop() == 0
    assert not os.path.exists(FILE + "2.new")


main()
