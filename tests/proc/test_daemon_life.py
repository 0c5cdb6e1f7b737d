#!/usr/bin/env python3
"""A daemon's life: start, end, kill, restart; one writer for a name; sizes that change; service managers."""
import glob
import os
import signal
import socket
import stat
import subprocess
import time

import daemon_lib as lib
from daemon_lib import TMP, Daemon, Skip, refused, shm, test, wait_for


def fill(d, n=500):
    c = d.client()
    c.send(b"".join(b"set key%d %d 0 %d\r\n%s\r\n" % (i, i, i % 300, b"v" * (i % 300)) for i in range(n)))
    assert c.exact(8 * n) == b"STORED\r\n" * n
    return c


def check(d, n=500):
    c = d.client()
    for i in range(n):
        line = c.ask(b"get key%d" % i)
        assert line == b"VALUE key%d %d %d" % (i, i, i % 300), (i, line)
        assert c.exact(i % 300 + 2) == b"v" * (i % 300) + b"\r\n"
        assert c.line() == b"END"


@test
def clean_end():
    """TERM and INT end it with status 0; the segment stays and its items are there again; the socket file is gone"""
    for sig in (signal.SIGTERM, signal.SIGINT):
        d = Daemon()
        fill(d)
        assert d.stop(sig) == 0
        assert os.path.exists(shm()) and not os.path.exists(d.path)
        e = Daemon()
        assert "took over 500 items" in e.log(), e.log()
        check(e)
        e.stop()


@test
def killed():
    """after SIGKILL the next start has every item"""
    d = Daemon()
    fill(d)
    d.kill()
    assert os.path.exists(d.path)  # left behind, and replaced by the next
    e = Daemon()
    assert "took over 500 items" in e.log(), e.log()
    check(e)


@test
def unlink():
    """--unlink leaves nothing in /dev/shm, and the segment is marked retired for those who have it open"""
    d = Daemon("--unlink")
    fill(d)
    with open(shm(), "rb") as f:
        assert d.stop() == 0
        f.seek(64)
        assert f.read(8)[7] & 0x80, "not retired"
    assert glob.glob(shm() + "*") == []
    assert not os.path.exists(d.path)


@test
def unlink_after_hand_over():
    """--unlink removes what a hand-over put aside, too"""
    Daemon("-m", "4").stop()
    d = Daemon("-m", "8", "--unlink")
    assert glob.glob(shm(ext=".aside-*"))
    d.stop()
    assert glob.glob(shm() + "*") == []


@test
def names_beside():
    """an instance whose segment would be another's temporary object is refused"""
    d = Daemon("-m", "4")
    fill(d, 10)
    for ending in (".new", ".lock", ".aside-1-1"):
        status, log = refused(suffix=ending)
        assert status == 64 and "name" in log, (ending, status, log)
    d.kill()
    check(Daemon("-m", "4"), 10)


@test
def second_refused():
    """a second daemon on the same name is refused with status 75 and the first one's pid; the first goes on"""
    d = Daemon()
    fill(d, 10)
    status, log = refused(socket_path=os.path.join(TMP, "other.sock"))
    assert status == 75 and str(d.pid) in log and "in use" in log, (status, log)
    check(d, 10)
    d.kill()
    e = Daemon()
    check(e, 10)


@test
def second_refused_other_user():
    """the same when another user started the first"""
    if os.geteuid() != 0:
        raise lib.Skip("needs root")
    os.chmod(TMP, 0o777)
    d = Daemon("-u", "nobody")
    assert os.stat(shm()).st_uid == 65534
    fill(d, 10)
    status, log = refused(socket_path=os.path.join(TMP, "other.sock"))
    assert status in (75, 77) and ("in use" in log or "not this user's" in log), (status, log)
    check(d, 10)
    d.stop()
    status, log = refused(socket_path=os.path.join(TMP, "other.sock"))  # not running: still somebody else's
    assert status == 77 and "uid 65534" in log, (status, log)
    e = Daemon("-u", "nobody")
    check(e, 10)


