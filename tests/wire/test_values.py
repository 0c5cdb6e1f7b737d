#!/usr/bin/python3
"""A value's bytes never become commands (15.13). Every verb that stores, wrong in every field in every way, with a value that
is made of commands: afterwards everything stored is there, nothing else is, no reply went astray, and the connection is in step
or closed. Whole and cut in two; by who may store, who may only read, and where there is no memory. PEEK_TEST_LONG=1: cut at
every byte."""
# timeout: 300
import base64
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from server import Client, Server, run_tests  # noqa: E402

LONG = os.environ.get("PEEK_TEST_LONG") == "1"
KEEP = {b"kept1": b"one", b"kept2": b"two" * 100, b"kept3": b"7"}

# Values that a client may be made to store. None of them may run as a request.
VALUES = [
    b"flush_all",
    b"\r\nflush_all\r\nset evil 0 0 1\r\nx\r\n",
    b"x\r\nflush_all\r\n",
    b"get kept1\r\nget kept1",
    b"xxxxx\r\ndelete kept1\r\nms evil 1\r\nx\r\nincr kept3 5\r\n" * 3,
    b"set evil 0 0 1\r\nx\r\nversion\r\nflush_all noreply\r\n",
    b"mn\r\nflush_all\r\nmn\r\nmd kept1\r\n",
    b"gat 1 kept1 kept2\r\ntouch kept1 -1",
]

LONG_KEY = b"k" * 251
BAD_NUMBERS = [b"", b"x", b"1x", b"0x10", b"-1", b"99999999999999999999", b"-99999999999999999999", b"1.5", b"NaN", b"\x00", b"\xff"]
BAD_KEYS = [b"", LONG_KEY, b"k" * 1500, b"a b", b"a 7", b"a 0", b"a 7 7", b"a b c", b"7 7 7 7", b" ", b"a noreply"]
EXPTIMES = [b"2147483648", b"4294967295", b"4294967296", b"18446744073709551615", b"9223372036854775808", b"4292375296"]
TAILS = [b" noreply x", b" x noreply", b" noreply noreply", b" 1 2 3", b" 7", b" x y z", b" 7 noreply"]


def classic(verb, size, key=b"new", flags=b"0", exptime=b"0", length=None, cas=b"1", tail=b""):
    words = [verb, key, flags, exptime, b"%d" % size if length is None else length]
    if verb.lower() == b"cas":
        words.append(cas)
    return b" ".join(words) + tail + b"\r\n"


def classic_lines(verb, size):
    for tail in (b"", b" noreply"):
        for key in BAD_KEYS:
            yield classic(verb, size, key=key, tail=tail)
        for field in ("flags", "exptime", "length") + (("cas",) if verb == b"cas" else ()):
            for bad in BAD_NUMBERS:
                yield classic(verb, size, tail=tail, **{field: bad})
        yield classic(verb, size, flags=b"4294967296", tail=tail)
        yield classic(verb, size, length=b"2147483646", tail=tail)
        yield classic(verb, size, length=b"%d" % (size + 2**32), tail=tail)
        yield classic(verb, size, key=LONG_KEY, flags=b"x", exptime=b"y", tail=tail)
        yield classic(verb, size, key=LONG_KEY, flags=b"x", exptime=b"y", length=b"z", tail=tail)
        for exptime in EXPTIMES:
            yield classic(verb, size, key=b"new", exptime=exptime, tail=tail)
    for tail in TAILS:
        yield classic(verb, size, tail=tail)
    yield verb + b" new 0 %d\r\n" % size
    yield verb + b" new %d\r\n" % size
    yield verb + b"  0 0 %d\r\n" % size
    yield classic(verb.upper(), size)
    yield classic(verb.capitalize(), size)
    yield classic(b"my" + verb, size)
    yield classic(verb, size, tail=b" " * 1900)
    yield classic(verb, size, tail=b" " * 3000)


def meta_lines(size):
    flags = [b"X", b"Tx", b"T", b"T99999999999999999999", b"F-1", b"F4294967296", b"Cx", b"C", b"Ex", b"Jx", b"Dx", b"M", b"MXX", b"MX", b"M\xff",
             b"T0 T0", b"O" + b"o" * 40, b"O" + b"o" * 300, b"\x80", b"\xff", b"x", b"7", b"s s", b"k k q q", b"b", b" ".join(b"P%d" % i for i in range(30)),
             b"q X", b"I I", b"S9", b"c F", b"L P T", b" ".join([b"b c f h k l q s t u v O1 T0 F0 C0 I MS"] * 2)]
    for q in (b"", b" q"):
        for flag in flags:
            yield b"ms new %d %s%s\r\n" % (size, flag, q)
        for key in BAD_KEYS:
            yield b"ms %s %d T0%s\r\n" % (key, size, q)
            yield b"ms %s %d\r\n" % (key, size)
        for bad in BAD_NUMBERS:
            yield b"ms new %s T0%s\r\n" % (bad, q)
        yield b"ms new 2147483646%s\r\n" % q
        yield b"ms new %d%s\r\n" % (size + 2**32, q)
        for key in (b"*", b"YQ=", base64.b64encode(b"k" * 251), b"YQ==YQ=="):
            yield b"ms %s %d b%s\r\n" % (key, size, q)
            yield b"ms %s %d bl%s\r\n" % (key, size, q)
    yield b"ms  %d\r\n" % size
    yield b"MS new %d T0\r\n" % size
    yield b"mz new %d T0\r\n" % size


def requests():
    for value in VALUES:
        for verb in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
            for line in classic_lines(verb, len(value)):
                yield line, value
        for line in meta_lines(len(value)):
            yield line, value
        yield b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % len(value), value
        yield b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(value), value


