#!/usr/bin/env python3
"""No room: /dev/shm that fills up while it runs, no descriptors, no heap. Nobody meets SIGBUS, nothing is wrong, the daemon lives."""
import os
import resource
import subprocess
import sys
import time

import daemon_lib as lib
from daemon_lib import TMP, Daemon, test, wait_for
from robust_lib import Peek, need_root, skip_sanitized


def on_small_shm(size):
    """Runs the calling test again with a /dev/shm of its own; True there."""
    if os.environ.get("ROBUST_INNER"):
        return True
    need_root()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise lib.Skip("needs mount namespaces")
    caller = sys._getframe(1).f_code.co_name
    p = subprocess.run(["unshare", "-m", "/bin/sh", "-c", 'mount -t tmpfs -o size=%s tmpfs /dev/shm && exec "$@"' % size, "sh",
        sys.executable, os.path.abspath(__file__), caller], env=dict(os.environ, ROBUST_INNER="1"), capture_output=True, text=True, timeout=100)
    sys.stdout.write("".join(line + "\n" for line in p.stdout.splitlines() if line.startswith("#")))
    assert p.returncode == 0 and "\nok 1" in p.stdout, p.stdout + p.stderr
    return False


@test
def growth_refused():
    """/dev/shm full when the table wants to grow: growth is refused and counted, sets succeed, values are right, readers never fault"""
    if not on_small_shm("4608k"):
        return
    d = Daemon("-m", "4")
    c, p, n = d.client(), Peek(), 120000
    for at in range(0, n, 500):
        c.send(b"".join(b"set s%d 0 0 4\r\n%04d\r\n" % (i, i % 10000) for i in range(at, at + 500)))
        assert c.exact(8 * 500) == b"STORED\r\n" * 500
        for i in range(at, at + 500, 50):
            assert p.get("s%d" % i) in (b"%04d" % (i % 10000), -2)
    s = c.stats()
    there = 0
    for i in range(n):
        v = p.get("s%d" % i)
        assert v in (b"%04d" % (i % 10000), -2), (i, v)
        there += v != -2
    assert there == int(s["curr_items"]), (there, s["curr_items"])
    assert int(s["growth_refused"]) > 0, s["growth_refused"]
    st = os.statvfs("/dev/shm")
    print("# growth refused %s times with %d KiB free, %d items in %s buckets, %s dropped from full chains, %s evicted" % (s["growth_refused"],
        st.f_bavail * st.f_frsize >> 10, there, s["n_buckets"], s["chain_evictions"], s["evictions"]))
    # Room again: it grows on.
    subprocess.run(["mount", "-o", "remount,size=16m", "/dev/shm"], check=True)
    before = int(c.stats()["n_buckets"])
    for at in range(n, 2 * n, 500):
        c.send(b"".join(b"set s%d 0 0 4\r\n%04d\r\n" % (i, i % 10000) for i in range(at, at + 500)))
        assert c.exact(8 * 500) == b"STORED\r\n" * 500
    assert int(c.stats()["n_buckets"]) > before
    assert d.stop() == 0


@test
def filled_by_others():
    """somebody else fills /dev/shm: the daemon, a restart and a reader go on; another size is refused with its reason"""
    if not on_small_shm("12m"):
        return
    d = Daemon("-m", "4")
    c = d.client()
    for i in range(2000):
        c.set("k%d" % i, b"%0100d" % i)
    subprocess.run("head -c 100m /dev/zero >/dev/shm/filler 2>/dev/null", shell=True)
    st = os.statvfs("/dev/shm")
    assert st.f_bavail == 0
    p = Peek(flags=0)
    for i in range(5000):
        assert c.set("k%d" % i, b"%0100d" % i) == b"STORED"
        assert p.get("k%d" % i) == b"%0100d" % i
    d.kill()
    status, log = lib.refused("-m", "6")
    assert status == 73 and "no room" in log, (status, log)
    d = Daemon("-m", "4")
    assert d.client().get("k4999") == b"%0100d" % 4999 and p.get("k4999") == b"%0100d" % 4999
    assert not os.path.exists("/dev/shm/peekd.%s.new" % d.name)


