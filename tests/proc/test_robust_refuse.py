#!/usr/bin/env python3
"""-M: every acknowledged item is there, with its value, whatever is full and however often the daemon is killed."""
# timeout: 900
import os
import random
import subprocess

import daemon_lib as lib
from daemon_lib import Daemon, test
from robust_lib import on_small_shm

LONG = os.environ.get("PEEK_TEST_LONG") == "1"
N_KEYS = 2500
SEED = int(os.environ.get("ROBUST_SEED", "15"))


def fill(c, n, value=b"%09d", prefix=b"k"):
    """Sets of n keys; returns the numbers of those that were acknowledged."""
    there = []
    for at in range(0, n, 500):
        c.send(b"".join(b"set %s%d 0 0 %d\r\n%s\r\n" % (prefix, i, len(value % i), value % i) for i in range(at, at + 500)))
        for i in range(at, at + 500):
            line = c.line()
            assert line in (b"STORED", b"SERVER_ERROR out of memory storing object"), line
            if line == b"STORED":
                there.append(i)
    return there


def missing(c, numbers, value=b"%09d", prefix=b"k"):
    gone = 0
    for at in range(0, len(numbers), 100):
        part = numbers[at:at + 100]
        c.send(b"get " + b" ".join(b"%s%d" % (prefix, i) for i in part) + b"\r\n")
        found = {}
        while True:
            line = c.line()
            if line == b"END":
                break
            word = line.split()
            found[word[1]] = c.exact(int(word[3]) + 2)[:-2]
        gone += sum(found.get(b"%s%d" % (prefix, i)) != value % i for i in part)
    return gone


@test
def shared_memory_full():
    """a /dev/shm of 64 MiB and -M -m 63 (15.2): said at the start, growth refused once in the log, nothing acknowledged is gone, also after a kill"""
    if not on_small_shm("64m"):
        return
    d = Daemon("-M", "-m", "63")
    assert "/dev/shm has 0 MiB left, and the table for 63 MiB" in d.log(), d.log()
    size = subprocess.run([os.environ["PEEKCTL"], "size", "600000", "16", "60"], capture_output=True, text=True)
    assert size.returncode == 0 and "/dev/shm has 64 MiB" in size.stderr, size.stderr
    c = d.client()
    there = fill(c, 200000)
    s = c.stats()
    print("# 200000 sets: %d acknowledged, %d gone; growth refused %s times, %s sets for want of a slot, %s of %s buckets" % (len(there),
        missing(c, there), s["growth_refused"], s["table_refused"], s["curr_items"], s["n_buckets"]))
    assert missing(c, there) == 0 and len(there) == int(s["curr_items"]) > 50000, s
    assert int(s["evictions"]) == int(s["chain_evictions"]) == 0 and int(s["table_refused"]) == 200000 - len(there)
    lib.wait_for(lambda: "/dev/shm is full: the table stays at" in d.log())
    assert d.log().count("/dev/shm is full") == 1
    d.kill()
    d = Daemon("-M", "-m", "63")
    c = d.client()
    assert missing(c, there) == 0 and int(c.stats()["curr_items"]) == len(there)
    # Room again: it grows on.
    subprocess.run(["mount", "-o", "remount,size=80m", "/dev/shm"], check=True)
    there = fill(c, 200000)
    assert len(there) == 200000 and missing(c, there) == 0
    assert d.stop() == 0


@test
def shared_memory_full_and_eviction():
    """the same without -M: each set is stored, and its value is there"""
    if not on_small_shm("64m"):
        return
    d = Daemon("-m", "63")
    c = d.client()
    assert len(fill(c, 200000)) == 200000
    s = c.stats()
    print("# 200000 sets: %s items there, %s evicted, %s of them from chains" % (s["curr_items"], s["evictions"], s["chain_evictions"]))
    assert int(s["evictions"]) == int(s["chain_evictions"]) == 200000 - int(s["curr_items"])
    assert missing(c, [199999]) == 0
    assert d.stop() == 0


