#!/usr/bin/python3
"""Random commands, classic and meta, to peekd and to Debian's memcached: every reply the same, but for what `differences` lists.

Each command waits for its reply, so that the two are in the same state before the next. CAS ids are each server's own, and are put
into commands from what that server said. After incr, decr and ma the item is stored anew on both, since 1.6.18 pads shorter numbers,
and forgets marks with longer ones. Keys that are stored encoded are not appended to, for the same reason. No number is above 2^63:
1.6.18 looks for its minus sign behind the value's end.

PEEK_TEST_COMMANDS: how many (3000). PEEK_TEST_SEED repeats a run."""
# timeout: 3000
import base64
import os
import random
import re
import shutil
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from server import Server  # noqa: E402

SEED = int(os.environ.get("PEEK_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
COMMANDS = int(os.environ.get("PEEK_TEST_COMMANDS") or 3000)
PLAIN = [b"a", b"b2", b"noreply", b"k" * 60, b"key:4", b"0"]
CODED = [b"x", b"y z", b"\x01\xff" * 20]
NUMBERS = [b"0", b"1", b"9", b"10", b"99", b"100", b"9999999999", b" 5", b"+7", b"5 ", b"007",
           b"12 x", b"-1", b"1x", b"18446744073709551616", b"4\t", b""]
DELTAS = [b"0", b"1", b"2", b"9", b"90", b"1000000000000", b"+3", b"-1", b"x", b"1x", b"18446744073709551616", b"007", b""]
EXPTIMES = [b"0", b"0", b"0", b"1000", b"5000", b"2592000", b"-1", b"-100", b"NOW+3000", b"NOW-3000", b"1000000000", b"x", b"1x", b"+1000", b"0x10"]
FLAGS = [b"0", b"0", b"1", b"5", b"4294967295", b"77"]
ARITH = re.compile(rb"^(incr|decr|ma) ")


class Peer:
    def __init__(self, kind):
        self.server = Server(kind, ["-m", "64"])
        self.sock = self.server.connect()
        self.sock.settimeout(20)
        self.cas = {}

    def ask(self, request):
        """The reply to one request; what ends it is the reply to the mn behind it."""
        self.sock.sendall(request + b"mn\r\n")
        got = b""
        while not got.endswith(b"MN\r\n"):
            more = self.sock.recv(1 << 18)
            if not more:
                return got + b"<closed>"
            got += more
        return got[:-4]

    def fill_in(self, request):
        def one(m):
            cas = self.cas.get(m[1], 0)
            return b"%d" % max(0, cas + int(m[2] or 0))
        return re.sub(rb"\{cas:([0-9a-f]*)([-+]\d+)?\}", one, request)


def value_of(rng):
    kind = rng.randrange(6)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind == 5 and rng.random() < 0.2:
        return bytes(rng.choice(b"abcdefgh") for _ in range(rng.choice([100, 3000, 20000])))
    value = bytes(rng.choice(b"abcd 0123456789") for _ in range(rng.randrange(0, 12)))
    return value if value.strip() else b""  # of blanks alone, 1.6.18 reads on behind the value's end


def exptime_of(rng):
    text = rng.choice(EXPTIMES)
    if text.startswith(b"NOW"):
        return b"%d" % (int(time.time()) + int(text[3:]))
    return text


def good_exptime(rng):
    while True:
        text = exptime_of(rng)
        if re.fullmatch(rb"[-+]?\d+", text) and text != b"+1000":
            return text


def cas_word(rng, key):
    return b"{cas:%s%s}" % (key.hex().encode(), rng.choice([b"", b"", b"", b"+1", b"-1", b"+1000"]))


def classic(rng):
    key = rng.choice(PLAIN)
    noreply = rng.choice([b"", b"", b"", b" noreply"])
    verb = rng.choice([b"get", b"gets", b"gat", b"gats", b"set", b"set", b"add", b"replace", b"append", b"prepend", b"cas", b"delete", b"incr", b"decr",
                       b"incr", b"touch", b"flush_all", b"verbosity", b"bad"])
    if verb in (b"get", b"gets"):
        return verb + b" " + b" ".join(rng.choice(PLAIN) for _ in range(rng.randrange(1, 5)))
    if verb in (b"gat", b"gats"):
        return verb + b" " + exptime_of(rng) + b" " + b" ".join(rng.choice(PLAIN) for _ in range(rng.randrange(1, 4)))
    if verb in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
        value = value_of(rng)
        cas = b" " + cas_word(rng, key) if verb == b"cas" else b""
        return b"%s %s %s %s %d%s%s\r\n%s" % (verb, key, rng.choice(FLAGS), good_exptime(rng), len(value), cas, noreply, value)
    if verb == b"delete":
        return b"delete " + key + rng.choice([b"", b"", b"", b" 0", b" 1", b" x", b" 0 x"]) + noreply
    if verb in (b"incr", b"decr"):
        return verb + b" " + key + b" " + rng.choice(DELTAS) + noreply
    if verb == b"touch":
        return b"touch " + key + b" " + exptime_of(rng) + noreply
    if verb == b"flush_all":
        if rng.random() < 0.7:
            return b"verbosity 0"
        return b"flush_all" + rng.choice([b"", b" 0", b" x", b" -1"]) + noreply  # a delay would bring back what 1.6.18 has flushed
    if verb == b"verbosity":
        return b"verbosity" + rng.choice([b"", b" 0", b" x", b" 0 0"]) + noreply
    return rng.choice([b"", b"x", b"get", b"gets", b"set", b"incr", b"incr a", b"touch", b"touch a", b"delete", b"cas a", b"mg", b"md", b"ma", b"me", b"GET a",
                       b"incr a 1 2 3", b"delete a 0 0 0", b"get " + b"k" * 251, b"delete " + b"k" * 251, b"md " + b"k" * 251, b"stats foo",
                       b"touch a 1 2 3", b"mq a", b"mg " + b"k" * 251, b"lru_crawler foo", b"me " + b"k" * 300])


def meta(rng):
    coded = rng.random() < 0.25
    raw = rng.choice(CODED if coded else PLAIN)
    key = base64.b64encode(raw) if coded else raw
    flags = [b"b"] if coded else []
    verb = rng.choice([b"mg", b"mg", b"mg", b"ms", b"ms", b"md", b"ma", b"ma"])
    if verb == b"ma" and coded:
        verb = b"mg"
    for letter in rng.sample(b"kOqvcfhstuI", rng.randrange(0, 5)):
        letter = bytes([letter])
        if letter == b"O":
            letter += rng.choice([b"1", b"opaque", b"", b"o" * 31])
        if (verb == b"ms" and letter in b"vfhstu") or (verb == b"md" and letter in b"vfhstuc"):
            continue
        if verb == b"ma" and letter in b"fhsuI":
            continue
        flags.append(letter)
    if verb == b"mg":
        if rng.random() < 0.3:
            flags.append(b"T" + good_exptime(rng))
            if b"t" in flags and flags[-1] not in (b"T0", b"T1000", b"T5000"):
                flags.remove(b"t")  # 1.6.18 shows the time of what has just expired as an unsigned number
        if rng.random() < 0.2 and not coded:
            flags.append(b"N" + rng.choice([b"0", b"1000", b"5000"]))
        if rng.random() < 0.2:
            flags.append(b"R" + rng.choice([b"0", b"30", b"3500", b"100000"]))  # none as far away as an expiry is
    if verb == b"ms":
        if rng.random() < 0.5:
            flags.append(b"T" + good_exptime(rng))
        if rng.random() < 0.5:
            flags.append(b"F" + rng.choice(FLAGS))
        if rng.random() < 0.4:
            flags.append(b"M" + rng.choice([b"S", b"E", b"R"] if coded else [b"S", b"E", b"R", b"A", b"P"]))
    if verb == b"md" and rng.random() < 0.3:
        flags.append(b"T" + good_exptime(rng))
    if verb == b"ma":
        if rng.random() < 0.5:
            flags.append(b"D" + rng.choice(DELTAS))
        if rng.random() < 0.5:
            flags.append(b"M" + rng.choice([b"I", b"D", b"+", b"-", b"X", b""]))
        if rng.random() < 0.4:
            flags.append(b"N" + rng.choice([b"0", b"1000"]))
        if rng.random() < 0.4:
            flags.append(b"J" + rng.choice([b"0", b"13", b"999"]))
        if rng.random() < 0.2:
            flags.append(b"T" + rng.choice([b"0", b"1000"]))
    if verb != b"mg" and rng.random() < 0.3:
        flags.append(b"C" + cas_word(rng, raw))
    if rng.random() < 0.03 and verb != b"ms":
        flags = [f for f in flags if f == b"b"] + [rng.choice([b"Z", b"Tx", b"D", b"\xff", b"Cx", b"M"])]
    rng.shuffle(flags)
    line = b" ".join([verb, key] + ([b"%d"] if verb == b"ms" else []) + flags)
    if verb != b"ms":
        return line
    value = value_of(rng)
    return line.replace(b" %d", b" %d" % len(value), 1) + b"\r\n" + value


TIMES = re.compile(rb"t\d+$")


def same_word(a, b):
    if a == b:
        return True
    if re.fullmatch(rb"c\d+", a) and re.fullmatch(rb"c\d+", b):
        return (a == b"c0") == (b == b"c0")
    return TIMES.match(a) and TIMES.match(b) and abs(int(a[1:]) - int(b[1:])) <= 2


def same(theirs, ours):
    """Line by line and word by word; ids and seconds are each server's own."""
    a, b = theirs.split(b"\r\n"), ours.split(b"\r\n")
    if len(a) != len(b):
        return False
    for x, y in zip(a, b):
        if x == y:
            continue
        p, q = x.split(b" "), y.split(b" ")
        if len(p) != len(q) or p[0] != q[0]:
            return False
        if p[0] == b"VALUE" and len(p) == 5:
            if p[:4] != q[:4]:
                return False
        elif p[0] not in (b"HD", b"VA", b"EX", b"NS", b"NF") or not all(same_word(m, n) for m, n in zip(p, q)):
            return False
    return True


def store_anew(peers, key):
    """The same value, flags and time to live on both, without marks."""
    found = [peer.ask(b"mg %s f t v u\r\n" % key) for peer in peers][0]
    m = re.match(rb"VA \d+ f(\d+) t(-?\d+)[^\r]*\r\n(.*)\r\n", found, re.S)
    if m is None:
        return
    value = m[3].rstrip(b" ")
    ttl = b"0" if m[2] == b"-1" else m[2]
    for peer in peers:
        peer.ask(b"ms %s %d F%s T%s\r\n%s\r\n" % (key, len(value), m[1], ttl, value))


def learn_cas(peers):
    for peer in peers:
        for key in PLAIN:
            m = re.match(rb"HD c(\d+)", peer.ask(b"mg %s c u\r\n" % key))
            peer.cas[key.hex().encode()] = int(m[1]) if m else 0
        for key in CODED:
            m = re.match(rb"HD c(\d+)", peer.ask(b"mg %s b c u\r\n" % base64.b64encode(key)))
            peer.cas[key.hex().encode()] = int(m[1]) if m else 0


# Not those that 1.6.18 counts otherwise: cmd_get of mg T, cmd_flush of a malformed flush, delete_hits of md I, cas_hits of ms C.
COUNTERS = ["cmd_set", "cmd_touch", "get_hits", "get_misses", "delete_misses", "incr_hits", "incr_misses", "decr_hits", "decr_misses", "cas_misses",
            "touch_hits", "touch_misses"]


def run(peers, rng):
    recent, log = [], open(os.environ["PEEK_TEST_LOG"], "w") if "PEEK_TEST_LOG" in os.environ else None
    for n in range(COMMANDS):
        if n % 20 == 0:
            learn_cas(peers)
        command = classic(rng) if rng.random() < 0.5 else meta(rng)
        recent = recent[-40:] + [command]
        theirs, ours = [peer.ask(peer.fill_in(command) + b"\r\n") for peer in peers]
        if log:
            print(n, command[:200], theirs[:200], ours[:200], file=log, flush=True)
        if not same(theirs, ours):
            return n, "command %d:\n%s\nmemcached: %r\npeekd:     %r" % (n, "\n".join(repr(peers[0].fill_in(c))[:300] for c in recent), theirs[:300], ours[:300])
        if ARITH.match(command) and len(command.split()) > 1:
            store_anew(peers, command.split()[1])
        if n % 500 == 499:
            for key in PLAIN: # appends must not grow for ever
                size = re.match(rb"HD s(\d+)", [peer.ask(b"mg %s s u\r\n" % key) for peer in peers][0])
                if size and int(size[1]) > 60000:
                    for peer in peers:
                        peer.ask(b"md %s\r\n" % key)
    return COMMANDS, None


def counters(peer):
    rows = dict(line.split(" ")[1:] for line in peer.ask(b"stats\r\n").decode().split("\r\n")[:-2])
    return {name: rows[name] for name in COUNTERS}


def main():
    if shutil.which("memcached") is None:
        print("1..0 # SKIP memcached isn't installed")
        return 0
    print("1..2\n# PEEK_TEST_SEED=%d" % SEED)
    peers = [Peer("memcached"), Peer("peekd")]
    failed = 0
    try:
        n, why = run(peers, random.Random(SEED))
        print("%s 1 - %d commands, the same replies" % ("not ok" if why else "ok", n))
        if why:
            print("# " + why.replace("\n", "\n# "))
            failed = 1
        theirs, ours = [counters(peer) for peer in peers]
        differ = {name: (theirs[name], ours[name]) for name in COUNTERS if theirs[name] != ours[name]}
        print("%s 2 - and the same counters" % ("not ok" if differ else "ok"))
        if differ:
            print("# memcached's and peekd's: %s" % differ)
            failed = 1
    finally:
        for peer in peers:
            peer.server.stop()
    return failed


if __name__ == "__main__":
    sys.exit(main())
