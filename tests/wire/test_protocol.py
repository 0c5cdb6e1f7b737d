#!/usr/bin/python3
"""The protocol's requirements, raw bytes in and out: test_protocol.py [--server peekd|memcached] [--only TEXT] [FILE.cases...]

Each case runs step by step; then, if no request depends on a reply, as one block, byte by byte, and cut in two at many places (at every one
with PEEK_TEST_LONG=1). A case that waits has a server of its own, beside the others. PEEK_TEST_SERVER names the server, too.
"""
# timeout: 300
import glob
import os
import re
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from cases import expectation, read_cases, to_bytes  # noqa: E402
from server import Server  # noqa: E402

LONG = os.environ.get("PEEK_TEST_LONG") == "1"
PATIENCE_S = 10.0 if LONG or os.environ.get("RUNNER") else 4.0
BYTES_MAX, CUT_MAX, CUTS = 2500, 4000, 4000 if LONG else 12


class Failed(Exception):
    pass


def short(data):
    text = repr(data)[2:-1]
    return text if len(text) < 400 else "%s ... %s (%d bytes)" % (text[:200], text[-120:], len(data))


class Conn:
    def __init__(self, server):
        self.sock, self.buf = server.connect(), b""

    def send(self, data, how):
        if how == "bytes":
            pieces = [data[i:i + 1] for i in range(len(data))]
        elif isinstance(how, int) and 0 < how < len(data):
            pieces = [data[:how], data[how:]]
        else:
            pieces = [data]
        sender = threading.Thread(target=self.pieces, args=(pieces,)) if len(data) > 60000 else None
        if sender:
            sender.start()
        else:
            self.pieces(pieces)
        return sender

    def pieces(self, pieces):
        try:
            for i, piece in enumerate(pieces):
                if i and len(pieces) == 2:
                    time.sleep(0.0004)
                self.sock.sendall(piece)
        except OSError:
            pass  # closed on us: what was received decides

    def expect(self, pattern, eof):
        whole = re.compile(pattern, re.S)
        deadline = time.monotonic() + PATIENCE_S
        tried = -1
        while True:
            if len(self.buf) != tried and not (eof and tried < 0):
                m = whole.fullmatch(self.buf) if not eof else None
                if m:
                    self.buf = b""
                    return m
                tried = len(self.buf)
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                more = self.sock.recv(1 << 20)
            except TimeoutError:
                raise Failed("expected %s%s, received %s" % (short(pattern), " and the end" if eof else "", short(self.buf)))
            except ConnectionError:
                more = b""  # closed with something of ours unread
            if not more:
                m = whole.fullmatch(self.buf)
                if eof and m:
                    return m
                raise Failed("closed; expected %s, received %s" % (short(pattern), short(self.buf)))
            self.buf += more
            deadline = time.monotonic() + PATIENCE_S  # silence counts, not the length of an answer
            tried = -1 if eof else tried


def converse(server, steps, how):
    """One run of a case on fresh connections. Nothing may be left over at the end."""
    conns, captured, closed = {}, {}, set()
    try:
        for step in steps:
            if step.wait:
                time.sleep(step.wait)
                continue
            conn = conns.get(step.conn) or conns.setdefault(step.conn, Conn(server))
            sender = conn.send(b"".join(to_bytes(raw, captured) for raw in step.send), how) if step.send else None
            m = conn.expect(expectation([step], server.kind, captured), step.eof)
            captured.update({k: int(v) for k, v in m.groupdict().items()})
            if sender:
                sender.join()
            if step.eof:
                closed.add(step.conn)
        for name, conn in conns.items():
            if name not in closed:
                conn.send(b"mn\r\n", None)
                conn.expect(rb"MN\r\n", False)
    finally:
        for conn in conns.values():
            conn.sock.close()


class Joined:
    """All steps of a linear case as one."""
    def __init__(self, steps):
        self.conn, self.wait, self.eof = steps[0].conn, 0.0, any(s.eof for s in steps)
        self.send = [raw for s in steps for raw in s.send]
        self.expect = [e for s in steps for e in s.expect]


