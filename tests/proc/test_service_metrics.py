#!/usr/bin/env python3
"""Metrics: Prometheus text over HTTP and over the control socket; its form, its names, its numbers."""
import os
import re
import shutil
import socket
import stat
import subprocess
import time

from daemon_lib import PEEKD, ROOT, SANITIZED, TMP, Daemon, Skip, main, refused, test, wait_for

PEEKCTL = os.environ.get("PEEKCTL", os.path.join(ROOT, "build/release/peekctl"))
SAMPLE = re.compile(r'^([a-z_]+)\{cache="([^"]*)"((?:,[a-z]+="[^"]*")*)\} (NaN|[0-9]+(?:\.[0-9]+)?)$')


def http(address, request=b"GET /metrics HTTP/1.1\r\nHost: peekd\r\nConnection: close\r\n\r\n"):
    """(status, headers, body)"""
    s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    s.settimeout(10)
    s.connect(address)
    s.sendall(request)
    answer = b""
    while True:
        part = s.recv(65536)
        if not part:
            break
        answer += part
    s.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body.decode()


def parse(text):
    """{name: {labels: value}} of a text whose form is checked on the way"""
    families, family, kind = {}, None, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in families, family + " stands in two places"
            assert len(line.split(None, 3)) == 4, "no help: " + line
            families[family] = {}
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == family and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            assert not re.search(r"_(micro|milli|kilo|mega)", name), line
            continue
        m = SAMPLE.match(line)
        assert m, line
        assert m.group(1) == family, "%s stands below %s" % (line, family)
        assert m.group(3) not in families[family], "twice: " + line
        families[family][m.group(3)] = (m.group(2), m.group(4))
    return families


def value(families, name, labels=""):
    return float(families[name][labels][1])


@test
def unix_socket():
    """a Unix socket, with the control socket's mode; gone at the end; every counter of stats is there, with its value"""
    path = os.path.join(TMP, "m.sock")
    d = Daemon("--metrics", path, "-a", "0640", "-m", "4")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    c = d.client()
    for i in range(100):
        assert c.set("key%d" % i, b"v" * 100) == b"STORED"
    for i in range(150):
        c.get("key%d" % i)
    status, headers, body = http(path)
    assert status == 200 and headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", (status, headers)
    f = parse(body)
    assert all(v[0] == d.name for labels in f.values() for v in labels.values())
    assert value(f, "peekd_items") == 100
    assert value(f, "peekd_gets_total") == 150
    assert value(f, "peekd_get_hits_total") == 100
    assert value(f, "peekd_hit_ratio", ',via="socket"') == 0.666667
    assert f["peekd_hit_ratio"][',via="shm"'][1] == "NaN"
    assert value(f, "peekd_limit_bytes") == sum(value(f, "peekd_arena_bytes", ',state="%s"' % s) for s in ("live", "dead", "free"))
    assert value(f, "peekd_arena_bytes", ',state="live"') >= 100 * 100
    assert value(f, "peekd_segments") >= sum(float(v[1]) for v in f["peekd_segments_in_use"].values()) > 0
    assert 4 << 20 <= value(f, "peekd_segment_bytes") < 8 << 20
    assert value(f, "peekd_heap_bytes") > 0 or b"mallctl" not in open(PEEKD, "rb").read()  # a sanitizer's own heap
    assert value(f, "peekd_connections") == 1
    assert 0 < value(f, "peekd_longest_set_seconds") < 5
    assert 0 < value(f, "peekd_recovery_seconds") < 60
    assert value(f, "peekd_table_load_ratio") > 0 and value(f, "peekd_chain_lines_ratio") >= 1
    n = sum(len(labels) for labels in f.values())
    rows = sum(line.startswith("STAT(") for line in open(os.path.join(ROOT, "src/shm/stats.def")))
    assert n == rows + 2 + 8, (n, rows)
    assert d.stop() == 0 and not os.path.exists(path)