class Model:
    """The values that must be there: the acknowledged ones, and those of requests whose answer the kill took."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.value = {}
        self.open = {}  # key: values that are possible too

    def some(self):
        return b"k%d" % self.r.randrange(N_KEYS)

    def request(self):
        r = self.r
        key, kind = self.some(), r.randrange(20)
        if kind < 9:
            n = r.choice((r.randrange(1, 60), r.randrange(1, 3000), r.randrange(1, 3000), r.randrange(1, 90000)))
            value = b"v%d " % r.randrange(10 ** 9) * (n // 3 + 1)
            return key, b"set", value[:n], r.choice((0, 0, 40000, 400000, 2000000))
        if kind < 10:
            return key, b"set", b"%d" % r.randrange(10 ** r.randrange(1, 18)), 0
        if kind < 12:
            return key, b"append", b"+%d" % r.randrange(1000), 0
        if kind < 14:
            return key, b"incr", b"%d" % r.randrange(10 ** 6), 0
        if kind < 17:
            return key, b"touch", b"", r.choice((0, 30000, 300000, 900000, 2500000))
        return key, b"delete", b"", 0

    @staticmethod
    def line(request):
        key, verb, value, ttl = request
        if verb in (b"set", b"append"):
            return b"%s %s 0 %d %d\r\n%s\r\n" % (verb, key, ttl, len(value), value)
        return verb + b" " + key + (b" %d" % ttl if verb == b"touch" else b" " + value if verb == b"incr" else b"") + b"\r\n"

    def after(self, request):
        """The value once the request was carried out."""
        key, verb, value, _ = request
        old = self.value.get(key)
        if verb == b"set":
            return value
        if verb == b"append":
            return None if old is None else old + value
        if verb == b"incr":
            number = old if old is not None and old.isdigit() else None
            return old if number is None else b"%d" % ((int(number) + int(value)) % 2 ** 64)
        return old if verb == b"touch" else None

    def done(self, request, line):
        refused = b"SERVER_ERROR out of memory" in line
        if not refused and not line.startswith((b"NOT_STORED", b"NOT_FOUND", b"CLIENT_ERROR", b"SERVER_ERROR object too large")):
            self.put(request[0], self.after(request))
        if refused and request[1] == b"set":  # as memcached: a set that fails takes the old value with it
            self.put(request[0], None)
        return refused

    def put(self, key, value):
        if value is None:
            self.value.pop(key, None)
        else:
            self.value[key] = value

    def check(self, c):
        for n in range(N_KEYS):
            key = b"k%d" % n
            got, want = c.get(key.decode()), self.value.get(key)
            possible = self.open.get(key, [want]) + [want]
            assert got in possible, (key, (got or b"")[:40], [(v or b"")[:40] for v in possible])
            self.put(key, got)
        self.open = {}


@test
def killed_while_full():
    """random sets, appends, counts, touches and deletes under -M in a full cache, with kills between: everything acknowledged is there"""
    rounds, n_refused, n_kills, n_asked = 40 if LONG else 6, 0, 0, 0
    for k in range(4 if LONG else 1):
        m = Model(SEED + k)
        d = Daemon("-M", "-m", "8")
        c = d.client(timeout=20)
        for _ in range(rounds):
            for _ in range(60):
                batch = [m.request() for _ in range(20)]
                for request in batch:
                    c.send(Model.line(request))
                    n_refused += m.done(request, c.line())
                    n_asked += 1
            # The last ones are under way when it is killed: each is carried out or not, in order.
            batch = [m.request() for _ in range(m.r.randrange(1, 30))]
            c.send(b"".join(Model.line(request) for request in batch))
            d.kill()
            n_kills += 1
            d = Daemon("-M", "-m", "8")
            c = d.client(timeout=20)
            sure = dict(m.value)
            for request in batch:
                m.open.setdefault(request[0], [sure.get(request[0])]).append(m.after(request))
                m.put(request[0], m.after(request))
            for key in m.open:
                m.open[key] += [sure.get(key), None]  # None: a set that was refused
            m.check(c)
            s = c.stats()
            assert int(s["evictions"]) == 0 and int(s["recovered_dropped"]) == 0, s
        print("# seed %d: %d requests, %d kills, %d refused for lack of room; %s items, %s of 8388608 bytes live" % (SEED + k, n_asked, n_kills,
            n_refused, s["curr_items"], s["bytes"]))
        assert n_refused > 0, "it was never full"
        assert d.stop() == 0
        os.unlink(lib.shm())  # the next model begins with nothing


lib.main()
