#!/usr/bin/env python3
"""No room: /dev/shm that fills up while it runs, no descriptors, no heap. Nobody meets SIGBUS, nothing is wrong, the daemon lives."""
import glob
import os
import resource
import shutil
import subprocess
import time

import daemon_lib as lib
from daemon_lib import TMP, Daemon, test, wait_for
from robust_lib import Peek, need_root, on_small_shm, skip_sanitized


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
def hand_over_refused():
    """15.6: a hand-over whose new table can't grow is refused (73), and the old segment is served with every item"""
    if not on_small_shm("64m"):
        return
    d = Daemon("-m", "4")
    c, n = d.client(), 40000
    for at in range(0, n, 500):
        c.send(b"".join(b"set s%d 0 0 4\r\n%04d\r\n" % (i, i % 10000) for i in range(at, at + 500)))
        assert c.exact(8 * 500) == b"STORED\r\n" * 500
    there = int(c.stats()["curr_items"])
    assert there > 30000, there
    d.kill()
    st = os.statvfs("/dev/shm")
    used = (st.f_blocks - st.f_bfree) * st.f_frsize >> 10
    before = os.stat(lib.shm()).st_ino
    for beside in range(8192, 12288, 64):  # the first size that has room for the new segment, and for no larger table
        subprocess.run(["mount", "-o", "remount,size=%dk" % (used + beside), "/dev/shm"], check=True)
        status, log = lib.refused("-m", "8")
        if "has no room for" not in log:
            break
    assert status == 73 and "the new table can't grow" in log and "(4 MiB)" in log, (status, log)
    assert os.stat(lib.shm()).st_ino == before and not glob.glob(lib.shm() + "*.new*")
    d = Daemon("-m", "4")
    c = d.client()
    assert int(c.stats()["curr_items"]) == there
    for i in range(0, n, 97):
        assert c.get("s%d" % i) in (b"%04d" % (i % 10000), None)
    d.stop()
    subprocess.run(["mount", "-o", "remount,size=64m", "/dev/shm"], check=True)
    d = Daemon("-m", "8")  # with room it is carried out
    assert int(d.client().stats()["curr_items"]) == there
    d.stop()


def nothing_left():
    left = glob.glob(lib.shm() + "*") + glob.glob(TMP + "/*.sock")
    assert left == [], left


@test
def limits():
    """15.26: a start that a limit refuses names the limit and both numbers, has taken nothing, and leaves nothing"""
    skip_sanitized()
    limit = resource.RLIMIT_FSIZE, resource.RLIMIT_AS
    for which, bytes_, words in ((limit[0], 20 << 20, ("RLIMIT_FSIZE", "files of 20 MiB", "MiB long")),
            (limit[0], 64 << 20, ("RLIMIT_FSIZE", "files of 64 MiB", "MiB long")),
            (limit[1], 80 << 20, ("RLIMIT_AS", "may have 80 MiB of addresses", "needs "))):
        status, log = lib.refused("-m", "64", before=lambda: resource.setrlimit(which, (bytes_, bytes_)))
        assert status == 73 and all(w in log for w in words), (status, log)
        nothing_left()
    d = Daemon("-m", "4")
    d.client().set("a", b"1")
    d.kill()
    inode = os.stat(lib.shm()).st_ino
    status, log = lib.refused("-m", "64", before=lambda: resource.setrlimit(limit[0], (20 << 20, 20 << 20)))
    assert status == 73 and "RLIMIT_FSIZE" in log, (status, log)
    assert os.stat(lib.shm()).st_ino == inode and not glob.glob(lib.shm() + ".new*")
    d = Daemon("-m", "4")
    assert d.client().get("a") == b"1"


def in_namespace(script, *args):
    """Output and errors of a shell script in a mount namespace; $@ is the daemon's command line."""
    p = subprocess.run(["unshare", "-m", "/bin/sh", "-c", script, "sh", lib.PEEKD, "-n", lib.name(), "-s", os.path.join(TMP, "n.sock"),
        *args], capture_output=True, text=True, timeout=30)
    return p.stdout, p.stderr


