#!/usr/bin/env python3
"""15.25, 15.34: the background, what --check finds, what a start says of places, groups and passed sockets."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

import daemon_lib as lib
from daemon_lib import PEEKD, TMP, Client, Daemon, Skip, refused, test, wait_for

NOBODY = pwd.getpwnam("nobody").pw_name


def run(*args, **kw):
    kw.setdefault("timeout", 20)
    kw.setdefault("stdin", subprocess.DEVNULL)
    env = dict(os.environ)
    for word in ("JOURNAL_STREAM", "RUNTIME_DIRECTORY", "INVOCATION_ID"):
        env.pop(word, None)
    env.update(kw.pop("env", {}))
    p = subprocess.run([PEEKD, *[str(a) for a in args]], capture_output=True, text=True, env=env, **kw)
    return p.returncode, p.stdout + p.stderr


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


class Background:
    """A peekd that went to the background; its pid is in a file."""

    def __init__(self, *args, **kw):
        self.path = os.path.join(TMP, "bg.sock")
        pid = os.path.join(TMP, "bg.pid")
        self.status, self.said = run("-n", lib.name(), "-s", self.path, "-d", "-P", pid, "-m", 2, *args, **kw)
        self.pid = int(open(pid).read()) if self.status == 0 else None

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            wait_for(lambda: not os.path.exists("/proc/%d" % self.pid), 20)


@test
def leaves():
    """-d returns to who waits for the end of its output; it has a session of its own, no terminal, and is in no directory"""
    d = Background()  # subprocess.run waits for both pipes' ends
    try:
        assert d.status == 0 and "serves" in d.said, d.said
        for fd in (0, 1, 2):
            assert os.readlink("/proc/%d/fd/%d" % (d.pid, fd)) == "/dev/null", fd
        assert os.readlink("/proc/%d/cwd" % d.pid) == "/"
        assert os.getsid(d.pid) == d.pid
        assert Client(d.path).ask(b"version").startswith(b"VERSION")
    finally:
        d.end()


@test
def keeps_a_log():
    """with -d a stderr that is a plain file goes on being the log; so does any that log_to names"""
    log = os.path.join(TMP, "log")
    for args, shell in (((), 'exec "$@" 2>%s' % log), (("--log-to=stderr",), 'exec "$@" 2>%s' % log)):
        pid = os.path.join(TMP, "pid")
        subprocess.run(["sh", "-c", shell, "sh", PEEKD, "-n", lib.name(), "-s", os.path.join(TMP, "s"), "-d", "-P", pid, *args],
            check=True, timeout=20, stdout=subprocess.PIPE)
        n = int(open(pid).read())
        assert os.readlink("/proc/%d/fd/2" % n) == log and os.readlink("/proc/%d/fd/1" % n) == "/dev/null"
        os.kill(n, signal.SIGTERM)
        wait_for(lambda: "ended" in open(log).read(), 20)


@test
def fails_in_front():
    """with -d a start that fails says so on stderr, with its status"""
    d = Background("--snapshot-path=" + TMP)
    assert d.status == 64 and "snapshot_path" in d.said, (d.status, d.said)
    plain = os.path.join(TMP, "plain")
    open(plain, "w").close()
    d = Background("--metrics=" + plain)
    assert d.status == 73 and "is no socket" in d.said, (d.status, d.said)


@test
def relative():
    """with -d relative paths mean what they meant at the start: files, socket, snapshot, include, and at a reload"""
    os.makedirs(os.path.join(TMP, "here"))
    with open(os.path.join(TMP, "here", "a.conf"), "w") as f:
        f.write('include("b.conf")\nsnapshot_path = "snap"\n')
    with open(os.path.join(TMP, "here", "b.conf"), "w") as f:
        f.write("idle_timeout = 5\n")
    status, said = run("-n", lib.name(), "-f", "a.conf", "-s", "x.sock", "-d", "-P", "x.pid", cwd=os.path.join(TMP, "here"))
    assert status == 0, said
    pid = int(open(os.path.join(TMP, "here", "x.pid")).read())
    try:
        c = Client(os.path.join(TMP, "here", "x.sock"))
        assert c.set("a", b"1") == b"STORED" and c.stats(b"settings")["idle_timeout"] == "5"
        with open(os.path.join(TMP, "here", "b.conf"), "w") as f:
            f.write("idle_timeout = 7\n")
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: c.stats(b"settings")["idle_timeout"] == "7")
        assert c.stats(b"settings")["snapshot_path"] == os.path.join(TMP, "here", "snap")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists("/proc/%d" % pid), 20)
    assert os.path.getsize(os.path.join(TMP, "here", "snap")) > 0
    assert not os.path.exists(os.path.join(TMP, "here", "x.pid"))


def bound():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s, s.getsockname()[1]


@test
def checks():
    """--check says what the start says, with its status, and takes nothing"""
    used, port = bound()
    plain, link = os.path.join(TMP, "plain"), os.path.join(TMP, "link")
    open(plain, "w").write("precious")
    os.symlink(plain, link)
    for args, status, words in (
            (["-u", "nobody-of-that-name"], 64, ["user (-u)", "nobody-of-that-name"]),
            (["--group=none-of-that-name"], 64, ["group", "none-of-that-name"]),
            (["-l", "no.such.host.invalid"], 64, ["listen (-l)", "no.such.host.invalid"]),
            (["-l", "127.0.0.1:notaport"], 64, ["listen (-l)"]),
            (["-l", "192.0.2.1:4000"], 64, ["listen (-l", "192.0.2.1"]),
            (["-l", "127.0.0.1:%d" % port], 75, ["listen (-l", "in use"]),
            (["-p", port], 75, ["in use"]),
            (["--metrics=127.0.0.1:%d" % port], 75, ["metrics", "in use"]),
            (["--metrics=0.0.0.0:0"], 64, ["metrics", "loopback"]),
            (["--metrics=word"], 64, ["metrics", "loopback"]),
            (["--metrics=" + plain], 73, ["metrics", plain, "no socket"]),
            (["--metrics=/nonexistent/m"], 73, ["metrics", "/nonexistent"]),
            (["-s", plain], 73, ["unix_socket (-s)", plain, "no socket"]),
            (["-s", "/nonexistent/s"], 73, ["unix_socket (-s)", "/nonexistent"]),
            (["-P", "/nonexistent/p"], 73, ["pidfile (-P)", "/nonexistent"]),
            (["-P", plain], 73, ["pidfile (-P)", plain]),
            (["-P", link], 73, ["pidfile (-P)", "symbolic link"]),
            (["--snapshot-path=" + TMP], 64, ["snapshot_path", TMP])):
        where = [] if "-s" in args else ["-s", os.path.join(TMP, "s")]
        base = ["-n", lib.name(), "-m", 2, "--huge-pages=off"] + where
        for mode in (["-t"], []):
            got, said = run(*base, *args, *mode)
            assert got == status and all(w in said for w in words), (mode, args, got, said)
        assert "right" not in said and not os.path.exists(os.path.join(TMP, "s"))
    assert open(plain).read() == "precious"
    used.close()
    before = {x for x in os.listdir("/dev/shm") if lib.name() in x}, set(os.listdir(TMP))
    got, said = run("-t", "-n", lib.name(), "-s", os.path.join(TMP, "s"), "-p", port, "-P", os.path.join(TMP, "p"),
        "--metrics=127.0.0.1:%d" % (port - 1), "--snapshot-path=" + os.path.join(TMP, "snap"))
    assert got == 0 and "right" in said, said
    assert before == ({x for x in os.listdir("/dev/shm") if lib.name() in x}, set(os.listdir(TMP)))


@test
def checks_its_own():
    """the settings of a daemon that runs are right, though its sockets are in use: a reload begins so"""
    used, port = bound()
    used.close()
    args = ["-p", str(port), "--metrics=" + os.path.join(TMP, "m"), "-P", os.path.join(TMP, "p")]
    d = Daemon(*args)
    got, said = run("-t", "-n", d.name, "-s", d.path, *args)
    assert got == 0, said
    assert d.client().ask(b"version").startswith(b"VERSION")
    d.kill()
    other, _ = socket.socket(), None
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()
    got, said = run("-t", "-n", d.name, "-s", d.path, *args)  # now it is somebody else's
    assert got == 75 and "in use" in said, said


@test
def as_another():
    """the user that it becomes may not write there: start and check say whose the directory is and what to do"""
    need_root()
    here = os.path.join(TMP, "roots")
    os.makedirs(here, mode=0o755)
    for args, what in ((["-s", here + "/s"], "unix_socket (-s)"), (["-s", os.path.join(TMP, "own", "s"), "-P", here + "/p"], "pidfile (-P)"),
            (["-s", os.path.join(TMP, "own", "s"), "--metrics=" + here + "/m"], "metrics")):
        own = os.path.join(TMP, "own")
        os.makedirs(own, exist_ok=True)
        os.chown(own, pwd.getpwnam(NOBODY).pw_uid, -1)
        for mode in (["-t"], []):
            got, said = run("-n", lib.name(), "-u", NOBODY, "-m", 2, "--huge-pages=off", *args, *mode)
            assert got == 73 and what in said and here + " is uid 0's with mode 0755" in said, (args, mode, got, said)
            assert "chown" in said, said
        for ext in ("", ".lock"):
            if os.path.exists(lib.shm("", ext)):
                os.unlink(lib.shm("", ext))


@test
def checks_as_owner():
    """root's check of an instance of another user's is made as that user, to whom a start is left"""
    need_root()
    own = os.path.join(TMP, "own")
    os.makedirs(own)
    os.chown(own, pwd.getpwnam(NOBODY).pw_uid, -1)
    d = Daemon("-u", NOBODY, socket_path=os.path.join(own, "s"))
    got, said = run("-t", "-n", d.name, "-s", d.path)
    assert got == 0 and "checking as user " + NOBODY in said, said
    d.stop()


@test
def foreign_group():
    """group = one that the user isn't in: start and check say so before anything is made"""
    need_root()
    own = os.path.join(TMP, "own")
    os.makedirs(own)
    os.chown(own, pwd.getpwnam(NOBODY).pw_uid, -1)
    for mode in (["-t"], []):
        got, said = run("-n", lib.name(), "-u", NOBODY, "--group=daemon", "-s", own + "/s", *mode)
        assert got == 77 and 'group is "daemon"' in said and "usermod" in said and "SupplementaryGroups=daemon" in said, (got, said)
        assert os.listdir(own) == [] and not os.path.exists(lib.shm())
    d = Daemon("-u", NOBODY, "--group=nogroup", socket_path=own + "/s")
    d.stop()


