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
