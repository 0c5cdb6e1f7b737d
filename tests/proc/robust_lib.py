"""libpeek for Python tests: the reader's calls through ctypes."""
import ctypes
import errno
import os
import subprocess
import sys

import daemon_lib as lib

SO = os.path.join(os.environ.get("B", os.path.dirname(lib.PEEKD)), "libpeek.so")
NO_FOLLOW, NO_HINTS, NO_FALLBACK, READ_ONLY = 1, 2, 4, 8


class Status(ctypes.Structure):
    _fields_ = [("generation", ctypes.c_uint64), ("writer_present", ctypes.c_int), ("writer_silent_ms", ctypes.c_uint64),
                ("writer_pid", ctypes.c_int64), ("fallback", ctypes.c_int), ("hinting", ctypes.c_int), ("gets", ctypes.c_uint64),
                ("hits", ctypes.c_uint64), ("misses", ctypes.c_uint64), ("retries", ctypes.c_uint64), ("n_buckets", ctypes.c_uint64),
                ("arena_bytes", ctypes.c_uint64), ("socket_path", ctypes.c_char * 128)]


class Info(ctypes.Structure):
    _fields_ = [("value_len", ctypes.c_size_t), ("flags", ctypes.c_uint32), ("ttl_s", ctypes.c_int64), ("cas", ctypes.c_uint64),
                ("stale", ctypes.c_int)]


_dll = None


def dll():
    global _dll
    if _dll is None:
        with open(SO, "rb") as f:
            b = f.read()
        if b"__asan_init" in b or b"__tsan_init" in b:
            raise lib.Skip("a sanitized libpeek can't be loaded into this interpreter")
        _dll = ctypes.CDLL(SO)
        _dll.peek_get.restype = ctypes.c_ssize_t
        _dll.peek_get_info.restype = ctypes.c_ssize_t
    return _dll


def need_root():
    if os.geteuid() != 0:
        raise lib.Skip("needs root")


def skip_sanitized():
    """For tests that limit memory: sanitizers reserve terabytes of it."""
    with open(lib.PEEKD, "rb") as f:
        b = f.read()
    if b"__asan_init" in b or b"__tsan_init" in b:
        raise lib.Skip("the sanitizers need that memory")


def on_small_shm(size):
    """Runs the calling test again with a /dev/shm of its own; True there."""
    if os.environ.get("ROBUST_INNER"):
        return True
    need_root()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise lib.Skip("needs mount namespaces")
    caller = sys._getframe(1).f_code
    p = subprocess.run(["unshare", "-m", "/bin/sh", "-c", 'mount -t tmpfs -o size=%s tmpfs /dev/shm && exec "$@"' % size, "sh",
        sys.executable, os.path.abspath(caller.co_filename), caller.co_name],
        env=dict(os.environ, ROBUST_INNER="1"), capture_output=True, text=True, timeout=800)
    sys.stdout.write("".join(line + "\n" for line in p.stdout.splitlines() if line.startswith("#")))
    assert p.returncode == 0 and "\nok 1" in p.stdout, p.stdout + p.stderr
    return False


def has_hooks():
    with open(lib.PEEKD, "rb") as f:
        return b"PEEK_CRASH_AT" in f.read()


class Peek:
    def __init__(self, name=None, flags=READ_ONLY):
        self.p = ctypes.c_void_p()
        self.buf = ctypes.create_string_buffer(1 << 20)
        r = dll().peek_open((name or lib.name()).encode(), flags, ctypes.byref(self.p))
        if r != 0:
            raise OSError(-r, "peek_open: " + errno.errorcode[-r])

    def get(self, key):
        """The value, or a negative errno."""
        key = key if isinstance(key, bytes) else key.encode()
        n = dll().peek_get(self.p, key, ctypes.c_size_t(len(key)), self.buf, ctypes.c_size_t(len(self.buf)))
        return self.buf.raw[:n] if n >= 0 else n

    def result(self, key):
        """The length, or a negative errno: no copy into Python."""
        return dll().peek_get(self.p, key, ctypes.c_size_t(len(key)), self.buf, ctypes.c_size_t(len(self.buf)))

    def info(self, key):
        i = Info()
        n = dll().peek_get_info(self.p, key.encode(), ctypes.c_size_t(len(key)), self.buf, ctypes.c_size_t(len(self.buf)), ctypes.byref(i))
        return i if n >= 0 else n

    def set(self, key, value, ttl=0):
        return dll().peek_set(self.p, key.encode(), ctypes.c_size_t(len(key)), value, ctypes.c_size_t(len(value)), ctypes.c_uint32(ttl))

    def status(self):
        s = Status()
        assert dll().peek_status(self.p, ctypes.byref(s)) == 0
        return s

    def close(self):
        dll().peek_close(self.p)
