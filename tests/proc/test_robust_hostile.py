#!/usr/bin/env python3
"""Memory that somebody hostile changes: the hint page flat out, attempts to cut it, a segment that its owner truncates."""
import errno
import fcntl
import mmap
import os
import random
import re
import signal
import struct
import time

import daemon_lib as lib
from daemon_lib import Daemon, shm, test, wait_for
from robust_lib import NO_HINTS, Peek, dll

F_ADD_SEALS, F_GET_SEALS = 1033, 1034


def attach(d):
    """Attaches, and returns the descriptor of the hint page."""
    with open(shm(), "rb") as f:
        epoch = struct.unpack("<Q", os.pread(f.fileno(), 8, 200))[0]
    c = d.client()
    c.send(b"peek_attach %d\r\n" % epoch)
    data, fd = c.recv_fd()
    assert fd is not None, data
    return c, fd


def garbage_forever(d):
    """Writes nonsense over every byte that a client can write, as fast as it can: slots' bytes and all clients' cells."""
    c, fd = attach(d)
    size = os.fstat(fd).st_size
    page = mmap.mmap(fd, size)
    rnd = random.Random(3)
    noise = os.urandom(1 << 20)
    full = b"\xff" * (1 << 20)
    while True:
        for source in (noise, full, noise[::-1]):
            for at in range(0, size, 1 << 20):
                n = min(1 << 20, size - at)
                shift = rnd.randrange(64)
                page[at:at + n - shift] = source[shift:n]
    c.close()


def mixed_sets(d, seconds):
    """Sets of all sizes into a segment that evicts all the time; every key is read back at once. Returns the number, and stats."""
    c, rnd, n, end = d.client(), random.Random(1), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        batch = [(b"h%d" % rnd.randrange(20000), os.urandom(4) * rnd.choice((3, 8, 20, 60, 300, 410))) for _ in range(50)]
        c.send(b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (k, len(v), v) for k, v in batch))
        for _ in batch:
            assert c.line() == b"STORED"
        last = dict(batch)
        for k in list(last)[-10:]:
            assert c.get(k) == last[k], "a value is wrong, or was evicted before others stored later"
        n += len(batch)
    return n, {k: int(v) for k, v in c.stats().items() if v.isdigit()}


@test
def hints_flat_out():
    """garbage in all hints and cells, flat out: every value is right, the work of one SET stays bounded, counters never go back"""
    d = Daemon("-m", "2")
    _, calm = mixed_sets(d, 0.5)
    seen, pids = 0, []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                garbage_forever(d)
            finally:
                os._exit(1)
        pids.append(pid)
    try:
        time.sleep(0.1)
        for _ in range(4):
            n, hostile = mixed_sets(d, 0.5)
            assert hostile["shm_gets"] >= seen
            seen = hostile["shm_gets"]
        for pid in pids:
            assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the hostile client ended"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    # For a value in one segment: eight victims that are kept and one that isn't, and as much ahead. The smallest item takes 24 bytes.
    segment_bytes = 4096
    bound = 18 * segment_bytes
    print("# items examined for the worst SET: calm %d, hostile %d, bound %d; bytes copied: calm %d, hostile %d" % (calm["longest_set_items"],
        hostile["longest_set_items"], bound // 24, calm["longest_set_copied_bytes"], hostile["longest_set_copied_bytes"]))
    assert hostile["longest_set_items"] <= bound // 24
    assert hostile["longest_set_copied_bytes"] <= bound
    assert d.stop() == 0


@test
def hints_cannot_be_cut():
    """the hint page can't be shrunk, grown, or sealed further, and what was sealed stays so"""
    d = Daemon("-m", "2")
    c, fd = attach(d)
    size, seals = os.fstat(fd).st_size, fcntl.fcntl(fd, F_GET_SEALS)
    for what in (lambda: os.ftruncate(fd, 0), lambda: os.ftruncate(fd, size // 2), lambda: os.ftruncate(fd, size + 4096),
                 lambda: fcntl.fcntl(fd, F_ADD_SEALS, 0x8)):
        try:
            what()
            raise AssertionError("it was allowed")
        except PermissionError:
            pass
    assert fcntl.fcntl(fd, F_GET_SEALS) == seals and seals & 7 == 7, seals
    assert os.fstat(fd).st_size == size
    c.close()
    assert d.client().set("a", b"1") == b"STORED"


@test
def attach_storm():
    """clients that attach and leave a thousand times, with a wrong epoch too, leave no descriptor and no cell"""
    d = Daemon("-m", "2", "-c", "64")
    before = len(os.listdir("/proc/%d/fd" % d.pid))
    for i in range(1000):
        c, fd = attach(d)
        if i % 3 == 0:
            c.send(b"peek_attach 999999\r\npeek_attach\r\npeek_attach x\r\n")
        os.close(fd)
        c.close()
    c = d.client()
    wait_for(lambda: c.stats()["shm_clients"] == "0")
    c.close()
    wait_for(lambda: len(os.listdir("/proc/%d/fd" % d.pid)) == before, 5, "descriptors are left")


@test
def cut_by_its_owner():
    """a segment truncated by its owner: a reader that has it open ends with SIGBUS, as documented; opening it is an error; a start mends it"""
    dll()
    d = Daemon("-m", "2")
    c = d.client()
    for i in range(100):
        c.set("k%d" % i, b"x" * 100)
    d.kill()
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        p = Peek()
        assert p.get("k1") == b"x" * 100
        os.write(w, b"!")
        while True:
            for i in range(100):
                p.result(b"k%d" % i)
    assert os.read(r, 1) == b"!"
    os.truncate(shm(), 8192)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS, status
    try:
        Peek()
        raise AssertionError("it was opened")
    except OSError as e:
        assert e.errno == errno.EBADMSG, e
    d = Daemon("-m", "2")
    assert "damaged" in d.log(), d.log()
    assert d.client().set("a", b"1") == b"STORED" and Peek().get("a") == b"1"


@test
def whom_counts_are_from():
    """15.24: a client can forge what peek_status counts while hinting is 1, and nothing else of it; with NO_HINTS nothing at all"""
    d = Daemon("-m", "4")
    d.client().set("k", b"v")
    p, private = Peek(flags=0), Peek(flags=NO_HINTS)
    for _ in range(10):
        assert p.get("k") == private.get("k") == b"v"
    before, own = p.status(), private.status()
    assert (before.hinting, before.gets, own.hinting, own.gets) == (1, 10, 0, 10)
    c, fd = attach(d)
    page = mmap.mmap(fd, os.fstat(fd).st_size)
    page[:] = b"\x01" * len(page)
    after = p.status()
    assert after.gets > 1 << 32 and private.status().gets == 10
    for field in ("generation", "writer_present", "writer_pid", "fallback", "hinting", "n_buckets", "arena_bytes", "socket_path"):
        assert getattr(after, field) == getattr(before, field), field
    assert p.get("k") == private.get("k") == b"v"
    page.close()


@test
def deleted_values_stay_readable():
    """15.24: what was deleted can be read in the segment's memory until something else is written there, as the manual says"""
    d = Daemon("-m", "4")
    c = d.client()
    secret = os.urandom(32).hex().encode()
    c.set("k", secret)
    assert c.ask(b"delete k") == b"DELETED"
    with open(shm(), "rb") as f:
        assert secret in f.read()
    for manual in ("src/lib/libpeek.3", "src/daemon/peekd.8", "include/peek.h"):
        words = " ".join(open(os.path.join(lib.ROOT, manual)).read().replace("\n *", " ").split())
        assert re.search(r"deleted, replaced (or|and) (have )?expired", words), manual


lib.main()
