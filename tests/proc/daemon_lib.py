"""Shared by the tests of the daemon: TAP, daemons that are started and always ended, a client that speaks bytes."""
import array
import glob
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEEKD = os.environ.get("PEEKD", os.path.join(ROOT, "build/release/peekd"))
PREFIX = os.environ.get("PEEK_TEST_NAME", "t%d-" % os.getpid()) + "d%d" % os.getpid()
TMP = tempfile.mkdtemp(prefix="peekd-test-")
os.chmod(TMP, 0o755)
PROGRAM = open(PEEKD, "rb").read() if os.path.exists(PEEKD) else b""
SANITIZED = b"__asan_init" in PROGRAM or b"__tsan_init" in PROGRAM

_tests = []
_daemons = []


def test(fn):
    """A test: a function that asserts. Its docstring is its name."""
    _tests.append(fn)
    return fn


class Skip(Exception):
    pass


def main():
    """Runs the tests of the calling script in order, and cleans up after each."""
    only = sys.argv[1:]
    tests = [t for t in _tests if not only or t.__name__ in only]
    failed = 0
    print("1..%d" % len(tests))
    for i, fn in enumerate(tests, 1):
        name = (fn.__doc__ or fn.__name__).strip()
        try:
            fn()
            print("ok %d - %s" % (i, name))
        except Skip as e:
            print("ok %d - %s # SKIP %s" % (i, name, e))
        except BaseException as e:  # a failed test must not leave a daemon behind
            failed += 1
            print("not ok %d - %s" % (i, name))
            tb = e.__traceback__
            while tb.tb_next and tb.tb_next.tb_frame.f_code.co_filename == fn.__code__.co_filename:
                tb = tb.tb_next
            print("# line %d: %s: %s" % (tb.tb_lineno, type(e).__name__, str(e)[:1500].replace("\n", "\n# ")))
            for d in _daemons[-2:]:
                print("# log of %s: %s" % (d.name, d.log()[-1500:].replace("\n", "\n#   ")))
        finally:
            clean()
        sys.stdout.flush()
    subprocess.run(["rm", "-rf", TMP])
    sys.exit(1 if failed else 0)


def clean():
    for d in _daemons:
        d.kill()
    _daemons.clear()
    for path in glob.glob("/dev/shm/peekd.%s*" % PREFIX):
        os.chmod(path, 0o600, follow_symlinks=False) if not os.path.islink(path) else None
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    os.chmod(TMP, 0o755)
    for f in os.listdir(TMP):
        subprocess.run(["rm", "-rf", os.path.join(TMP, f)])


def name(suffix=""):
    return PREFIX + suffix


def shm(suffix="", ext=""):
    return "/dev/shm/peekd." + name(suffix) + ext


def wait_for(what, seconds=5.0, message="time is over"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        r = what()
        if r:
            return r
        time.sleep(0.01)
    raise AssertionError(message)


class Daemon:
    """A peekd. Without ready=False it serves when the constructor returns."""

    def __init__(self, *args, suffix="", ready=True, env=None, prefix=(), socket_path=None, before=None, pass_fds=(), named=True):
        self.name = name(suffix)
        self.path = socket_path or os.path.join(TMP, "s%s.sock" % suffix)
        self.log_path = os.path.join(TMP, "log%s-%d" % (suffix, len(_daemons)))
        argv = list(prefix) + [PEEKD]
        if named:
            argv += ["-n", self.name]
        if socket_path != "":
            argv += ["-s", self.path]
        argv += [str(a) for a in args]
        full = dict(os.environ)
        full.pop("JOURNAL_STREAM", None)
        full.update(env or {})
        with open(self.log_path, "wb") as log:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=full, preexec_fn=before, pass_fds=pass_fds)
        _daemons.append(self)
        if ready:
            wait_for(lambda: "serves" in self.log() or self.p.poll() is not None, 20, "it doesn't start")
            assert self.p.poll() is None, "ended with %d: %s" % (self.p.poll(), self.log())

    @property
    def pid(self):
        return self.p.pid

    def log(self):
        return open(self.log_path, encoding="utf-8", errors="replace").read()

    def client(self, timeout=5.0):
        return Client(self.path, timeout)

    def stop(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        return self.wait()

    def wait(self, seconds=20):
        return self.p.wait(seconds)

    def kill(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()

    def status(self, field):
        for line in open("/proc/%d/status" % self.pid):
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def cpu_ticks(self):
        """Hundredths of a second, user and system."""
        return sum(int(x) for x in open("/proc/%d/stat" % self.pid).read().rsplit(")", 1)[1].split()[11:13])

    def io(self, field):
        for line in open("/proc/%d/io" % self.pid):
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def refused(*args, **kw):
    """Starts a daemon that must not start: (status, log)."""
    d = Daemon(*args, ready=False, **kw)
    return d.wait(), d.log()


class Client:
    def __init__(self, path, timeout=5.0):
        if isinstance(path, tuple):
            self.s = socket.create_connection(path, timeout)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(timeout)
            self.s.connect(path)
        self.buf = b""

    def send(self, data):
        self.s.sendall(data)

    def fill(self):
        d = self.s.recv(1 << 20)
        self.buf += d
        return d

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.fill():
                raise EOFError(self.buf)
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def ask(self, data):
        self.send(data + b"\r\n")
        return self.line()

    def exact(self, n):
        while len(self.buf) < n:
            if not self.fill():
                raise EOFError(self.buf[:100])
        d, self.buf = self.buf[:n], self.buf[n:]
        return d

    def set(self, key, value):
        if isinstance(key, str):
            key = key.encode()
        self.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
        return self.line()

    def get(self, key):
        if isinstance(key, str):
            key = key.encode()
        line = self.ask(b"get " + key)
        if line == b"END":
            return None
        n = int(line.split()[3])
        value = self.exact(n + 2)[:-2]
        assert self.line() == b"END"
        return value

    def stats(self, what=b""):
        self.send((b"stats " + what).strip() + b"\r\n")
        r = {}
        while True:
            words = self.line().split(b" ", 2)
            if words[0] == b"END":
                return r
            r[words[1].decode()] = words[2].decode() if len(words) > 2 else ""

    def eof(self):
        """True: the other side has closed, without another byte."""
        return self.buf == b"" and self.s.recv(1) == b""

    def recv_fd(self):
        fds = array.array("i")
        data, anc, _, _ = self.s.recvmsg(4096, socket.CMSG_SPACE(4))
        for level, kind, payload in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[:4])
        return data, fds[0] if fds else None

    def close(self):
        self.s.close()