@test
def no_memory_in_the_group():
    """a memory group too small for the segment: an error or the kernel's kill at the start, and nothing half made is ever served"""
    need_root()
    skip_sanitized()
    for group, limit in (("/sys/fs/cgroup/peek-%d", "memory.max"), ("/sys/fs/cgroup/memory/peek-%d", "memory.limit_in_bytes")):
        group %= os.getpid()
        try:
            os.mkdir(group)
        except OSError:
            continue
        if os.path.exists(os.path.join(group, limit)):
            break
        os.rmdir(group)
    else:
        raise lib.Skip("no memory controller that could be used")
    try:
        open(os.path.join(group, limit), "w").write("16m")
        d = Daemon("-m", "64", ready=False, before=lambda: open(group + "/cgroup.procs", "w").write(str(os.getpid())))
        assert d.wait() != 0
        assert not os.path.exists(lib.shm()), "half a segment has the name"
        print("# status %d, %s" % (d.p.returncode, d.log().strip()[:150]))
        d = Daemon("-m", "64")
        assert d.client().set("a", b"1") == b"STORED"
        d.kill()
    finally:
        wait_for(lambda: not open(group + "/cgroup.procs").read().strip())
        os.rmdir(group)


@test
def no_descriptors():
    """no descriptor left: accepting pauses, those who are in are served, it goes on by itself, the log says so once"""
    d = Daemon("-m", "2", "-c", "200")
    first = d.client()
    assert first.set("a", b"1") == b"STORED"
    n_open = len(os.listdir("/proc/%d/fd" % d.pid))
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (n_open + 4, 4096))
    clients = [d.client(timeout=10) for _ in range(40)]
    time.sleep(0.3)
    cpu = sum(int(x) for x in open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[11:13])
    for _ in range(20):
        assert first.get("a") == b"1"
        time.sleep(0.05)
    spent = sum(int(x) for x in open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[11:13]) - cpu
    assert spent < 50, "it spins: %d ticks in a second" % spent
    said = [line for line in d.log().splitlines() if "descriptor" in line or "open files" in line or "RLIMIT_NOFILE" in line]
    print("# %d lines in the log: %s" % (len(said), said[:1]))
    assert 1 <= len(said) <= 2, said
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    for c in clients:
        assert c.ask(b"get nothing") == b"END"
    assert d.stop() == 0


def vm_bytes(d):
    return d.status("VmSize") << 10


@test
def no_heap():
    """no heap left: requests fail one by one, other connections and the table go on; with memory again all is as before"""
    skip_sanitized()
    d = Daemon("-m", "16", "-I", "8m", "-c", "500")
    c = d.client()
    for i in range(1000):
        c.set("k%d" % i, b"%0200d" % i)
    resource.prlimit(d.pid, resource.RLIMIT_AS, (vm_bytes(d) + (1 << 20), resource.RLIM_INFINITY))
    failed = {}
    clients = []
    for i in range(60):
        try:
            b = d.client(timeout=10)
            clients.append(b)
            b.send(b"set big%d 0 0 6000000\r\n" % i + b"x" * 6000000 + b"\r\nget big%d\r\nget k1\r\n" % i)
            reply = b.line()
            if reply == b"VALUE":
                reply = b"?"
        except (EOFError, OSError) as e:
            reply = type(e).__name__.encode()
        failed[reply] = failed.get(reply, 0) + 1
        assert d.p.poll() is None, "the daemon has ended: " + d.log()[-400:]
        assert c.get("k%d" % i) in (b"%0200d" % i, None)
    print("# answers to 60 sets of 6 MB that are not read further: %s" % failed)
    for b in clients:
        b.close()
    resource.prlimit(d.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    c = d.client()
    assert c.set("after", b"y" * 5000000) == b"STORED" and c.get("after") == b"y" * 5000000
    assert d.stop() == 0


lib.main()