@test
def sizes():
    """another -m hands the items over, in both directions; the old segment's memory is given back"""
    d = Daemon("-m", "16")
    fill(d)
    c = d.client()
    assert c.ask(b"set exp 7 1000 3\r\nabc") == b"STORED"
    old = os.open(shm(), os.O_RDONLY)
    d.kill()
    e = Daemon("-m", "32")
    assert "handed over 501 items from a segment of 16 MiB" in e.log(), e.log()
    assert os.pread(old, 8, 64)[7] & 0x80, "the old one isn't retired"
    check(e)
    assert e.client().ask(b"get exp") == b"VALUE exp 7 3"
    e.stop()
    f = Daemon("-m", "2")
    assert "handed over 501 items" in f.log(), f.log()
    check(f)
    wait_for(lambda: glob.glob(shm(ext=".*aside*")) == [], 9, "what is aside stays")
    assert os.fstat(old).st_blocks * 512 < 12 << 20, "its memory isn't given back"
    os.close(old)
    check(f)


@test
def ids_after_hand_over():
    """a CAS id that a client got before a hand-over is not given again after it"""
    d = Daemon("-m", "4")
    c = d.client()
    assert c.ask(b"set key 0 0 1\r\na") == b"STORED"
    line = c.ask(b"gets key")
    c.exact(3)
    assert c.line() == b"END" and c.ask(b"delete key") == b"DELETED"
    e = Daemon("-m", "8") if d.stop() == 0 else None
    c = e.client()
    assert c.ask(b"set key 0 0 1\r\nb") == b"STORED"
    assert c.ask(b"cas key 0 0 1 %s\r\nc" % line.split()[-1]) == b"EXISTS"


@test
def half_done_hand_overs():
    """a hand-over that was killed at any of its steps is finished or begun anew by the next start; nothing is lost"""
    new, old_aside = shm(ext=".new"), shm(ext=".aside-1-1")
    # 1: the new one isn't complete
    d = Daemon("-m", "4")
    fill(d)
    d.kill()
    with open(new, "wb") as f:
        f.truncate(8 << 20)
    e = Daemon("-m", "4")
    check(e)
    assert not os.path.exists(new)
    e.kill()
    # 2: complete, and not yet exchanged
    e = Daemon("-m", "4")
    e.kill()
    d2 = Daemon("-m", "8", suffix="2")
    d2.kill()
    os.rename(shm("2"), new)
    with open(new, "r+b") as f:  # younger: the generation is one more
        gen = int.from_bytes(open(shm(), "rb").read(48)[40:48], "little")
        f.seek(40)
        f.write((gen + 1).to_bytes(8, "little"))
    e = Daemon("-m", "4")
    assert "begins anew" in e.log(), e.log()
    check(e)
    assert not os.path.exists(new)
    e.kill()
    # 3: exchanged, the old one not retired
    d2 = Daemon("-m", "8", suffix="2")
    fill(d2)
    d2.kill()
    with open(shm("2"), "r+b") as f:
        f.seek(40)
        f.write((gen + 1).to_bytes(8, "little"))
    os.rename(shm(), new)
    os.rename(shm("2"), shm())
    with open(new, "rb") as held:
        e = Daemon("-m", "8")
        assert "is finished" in e.log(), e.log()
        assert not os.path.exists(new) and glob.glob(shm(ext=".aside-*"))
        held.seek(64)
        assert held.read(8)[7] & 0x80, "not retired"
    check(e)
    e.kill()
    assert not os.path.exists(old_aside)


@test
def modes():
    """modes are what is asked for, whatever the umask: socket by -a, segment after it, lock 0600"""
    for umask in (0, 0o777):
        for mask, segment in (("0700", 0o600), ("0770", 0o640), ("0777", 0o644)):
            d = Daemon("-a", mask, before=lambda u=umask: os.umask(u))
            assert stat.S_IMODE(os.stat(d.path).st_mode) == int(mask, 8)
            assert stat.S_IMODE(os.stat(shm()).st_mode) == segment
            assert stat.S_IMODE(os.stat(shm(ext=".lock")).st_mode) == 0o600
            d.stop()
    group = 65534 if os.geteuid() == 0 else (os.getgroups() + [os.getegid()])[0] # an ordinary user gives files to groups of its own only
    d = Daemon("--shm-mask=0644", "--group=%d" % group)
    assert stat.S_IMODE(os.stat(shm()).st_mode) == 0o644
    assert os.stat(shm()).st_gid == os.stat(d.path).st_gid == group


