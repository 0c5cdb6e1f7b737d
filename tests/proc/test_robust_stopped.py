#!/usr/bin/env python3
"""A writer that is stopped, inside an update and outside; readers that are killed by the hundred."""
import errno
import os
import random
import signal
import subprocess
import time

import daemon_lib as lib
from daemon_lib import Daemon, test, wait_for
from robust_lib import NO_HINTS, READ_ONLY, Peek, dll, has_hooks

PEEKCTL = os.environ.get("PEEKCTL", os.path.join(os.path.dirname(lib.PEEKD), "peekctl"))
N = 300


def fill(d):
    c = d.client()
    c.send(b"".join(b"set key%d 0 0 8\r\n%08d\r\n" % (i, i) for i in range(N)) + b"set soon 0 3 1\r\nx\r\n")
    assert c.exact(8 * (N + 1)) == b"STORED\r\n" * (N + 1)
    return c


def is_stopped(d):
    return open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "T"


def says_silent(p, d, ms):
    """peek_status and peekctl status agree that the daemon is silent, for about how long."""
    s = p.status()
    assert s.writer_present == 0 and s.writer_pid == d.pid and s.writer_silent_ms >= ms, (s.writer_present, s.writer_silent_ms)
    out = subprocess.run([PEEKCTL, "-n", d.name, "status"], capture_output=True, text=True, timeout=10)
    text = out.stdout + out.stderr
    assert out.returncode == 1 and "silent" in text, (out.returncode, text)
    words = [w for line in text.splitlines() if "daemon_silent_ms" in line for w in line.split()]
    assert words and int(words[-1]) >= ms, text


@test
def stopped_outside():
    """SIGSTOP between updates: every read succeeds, the silence is told and measured, time to live goes on; then CONT"""
    d = Daemon("-m", "4")
    fill(d)
    p = Peek()
    assert p.status().writer_present == 1
    os.kill(d.pid, signal.SIGSTOP)
    wait_for(lambda: is_stopped(d))
    begin = time.monotonic()
    while time.monotonic() < begin + 2.3:
        for i in range(N):
            assert p.get("key%d" % i) == b"%08d" % i
    says_silent(p, d, 2000)
    wait_for(lambda: p.get("soon") == -errno.ENOENT, 3, "an item that expires outlives the daemon's silence")
    os.kill(d.pid, signal.SIGCONT)
    wait_for(lambda: p.status().writer_present == 1)
    assert d.client().set("a", b"1") == b"STORED" and p.get("a") == b"1"
    p.close()


@test
def stopped_inside():
    """SIGSTOP inside an odd window: that bucket's reads end with EAGAIN within their budget, all others succeed; then CONT, then kill"""
    if not has_hooks():
        raise lib.Skip("points to stop at are compiled in by MODE=hooks")
    for label, after_kill in (("switch:entered", False), ("switch:stored", True), ("link:entered", True)):
        d = Daemon("-m", "4", env={"PEEK_STOP_AT": label + (":%d" % (N + 20) if label[0] == "l" else "")})
        c = fill(d)
        p = Peek()
        c.send(b"".join(b"set more%d 0 0 3\r\nnew\r\n" % i for i in range(40)) + b"set key7 0 0 3\r\nnew\r\n")
        wait_for(lambda: is_stopped(d))
        again, longest, t0 = set(), 0, time.thread_time()
        for i in range(N):
            t = time.thread_time()
            r = p.get("key%d" % i)
            longest = max(longest, time.thread_time() - t)
            if r == -errno.EAGAIN:
                again.add(i)
            else:
                assert r in (b"%08d" % i, b"new"), (label, i, r)
        assert len(again) <= 40, (label, again)
        if label != "link:entered":
            assert 7 in again, (label, again)
        assert longest < 0.05, "a refused read took %.1f ms of processor time" % (longest * 1000)
        print("# %s: %d of %d reads refused, the longest %.2f ms of processor time" % (label, len(again), N, longest * 1000))
        assert p.status().retries > 0 or not again
        if label == "switch:entered":
            time.sleep(2.2)
            says_silent(p, d, 2000)
        if after_kill:
            d.kill()
            d = Daemon("-m", "4")
            assert "1 buckets repaired" in d.log(), d.log()
        else:
            os.kill(d.pid, signal.SIGCONT)
            wait_for(lambda: p.get("key7") == b"new")
        for i in range(N):
            assert p.get("key%d" % i) in (b"%08d" % i, b"new"), (label, i)
        assert p.get("key8") == b"%08d" % 8
        p.close()
        d.kill()
        os.unlink(lib.shm())


def read_until_killed(seed, flags):
    """A reader that is killed while it opens, reads, adds hints or closes."""
    rnd = random.Random(seed)
    while True:
        p = Peek(flags=flags)
        for _ in range(rnd.randrange(2000)):
            p.result(b"key%d" % rnd.randrange(N + 50))
        p.close()


@test
def killed_readers():
    """readers by the hundred are killed while they open, read and add hints: no trace is left, and a reader beside them is never wrong"""
    dll()
    d = Daemon("-m", "4")
    c = fill(d)

    def fds():
        return len(os.listdir("/proc/%d/fd" % d.pid))

    objects, n_fds, before = os.listdir("/dev/shm"), fds(), c.stats()
    p, n_reads, live, rnd = Peek(), 0, {}, random.Random(7)
    n_killed = 300 if os.environ.get("PEEK_TEST_LONG") else 120
    for n in range(n_killed):
        pid = os.fork()
        if pid == 0:
            try:
                read_until_killed(n, (0, 0, NO_HINTS, READ_ONLY)[n % 4])
            finally:
                os._exit(9)
        live[pid] = time.monotonic()
        while len(live) > 12 or (n == n_killed - 1 and live):
            victim = rnd.choice(list(live))
            os.kill(victim, signal.SIGKILL)
            _, status = os.waitpid(victim, 0)
            assert os.WIFSIGNALED(status), "a reader ended by itself: %d" % status
            del live[victim]
        for i in rnd.sample(range(N), 60):
            n_reads += 1
            assert p.get("key%d" % i) == b"%08d" % i
    wait_for(lambda: fds() == n_fds, 5, "descriptors are left")
    wait_for(lambda: c.stats()["shm_clients"] == before["shm_clients"], 5, "cells are left")
    # other tests may run beside this one: only this instance's objects count
    assert [o for o in os.listdir("/dev/shm") if lib.name() in o] == [o for o in objects if lib.name() in o]
    assert c.set("after", b"1") == b"STORED" and p.get("after") == b"1"
    print("# %d readers killed, %d reads beside them, 0 wrong; %s reads counted by the daemon" % (n_killed, n_reads, c.stats()["shm_gets"]))
    p.close()


lib.main()
