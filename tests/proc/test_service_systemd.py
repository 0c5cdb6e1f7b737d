#!/usr/bin/env python3
"""The units: how far they shut peekd in, and that it lives so; a restart as the service manager does it, beside readers that go on."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import daemon_lib as lib
from daemon_lib import PEEKD, ROOT, TMP, Daemon, Skip, main, name, test, wait_for

UNITS = ("peekd.service", "peekd@.service", "peekd.socket", "peekd@.socket")
LIBPEEK = os.path.join(os.path.dirname(PEEKD), "libpeek.so")

# Reads one key without end; says once a second how often it found the value, and at once what else it met.
READER = r"""
import ctypes, sys, time
peek = ctypes.CDLL(sys.argv[1])
peek.peek_get.restype = ctypes.c_ssize_t
peek.peek_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
p, buf = ctypes.c_void_p(), ctypes.create_string_buffer(1000)
r = peek.peek_open(sys.argv[2].encode(), 0, ctypes.byref(p))
assert r == 0, r
n = 0
while True:
    for _ in range(200):
        r = peek.peek_get(p, b"key299", 6, buf, 1000)
        if r == -11: # EAGAIN: the budget of tries was used up; to be asked again
            continue
        if r != 299 or buf.raw[:299] != b"v" * 299:
            print("WRONG", r, flush=True)
        n += 1
    print(n, flush=True)
    time.sleep(0.001)
"""


def installed():
    """The units as make install writes them, in a directory of the test's own."""
    if shutil.which("systemd-analyze") is None:
        raise Skip("systemd-analyze is not installed")
    units = os.path.join(TMP, "units")
    os.makedirs(units, exist_ok=True)
    for unit in UNITS:
        text = open(os.path.join(ROOT, "systemd", unit)).read()
        text = text.replace("@bindir@/peekd", PEEKD).replace("@sysconfdir@/peekd", os.path.join(ROOT, "conf"))
        with open(os.path.join(units, unit), "w") as f:
            f.write(text)
    return units