def clean(server, case):
    if "-F" in case.options:
        return
    conn = Conn(server)
    conn.send(b"flush_all\r\nverbosity 0\r\n", None)
    conn.expect(b"OK\r\nOK\r\n", False)
    conn.sock.close()


def run_case(server, case):
    plans = [("in steps", case.steps, None)]
    if case.linear and "-F" not in case.options:
        joined = [Joined(case.steps)]
        length = sum(len(to_bytes(raw, {})) for raw in joined[0].send)
        plans.append(("joined", joined, None))
        if length <= BYTES_MAX:
            plans.append(("byte by byte", joined, "bytes"))
        if length <= CUT_MAX:
            stride = max(1, length // CUTS)
            for at in range(1, length, stride):
                plans.append(("cut at %d" % at, joined, at))
    elif not case.timed:
        plans.append(("byte by byte", case.steps, "bytes"))
    for label, steps, how in plans:
        try:
            clean(server, case)
            converse(server, steps, how)
        except Failed as e:
            raise Failed("%s: %s" % (label, e))
        except OSError as e:
            raise Failed("%s: %s" % (label, e))
    return len(plans)


def report(number, case, error, server):
    print("%s %d - %s" % ("not ok" if error else "ok", number, case.name), flush=True)
    if error:
        print("# %s:%d: %s" % (os.path.relpath(case.file), case.line_no, error))
        if server is not None and server.process.poll() is not None:
            print("# the server ended with status %d: %s" % (server.process.returncode, server.said().replace("\n", "\n# ")))


def run_timed(kind, case, results):
    server = None
    try:
        server = Server(kind, case.options)
        converse(server, case.steps, None)
        results[case] = (None, server)
    except (Failed, OSError, SystemExit) as e:
        results[case] = (str(e), server)


def check_differences(cases):
    """Every case with an expectation of its own for one server is listed with a reason, and no other."""
    listed = {}
    for line in open(os.path.join(here, "differences")):
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.rstrip("\n").partition(": ")
            listed[name] = reason
    differ = {c.name for c in cases if c.differs}
    return ["not listed in differences: %s" % n for n in sorted(differ - set(listed))] + [
        "listed in differences, but the case has none: %s" % n for n in sorted(set(listed) - differ)] + [
        "listed without a reason: %s" % n for n, why in listed.items() if not why]


def main():
    args, kind, only, files = sys.argv[1:], os.environ.get("PEEK_TEST_SERVER", "peekd"), "", []
    while args:
        a = args.pop(0)
        if a == "--server":
            kind = args.pop(0)
        elif a == "--only":
            only = args.pop(0)
        else:
            files.append(a)
    everything = [c for f in sorted(glob.glob(os.path.join(here, "*.cases"))) for c in read_cases(f)]
    cases = [c for f in files for c in read_cases(f)] if files else everything
    cases = [c for c in cases if only in c.name]
    print("1..%d" % (len(cases) + 1))
    wrong = check_differences(everything)
    print("%s 1 - the file of differences is complete" % ("not ok" if wrong else "ok"))
    for w in wrong:
        print("# " + w)
    failed, results, threads, servers, runs = len(wrong), {}, {}, {}, 0
    for case in cases:
        if case.timed and case.only in (None, kind):
            threads[case] = threading.Thread(target=run_timed, args=(kind, case, results))
            threads[case].start()
    for number, case in enumerate(cases, 2):
        server, error = None, None
        if case.only not in (None, kind):
            print("ok %d - %s # SKIP not in %s" % (number, case.name, kind))
            continue
        if case.timed:
            threads[case].join()
            error, server = results[case]
        else:
            try:
                key = tuple(case.options)
                server = servers.get(key)
                if server is None or server.process.poll() is not None:
                    server = servers[key] = Server(kind, case.options)
                runs += run_case(server, case)
            except (Failed, SystemExit) as e:
                error = str(e)
        report(number, case, error, server)
        failed += error is not None
    for server in [*servers.values(), *(s for _, s in results.values() if s is not None)]:
        status = server.stop()
        if status not in (0, -15):
            failed += 1
            print("# a server ended with status %d" % status)
    print("# %d cases in %d runs on %s" % (len(cases), runs + len(threads), kind))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