PASS = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o660); s.listen()
os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def passed(*args):
    path = os.path.join(TMP, "passed.sock")
    if os.path.exists(path):
        os.unlink(path)
    return Daemon(*args, prefix=(sys.executable, "-c", PASS, path), socket_path="")


@test
def ignored():
    """15.34: a socket that was passed makes unix_mask, group and unix_socket meaningless, which is said, if they were set"""
    d = passed("--unix-mask=0770")
    assert "unix_mask is 0770" in d.log() and "mode 0660" in d.log() and "SocketMode=" in d.log(), d.log()
    assert d.stop() == 0
    d = passed("-s", os.path.join(TMP, "other"))
    assert "ListenStream=" in d.log() and "unix_mask" not in d.log(), d.log()
    assert d.stop() == 0
    for args in ((), ("--unix-mask=0660",)):
        d = passed(*args)
        assert "SocketMode" not in d.log() and "ListenStream" not in d.log(), d.log()
        assert d.stop() == 0
    if os.geteuid() == 0:
        d = passed("--group=nogroup")
        assert 'group is "nogroup"' in d.log() and "SocketGroup=" in d.log(), d.log()
        assert d.stop() == 0


@test
def doctor_ignored():
    """15.34: peekctl doctor notes the settings that have no effect on a socket that was passed, and no others"""
    peekctl = os.environ.get("PEEKCTL", os.path.join(os.path.dirname(lib.PEEKD), "peekctl"))

    def notes(d):
        out = subprocess.run([peekctl, "-n", d.name, "doctor"], capture_output=True, text=True).stdout
        assert d.stop() == 0
        return out, [line.split()[2] for line in out.splitlines() if line.startswith("note  settings")]
    out, found = notes(passed("--unix-mask=0770"))
    assert found == ["unix_mask"] and "mode 0660" in out and "SocketMode=" in out, out
    out, found = notes(passed("--unix-mask=0660", "-s", os.path.join(TMP, "other")))
    assert found == ["unix_socket"] and "ListenStream=" in out, out
    out, found = notes(passed("--unix-mask=0660"))
    assert found == [], out
    out, found = notes(Daemon("--unix-mask=0750"))
    assert found == [], out
    if os.geteuid() == 0:
        out, found = notes(passed("--unix-mask=0660", "--group=nogroup"))
        assert found == ["group"] and "SocketGroup=" in out, out
        out, found = notes(Daemon("--group=nogroup"))
        assert found == [], out


