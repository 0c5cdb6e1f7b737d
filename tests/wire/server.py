"""A server of a test's own on a Unix socket in a private folder: peekd, or Debian's memcached."""
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


numbers = itertools.count(1)


class Server:
    def __init__(self, kind, options=()):
        self.kind = kind
        self.folder = tempfile.mkdtemp(prefix="wire")
        os.chmod(self.folder, 0o777)
        self.path = os.path.join(self.folder, "s")
        options = list(options)
        if "-m" not in options:
            options += ["-m", "64"]
        if kind == "memcached":
            argv = ["memcached", "-u", "nobody", "-s", self.path, "-U", "0", "-a", "0777", *options]
        else:
            prefix = os.environ.get("PEEK_TEST_NAME", "t%d-" % os.getpid())
            self.name = "%swire%d-%d" % (prefix, os.getpid(), next(numbers))
            peekd = os.environ.get("PEEKD") or os.path.join(os.environ.get("B", "build/release"), "peekd")
            argv = [peekd, "-n", self.name, "-s", self.path, *options]
        self.log = open(os.path.join(self.folder, "log"), "wb+")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = self.said()
                    self.stop()
                    raise SystemExit("%s doesn't start: %s" % (kind, text))
                time.sleep(0.01)

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        return s

    def said(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")[-2000:]

    def stop(self):
        """Ends it; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.kind == "peekd":
            for name in os.listdir("/dev/shm"):
                if name == "peekd." + self.name or name.startswith("peekd." + self.name + "."):
                    try:
                        os.unlink(os.path.join("/dev/shm", name))
                    except FileNotFoundError:
                        pass  # another test's sweep
        return status


class Client:
    def __init__(self, server):
        self.sock, self.buf = server.connect(), b""
        self.sock.settimeout(20)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # closed on us

    def until(self, end):
        """Up to end; None if the connection was closed before."""
        while end not in self.buf:
            try:
                more = self.sock.recv(1 << 20)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.buf += more
        got, _, self.buf = self.buf.partition(end)
        return got

    def all(self):
        while self.until(b"\0never\0") is not None:
            pass
        return self.buf


def ask(server, request, end):
    """The answer to one request on a connection of its own, up to the end of it or of the connection."""
    c = Client(server)
    c.send(request)
    got = c.until(end)
    c.sock.close()
    return c.buf if got is None else got + end


def run_tests(server, keep, tests):
    """Runs functions that say what is wrong, or None, and prints their lines; how many are wrong. keep(server) stores what they look for."""
    failed = 0
    if not keep(server):
        print("Bail out! it doesn't store")
        return 1
    for i, (name, test) in enumerate(tests, 1):
        try:
            why = test(server)
        except OSError as e:
            why = "%s: %s" % (type(e).__name__, e)
        if server.process.poll() is not None:
            why = "%s; it ended with status %d: %s" % (why, server.process.returncode, server.said())
        failed += why is not None
        print("%s %d - %s" % ("not ok" if why else "ok", i, name), flush=True)
        if why:
            print("# " + why.replace("\n", "\n# "))
    return failed