@test
def changed_modes():
    """a segment that is taken over with another mode than before, at the same size or another: the log says both; with the same mode it says nothing"""
    d = Daemon("-a", "0770")
    d.stop()
    d = Daemon("-a", "0770")
    assert "had mode" not in d.log(), d.log()
    d.stop()
    d = Daemon("-a", "0700")
    assert "%s had mode 0640" % shm() in d.log() and "has mode 0600 and" in d.log(), d.log()
    d.kill()
    d = Daemon("-a", "0777")
    assert "had mode 0600" in d.log() and "has mode 0644 and" in d.log(), d.log()
    d.stop()
    d = Daemon("-a", "0777", "-m", "8")
    assert "handed over" in d.log() or "carried" in d.log(), d.log()
    assert "had mode" not in d.log(), d.log()
    d.stop()
    d = Daemon("-a", "0770", "-m", "16")
    assert "had mode 0644" in d.log() and "has mode 0640 and" in d.log(), d.log()


@test
def root_beside_a_service():
    """root's daemon where /run/peekd is the service's user's, and a user's where it is root's: the socket has a directory of its own"""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("needs root and mount namespaces")
    for owner, args, place in ((12345, (), "peekd-0"), (65534, ("-u", "nobody"), "peekd"), (0, (), "peekd"), (0, ("-u", "nobody"), "peekd-65534")):
        d = Daemon(*args, socket_path="", env={"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": ""}, prefix=(
            "unshare", "-m", "sh", "-c", 'mount -t tmpfs run /run && mkdir -m 755 /run/peekd && chown %d /run/peekd && exec "$@"' % owner, "sh"))
        assert "socket /run/%s/%s.sock" % (place, d.name) in d.log(), d.log()
        d.stop()
        os.unlink(shm())
        os.unlink(shm(ext=".lock"))


@test
def socket_places():
    """a live socket and a file that is none are refused; a path that is too long too; a dead daemon's socket is replaced"""
    d = Daemon()
    status, log = refused(suffix="2", socket_path=d.path)
    assert status == 75 and "in use" in log, (status, log)
    assert not os.path.exists(shm("2"))
    assert d.client().ask(b"version").startswith(b"VERSION")
    plain = os.path.join(TMP, "plain")
    open(plain, "w").write("precious")
    status, log = refused(suffix="2", socket_path=plain)
    assert status == 73 and "no socket" in log and open(plain).read() == "precious", (status, log)
    status, log = refused(suffix="2", socket_path="/nonexistent/dir/s.sock")
    assert status == 73 and "/nonexistent/dir/s.sock" in log, (status, log)
    deep = os.path.join(TMP, "d" * 60)
    os.mkdir(deep)
    os.chmod(deep, 0o755)
    p = subprocess.run([lib.PEEKD, "-n", lib.name("2"), "-s", "r" * 60], cwd=deep, capture_output=True, text=True)
    assert p.returncode == 64 and "too long" in p.stderr, (p.returncode, p.stderr)


@test
def default_socket():
    """without -s the socket is in RUNTIME_DIRECTORY, and for a user in XDG_RUNTIME_DIR"""
    run = os.path.join(TMP, "run")
    os.mkdir(run)
    d = Daemon(socket_path="", env={"RUNTIME_DIRECTORY": run})
    assert os.path.exists(os.path.join(run, d.name + ".sock"))
    d.stop()


@test
def service_manager():
    """READY, STATUS, WATCHDOG and STOPPING are sent to NOTIFY_SOCKET; a passed socket serves, before and after a restart"""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(os.path.join(TMP, "notify"))
    notify.settimeout(5)
    listening = socket.socket(socket.AF_UNIX)
    path = os.path.join(TMP, "passed.sock")
    listening.bind(path)
    listening.listen(64)
    os.set_inheritable(listening.fileno(), True)

    def manager(name_suffix=""):
        def before():
            os.dup2(listening.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())
        script = 'export LISTEN_PID=$$; exec "$@"'
        return Daemon(socket_path="", prefix=["/bin/sh", "-c", script, "sh"], before=before, pass_fds=(3, listening.fileno()),
            env={"LISTEN_FDS": "1", "NOTIFY_SOCKET": os.path.join(TMP, "notify"), "WATCHDOG_USEC": "600000", "RUNTIME_DIRECTORY": TMP})

    d = manager()
    first = notify.recv(1000).decode()
    assert "READY=1" in first and "MAINPID=%d" % d.pid in first, first
    seen = ""
    end = time.monotonic() + 4
    while not ("WATCHDOG=1" in seen and "STATUS=" in seen) and time.monotonic() < end:
        seen += notify.recv(1000).decode() + "\n"
    assert "WATCHDOG=1" in seen and "STATUS=" in seen, seen
    c = lib.Client(path)
    c.set("a", b"1")
    waiting = []
    d.stop()
    assert os.path.exists(path), "the manager's socket was removed"
    for _ in range(5):  # nobody serves: they wait
        w = lib.Client(path)
        w.send(b"get a\r\n")
        waiting.append(w)
    manager()
    for w in waiting:
        assert w.line() == b"VALUE a 0 1"
    seen = ""
    notify.settimeout(0.2)
    try:
        while True:
            seen += notify.recv(1000).decode() + "\n"
    except socket.timeout:
        pass
    assert "STOPPING=1" in seen, seen
    with open(shm(), "rb") as f:
        assert path.encode() in f.read(4096), "the header doesn't name the passed socket"