NO_INET = """
import ctypes, os, struct, sys
# a unit's RestrictAddressFamilies=AF_UNIX: socket(2) of another family is EAFNOSUPPORT
SOCKET, ALLOW, ERRNO = 41, 0x7fff0000, 0x00050000 | 97
code = [(0x20, 0, 0, 0), (0x15, 0, 3, SOCKET), (0x20, 0, 0, 16), (0x15, 1, 0, 1), (0x06, 0, 0, ERRNO), (0x06, 0, 0, ALLOW)]
buf = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
prog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buf)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(prog), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@test
def families():
    """15.37: where a unit admits no TCP the start fails and names the setting and the drop-in; it doesn't serve without a word"""
    if os.uname().machine != "x86_64" or lib.SANITIZED:
        raise Skip("the filter is x86-64's")
    for args, setting in ((["-p", "34567"], "listen (-l, -p)"), (["--metrics=127.0.0.1:34567"], "metrics")):
        status, log = refused(*args, prefix=(sys.executable, "-c", NO_INET))
        assert status == 64 and setting in log and "RestrictAddressFamilies=" in log and "PrivateNetwork=no" in log, (status, log)


@test
def private_network():
    """15.37: in a unit's private network the port that nobody reaches is warned of"""
    need_root()
    if subprocess.run(["unshare", "-n", "true"]).returncode != 0:
        raise Skip("no network namespace")
    up = ("unshare", "-n", "sh", "-c", 'ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null; exec "$@"', "sh")
    d = Daemon("-p", "34567", prefix=up, env={"INVOCATION_ID": "x"})
    assert "network of its own" in d.log() and "PrivateNetwork=no" in d.log(), d.log()
    d.stop()
    d = Daemon("-p", "34567", prefix=up)
    assert "network of its own" not in d.log(), d.log()