def well_formed(size):
    """Requests that are refused, or stored elsewhere, although they are right."""
    for tail in (b"", b" noreply"):
        for verb in (b"set", b"add", b"replace", b"append", b"prepend", b"cas"):
            yield classic(verb, size, tail=tail)
    for flags in (b"", b" q", b" ME", b" MA", b" MR", b" C1", b" MP N0", b" b"):
        yield b"ms new%s %d%s\r\n" % (b"+" if flags == b" b" else b"", size, flags)


def keep(server):
    c = Client(server)
    for key, value in KEEP.items():
        c.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
    c.send(b"mn\r\n")
    return c.until(b"MN\r\n") == b"STORED\r\n" * len(KEEP)


def damage(asker):
    """The stored values that are gone, and the values that should not be there."""
    asker.send(b"get kept1\r\nget kept2\r\nget kept3\r\nget evil\r\nmg kept1 t\r\nmn\r\n")
    want = b"".join(b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (k, len(v), v) for k, v in KEEP.items()) + b"END\r\nHD t-1\r\n"
    got = asker.until(b"MN\r\n")
    return None if got == want else repr(got)[:300]


ASTRAY = (b"VALUE ", b"OK\r\n", b"DELETED", b"TOUCHED", b"HD t", b"RESET")


def try_one(server, asker, line, value, cut):
    c = Client(server)
    stream = line + value + b"\r\n"
    if cut:
        c.send(stream[:cut])
        c.send(stream[cut:])
    else:
        c.send(stream)
    c.send(b"mn\r\nversion\r\n")
    got = c.until(b"VERSION ")
    said = c.buf if got is None else got
    c.sock.close()
    why = damage(asker)
    if why is None:
        for astray in ASTRAY:
            if (b"\r\n" + said).find(b"\r\n" + astray) >= 0:
                why = "a reply went astray: %r" % said[:200]
    return why and "%r %r cut at %d: %s" % (line[:120], value[:60], cut, why)


def cuts_of(line, value, i):
    if LONG:
        return range(0, len(line) + len(value) + 2, 1 if len(line) < 100 else 97)
    return [0, 1 + i % (len(line) + len(value))]


def malformed(server):
    asker = Client(server)
    n = 0
    for i, (line, value) in enumerate(requests()):
        for cut in cuts_of(line, value, i):
            why = try_one(server, asker, line, value, cut)
            n += 1
            if why:
                return why
    print("# %d requests" % n)
    return None if n > 4000 else "only %d requests" % n


def refused(server):
    """Nothing is stored here: `evil` and what is kept are judged all the same."""
    asker = Client(server)
    for i, value in enumerate(VALUES):
        for line in list(well_formed(len(value))) + list(classic_lines(b"set", len(value))) + list(meta_lines(len(value))):
            why = try_one(server, asker, line, value, i % 2 * len(line))
            if why:
                return why
    return None


def too_large(server):
    asker = Client(server)
    body = b"flush_all\r\nset evil 0 0 1\r\nx\r\ndelete kept1\r\n"
    value = body * (1100000 // len(body))
    for line in well_formed(len(value)):
        for cut in (0, len(line), 100000):
            why = try_one(server, asker, line, value, cut)
            if why:
                return why
    return None


def readers(_):
    server = Server("peekd", ["--access-write=nobody", "--access-admin=nobody", "-m", "2"])
    try:
        asker, c = Client(server), Client(server)
        c.send(b"set kept1 0 0 1\r\nx\r\nmn\r\n")
        if not c.until(b"MN\r\n").startswith(b"CLIENT_ERROR permission denied"):
            return "it may store"
        for value in VALUES:
            for line in list(well_formed(len(value))) + list(classic_lines(b"add", len(value))) + list(meta_lines(len(value))):
                c = Client(server)
                c.send(line + value + b"\r\nmn\r\nversion\r\n")
                got = c.until(b"VERSION ")
                said = c.buf if got is None else got
                c.sock.close()
                for word in (b"flush_all needs", b"delete needs", b"touch needs", b"incr needs"):
                    if word in said:
                        return "%r %r: the value was tried: %r" % (line[:100], value[:60], said[:200])
        asker.send(b"stats\r\nmn\r\n")
        stats = asker.until(b"MN\r\n")
        return None if b"STAT cmd_set 0\r\n" in stats and b"STAT cmd_flush 0\r\n" in stats else repr(stats)[:300]
    finally:
        server.stop()


def no_memory(_):
    server = Server("peekd", ["-M", "-m", "2", "-I", "100k"])
    try:
        if not keep(server):
            return "it doesn't store"
        c = Client(server)
        for i in range(100):
            c.send(b"set fill%d 0 0 60000\r\n%s\r\n" % (i, b"f" * 60000))
        c.send(b"mn\r\n")
        if b"SERVER_ERROR out of memory" not in c.until(b"MN\r\n"):
            return "memory isn't full"
        asker = Client(server)
        body = b"flush_all\r\nset evil 0 0 1\r\nx\r\ndelete kept1\r\n"
        value = body * (90000 // len(body))
        for line in well_formed(len(value)):
            why = try_one(server, asker, line, value, 0) or try_one(server, asker, line, value, len(line))
            if why:
                return why
        return None
    finally:
        server.stop()


def main():
    tests = [("malformed lines of every verb", malformed), ("values that are too large", too_large), ("well-formed ones, stored or not", refused),
             ("who may only read", readers), ("no memory", no_memory)]
    server = Server("peekd", ["-m", "64"])
    print("1..%d" % len(tests))
    failed = run_tests(server, keep, tests)
    return 1 if failed | (server.stop() != 0) else 0


if __name__ == "__main__":
    sys.exit(main())
