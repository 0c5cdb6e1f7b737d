#!/usr/bin/env python3
"""A control socket that a service manager holds: whoever opens the instance starts its daemon (issue 15.35)."""
import os
import select
import socket
import subprocess
import sys
import threading
import time

import daemon_lib as lib
from daemon_lib import TMP, test
from robust_lib import dll

PEEKCTL = os.environ.get("PEEKCTL", os.path.join(os.path.dirname(lib.PEEKD), "peekctl"))
HERE = os.path.dirname(os.path.abspath(__file__))
NOBODY = 65534

OPEN = """
import sys; flags = int(sys.argv[1]); sys.argv = ['x']; sys.path.insert(0, %r)
import errno
from robust_lib import Peek
try:
    p = Peek(%r, flags)
except OSError as e:
    print(errno.errorcode[e.errno])
else:
    print('opened', p.status().hinting, p.set('k', b'v'), p.get('k'))
    p.close()
"""


class Manager:
    """As a service manager: holds the socket, and starts the daemon with it at the first connection. serve(listener) stands for a daemon."""

    def __init__(self, path, serve=None, uid=None, delay=0.0):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path, self.serve, self.uid, self.delay, self.p, self.n = path, serve, uid, delay, None, 0
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        self.s.listen(64)
        os.chmod(path, 0o666)
        self.quit = os.pipe()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        if self.quit[0] in select.select([self.s, self.quit[0]], [], [])[0]:
            return
        self.n += 1
        if self.serve:
            self.serve(self.s)
            return
        fd = self.s.fileno()
        script = "sleep %f; export LISTEN_PID=$$ LISTEN_FDS=1; exec %s -n %s -m 4 3<&%d" % (self.delay, lib.PEEKD, lib.name(), fd)
        self.p = subprocess.Popen(["sh", "-c", script], pass_fds=[fd], stderr=open(os.path.join(TMP, "log"), "ab"), user=self.uid)

    def end(self):
        os.write(self.quit[1], b"x")
        self.thread.join()
        if self.p:
            self.p.terminate()
            self.p.wait()
        self.s.close()
        os.unlink(self.path)
        for ext in ("", ".lock"):
            if os.path.exists(lib.shm(ext=ext)):
                os.unlink(lib.shm(ext=ext))


def opened(flags=0, env=None, uid=None):
    """The output of a process that opens the instance."""
    dll()
    r = subprocess.run([sys.executable, "-c", OPEN % (HERE, lib.name()), str(flags)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=60, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(env or {})), user=uid)
    assert r.returncode == 0, r.stderr
    return r.stdout.strip()


@test
def by_libpeek():
    """peek_open starts the daemon, waits for its segment and uses it; also one that takes its time"""
    path = os.path.join(TMP, "s")
    assert opened(env={"PEEK_SOCKET": path}) == "ENOENT"
    for flags, delay, hinting in ((0, 0.0, 1), (0, 0.7, 1), (2, 0.3, 0), (4, 0.0, 1)):
        m = Manager(path, delay=delay)
        assert opened(flags, {"PEEK_SOCKET": path}) == "opened %d 0 b'v'" % hinting, (flags, delay)
        m.end()


@test
def many_at_once():
    """processes that open at once all get the one daemon"""
    path = os.path.join(TMP, "s")
    m = Manager(path, delay=0.3)
    env = dict(os.environ, PEEK_SOCKET=path)
    dll()
    ps = [subprocess.Popen([sys.executable, "-c", OPEN % (HERE, lib.name()), "0"], stdout=subprocess.PIPE, text=True, env=env) for _ in range(6)]
    assert [p.communicate()[0].strip() for p in ps] == ["opened 1 0 b'v'"] * 6
    m.end()


@test
def by_peekctl():
    """peekctl starts it too; list does not"""
    path = os.path.join(TMP, "s")
    m = Manager(path)
    env = dict(os.environ, PEEK_SOCKET=path)
    subprocess.run([PEEKCTL, "list"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert m.n == 0
    r = subprocess.run([PEEKCTL, "-n", lib.name(), "set", "k", "v"], env=env, stderr=subprocess.PIPE)
    assert r.returncode == 0 and m.n == 1, r
    m.end()


@test
def by_its_place():
    """without PEEK_SOCKET: the places where the daemon listens by default"""
    if os.geteuid() == 0:
        session, uid = os.path.join(TMP, "session"), NOBODY
        os.mkdir(session)
        os.mkdir(session + "/peekd", 0o700)
        os.chown(session, uid, -1)
        os.chown(session + "/peekd", uid, -1)
    else:
        session, uid = TMP, None
    m = Manager("%s/peekd/%s.sock" % (session, lib.name()), uid=uid)
    os.chown(m.path, uid or os.geteuid(), -1)
    assert opened(env={"XDG_RUNTIME_DIR": session}, uid=uid) == "opened 1 0 b'v'"
    m.end()
    if os.geteuid() == 0:  # somebody else's directory isn't looked into
        os.chown(session + "/peekd", 1234, -1)
        os.chmod(session + "/peekd", 0o755)
        m = Manager("%s/peekd/%s.sock" % (session, lib.name()), uid=uid)
        assert opened(env={"XDG_RUNTIME_DIR": session}, uid=uid) == "ENOENT" and m.n == 0
        m.end()


@test
def in_the_hosts_place():
    """root's and every user's: /run/peekd"""
    if os.geteuid() != 0:
        raise lib.Skip("needs root")
    made = not os.path.isdir("/run/peekd")
    m = Manager("/run/peekd/%s.sock" % lib.name())
    assert opened(env={"XDG_RUNTIME_DIR": TMP}) == "opened 1 0 b'v'"
    m.end()
    if made:
        os.rmdir("/run/peekd")


@test
def read_only():
    """PEEK_READ_ONLY never connects"""
    path = os.path.join(TMP, "s")
    m = Manager(path)
    assert opened(8, {"PEEK_SOCKET": path}) == "ENOENT" and m.n == 0
    m.end()


@test
def no_daemon_comes():
    """one that hangs up, answers and has no segment, or is silent: no such instance"""
    path = os.path.join(TMP, "s")

    def hang_up(s):
        s.accept()[0].close()

    def answer(s):
        c = s.accept()[0]
        c.recv(100)
        c.sendall(b"MN\r\n")
        c.recv(100)

    def be_silent(s):
        c = s.accept()[0]
        while c.recv(100):
            pass

    for serve in (hang_up, answer, be_silent):
        m = Manager(path, serve=serve)
        assert opened(env={"PEEK_SOCKET": path}) == "ENOENT" and m.n == 1, serve
        m.end()


lib.main()
