#!/usr/bin/python3
"""A live daemon under streams that are split, garbled, oversized or cut short: after each it answers on a fresh connection, and what
another client stored is still there. PEEK_TEST_LONG=1: more of them; PEEK_TEST_SEED repeats a run."""
# timeout: 300
import os
import random
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from server import Server, ask, run_tests  # noqa: E402

LONG = os.environ.get("PEEK_TEST_LONG") == "1"
SEED = int(os.environ.get("PEEK_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
CORPUS = os.path.join(here, "..", "fuzz", "corpus", "wire")
KEEP = b"kept by another client" * 50


def garbled(rng, seeds):
    """A stream of a few requests with something wrong in it."""
    data = bytearray(b"".join(rng.choice(seeds) for _ in range(rng.randrange(1, 12))))
    for _ in range(rng.randrange(0, 8)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
        elif kind == 1:
            del data[at:at + rng.randrange(1, 20)]
        elif kind == 2 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 3:
            data[at:at] = data[:rng.randrange(1, 200)]
        else:
            data[at:at] = b"%d" % rng.choice([0, 1, 2**31, 2**32, 2**63, 2**64, 10**30, 1048576, 2147483645])
    return bytes(data)


def throw(server, stream, rng):
    """Sends it in pieces, reads some of what comes, hangs up without a word."""
    s = server.connect()
    s.settimeout(0.5)
    try:
        at = 0
        while at < len(stream):
            n = rng.choice([1, 7, 100, 4096, len(stream)])
            s.sendall(stream[at:at + n])
            at += n
        if rng.random() < 0.5:
            s.settimeout(0.005)
            s.recv(65536)
    except OSError:
        pass
    s.close()


def alive(server):
    return ask(server, b"version\r\n", b"\r\n").startswith(b"VERSION ") and \
        ask(server, b"get kept:1\r\n", b"END\r\n") == b"VALUE kept:1 9 %d\r\n%s\r\nEND\r\n" % (len(KEEP), KEEP)


def keep(server):
    return ask(server, b"set kept:1 9 0 %d\r\n%s\r\n" % (len(KEEP), KEEP), b"\r\n") == b"STORED\r\n"


def streams(server):
    rng = random.Random(SEED)
    seeds = [open(os.path.join(CORPUS, f), "rb").read() for f in sorted(os.listdir(CORPUS))]
    for i in range(4000 if LONG else 400):
        stream = garbled(rng, seeds)
        throw(server, stream, rng)
        if not alive(server):
            return "stream %d: %r" % (i, stream[:500])
    return None


def oversized(server):
    rng = random.Random(SEED)
    for stream in (b"x" * 3000000, b"get " + b"k " * 6000000, b"set a 0 0 2147483645\r\n" + b"v" * 8000000, b"\x80" * 100000,
                   b"ms a 100000000 Z\r\n" + b"v" * 3000000, b" " * 1000000, b"\n" * 300000, b"get " + b"k" * 3000000 + b"\r\n",
                   b"set a 0 0 1048000\r\n" + b"v" * 1000000, b"mg a " + b"v " * 200000 + b"\r\n"):
        throw(server, stream, rng)
        if not alive(server):
            return "%r..." % stream[:40]
    return None


def slow_readers(server):
    """Clients that ask for much and read nothing cost the others nothing, and the daemon little."""
    ask(server, b"set big 0 0 262144\r\n" + b"b" * 262144 + b"\r\n", b"\r\n")
    before = rss_kib(server)
    lazy = [server.connect() for _ in range(40)]
    for s in lazy:
        s.setblocking(False)
        try:
            s.send(b"get big\r\n" * 2000)
        except OSError:
            pass
    began = time.monotonic()
    if not alive(server):
        return "not alive beside slow readers"
    if time.monotonic() - began > 5:
        return "others wait: %.1f s" % (time.monotonic() - began)
    grown = rss_kib(server) - before
    for s in lazy:
        s.close()
    return None if grown < 40 * 6 * 1024 else "%d KiB more for 40 slow readers" % grown


def rss_kib(server):
    for line in open("/proc/%d/status" % server.process.pid):
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


def beside_each_other(server):
    errors = []

    def one(n):
        rng = random.Random(SEED + n)
        for i in range(60):
            throw(server, garbled(rng, [b"set t%d 0 0 5\r\nabcde\r\n" % n, b"get t1 t2 t3\r\n", b"mg t1 v\r\n"]), rng)
        if not alive(server):
            errors.append(n)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return "threads %s" % errors if errors else None


def main():
    tests = [("garbled streams", streams), ("oversized streams", oversized), ("slow readers", slow_readers),
             ("many at once", beside_each_other)]
    print("1..%d\n# PEEK_TEST_SEED=%d" % (len(tests) + 1, SEED))
    # Its bytes must not flush, reset or stop the server for the others.
    server = Server("peekd", ["-F", "-m", "64"])
    failed = run_tests(server, keep, tests)
    status = server.stop()
    print("%s %d - it ends cleanly%s" % ("ok" if status == 0 else "not ok", len(tests) + 1, "" if status == 0 else " # %d" % status))
    return 1 if failed or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
