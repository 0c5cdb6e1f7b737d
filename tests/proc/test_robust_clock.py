#!/usr/bin/env python3
"""Clocks: time namespaces, a wall clock that jumps, daemons that are dead meanwhile, readers that come late."""
import errno
import fcntl
import os
import struct
import subprocess
import sys
import time

import daemon_lib as lib
from daemon_lib import TMP, Daemon, test, wait_for
from robust_lib import Peek, dll, need_root, skip_sanitized

OFFSET_S = 1000000


def need_namespace():
    need_root()
    if subprocess.run(["unshare", "--time", "--boottime", "100", "--fork", "true"], capture_output=True).returncode != 0:
        raise lib.Skip("needs time namespaces")


def elsewhere(code):
    """Runs Python code with a Peek named p in a time namespace that is OFFSET_S ahead; returns what it printed."""
    program = "import sys; sys.argv = ['x']; sys.path.insert(0, %r)\nfrom robust_lib import Peek\np = Peek(%r)\n%s" % (
        os.path.dirname(os.path.abspath(__file__)), lib.name(), code)
    p = subprocess.run(["unshare", "--time", "--boottime", str(OFFSET_S), "--monotonic", str(OFFSET_S), "--fork", sys.executable, "-c", program],
        capture_output=True, text=True, timeout=30)
    assert p.returncode == 0, p.stderr
    return p.stdout.split()


@test
def reader_in_another_time():
    """a reader in a time namespace sees what others see: TTLs, the daemon's presence and silence; with and without a daemon"""
    need_namespace()
    dll()
    d = Daemon("-m", "2")
    c = d.client()
    c.ask(b"set long 0 1000 1\r\nx")
    c.ask(b"set short 0 3 1\r\nx")
    stored = time.monotonic()
    code = "s = p.status(); print(p.get('long'), p.get('short'), s.writer_present, s.writer_silent_ms < 2000, p.info('long').ttl_s > 900)"
    assert elsewhere(code) == ["b'x'", "b'x'", "1", "True", "True"], elsewhere(code)
    d.kill()
    time.sleep(max(0.0, stored + 4.2 - time.monotonic()))
    code = "s = p.status(); print(p.get('long'), p.get('short'), s.writer_present, 2000 < s.writer_silent_ms < 60000, p.info('long').ttl_s > 900)"
    assert elsewhere(code) == ["b'x'", "-2", "0", "True", "True"], elsewhere(code)
    assert Peek().get("short") == -errno.ENOENT


@test
def child_in_another_time():
    """a child that fork() puts into another time namespace, and a process between the two, have the host's clock"""
    need_namespace()
    dll()
    d = Daemon("-m", "2")
    d.client().ask(b"set long 0 1000 1\r\nx")
    code = """
import ctypes, os
def sees(p):
    s = p.status()
    return [p.get('long') == b'x', s.writer_present, s.writer_silent_ms < 2000, 900 < p.info('long').ttl_s <= 1000]
assert sees(p) == [True, 1, True, True], sees(p)
assert ctypes.CDLL(None).unshare(0x80) == 0
with open('/proc/self/timens_offsets', 'w') as f:
    f.write('monotonic 5000000 0\\nboottime 5000000 0\\n')
q = Peek(p.name)
assert sees(q) == [True, 1, True, True], ('between', sees(q))
pid = os.fork()
if pid == 0:
    os._exit(0 if sees(p) == [True, 1, True, True] and sees(q) == sees(p) == sees(Peek(p.name)) else 1)
assert os.waitpid(pid, 0)[1] == 0, 'child'
"""
    program = "import sys; sys.argv = ['x']; sys.path.insert(0, %r)\nfrom robust_lib import Peek\np = Peek(%r)\np.name = %r\n%s" % (
        os.path.dirname(os.path.abspath(__file__)), lib.name(), lib.name(), code)
    r = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr


def is_free():
    """True: nobody holds the instance's lock."""
    with open(lib.shm(ext=".lock"), "rb") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False