@test
def memory():
    """private memory is what the kernel counts, arrays beside the table and all; the hint page is counted too; the heap apart from both"""
    d = Daemon("-m", "16")
    c = d.client(30)  # 200,000 sets at once
    c.send(b"".join(b"set key%d 0 0 1 noreply\r\nv\r\n" % i for i in range(200000)) + b"mn\r\n")
    assert c.line() == b"MN"
    page = [fd for fd in os.listdir("/proc/%d/fd" % d.pid) if "peekd-hints" in os.readlink("/proc/%d/fd/%s" % (d.pid, fd))]
    assert len(page) == 1, page

    def agrees():
        s = {k: int(v) for k, v in c.stats().items() if v.isdigit()}
        anon = sum(int(line.split()[1]) for line in open("/proc/%d/smaps" % d.pid) if line.startswith("Anonymous:")) * 1024
        hints = os.stat("/proc/%d/fd/%s" % (d.pid, page[0])).st_blocks * 512
        agrees.seen = (s["curr_items"], s["heap_bytes"], s["private_bytes"], anon, s["hint_page_bytes"], hints)
        return s["curr_items"] > 150000 and abs(s["private_bytes"] - anon) <= anon // 100 + 65536 and s["hint_page_bytes"] == hints
    try:
        wait_for(agrees, 10)
    except AssertionError:
        assert False, "items %d, heap %d, private %d of %d, hint page %d of %d" % agrees.seen
    items, heap, private, _, _, hints = agrees.seen
    assert private > 4 * items and hints > items, agrees.seen  # last access and a hint for each, at least
    assert SANITIZED or heap + 4 * items < private, agrees.seen


@test
def requests():
    """/ answers too; HEAD has no body; other paths and methods, and nonsense, are refused and harm nobody"""
    path = os.path.join(TMP, "m.sock")
    d = Daemon("--metrics", path)
    assert http(path, b"GET / HTTP/1.0\r\n\r\n")[2].startswith("# HELP peekd_info ")
    status, headers, body = http(path, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status == 200 and body == ""
    assert http(path, b"GET /metricsx HTTP/1.0\r\n\r\n")[0] == 404
    assert http(path, b"GET /../etc/passwd HTTP/1.0\r\n\r\n")[0] == 404
    assert http(path, b"POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")[0] in (405, 413, 501)
    try:
        assert http(path, b"GET /metrics HTTP/1.0\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n")[0] in (400, 413, 431)
    except (ConnectionResetError, BrokenPipeError):
        pass  # hung up on before all of it was read
    held = []
    for _ in range(50):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.send(b"GET /me")
        held.append(s)
    assert http(path)[0] == 200
    assert d.client().ask(b"mn") == b"MN"
    for s in held:
        s.close()
    assert d.stop() == 0


@test
def descriptors_run_out():
    """out of descriptors: no busy loop, and metrics are answered again once there are some"""
    path = os.path.join(TMP, "m.sock")
    d = Daemon("--metrics", path, prefix=("prlimit", "--nofile=100:100"))
    held = []
    for _ in range(150):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        held.append(s)
    time.sleep(0.5)

    def ticks():
        return sum(int(word) for word in open("/proc/%d/stat" % d.pid).read().split()[13:15])
    before = ticks()
    time.sleep(1)
    assert ticks() - before < 30, "a busy loop: %d ticks of processor time in a second" % (ticks() - before)
    for s in held:
        s.close()
    status, _, body = http(path)
    assert status == 200 and "peekd_items" in body


@test
def tcp():
    """a loopback address works; another is refused with status 64"""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    d = Daemon("--metrics", "127.0.0.1:%d" % port)
    assert "peekd_items" in http(("127.0.0.1", port))[2]
    d.stop()
    for bad in ("0.0.0.0:%d" % port, "localhost", "127.0.0.1", ":80", "8.8.8.8:80", "127.0.0.1:x"):
        status, log = refused("--metrics", bad)
        assert status == 64 and "metrics is" in log, (bad, status, log)


@test
def in_the_way():
    """a file that is no socket is left alone; a dead daemon's socket is replaced"""
    path = os.path.join(TMP, "m.sock")
    open(path, "w").close()
    status, log = refused("--metrics", path)
    assert status == 73 and "no socket" in log and os.path.exists(path), (status, log)
    os.unlink(path)
    d = Daemon("--metrics", path)
    d.kill()
    assert os.path.exists(path)
    Daemon("--metrics", path)
    assert http(path)[0] == 200


@test
def over_the_control_socket():
    """peekctl metrics prints the same text"""
    path = os.path.join(TMP, "m.sock")
    d = Daemon("--metrics", path)
    out = subprocess.run([PEEKCTL, "-s", d.path, "metrics"], stdout=subprocess.PIPE, check=True, timeout=10).stdout.decode()
    f, g = parse(out), parse(http(path)[2])
    assert f.keys() == g.keys() and {k: v.keys() for k, v in f.items()} == {k: v.keys() for k, v in g.items()}


@test
def promtool():
    """promtool has nothing to say"""
    if shutil.which("promtool") is None:
        raise Skip("promtool is not installed")
    d = Daemon()
    out = subprocess.run([PEEKCTL, "-s", d.path, "metrics"], stdout=subprocess.PIPE, check=True, timeout=10).stdout
    r = subprocess.run(["promtool", "check", "metrics"], input=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    assert r.returncode == 0 and r.stdout == b"", r.stdout.decode()


main()
