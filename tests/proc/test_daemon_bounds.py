#!/usr/bin/env python3
"""15.18: what clients can take of the daemon: memory for requests and replies, connections, turns."""
import os
import resource
import select
import socket
import subprocess
import sys
import time

import daemon_lib as lib
from daemon_lib import TMP, Client, Daemon, Skip, test, wait_for

MIB = 1 << 20


def more_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat(c, name):
    return int(c.stats()[name])


def memory(c):
    """Bytes of the daemon's own, as it says: the greater of heap and private pages."""
    s = c.stats()
    return max(int(s["heap_bytes"]), int(s["private_bytes"]))


@test
def replies():
    """1,000 connections that ask and don't read: what is kept stays below conn_memory, those that keep most are closed, counted and said"""
    more_files()
    d = Daemon("-m", "64", "-c", "1100", "--conn-memory=32m")
    c = d.client(30)
    for i in range(4):
        assert c.set("big%d" % i, b"v" * 700000) == b"STORED"
    time.sleep(1.2)
    before, worst = memory(c), 0
    held = [d.client() for _ in range(1000)]
    for i, h in enumerate(held):
        h.send(b"get big0 big1 big2 big3\r\n" * 20)
        if i % 20 == 0:
            worst = max(worst, stat(c, "conn_kept_bytes"))
    wait_for(lambda: stat(c, "conn_memory_closed") > 500, 30)
    for _ in range(5):
        worst = max(worst, stat(c, "conn_kept_bytes"))
        time.sleep(0.3)
    assert MIB < worst <= 32 * MIB, worst
    if not lib.SANITIZED:
        assert memory(c) - before < 48 * MIB, (before, memory(c))
    log = d.log()
    assert "conn_memory" in log and "replies that it doesn't read" in log and log.count("conn_memory") < 40, log[-3000:]
    assert stat(c, "curr_connections") == 1001 - stat(c, "conn_memory_closed")
    assert c.get("big1") == b"v" * 700000  # who reads is served
    for h in held:
        h.close()
    wait_for(lambda: stat(c, "curr_connections") == 1)
    assert stat(c, "conn_kept_bytes") == 0


@test
def requests():
    """lines without end share the bound; who is closed is told why, who is not is served when the line ends"""
    d = Daemon("--conn-memory=16m")
    watch = d.client(30)
    lines = [d.client(30) for _ in range(30)]
    chunk = b"get " + b"k23456789 " * 150000
    for x in lines:
        try:
            x.send(chunk)
        except OSError:
            pass  # closed meanwhile
    kept = stat(watch, "conn_kept_bytes")
    n_closed = stat(watch, "conn_memory_closed")
    assert MIB < kept <= 16 * MIB and 10 <= n_closed < 30, (kept, n_closed)
    told = served = 0
    for x in lines:
        try:
            x.send(b"last\r\n")
        except OSError:
            pass
        try:
            answer = x.line()
        except OSError:
            answer = b"reset"
        told += answer.startswith(b"SERVER_ERROR out of memory") and b"conn_memory" in answer
        served += answer == b"END"
    assert served == 30 - n_closed and told == n_closed, (served, told, n_closed)
    assert "a request that doesn't end" in d.log()


@test
def announced():
    """values that are announced and don't come take no memory, and nobody is closed for them; those that come are stored"""
    d = Daemon("-m", "64", "-I", "16m", "--conn-memory=64m")
    c = d.client(30)
    time.sleep(1.2)
    before = memory(c)
    conns = [d.client(30) for _ in range(200)]
    for i, x in enumerate(conns):
        x.send(b"set k%d 0 0 16000000\r\nabc" % i)
    assert c.set("a", b"1") == b"STORED"
    assert stat(c, "conn_memory_closed") == 0 and stat(c, "conn_kept_bytes") < 200 * 4096
    rest = b"x" * (16000000 - 3) + b"\r\n"
    for i in range(0, len(rest), 77777):
        conns[0].send(rest[i:i + 77777])
    assert conns[0].line() == b"STORED" and c.get("k0") == b"abc" + rest[:-2]
    if not lib.SANITIZED:
        time.sleep(1.2)
        assert int(c.stats()["private_bytes"]) - before < 48 * MIB


