#!/usr/bin/env python3
"""Starts of a daemon on a /dev/shm that has no room, another user's objects, damage or other layouts."""
import glob
import os
import subprocess

import daemon_lib as lib
from daemon_lib import TMP, Daemon, refused, shm, test, wait_for

FULL = """
set -e
mount -t tmpfs -o size=%s tmpfs /dev/shm
exec "$@"
"""


def on_small_tmpfs(size):
    return ["unshare", "-m", "/bin/sh", "-c", FULL % size, "sh"]


def need_root():
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise lib.Skip("needs root and mount namespaces")


def retired(f):
    return os.pread(f.fileno(), 8, 64)[7] & 0x80 != 0


@test
def full():
    """no room in /dev/shm at the start: status 73, sizes in the message, nothing left behind"""
    need_root()
    p = subprocess.run(["unshare", "-m", "/bin/sh", "-c",
        'mount -t tmpfs -o size=8m tmpfs /dev/shm; "$@"; echo "status $?"; ls -A /dev/shm', "sh",
        lib.PEEKD, "-n", lib.name(), "-s", os.path.join(TMP, "s.sock"), "-m", "64"], capture_output=True, text=True, timeout=10)
    assert "status 73" in p.stdout, (p.stdout, p.stderr)
    assert "/dev/shm has no room for" in p.stderr and "-m" in p.stderr, p.stderr
    assert p.stdout.split("\n")[1:] == [""], p.stdout
    assert not os.path.exists(os.path.join(TMP, "s.sock"))


@test
def fits_exactly():
    """with room for the segment it serves, and a full table refuses no set while eviction is on"""
    need_root()
    d = Daemon("-m", "4", prefix=on_small_tmpfs("6m"))
    c = d.client()
    for i in range(3000):
        assert c.set("k%d" % i, b"x" * 3000) == b"STORED", i
    assert c.get("k2999") == b"x" * 3000
    assert int(c.stats()["evictions"]) > 0


@test
def no_room_to_hand_over():
    """a larger -m that finds no room beside the old segment: status 73, and the old one is served as before"""
    need_root()
    script = """mount -t tmpfs -o size=12m tmpfs /dev/shm
        "$1" -n {n} -s {s} -m 4 -d --log-level=error && printf 'set a 0 0 1\\r\\nx\\r\\nquit\\r\\n' | socat -t2 - UNIX:{s} && kill $(cat /dev/shm/peekd.{n}.lock)
        sleep 0.3; "$1" -n {n} -s {s} -m 10; echo "status $?"; ls -A /dev/shm
        "$1" -n {n} -s {s} -m 4 -d --log-level=error && printf 'get a\\r\\nquit\\r\\n' | socat -t2 - UNIX:{s}; kill $(cat /dev/shm/peekd.{n}.lock)
        """.format(n=lib.name(), s=os.path.join(TMP, "s.sock"))
    p = subprocess.run(["unshare", "-m", "/bin/sh", "-c", script, "sh", lib.PEEKD], capture_output=True, text=True, timeout=20)
    assert "status 73" in p.stdout and "beside the old segment" in p.stderr, (p.stdout, p.stderr)
    assert "VALUE a 0 1" in p.stdout and ".new" not in p.stdout, (p.stdout, p.stderr)


@test
def something_else():
    """a file that is no segment is set aside as it is, and a new segment is made"""
    with open(shm(), "wb") as f:
        f.write(b"somebody's letter" * 1000)
    os.chmod(shm(), 0o600)
    d = Daemon("-m", "2")
    assert "no segment, or a damaged one" in d.log(), d.log()
    assert d.client().set("a", b"1") == b"STORED"
    aside = glob.glob(shm(ext=".aside-*"))
    assert len(aside) == 1 and open(aside[0], "rb").read(17) == b"somebody's letter"
    assert aside[0] in d.log()


@test
def cut_short():
    """a truncated segment, also of 0 bytes, is set aside"""
    for size in (0, 100, 4096, 3 << 20):
        d = Daemon("-m", "2")
        d.client().set("a", b"1")
        d.kill()
        os.truncate(shm(), size)
        d = Daemon("-m", "2")
        assert "damaged" in d.log(), d.log()
        c = d.client()
        assert c.get("a") is None and c.set("a", b"2") == b"STORED"
        d.stop()
        for p in glob.glob(shm() + "*"):
            os.unlink(p)


@test
def other_layout():
    """a segment of another version or fingerprint is set aside, retired and removed later; readers that have it open see the bit"""
    for off in (8, 16):
        d = Daemon("-m", "2")
        d.kill()
        with open(shm(), "r+b") as f:
            f.seek(off)
            f.write(b"\x63")
            f.flush()
            d = Daemon("-m", "2")
            assert "another layout" in d.log(), d.log()
            assert retired(f)
            if off == 8:
                wait_for(lambda: not glob.glob(shm(ext=".aside-*")), 9, "what is aside stays")
        d.stop()
        for p in glob.glob(shm() + "*"):
            os.unlink(p)


@test
def header_damage():
    """any word of the header may be nonsense: the daemon starts, with a new segment or the old one, and serves"""
    for off in list(range(0, 64, 8)) + list(range(64, 96, 8)) + list(range(128, 256, 8)):
        for value in (b"\xff" * 8, b"\0" * 8, (1 << 40).to_bytes(8, "little")):
            d = Daemon("-m", "1")
            c = d.client()
            for i in range(20):
                c.set("a%d" % i, b"1")
            d.kill()
            with open(shm(), "r+b") as f:
                f.seek(off)
                f.write(value)
            d = Daemon("-m", "1")
            c = d.client()
            assert c.set("b", b"2") == b"STORED" and c.get("b") == b"2", (off, value)
            assert d.stop() == 0, (off, value)
            for p in glob.glob(shm() + "*"):
                os.unlink(p)


@test
def not_ours():
    """a segment or lock of another user, writable by others, linked, or a symbolic link, is refused with status 77 and left alone"""
    need_root()

    def foreign(path):
        open(path, "wb").close()
        os.chown(path, 65534, 65534)

    def writable(path):
        open(path, "wb").close()
        os.chmod(path, 0o666)

    def linked(path):
        open(path, "wb").close()
        os.chmod(path, 0o600)
        os.link(path, shm(ext=".second"))

    def symlink(path):
        os.symlink("/etc/hostname", path)

    def directory(path):
        os.mkdir(path)

    for make in (foreign, writable, linked, symlink, directory):
        for ext in ("", ".lock"):
            if ext == ".lock" and make is writable:
                continue  # ours: its mode is mended
            path = shm(ext=ext)
            make(path)
            before = os.lstat(path)
            status, log = refused("-m", "2")
            assert status in (77, 73), (make.__name__, ext, status, log)
            assert path in log, (make.__name__, ext, log)
            after = os.lstat(path)
            assert (before.st_ino, before.st_size, before.st_uid) == (after.st_ino, after.st_size, after.st_uid)
            for p in glob.glob(shm() + "*"):
                os.rmdir(p) if os.path.isdir(p) and not os.path.islink(p) else os.unlink(p)


lib.main()
