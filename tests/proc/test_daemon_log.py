#!/usr/bin/env python3
"""The log: its time, what a terminal would obey, lines that were held back."""
import os
import re
import signal
import subprocess

import daemon_lib as lib
from daemon_lib import TMP, Client, Daemon, test, wait_for

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} "


@test
def times():
    """15.42: each line begins with the time; not with log_time off, which a reload changes, and not on the journal's stderr"""
    conf = os.path.join(TMP, "log.conf")
    open(conf, "w").close()
    d = Daemon("-f", conf)
    lines = d.log().splitlines()
    assert lines and all(re.match(TIME + "peekd: ", x) for x in lines), lines
    with open(conf, "w") as f:
        f.write("log_time = no\n")
    d.p.send_signal(signal.SIGHUP)
    wait_for(lambda: "was read again" in d.log())
    assert d.log().splitlines()[-1].startswith("peekd: "), d.log()
    d.stop()
    path = os.path.join(TMP, "journal")
    with open(path, "wb") as f:
        st = os.fstat(f.fileno())
        p = subprocess.Popen([lib.PEEKD, "-n", lib.name("j"), "-s", os.path.join(TMP, "j.sock")], stderr=f,
            env=dict(os.environ, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino)))
    try:
        wait_for(lambda: "serves" in open(path).read(), 20)
        assert all(re.match("<[3-7]>[^0-9]", x) for x in open(path).read().splitlines()), open(path).read()
    finally:
        p.terminate()
        p.wait(20)


@test
def escapes():
    """15.42: no byte that a terminal obeys gets into a line: control characters, C1 in both forms, what is no UTF-8"""
    for raw, shown in ((b"\x1b]0;x\x07", b"\\x1b]0;x\\x07"), (b"a\rb\nc", b"a\\x0db\\x0ac"), (b"\xc2\x9b2J", b"\\xc2\\x9b2J"),
            (b"\x9b2J", b"\\x9b2J"), (b"caf\xc3\xa9", b"caf\xc3\xa9"), (b"\xe2\x82", b"\\xe2\\x82"), (b"\xff\xfe", b"\\xff\\xfe"),
            (b"\xf0\x9f\x98\x80", b"\xf0\x9f\x98\x80"), (b"\x7f", b"\\x7f")):
        p = subprocess.run([lib.PEEKD, "-t", b"--access-admin=" + raw], capture_output=True)
        assert p.returncode == 64 and shown in p.stderr and p.stderr.count(b"\n") == 1, (raw, p.stderr)
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", p.stderr), (raw, p.stderr)


@test
def more_lines():
    """15.42: "more such lines" is said where there are some, and how many"""
    d = Daemon("-p", port := free_port())
    c = Client(("127.0.0.1", port))
    for _ in range(5):
        c.ask(b"flush_all")
    assert d.log().count("refused to a TCP connection") == 5 and "more such line" not in d.log(), d.log()
    for _ in range(7):
        c.ask(b"flush_all")

    def said():
        c.ask(b"flush_all")
        return "more such line" in d.log()
    wait_for(said, 30)
    held, = re.findall(r"\((\d+) more such lines were not written\)", d.log())
    assert int(held) >= 7 and d.log().count("refused to a TCP connection") == 6


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


lib.main()
