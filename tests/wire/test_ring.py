#!/usr/bin/python3
"""Rings beside sockets: the same bytes with the same answers; who gets one; output, memory and idle limits; a client that hangs up, sleeps,
or stores anything anywhere while the daemon reads. PEEK_TEST_LONG=1: more of that; PEEK_TEST_SEED repeats a run."""
# timeout: 300
import glob
import os
import random
import signal
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from ring import (AWAITS_BYTES, CLIENT_AWAITS, DAEMON_AWAITS, HEAD_DOWN, RING_BYTES, TAIL_DOWN, TAIL_UP, TOTAL_BYTES, UP_AT,  # noqa: E402
                  Refused, Ring)
from server import Server  # noqa: E402

LONG = os.environ.get("PEEK_TEST_LONG") == "1"
SEED = int(os.environ.get("PEEK_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
CORPUS = os.path.join(here, "..", "fuzz", "corpus", "wire")

tests = []


def test(fn):
    tests.append(fn)
    return fn


def stats(server, what=b"", names=None):
    s = server.connect()
    s.settimeout(10)
    s.sendall(b"stats%s\r\n" % (b" " + what if what else b""))
    got = b""
    while not got.endswith(b"END\r\n"):
        got += s.recv(65536)
    s.close()
    return dict(line.split(b" ", 2)[1:] for line in got.split(b"\r\n")[:-2])


def wait_for(what, seconds=10.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "time is over"
        time.sleep(0.01)


@test
def replies_are_a_sockets():
    """the same bytes in are the same bytes out, also in pieces"""
    script = (b"ms a 3 c\r\nabc\r\nmg a v s f\r\nset b 5 0 2\r\nxy\r\nget a b\r\nincr b 1\r\nset n 0 0 1\r\n7\r\nincr n 4\r\n"
              b"mg no v\r\nmd a\r\nbogus\r\nset toolong\r\nms c 2 T0 q\r\nzz\r\nmn\r\nget c\r\nmset\r\nversion\r\nmn\r\n")
    rng = random.Random(SEED)
    a, b = Server("peekd"), Server("peekd")
    s = a.connect()
    s.settimeout(10)
    s.sendall(script)
    by_socket = b""
    while by_socket.count(b"MN\r\n") < 2:
        by_socket += s.recv(65536)
    r = Ring(b.connect())
    at = 0
    while at < len(script):
        n = rng.randrange(1, 60)
        r.put(script[at:at + n])
        at += n
        time.sleep(0.0001 * rng.randrange(3))
    by_ring = b""
    until = time.monotonic() + 10
    while by_ring.count(b"MN\r\n") < 2 and time.monotonic() < until:
        by_ring += r.take()
    assert by_socket == by_ring, "%r is not %r" % (by_ring, by_socket)
    r.close()
    a.stop()
    b.stop()


@test
def large_values_both_ways(server):
    """a value of many times the ring's size, there and back; 64 pipelined ones"""
    r = Ring(server.connect())
    value = os.urandom(900000)
    assert r.ask(b"set big 0 0 %d\r\n%s\r\n" % (len(value), value)) == b"STORED\r\n"
    assert r.ask(b"get big\r\n", b"END\r\n") == b"VALUE big 0 %d\r\n%s\r\nEND\r\n" % (len(value), value)
    batch = b"".join(b"ms p%d 2000\r\n%s\r\n" % (i, b"%d" % (i % 10) * 2000) for i in range(64))
    got = b""
    r.put(batch)
    while len(got) < 64 * 4:
        got += r.take()
    assert got == b"HD\r\n" * 64
    r.close()


@test
def who_gets_one(server):
    """no ring over TCP, of another version, a second one, beyond ring_max, or with ring = no"""
    for version in (0, 2, 99):
        try:
            Ring(server.connect(), version)
            raise AssertionError("version %d" % version)
        except Refused as e:
            assert "no ring" in str(e), str(e)
    r = Ring(server.connect())
    assert r.ask(b"peek_ring 1\r\n") == b"SERVER_ERROR no ring\r\n"
    assert r.ask(b"peek_attach 1\r\n") == b"SERVER_ERROR no hint page\r\n"
    assert r.ask(b"version\r\n").startswith(b"VERSION ")
    r.close()
    small = Server("peekd", ["--ring-max=3"])
    rings = [Ring(small.connect()) for _ in range(3)]
    s = small.connect()
    try:
        Ring(s)
        raise AssertionError("a fourth")
    except Refused:
        pass
    s.sendall(b"version\r\n")
    assert s.recv(100).startswith(b"VERSION "), "it goes on by socket"
    st = stats(small)
    assert (st[b"curr_rings"], st[b"rings_refused"], st[b"total_rings"]) == (b"3", b"1", b"3"), st
    conns = stats(small, b"conns")
    assert sorted(v for k, v in conns.items() if k.endswith(b":ring"))[-3:] == [b"1"] * 3
    for r in rings:
        r.close()
    wait_for(lambda: stats(small)[b"curr_rings"] == b"0")
    Ring(small.connect()).close()
    small.stop()
    off = Server("peekd", ["--ring=no"])
    try:
        Ring(off.connect())
        raise AssertionError("ring = no")
    except Refused:
        pass
    off.stop()


@test
def what_stands_behind_is_no_request(server):
    """bytes on the socket behind peek_ring, then and later, are bells and nothing else"""
    r = Ring(server.connect(), behind=b"set behind 0 0 1\r\nx\r\n" * 10)
    r.sock.sendall(b"set behind 0 0 1\r\nx\r\n" * 100)
    assert r.ask(b"get behind\r\n", b"END\r\n") == b"END\r\n"
    r.close()


@test
def it_sleeps_and_is_woken():
    """a ring that is idle is asleep; a byte wakes it; a client that sleeps is woken"""
    server = Server("peekd")
    r = Ring(server.connect())
    bells = int(stats(server)[b"ring_bells"])
    for i in range(20):
        wait_for(lambda: r.word(DAEMON_AWAITS) == AWAITS_BYTES)
        r.word(CLIENT_AWAITS, AWAITS_BYTES)
        assert r.ask(b"ms k 1\r\n%d\r\n" % (i % 10)) == b"HD\r\n"
        wait_for(lambda: r.word(CLIENT_AWAITS) == 0)  # cleared, and woken
    n = int(stats(server)[b"ring_bells"]) - bells
    assert n == 20, n
    r.close()
    server.stop()


@test
def idle_rings_cost_nothing():
    """200 idle rings: the daemon uses no processor time"""
    server = Server("peekd")
    rings = [Ring(server.connect()) for _ in range(200)]
    for r in rings:
        assert r.ask(b"mn\r\n") == b"MN\r\n"
    time.sleep(0.5)

    def ticks():
        with open("/proc/%d/stat" % server.process.pid) as f:
            return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
    before = ticks()
    time.sleep(2)
    used = ticks() - before
    assert used <= 6, "%d ticks of 200" % used
    for r in rings:
        r.close()
    server.stop()


@test
def a_client_that_takes_no_replies():
    """output is bounded as a socket's; nothing more is read meanwhile; all goes on when it takes"""
    server = Server("peekd", ["--output-limit=64k", "--conn-memory=16m"])
    r = Ring(server.connect())
    value = b"v" * 3000
    r.ask(b"set k 0 0 %d\r\n%s\r\n" % (len(value), value))
    request = b"get k\r\n"
    n = 0
    try:
        while n < 100000:
            r.put(request, 0.5)
            n += 1
    except TimeoutError:
        pass
    assert n < 100000, "it reads without end"
    kept = int(stats(server)[b"conn_kept_bytes"])
    assert kept < 64 * 1024 + 2 * len(value) + RING_BYTES, kept
    got, until = b"", time.monotonic() + 60
    total = n * len(b"VALUE k 0 3000\r\n%s\r\nEND\r\n" % value)
    count = 0
    while count < total and time.monotonic() < until:
        count += len(r.take())
    assert count == total, "%d of %d" % (count, total)
    r.close()
    server.stop()


@test
def too_much_is_kept():
    """who fills conn_memory by rings pays for it"""
    server = Server("peekd", ["--output-limit=64k", "--conn-memory=11m"])
    rings = []
    first = Ring(server.connect())
    value = b"v" * 900000
    first.ask(b"set k 0 0 %d\r\n%s\r\n" % (len(value), value))
    for _ in range(20):
        r = Ring(server.connect())
        rings.append(r)
        try:
            r.put(b"get k\r\n" * 4, 1)
        except (TimeoutError, OSError):
            pass
    wait_for(lambda: int(stats(server)[b"conn_memory_closed"]) > 0)
    assert int(stats(server)[b"conn_kept_bytes"]) <= 11 << 20
    server.stop()


@test
def the_last_requests_count(server):
    """what was put before the client hung up is carried out; a request without its end is not"""
    for i in range(50):
        r = Ring(server.connect())
        data = b"set last%03d 0 0 1\r\ny\r\nset half%03d 0 0 5\r\nab" % (i, i)
        r.mem[UP_AT:UP_AT + len(data)] = data
        r.word(TAIL_UP, len(data))
        r.close()
    check = Ring(server.connect())
    for i in range(50):
        key = b"last%03d" % i
        wait_for(lambda: check.ask(b"get %s\r\n" % key, b"END\r\n") == b"VALUE %s 0 1\r\ny\r\nEND\r\n" % key)
        assert check.ask(b"get half%03d\r\n" % i, b"END\r\n") == b"END\r\n"
    check.close()


@test
def levels_hold():
    """a ring gives no right that its connection hasn't"""
    server = Server("peekd", ["--access-write=nobody", "--access-admin=nobody", "-a", "0777"])
    r = Ring(server.connect())
    assert r.ask(b"set a 0 0 1\r\nx\r\n").startswith(b"CLIENT_ERROR permission denied"), "set"
    assert r.ask(b"flush_all\r\n").startswith(b"CLIENT_ERROR permission denied"), "flush"
    assert r.ask(b"get a\r\n", b"END\r\n") == b"END\r\n"
    r.close()
    server.stop()


@test
def idle_limits_hold():
    """idle_timeout closes a ring's connection, and the client sees it"""
    server = Server("peekd", ["--idle-timeout=1"])
    r = Ring(server.connect())
    assert r.ask(b"mn\r\n") == b"MN\r\n"
    assert r.hung_up(10)
    assert r.word(DAEMON_AWAITS) & AWAITS_BYTES, "whoever puts now rings, and learns of it"
    r.close()
    server.stop()


@test
def quit_and_errors_close(server):
    """quit, and a line without end, close a ring as they close a socket"""
    r = Ring(server.connect())
    r.put(b"quit\r\n")
    assert r.hung_up()
    r.close()
    r = Ring(server.connect())
    r.put(b"x" * 5000)
    assert r.hung_up()
    r.close()


@test
def impossible_counters_close(server):
    """a tail that can't be closes the connection; a head that can't be lets replies wait"""
    for tail in (RING_BYTES + 1, 1 << 40, (1 << 64) - 1, 1 << 63):
        r = Ring(server.connect())
        r.word(TAIL_UP, tail)
        r.sock.send(b"\n")
        assert r.hung_up(), tail
        r.close()
    for head in (1, 1 << 40, (1 << 64) - 1):
        r = Ring(server.connect())
        r.word(HEAD_DOWN, head)
        r.put(b"mn\r\n" * 16384)  # as many bytes as the ring has, and then there is no room
        r.put(b"mn\r\n" * 16384)
        time.sleep(0.05)
        assert r.word(TAIL_DOWN) <= RING_BYTES + 1, r.word(TAIL_DOWN)
        r.close()


def scribble(server, rng, seconds):
    """Stores anything anywhere, while requests go through."""
    seeds = [open(f, "rb").read() for f in sorted(glob.glob(os.path.join(CORPUS, "*")))]
    until = time.monotonic() + seconds
    n = 0
    while time.monotonic() < until:
        r = Ring(server.connect())
        n += 1
        try:
            for _ in range(rng.randrange(1, 200)):
                what = rng.randrange(6)
                if what == 0:
                    at = rng.choice([0, 128, 256, 384, 512, 640])
                    r.word(at, rng.choice([rng.randrange(1 << 64), r.word(at) + rng.randrange(-9, 70000), rng.randrange(3)]))
                elif what == 1:
                    junk = rng.randbytes(rng.randrange(1, 3000))
                    at = rng.randrange(UP_AT, TOTAL_BYTES - len(junk))
                    r.mem[at:at + len(junk)] = junk
                elif what == 2:
                    r.sock.send(b"z" * rng.randrange(1, 10))
                else:
                    data = rng.choice(seeds)[:3000]
                    at = r.n_put % RING_BYTES
                    if at + len(data) > RING_BYTES:
                        r.n_put += RING_BYTES - at
                        at = 0
                    r.mem[UP_AT + at:UP_AT + at + len(data)] = data
                    r.n_put += len(data)
                    r.word(TAIL_UP, r.n_put)
                    r.sock.send(b"\n")
        except OSError:
            pass
        r.close()
    return n


@test
def anything_anywhere():
    """heads, tails, flags and bytes are scribbled over while the daemon reads: it serves the others, and ends cleanly"""
    server = Server("peekd", ["-F", "--ring-max=64"])
    keep = Ring(server.connect())
    assert keep.ask(b"set kept:1 0 0 4\r\nkept\r\n") == b"STORED\r\n"
    seconds = 60 if LONG else 6
    threads = [threading.Thread(target=scribble, args=(server, random.Random(SEED + i), seconds)) for i in range(3)]
    for t in threads:
        t.start()
    n = 0
    while any(t.is_alive() for t in threads):
        assert server.process.poll() is None, server.said()
        got = keep.ask(b"ms k 4\r\n%04d\r\n" % (n % 10000))
        assert got in (b"HD\r\n",), got
        n += 1
        time.sleep(0.001)
    assert n > 100
    assert keep.ask(b"version\r\n").startswith(b"VERSION ")
    keep.close()
    wait_for(lambda: stats(server)[b"curr_rings"] == b"0")
    assert server.stop() == 0


@test
def a_reload_and_an_end(server):
    """SIGHUP leaves rings alone; a daemon that ends hangs up"""
    mine = Server("peekd")
    r = Ring(mine.connect())
    mine.process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert r.ask(b"mn\r\n") == b"MN\r\n"
    mine.process.send_signal(signal.SIGTERM)
    assert r.hung_up()
    r.close()
    assert mine.stop() == 0


def main():
    print("1..%d\n# PEEK_TEST_SEED=%d" % (len(tests), SEED))
    only = sys.argv[1:]
    server = Server("peekd")
    failed = 0
    for i, fn in enumerate(tests, 1):
        if only and fn.__name__ not in only:
            continue
        why = None
        try:
            fn(server) if fn.__code__.co_argcount else fn()
        except Exception as e:
            tb = e.__traceback__
            while tb.tb_next and tb.tb_next.tb_frame.f_code.co_filename == __file__:
                tb = tb.tb_next
            why = "line %d: %s: %s" % (tb.tb_lineno, type(e).__name__, e)
        if server.process.poll() is not None:
            why = "%s; it ended with status %d: %s" % (why, server.process.returncode, server.said())
        failed += why is not None
        print("%s %d - %s" % ("not ok" if why else "ok", i, fn.__doc__), flush=True)
        if why:
            print("# " + why.replace("\n", "\n# "), flush=True)
    status = server.stop()
    return 1 if failed or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