@test
def settings():
    """a conn_memory that one connection can exceed is refused with the least; its default follows max_item_size"""
    status, log = lib.refused("-m", "64", "-I", "16m", "--conn-memory=16m")
    assert status == 64 and "conn_memory is 16m" in log and "at least 41m" in log, log
    status, log = lib.refused("--conn-memory=1k")
    assert status == 64 and "1m to" in log, log
    d = Daemon("-m", "64", "--output-limit=1g")
    assert d.client().stats(b"settings")["conn_memory"] == "1034m"


OTHER = """
import os, socket, sys
path, n, say = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
conns = []
for i in range(n):
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path); conns.append(s)
    try:
        s.sendall(say)
    except OSError:
        pass
    if len(sys.argv) > 4:
        try:
            print(s.recv(300).split(b"\\r")[0].decode(), flush=True)
        except OSError as e:
            print(e, flush=True)
print("done", flush=True)
sys.stdin.read()
"""


class Nobody:
    """n connections of another user's, each of which says something; with answers: first lines of the replies."""

    def __init__(self, d, n, say, answers=False):
        if os.geteuid() != 0:
            raise Skip("needs root")
        self.p = subprocess.Popen([sys.executable, "-c", OTHER, d.path, str(n), say] + ["x"] * answers, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.answers = []
        for line in self.p.stdout:
            if line == "done\n":
                break
            self.answers.append(line.strip())

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)


@test
def who_pays():
    """another user's hoard is closed, not the value that this one is just storing, large as it is"""
    d = Daemon("-a", "0777", "--conn-memory=16m")
    c = d.client(30)
    assert c.set("big", b"v" * 500000) == b"STORED"
    storing = d.client(30)
    storing.send(b"set mine 0 0 900000\r\n" + b"x" * 450000)
    wait_for(lambda: stat(c, "conn_kept_bytes") >= 450000)
    hoard = Nobody(d, 100, "get big big big big\\r\\n")
    wait_for(lambda: stat(c, "conn_memory_closed") >= 50, 20)
    storing.send(b"x" * 450000 + b"\r\n")
    assert storing.line() == b"STORED"
    assert "a connection of uid 65534, pid %d" % hoard.p.pid in d.log() and "a connection of uid 0" not in d.log(), d.log()
    hoard.end()


@test
def share():
    """one user's connections take conn_share of conn_limit, attached ones too; the refusal names it; an administrator still gets in"""
    d = Daemon("-a", "0777", "-c", "20")
    many = Nobody(d, 25, "version\\r\\n", answers=True)
    assert [x.split()[0] for x in many.answers].count("VERSION") == 18, many.answers
    told = [x for x in many.answers if not x.startswith("VERSION")]
    assert len(told) == 7 and all("uid 65534 has 18 of 20, which is its share (conn_share)" in x for x in told), told
    c = d.client()
    assert stat(c, "conn_share_refused") == 7 and stat(c, "rejected_connections") == 7 and stat(c, "curr_connections") == 19
    assert "uid 65534 is refused" in d.log() and "conn_share" in d.log()
    many.end()
    wait_for(lambda: stat(c, "curr_connections") == 1)
    again = Nobody(d, 3, "version\\r\\n", answers=True)
    assert len([x for x in again.answers if x.startswith("VERSION")]) == 3, again.answers
    again.end()


@test
def headroom():
    """without a share the last of conn_limit are an administrator's; with maxconns_fast off they are not, since all wait there"""
    d = Daemon("-a", "0777", "-c", "128", "--conn-share=0")
    many = Nobody(d, 130, "version\\r\\n", answers=True)
    assert len([x for x in many.answers if x.startswith("VERSION")]) == 126, many.answers
    assert all("kept for admin" in x for x in many.answers if not x.startswith("VERSION")), many.answers
    assert stat(d.client(), "conn_share_refused") == 0
    many.end()
    d.stop()
    d = Daemon("-a", "0777", "-c", "128", "--conn-share=0", "--maxconns-fast=no")
    many = Nobody(d, 128, "version\\r\\n", answers=True)
    assert len([x for x in many.answers if x.startswith("VERSION")]) == 128, many.answers
    many.end()