@test
def other_file_systems():
    """a ramfs, a tmpfs without inodes, none at all, no room: each is named, and /dev/shm is as it was"""
    need_root()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise lib.Skip("needs mount namespaces")
    end = '; "$@"; echo "status $?"; ls -A /dev/shm'
    for script, words in (("mount -t ramfs ramfs /dev/shm", ("ramfs", "mount a tmpfs")),
            ("mount -t tmpfs -o size=100m,nr_inodes=2 tmpfs /dev/shm; : >/dev/shm/x", ("no inode left", "of 2")),
            ("mount -t tmpfs -o size=100m,nr_inodes=3 tmpfs /dev/shm; : >/dev/shm/x", ("no inode left", "of 3")),
            ("mount -t tmpfs -o size=40m tmpfs /dev/shm", ("has no room for 65 MiB", "39 MiB are free", "-m")),
            ("mount -t tmpfs tmpfs /dev; mount -t proc proc /proc", ("/dev/shm", "tmpfs"))):
        out, err = in_namespace(script + end, "-m", "64")
        assert "status 73" in out and all(w in err for w in words), (script, out, err)
        left = [line for line in out.split("\n")[1:] if line not in ("", "x")]
        # where no inode or no directory is left there is not even a lock
        assert left == [], (script, left)


@test
def neighbours_keep_room():
    """a start that doesn't fit takes nothing from /dev/shm, not even for a moment: a neighbour that writes meanwhile always finds room"""
    if not on_small_shm("48m"):
        return
    # LeakSanitizer refuses to look for leaks where strace looks on.
    asan = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))
    out = subprocess.run(["strace", "-f", "-e", "trace=fallocate,ftruncate", "-E", "ASAN_OPTIONS=" + asan, lib.PEEKD, "-n", lib.name(),
        "-s", TMP + "/s.sock", "-m", "64"], capture_output=True, text=True) if shutil.which("strace") else None
    if out is None:
        status, log = lib.refused("-m", "64")
        assert status == 73, log
        raise lib.Skip("strace isn't there to look on")
    assert out.returncode == 73 and "fallocate(" not in out.stderr, out.stderr


@test
def group_of_version_2():
    """the same limit in a version 2 hierarchy, of the group or of one around it; memory.max of max is none"""
    need_root()
    skip_sanitized()
    script = """mount -t tmpfs tmpfs /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/a.slice/b.service
        echo %s >/sys/fs/cgroup/a.slice/memory.max; echo %s >/sys/fs/cgroup/a.slice/b.service/memory.max
        for f in a.slice a.slice/b.service; do echo 0 >/sys/fs/cgroup/$f/memory.swap.max; done
        echo 0::/a.slice/b.service >/tmp/$$.cgroup; mount --bind /tmp/$$.cgroup /proc/$$/cgroup || echo "no mount"; rm /tmp/$$.cgroup
        exec "$@" """
    for outer, inner, name, mib in ((20 << 20, "max", "a.slice ", 20), ("max", 30 << 20, "b.service", 30), (40 << 20, 30 << 20, "b.service", 30)):
        out, err = in_namespace(script % (outer, inner), "-m", "64")
        if "no mount" in out:
            raise lib.Skip("can't show another group")
        assert "%sallows" % name in err.replace("b.service ", "b.service") and "%d MiB" % mib in err and "69 MiB" in err, err
        nothing_left()
    p = subprocess.Popen(["unshare", "-m", "/bin/sh", "-c", script % ("max", "max"), "sh", lib.PEEKD, "-n", lib.name(), "-s", TMP + "/n.sock",
        "-m", "64"], stderr=subprocess.PIPE, text=True)
    line = p.stderr.readline()
    p.terminate()
    p.wait()
    assert "serves" in line, line


@test
def no_memory_in_the_group():
    """15.26: a memory group too small for the segment: status 73 with the group and both numbers, nothing taken, nothing left"""
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
        assert d.wait() == 73, (d.p.returncode, d.log())
        assert os.path.basename(group) in d.log() and "allows 16 MiB" in d.log() and "needs 69 MiB" in d.log(), d.log()
        nothing_left()
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
    n_runs = 0  # how often it is found running: on a busy host too one that spins always is
    for _ in range(40):
        assert first.get("a") == b"1"
        time.sleep(0.025)
        n_runs += open("/proc/%d/stat" % d.pid).read().rsplit(")", 1)[1].split()[0] == "R"
    assert n_runs < 20, "it spins: it runs at %d of 40 looks" % n_runs
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