@test
def journal():
    """on the journal's stderr lines begin with their priority"""
    log = os.path.join(TMP, "journal")
    with open(log, "wb") as f:
        st = os.fstat(f.fileno())
        env = dict(os.environ, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino))
        subprocess.run([lib.PEEKD, "-m", "0"], stderr=f, env=env, timeout=5)
        p = subprocess.Popen([lib.PEEKD, "-n", lib.name(), "-s", os.path.join(TMP, "j.sock")], stderr=f, env=env)
    wait_for(lambda: "serves" in open(log).read())
    p.terminate()
    assert p.wait() == 0
    lines = open(log).read().splitlines()
    assert lines[0].startswith("<3>-m: memory_limit") and lines[1].startswith("<6>peekd "), lines


@test
def hangup():
    """SIGHUP changes what can change, names what can't, and a wrong file changes nothing"""
    conf = os.path.join(TMP, "c.conf")
    open(conf, "w").write("conn_limit = 10\nmemory_limit = 4m\n")
    d = Daemon("-f", conf)
    c = d.client()
    assert c.stats(b"settings")["conn_limit"] == "10"
    open(conf, "w").write("conn_limit = 20\nmemory_limit = 8m\n")
    d.p.send_signal(signal.SIGHUP)
    wait_for(lambda: "read again" in d.log())
    assert c.stats(b"settings")["conn_limit"] == "20" and c.stats(b"settings")["memory_limit"] == "4m"
    assert "memory_limit has changed" in d.log() and "next start" in d.log()
    open(conf, "w").write("conn_limit = none\n")
    d.p.send_signal(signal.SIGHUP)
    wait_for(lambda: "nothing is changed" in d.log())
    assert c.stats(b"settings")["conn_limit"] == "20"
    assert d.stop() == 0


@test
def background():
    """-d returns when it serves, with the status of the start; -P has the pid"""
    pidfile = os.path.join(TMP, "pid")
    path = os.path.join(TMP, "b.sock")
    args = [lib.PEEKD, "-n", lib.name(), "-s", path, "-d", "-P", pidfile, "--log-level=error"]
    p = subprocess.run(args, timeout=10)
    assert p.returncode == 0
    pid = int(open(pidfile).read())
    try:
        assert lib.Client(path).ask(b"version").startswith(b"VERSION")
        p = subprocess.run(args, timeout=10, capture_output=True, text=True)
        assert p.returncode == 75 and str(pid) in p.stderr, (p.returncode, p.stderr)
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(pidfile))


@test
def pidfile_in_the_way():
    """-P writes to no file that holds something else, nor through a link, and removes only what is its own"""
    precious, link = os.path.join(TMP, "precious"), os.path.join(TMP, "link")
    open(precious, "w").write("12 precious data")
    os.symlink(precious, link)
    for path in (precious, link, TMP):
        status, log = refused("-P", path, "-m", "2")
        assert status == 73 and path in log, (status, log)
        assert open(precious).read() == "12 precious data"
    pid = os.path.join(TMP, "pid")
    open(pid, "w").write("99999999\n")  # of a dead one
    d = Daemon("-P", pid, "-m", "2")
    assert open(pid).read() == "%d\n" % d.pid
    open(pid, "w").write("1\n")
    assert d.stop() == 0 and open(pid).read() == "1\n"


@test
def heartbeat():
    """the clock word and the counters in the segment go on while it runs; pid and epoch are the writer's; pid is 0 after a clean end"""
    def word(off):
        with open(shm(), "rb") as f:
            return int.from_bytes(os.pread(f.fileno(), 8, off), "little")
    d = Daemon()
    a = word(80)
    time.sleep(0.35)
    b = word(80)
    assert 200 <= (b - a) & 0xffffffff <= 1000, (a, b)
    assert word(192) == d.pid
    epoch = word(200)
    d.stop()
    assert word(192) == 0
    e = Daemon()
    assert word(200) == epoch + 1
    e.stop()


lib.main()