@test
def share_of_tcp():
    """everybody on TCP is one user: the control socket is never full of them"""
    port = free_port()
    d = Daemon("-p", port, "-c", "10")
    conns = [Client(("127.0.0.1", port)) for _ in range(10)]
    for c in conns[:9]:
        assert c.ask(b"version").startswith(b"VERSION")
    assert conns[9].line().startswith(b"ERROR Too many open connections: TCP has 9 of 10")
    assert d.client().ask(b"version").startswith(b"VERSION")


@test
def long_get():
    """a get of 300,000 absent keys is done in slices: others see it under way; its answer is one END, also for gat, also with hits"""
    for verb, count in ((b"get ", "cmd_get"), (b"gats 0 ", "cmd_touch"), (b"get ", "cmd_get")):
        n = 100 if verb.startswith(b"gat") else 300000  # a gat's line is short
        d = Daemon("-R", "1")
        c, other = d.client(60), d.client(60)
        assert c.set("here", b"1") == b"STORED"
        line = verb + b" ".join([b"here"] + [b"k%d" % i for i in range(n)] + [b"here"]) + b"\r\nversion\r\n"
        seen = set()
        base = stat(other, count)
        c.send(line)
        while True:
            seen.add(stat(other, count) - base)
            if n + 2 in seen:
                break
        assert n == 100 or len(seen) >= 5, seen
        for _ in range(2):
            assert c.line().startswith(b"VALUE here 0 1") and c.line() == b"1"
        assert c.line() == b"END" and c.line().startswith(b"VERSION")
        d.stop()


@test
def slow_slices():
    """a get that was cut short by keys, replies and the client's reading gives each value once, in order"""
    for more in (("-R", "1"), ()):  # cut by keys; by replies
        d = Daemon("--output-limit=4k", *more)
        c = d.client(60)
        for i in range(500):
            c.send(b"set k%d 0 0 300 noreply\r\n%s\r\n" % (i, (b"%d." % i).ljust(300, b"x")))
        c.send(b"mn\r\n")
        assert c.line() == b"MN"
        c.send(b"get " + b" ".join(b"k%d no%d no no" % (i % 500, i) for i in range(3000)) + b"\r\nmn\r\n")
        for i in range(3000):
            assert c.line() == b"VALUE k%d 0 300" % (i % 500), i
            assert c.exact(302).startswith(b"%d." % (i % 500))
        assert c.line() == b"END" and c.line() == b"MN"
        d.stop()


@test
def metrics():
    """connections for metrics are few, whatever they send: the cache's clients keep their descriptors, and a scrape goes on being answered"""
    path = os.path.join(TMP, "m")
    d = Daemon("-c", "100", "--metrics=" + path)
    c = d.client()
    c.ask(b"version")  # it is accepted
    base = len(os.listdir("/proc/%d/fd" % d.pid))
    held = []
    for i in range(400):
        held.append(Client(path))
        if i % 2:
            held[-1].send(b"GET /metrics HTTP/1.1\r\nX: ")  # and no end
        if i % 50 == 0:
            assert c.ask(b"version").startswith(b"VERSION")
    most = 0
    for _ in range(10):
        most = max(most, len(os.listdir("/proc/%d/fd" % d.pid)) - base)
        time.sleep(0.1)
    assert most <= 66, most
    conns = [d.client() for _ in range(90)]
    for x in conns:
        assert x.ask(b"version").startswith(b"VERSION")

    def scraped():
        try:
            m = Client(path, timeout=10)
            m.send(b"GET /metrics HTTP/1.0\r\n\r\n")
            return m.line() == b"HTTP/1.0 200 OK"
        except OSError:
            return False
    wait_for(scraped, 20)
    for x in held:
        x.close()
    wait_for(lambda: len(os.listdir("/proc/%d/fd" % d.pid)) - base <= 90, 20)


lib.main()
