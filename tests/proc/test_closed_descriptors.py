#!/usr/bin/env python3
# timeout: 300
"""Each program with each combination of standard streams closed; output that fails (issue 15.14)."""
import itertools
import os
import shlex
import struct
import subprocess

import daemon_lib as lib
from daemon_lib import Daemon, test

B = os.environ.get("B", os.path.join(lib.ROOT, "build/release"))
PEEKCTL = os.environ.get("PEEKCTL", os.path.join(B, "peekctl"))
MAGIC = 0x0A30646B65657089
COMBINATIONS = [c for n in range(4) for c in itertools.combinations((0, 1, 2), n)]
CLOSES = {0: "<&-", 1: ">&-", 2: "2>&-"}


def closed(argv, closes):
    """The command line that runs argv with these descriptors closed."""
    return ["sh", "-c", "exec %s %s" % (" ".join(shlex.quote(a) for a in argv), " ".join(CLOSES[fd] for fd in closes))]


def run(argv, closes=(), **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("stdout", subprocess.PIPE)
    env = dict(os.environ, TMPDIR=lib.TMP)
    return subprocess.run(closed(argv, closes), stderr=subprocess.PIPE, env=env, timeout=120, **kw)


def magic_stands():
    with open(lib.shm(), "rb") as f:
        return struct.unpack("<Q", f.read(8))[0] == MAGIC


def standard_streams(pid):
    return [os.readlink("/proc/%d/fd/%d" % (pid, fd)) for fd in (0, 1, 2)]


def answers(d):
    try:
        return d.client().ask(b"version").startswith(b"VERSION")
    except OSError:
        return False


@test
def peekd_closed():
    """peekd: no log line gets into the segment, none of the three is anything else than a stream"""
    for closes in COMBINATIONS:
        d = Daemon("-m", "8", ready=False, prefix=["sh", "-c", "exec \"$@\" " + " ".join(CLOSES[fd] for fd in closes), "sh"])
        lib.wait_for(lambda: answers(d), 20, "no answer")
        with_client(d, closes)
        d.stop()
        assert magic_stands(), closes
    d = Daemon("-m", "8")
    for i in range(len(COMBINATIONS)):
        assert d.client().get("k%d" % i) == b"v" * 100, i
    assert "8 items" in d.log(), d.log()


def with_client(d, closes):
    c = d.client()
    assert c.ask(b"version").startswith(b"VERSION")
    assert c.set("k%d" % COMBINATIONS.index(closes), b"v" * 100) == b"STORED"
    streams = standard_streams(d.pid)
    for fd in closes:
        assert streams[fd] == "/dev/null", (closes, streams)
    d.p.send_signal(1)  # which is logged
    assert c.ask(b"version").startswith(b"VERSION")
    c.ask(b"bad")
    assert magic_stands(), closes


@test
def peekctl_closed():
    """peekctl: a value is never sent to the daemon as commands, and a lost answer is an exit status"""
    d = Daemon("-m", "8")
    c = d.client()
    value = b"flush_all\r\nset stolen 0 0 1\r\nx\r\n"
    assert c.set("k", value) == b"STORED"
    for closes in COMBINATIONS:
        for how in (["-n", d.name], ["-s", d.path]):
            for argv in (["get", "k"], ["--json", "get", "k"], ["stats"], ["keys"], ["help"], ["--version"]):
                r = run([PEEKCTL] + how + argv, closes)
                assert r.returncode == (2 if 1 in closes else 0), (closes, argv, r)
                assert 2 in closes or 1 not in closes or b"standard output" in r.stderr, (closes, argv, r)
        assert run([PEEKCTL, "-n", d.name, "set", "n%d" % len(closes), "7"], closes).returncode == 0
        assert run([PEEKCTL, "-n", d.name, "get", "absent"], closes).returncode == 1
        r = run([PEEKCTL, "-n", d.name, "set", "from-stdin"], closes, stdin=None, input=b"given")
        assert r.returncode == (2 if 0 in closes else 0), (closes, r)
    assert c.get("k") == value and c.get("stolen") is None and c.get("from-stdin") == b"given"
    assert c.stats()["cmd_flush"] == "0"


@test
def full_output():
    """peekctl, peekd, peekbench: standard output on a full disk is an exit status"""
    d = Daemon("-m", "8")
    d.client().set("k", b"v")
    ctl = [PEEKCTL, "-n", d.name]
    for argv, status in [(ctl + w, 2) for w in (["get", "k"], ["status"], ["list"], ["stats"], ["keys"], ["metrics"], ["help"],
                                                  ["help", "get"], ["--version"], ["size", "1000", "10", "100"], ["doctor"])] + \
            [([lib.PEEKD, w], 74) for w in ("--help", "--version", "--print-config")] + \
            [([os.path.join(B, "peekbench"), w], 2) for w in ("--help", "--version")]:
        with open("/dev/full", "wb") as full:
            r = run(argv, stdout=full)
        assert r.returncode == status, (argv, r)
        assert run(argv).returncode < 2, argv


@test
def peekbench_closed():
    """peekbench: the segment that it reads stays whole"""
    d = Daemon("-m", "8")
    for closes in COMBINATIONS:
        r = run([os.path.join(B, "peekbench"), "get", "--name", d.name, "--keys", "100", "--seconds", "0.05"], closes)
        assert (r.returncode == 0) == (1 not in closes), (closes, r)
        assert magic_stands()
        assert d.client().ask(b"version").startswith(b"VERSION")


@test
def demo_closed():
    """the demo: as a program that was started with all its streams"""
    files = os.path.join(lib.TMP, "files")
    os.mkdir(files)
    with open(os.path.join(files, "a"), "wb") as f:
        f.write(b"x" * 5000)
    long_run = os.environ.get("PEEK_TEST_LONG") == "1"
    for closes in COMBINATIONS if long_run else ((0, 2), (0, 1, 2)):
        r = run([os.path.join(B, "demo"), "--peekd", lib.PEEKD, "--dir", files, "--seconds", "1", "--readers", "1"], closes)
        assert r.returncode == (1 if 1 in closes else 0), (closes, r)
    for closes in COMBINATIONS:  # one that can't start its daemon: what it prints goes nowhere else
        r = run([os.path.join(B, "demo"), "--peekd", "/bin/false", "--dir", files], closes)
        assert r.returncode in (1, 2), (closes, r)


lib.main()