def analyze(*args, env=None):
    r = subprocess.run(["systemd-analyze", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                       env=dict(os.environ, LC_ALL="C", **(env or {})))
    return r.returncode, r.stdout.decode()


@test
def security():
    """systemd-analyze security rates both services 1.0 or lower"""
    units = installed()
    for unit in UNITS[:2]:
        _, out = analyze("security", "--offline=true", os.path.join(units, unit))
        m = re.search(r"Overall exposure level for \S+: ([0-9.]+)", out)
        assert m, out
        print("# %s: %s" % (unit, m.group(1)))
        assert float(m.group(1)) <= 1.0, "\n".join(line for line in out.splitlines() if "✗" in line)


@test
def socket_first():
    """each service brings its socket unit, which makes the socket with the modes that the package promises, before the daemon could"""
    for service, sock in (("peekd.service", "peekd.socket"), ("peekd@.service", "peekd@%i.socket")):
        lines = open(os.path.join(ROOT, "systemd", service)).read().split("\n")
        assert "Wants=" + sock in lines and "After=" + sock in lines, service
        assert not [line for line in lines if line.startswith("ExecStartPre=")], "RestartPreventExitStatus doesn't cover it"
        reloads = [line for line in lines if line.startswith("ExecReload=")]
        assert "--check" in reloads[0] and "HUP" in reloads[1], reloads
    for sock in ("peekd.socket", "peekd@.socket"):
        lines = open(os.path.join(ROOT, "systemd", sock)).read().split("\n")
        assert "SocketMode=0660" in lines and "SocketGroup=peekd" in lines, sock


@test
def verify():
    """systemd-analyze verify finds no mistake in the units"""
    units = installed()
    for unit in ("peekd.service", "peekd.socket", "peekd@a.service", "peekd@a.socket"):
        _, out = analyze("verify", os.path.join(units, unit))
        bad = [line for line in out.splitlines() if "peekd" in line and "man " not in line]
        assert not bad, bad


def allowed_calls():
    """The system calls that the unit's SystemCallFilter= lines allow, with group names resolved."""
    _, out = analyze("syscall-filter")
    groups, at = {}, None
    for line in out.splitlines():
        if line.startswith("@"):
            at = line.split()[0]
            groups[at] = []
        elif at and line.startswith("    ") and not line.strip().startswith("#"):
            groups[at].append(line.strip())

    def resolve(word):
        return set().union(*(resolve(w) for w in groups[word])) if word in groups else {word}
    calls = set()
    for line in open(os.path.join(ROOT, "systemd/peekd.service")):
        if line.startswith("SystemCallFilter="):
            words = line.split("=", 1)[1].split()
            if words[0].startswith("~"):
                for word in [words[0][1:]] + words[1:]:
                    calls -= resolve(word)
            else:
                for word in words:
                    calls |= resolve(word)
    return calls


@test
def system_calls():
    """every system call of a life with a snapshot, metrics, a reload and a hand-over is one that the unit admits"""
    if shutil.which("systemd-analyze") is None or shutil.which("strace") is None or lib.SANITIZED:
        raise Skip("systemd-analyze and strace, and no sanitizer, are needed")
    calls = allowed_calls()
    assert "read" in calls and "mount" not in calls and "setuid" not in calls, sorted(calls)
    used = set()
    for i, memory in enumerate((4, 8)):
        trace = os.path.join(TMP, "trace%d" % i)
        d = Daemon("-m", memory, "--metrics", os.path.join(TMP, "m"), "--snapshot-path", os.path.join(TMP, "snap"),
                   prefix=("strace", "-f", "-qq", "-o", trace))
        c = d.client()
        assert c.set("key", b"v" * 100000) == b"STORED" and c.get("key") is not None
        assert c.ask(b"peek_attach 1") is not None
        http = lib.Client(os.path.join(TMP, "m"))
        assert http.ask(b"GET / HTTP/1.0\r\n").startswith(b"HTTP/1.0 200")
        time.sleep(1.2)
        for child in open("/proc/%d/task/%d/children" % (d.pid, d.pid)).read().split():
            os.kill(int(child), signal.SIGHUP)
            time.sleep(0.2)
            os.kill(int(child), signal.SIGTERM)
        assert d.wait() == 0, d.log()
        for line in open(trace):
            m = re.match(r"\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)", line)
            if m and m.group(1) != "execve":
                used.add(m.group(1))
    assert "epoll_wait" in used and "fsync" in used, used
    assert used <= calls, "not admitted: %s" % sorted(used - calls)
    print("# %d different calls" % len(used))


class Manager:
    """Takes systemd's part: holds the socket, starts the daemon with it, hears its notifications."""

    def __init__(self):
        self.path = os.path.join(TMP, "passed.sock")
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        os.chmod(self.path, 0o600)
        self.listening.listen(16)
        self.notify_path = os.path.join(TMP, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.notify.settimeout(10)

    def start(self, *args):
        fd = self.listening.fileno()
        d = Daemon(*args, socket_path="", before=lambda: os.dup2(fd, 3), pass_fds=(3,),
                   prefix=("/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh"), ready=False,
                   env={"LISTEN_FDS": "1", "NOTIFY_SOCKET": self.notify_path, "WATCHDOG_USEC": "600000"})
        self.hear("READY=1")
        return d

    def hear(self, what):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            text = self.notify.recv(4096).decode()
            if what in text.split("\n"):
                return text
        raise AssertionError("no " + what)


class Reader:
    def __init__(self):
        self.out = os.path.join(TMP, "reader")
        with open(self.out, "wb") as f:
            self.p = subprocess.Popen([sys.executable, "-c", READER, LIBPEEK, name()], stdout=f, stderr=f)
        self.more()

    def text(self):
        return open(self.out).read()

    def more(self):
        """Waits until it has read on; nothing wrong may have come up."""
        before = len(self.text().splitlines())
        wait_for(lambda: len(self.text().splitlines()) > before + 3 or self.p.poll() is not None, 10, "the reader doesn't go on")
        assert self.p.poll() is None and "WRONG" not in self.text(), self.text()[-500:]

    def end(self):
        self.p.kill()
        self.p.wait()


@test
def restart():
    """through a restart, a crash and an upgrade to another size readers go on reading, and clients that come meanwhile wait and are answered"""
    if lib.SANITIZED:
        raise Skip("the reader loads libpeek.so into a process without the sanitizer")
    m = Manager()
    d = m.start("-m", "4")
    c = lib.Client(m.path)
    for i in range(500):
        assert c.set("key%d" % i, b"v" * (i % 300)) == b"STORED"
    reader = Reader()
    try:
        for how, args in (("stop", ("-m", "4")), ("kill", ("-m", "4")), ("stop", ("-m", "8")), ("kill", ("-m", "2")), ("stop", ("-m", "2"))):
            if how == "kill":
                d.kill()
            else:
                d.p.send_signal(signal.SIGTERM)
                m.hear("STOPPING=1")
                assert d.wait() == 0
            reader.more()
            waiting = lib.Client(m.path, 10)
            waiting.send(b"get key299\r\n")
            reader.more()
            d = m.start(*args)
            assert waiting.line() == b"VALUE key299 0 299" and waiting.exact(301) == b"v" * 299 + b"\r\n"
            assert waiting.line() == b"END" and waiting.set("after", b"x") == b"STORED"
            reader.more()
        d.p.send_signal(signal.SIGHUP)
        m.hear("RELOADING=1")
        m.hear("READY=1")
        m.hear("WATCHDOG=1")
        reader.more()
        n = int(reader.text().splitlines()[-1])
        print("# %d reads, none wrong" % n)
    finally:
        reader.end()
    assert os.path.exists(m.path), "a passed socket is not the daemon's to remove"


main()