@test
def daemon_in_another_time():
    """a daemon in a time namespace takes over from one outside, and the other way round: TTLs go on as if nothing had been"""
    need_namespace()
    ahead = ["unshare", "--time", "--boottime", str(OFFSET_S), "--monotonic", str(OFFSET_S), "--fork", "--kill-child"]
    d = Daemon("-m", "2")
    d.client().ask(b"set long 0 1000 1\r\nx")
    d.kill()
    for prefix in (ahead, [], ahead):
        d = Daemon("-m", "2", prefix=prefix)
        c = d.client()
        ttl = int(c.ask(b"mg long t").split()[1][1:])
        assert 980 < ttl <= 1000, ttl
        assert c.ask(b"set short 0 2 1\r\nx") == b"STORED"
        p = Peek()
        assert p.get("short") == b"x" and p.status().writer_present == 1
        wait_for(lambda: p.get("short") == -errno.ENOENT, 4, "it doesn't expire")
        assert 970 < p.info("long").ttl_s <= 1000
        c.close()
        d.kill()
        wait_for(is_free, 5, "the daemon outlives its namespace")


@test
def wall_clock_jumps():
    """the wall clock set back and forth: what was stored keeps its time, and absolute times are taken by the clock as it is then"""
    dll()
    skip_sanitized()
    library = os.path.join(os.environ.get("B", os.path.dirname(lib.PEEKD)), "robust_clock.so")
    if not os.path.exists(library):
        raise lib.Skip("make tests builds %s" % library)
    stamp = os.path.join(TMP, "stamp")

    def jump(seconds):
        with open(stamp, "r+b") as f:
            f.write(struct.pack("<q", seconds))
        time.sleep(0.25)

    with open(stamp, "wb") as f:
        f.write(bytes(8))
    env = {"LD_PRELOAD": os.path.abspath(library), "PEEK_TEST_CLOCK": stamp}
    d = Daemon("-m", "2", env=env)
    c, p = d.client(), Peek()

    def ttl(key):
        line = c.ask(b"mg %s t" % key)
        return int(line.split()[1][1:]) if line.startswith(b"HD") else None

    now = int(time.time())
    c.ask(b"set rel 0 500 1\r\nx")
    c.ask(b"set abs 0 %d 1\r\nx" % (now + 500))
    for seconds in (-86400, 86400, 10 * 365 * 86400, 0):
        jump(seconds)
        assert 490 <= ttl(b"rel") <= 500 and 490 <= ttl(b"abs") <= 500, (seconds, ttl(b"rel"), ttl(b"abs"))
        assert p.get("rel") == b"x" and p.get("abs") == b"x"
        assert 0 <= int(c.stats()["uptime"]) < 120, (seconds, c.stats()["uptime"])
        there = int(c.stats()["time"])
        assert abs(there - now - seconds) < 30, "the clock isn't shifted"
        c.ask(b"set then 0 %d 1\r\nx" % (now + seconds + 300))
        assert 290 <= ttl(b"then") <= 300, (seconds, ttl(b"then"))
        c.ask(b"set past 0 %d 1\r\nx" % (now + seconds - 10))
        assert p.get("past") == -errno.ENOENT
    c.ask(b"set soon 0 %d 1\r\nx" % (int(time.time()) + 2))
    jump(-86400)
    wait_for(lambda: p.get("soon") == -errno.ENOENT, 4, "the wall clock kept it alive")
    d.kill()
    jump(40000)
    d = Daemon("-m", "2", env=env)
    c = d.client()
    assert 480 <= ttl(b"rel") <= 500, ttl(b"rel")


@test
def late_reader():
    """a reader that is attached before a long silence, and one after it, agree on what has expired, to the second"""
    dll()
    d = Daemon("-m", "2")
    c, early = d.client(), Peek()
    for i in range(1, 5):
        c.ask(b"set t%d 0 %d 1\r\nx" % (i, i))
    d.kill()
    end, seen = time.monotonic() + 4.5, 0
    while time.monotonic() < end:
        late = Peek()
        a = [early.get("t%d" % i) == b"x" for i in range(1, 5)]
        b = [late.get("t%d" % i) == b"x" for i in range(1, 5)]
        late.close()
        if a == b:
            seen += 1
        assert sum(x != y for x, y in zip(a, b)) <= 1, (a, b)  # a second may turn between the two
        assert a == sorted(a), "a later one expired first: %s" % a
        time.sleep(0.1)
    assert not any(a) and seen > 10
    d = Daemon("-m", "2")
    assert "4 expired" in d.log(), d.log()


lib.main()