@test
def names():
    """15.28: a segment or socket that somebody removes or replaces under a running daemon is said once, and counted"""
    d = Daemon()
    c = d.client()
    assert c.stats()["names_gone"] == "0"
    os.unlink(lib.shm())
    wait_for(lambda: c.stats()["names_gone"] == "1", 20)
    assert d.log().count("was removed or replaced") == 1 and lib.shm() in d.log(), d.log()
    os.rename(d.path, d.path + ".x")
    open(d.path, "w").close()
    wait_for(lambda: c.stats()["names_gone"] == "2", 20)
    time.sleep(2.2)
    assert d.log().count("was removed or replaced") == 2 and "the control socket " + d.path in d.log(), d.log()
    assert c.set("a", b"1") == b"STORED"


@test
def no_connection_left():
    """15.28: at conn_limit libpeek's write is -ECONNREFUSED whichever comes first, the request or the refusal; nothing is of unknown fate"""
    so = os.path.join(os.path.dirname(PEEKD), "libpeek.so")
    if lib.SANITIZED or not os.path.exists(so):
        raise Skip("needs libpeek.so")
    d = Daemon("-c", "1")
    held = d.client()
    assert held.ask(b"version").startswith(b"VERSION")
    ask = "import ctypes,sys;L=ctypes.CDLL(sys.argv[1]);p=ctypes.c_void_p();L.peek_strerror.restype=ctypes.c_char_p;" \
        "assert L.peek_open(sys.argv[2].encode(),2,ctypes.byref(p))==0;n=ctypes.c_size_t;" \
        "L.peek_set.argtypes=[ctypes.c_void_p,ctypes.c_char_p,n,ctypes.c_char_p,n,ctypes.c_uint32];print('open',flush=True);" \
        "sys.stdin.readline();r=L.peek_set(p,b'a',1,b'v',1,0);print(r,L.peek_strerror(r).decode(),flush=True)"
    for stopped in (False, True):
        p = subprocess.Popen([sys.executable, "-c", ask, so, d.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "open\n"
        if stopped:  # the request lies in the queue before the daemon accepts
            d.p.send_signal(signal.SIGSTOP)
        p.stdin.write("\n")
        p.stdin.flush()
        if stopped:
            time.sleep(0.3)
            d.p.send_signal(signal.SIGCONT)
        said = p.communicate(timeout=20)[0]
        assert said.startswith("-111 ") and "no more connections" in said, (stopped, said)
    assert held.get("a") is None


lib.main()
