"""Reads files of test cases: raw bytes in, expected bytes out.

    test 20 title          begins a case; the number is that of a rule of peekd-protocol(7); 0: none
    with -F                options of the server that it needs
    on b                   goes on with connection b (the first is a)
    > set k 0 0 1          sends the line and CR LF; consecutive lines are one request block
    >> raw\\r\\n             sends exactly this
    < STORED               expects the line and CR LF
    << raw                 expects exactly this
    <m ... <p ... <<m ...  what only memcached, only peekd answers (the case is listed in the file `differences`)
    <..                    any lines
    <eof                   the connection is closed
    wait 1.2               seconds
    alone                  a server of its own, one run
    only peekd             the other server has no such thing

In lines: \\r \\n \\t \\0 \\\\ \\xNN; {x*250} repeats; {$id} and {$id-1} stand for a number that was captured.
In expected lines also: {#} a number, {#id} captures one, {..} any text, {a|b} either text.
"""
import re

TOKEN = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)|\{([^{}]*)\}", re.S)
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class Step:
    def __init__(self, conn):
        self.conn, self.send, self.wait, self.eof = conn, [], 0.0, False
        self.expect = []  # (server or None, raw line or None for "any lines")


class Case:
    def __init__(self, file, line_no, number, title):
        self.file, self.line_no, self.number, self.title = file, line_no, number, title
        self.options, self.steps, self.differs, self.alone, self.only = [], [], False, False, None

    @property
    def name(self):
        return "%s %s" % (self.number, self.title)

    @property
    def timed(self):
        return self.alone or any(s.wait for s in self.steps)

    @property
    def linear(self):
        """One connection, and no request depends on a reply."""
        return (not self.timed and len({s.conn for s in self.steps}) == 1 and
                not any(b"{$" in part for s in self.steps for part in s.send) and
                not any(re.search(rb"\{\$\w+[-+]", raw or b"") for s in self.steps for _, raw in s.expect))


def read_cases(path):
    cases, case, conn, step = [], None, "a", None
    for line_no, raw in enumerate(open(path, "rb").read().split(b"\n"), 1):
        if not raw.strip() or raw.startswith(b"#"):
            continue
        word, _, rest = raw.partition(b" ")
        if word == b"test":
            number, _, title = rest.decode().partition(" ")
            case, conn, step = Case(path, line_no, number, title), "a", None
            cases.append(case)
        elif word == b"with":
            case.options += rest.decode().split()
        elif word == b"on":
            conn, step = rest.decode(), None
        elif word == b"wait":
            step = Step(conn)
            step.wait = float(rest)
            case.steps.append(step)
            step = None
        elif word in (b">", b">>"):
            if step is None or step.expect or step.eof:
                step = Step(conn)
                case.steps.append(step)
            step.send.append(rest + (b"\\r\\n" if word == b">" else b""))
        elif word == b"only":
            case.only = rest.decode()
        elif word == b"alone":
            case.alone = True
        elif word in (b"<", b"<<", b"<m", b"<p", b"<<m", b"<<p", b"<..", b"<eof"):
            if step is None:
                step = Step(conn)
                case.steps.append(step)
            if word == b"<eof":
                step.eof = True
            elif word == b"<..":
                step.expect.append((None, None))
            else:
                only = {b"m": "memcached", b"p": "peekd"}.get(word[-1:])
                case.differs |= only is not None
                step.expect.append((only, rest + (b"" if word.startswith(b"<<") else b"\\r\\n")))
        else:
            raise SystemExit("%s:%d: not a directive: %r" % (path, line_no, raw[:40]))
    return cases


def number_of(text, captured):
    m = re.fullmatch(rb"\$(\w+?)([+-]\d+)?", text)
    return b"%d" % (captured[m[1].decode()] + int(m[2] or 0))


def to_bytes(raw, captured):
    """The bytes that a `>` line sends."""
    def one(m):
        if m[1]:
            return bytes([int(m[1], 16)])
        if m[2]:
            return ESCAPES[m[2]]
        if m[3].startswith(b"$"):
            return number_of(m[3], captured)
        text, _, times = m[3].rpartition(b"*")
        return to_bytes(text, captured) * int(times)
    return TOKEN.sub(one, raw)


def to_pattern(raw, captured):
    """The regular expression of a `<` line; groups are named by what they capture."""
    out, at = [], 0
    for m in TOKEN.finditer(raw):
        out.append(re.escape(raw[at:m.start()]))
        at = m.end()
        if m[1]:
            out.append(re.escape(bytes([int(m[1], 16)])))
        elif m[2]:
            out.append(re.escape(ESCAPES[m[2]]))
        elif m[3] == b"..":
            out.append(rb"[^\n]*")
        elif m[3].startswith(b"#"):
            out.append(b"(?P<%s>[0-9]+)" % m[3][1:] if m[3] != b"#" else b"[0-9]+")
        elif m[3].startswith(b"$"):
            name = m[3][1:].split(b"-")[0].split(b"+")[0].decode()
            out.append(number_of(m[3], captured) if name in captured else b"(?P=%s)" % name.encode())
        elif b"|" in m[3]:
            out.append(b"(?:%s)" % b"|".join(re.escape(t) for t in m[3].split(b"|")))
        else:
            text, _, times = m[3].rpartition(b"*")
            out.append(b"(?:%s){%d}" % (to_pattern(text, captured), int(times)))
    out.append(re.escape(raw[at:]))
    return b"".join(out)


def expectation(steps, server, captured):
    parts = []
    for step in steps:
        for only, raw in step.expect:
            if only in (None, server):
                parts.append(rb"(?:[^\n]*\n)*?" if raw is None else to_pattern(raw, captured))
    return b"".join(parts)
