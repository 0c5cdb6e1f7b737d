#!/usr/bin/python3
"""memcached's tools and exporters find all that they read, and no walk of all keys delays other clients (15.27, 15.41).

The reader of statistics is the one of Prometheus' memcached_exporter: lines of exactly three words, the names that it fails without,
and a number, yes or no, or seconds with a fraction where it wants one."""
# timeout: 200
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from server import Server, ask  # noqa: E402

TOOL = "/usr/share/memcached/scripts/memcached-tool"
OPS = ["get", "delete", "incr", "decr", "cas", "touch"]
GENERAL = [op + end for op in OPS for end in ("_hits", "_misses")] + [
    "uptime", "time", "cas_badval", "cmd_set", "cmd_flush", "bytes", "limit_maxbytes", "curr_items", "total_items", "bytes_read", "bytes_written",
    "curr_connections", "total_connections", "rejected_connections", "listen_disabled_num", "evictions", "reclaimed", "store_too_large",
    "store_no_memory", "accepting_conns", "threads", "pointer_size"]
SLAB = [op + "_hits" for op in OPS] + ["cas_badval", "cmd_set", "chunk_size", "chunks_per_page", "total_pages", "total_chunks", "used_chunks",
                                       "free_chunks", "free_chunks_end", "mem_requested"]
ITEMS = ["number", "age", "evicted", "evicted_time", "outofmemory", "reclaimed", "evicted_unfetched", "hits_to_hot", "mem_requested"]


def rows(server, what):
    got = {}
    for line in ask(server, b"stats%s\r\n" % what, b"END\r\n").decode().split("\r\n")[:-2]:
        words = line.split(" ")
        assert len(words) == 3 and words[0] == "STAT" and words[1] and words[2], line
        got[words[1]] = words[2]
    return got


def fill(server, n, size=1):
    s = server.connect()
    s.settimeout(20)
    for at in range(0, n, 1000):
        s.sendall(b"".join(b"set key%d 0 0 %d noreply\r\n%s\r\n" % (i, size, b"v" * size) for i in range(at, min(n, at + 1000))))
    s.sendall(b"mn\r\n")
    assert s.recv(100) == b"MN\r\n"
    s.close()


def exporter(server):
    general, slabs, items, settings = (rows(server, w) for w in (b"", b" slabs", b" items", b" settings"))
    for name in GENERAL:
        float(general[name])
    for name in ("rusage_user", "rusage_system"):
        seconds, micros = general[name].split(".")
        float(seconds), float(micros)
    assert float(general["cmd_set"]) - sum(float(general["cas_" + n]) for n in ("misses", "hits", "badval")) >= 0
    classes = {name.split(":")[0] for name in slabs if ":" in name}
    assert classes == {"1"}, classes
    for name in SLAB:
        float(slabs["1:" + name])
    assert all(len(name.split(":")) <= 2 for name in slabs)
    assert float(slabs["1:cmd_set"]) - float(slabs["1:cas_hits"]) - float(slabs["1:cas_badval"]) >= 0
    for name in ITEMS:
        float(items["items:1:" + name])
    assert int(items["items:1:number"]) == int(general["curr_items"])
    int(settings["maxconns"])
    assert settings["evictions"] in ("on", "off")


def settings_with_blanks(_):
    folder = os.environ.get("TMPDIR", "/tmp")
    server = Server("peekd", ["--access-write=root, @0,\tself", "--snapshot-path", folder + "/a b%20c", "--pidfile", ""])
    try:
        settings = rows(server, b" settings")
        assert urllib.parse.unquote(settings["snapshot_path"]) == folder + "/a b%20c", settings["snapshot_path"]
        assert settings["pidfile"] == "NULL" and " " not in settings["access_write"]
        rows(server, b" conns")
    finally:
        server.stop()


def run_tool(server, *words):
    r = subprocess.run(["timeout", "20", "perl", TOOL, server.path, *words], capture_output=True)
    assert r.returncode == 0, (words, r.returncode, r.stderr)
    return r.stdout


def memcached_tool(server):
    ask(server, b"set a%%b/c 7 0 3\r\none\r\nset t 0 1000 3\r\ntwo\r\nget t\r\n", b"END\r\n")
    lines = run_tool(server, "display").decode().splitlines()
    assert len(lines) == 2 and lines[1].split()[0] == "1" and lines[1].split()[4] == rows(server, b"")["curr_items"], lines
    assert b"curr_items" in run_tool(server, "stats") and b"memory_limit" in run_tool(server, "settings")
    assert b"sizes_status" in run_tool(server, "sizes")
    n = int(rows(server, b"")["curr_items"])
    assert len(run_tool(server, "keys").splitlines()) == n
    assert len(run_tool(server, "keys", "5").splitlines()) == 5
    dump = run_tool(server, "dump")
    assert dump.count(b"add ") == n and b"add a%%b/c 7 0 3\r\none\r\n" in dump and b"add key5 0 0 1\r\nv\r\n" in dump


def no_right(_):
    """A client that may not list keys is hung up on, since the tool waits for END."""
    server = Server("peekd", ["--access-admin=nobody"])
    try:
        assert ask(server, b"lru_crawler metadump all\r\nversion\r\n", b"never").startswith(b"CLIENT_ERROR permission denied")
        assert ask(server, b"lru_crawler enable\r\n", b"\r\n") == b"OK\r\n"
        assert ask(server, b"stats cachedump 1 0\r\n", b"\r\n").startswith(b"CLIENT_ERROR permission denied")
        if os.path.exists(TOOL):
            assert run_tool(server, "keys") == b"" and run_tool(server, "dump") == b""
    finally:
        server.stop()


def every_key(server):
    """Each form lists each key, over many slices, while the table grows."""
    n = 60000
    fill(server, n)
    want = {b"key%d" % i for i in range(n)}
    meta = ask(server, b"lru_crawler metadump all\r\n", b"END\r\n")
    assert want <= {line.split(b" ")[0][4:] for line in meta.split(b"\n")}
    mg = ask(server, b"lru_crawler mgdump all\r\n", b"EN\r\n")
    assert want <= {line[3:] for line in mg.split(b"\r\n")}
    cache = ask(server, b"stats cachedump 1 0\r\n", b"END\r\n")
    assert want <= {line.split(b" ")[1] for line in cache.split(b"\r\n") if line.startswith(b"ITEM")}
    assert ask(server, b"stats cachedump 1 7\r\n", b"END\r\n").count(b"ITEM") == 7
    s = server.connect()
    s.settimeout(20)
    s.sendall(b"lru_crawler metadump all\r\n")
    got = s.recv(1000)
    for at in range(0, 40000, 1000):
        fill(server, 1000)
        ask(server, b"".join(b"set more%d 0 0 1 noreply\r\nv\r\n" % i for i in range(at, at + 1000)) + b"mn\r\n", b"MN\r\n")
        got += s.recv(20000)
    while not got.endswith(b"END\r\n"):
        got += s.recv(1 << 20)
    s.close()
    assert want <= {line.split(b" ")[0][4:] for line in got.split(b"\n")}


def slow_reader(server):
    """A client that asks for all keys and doesn't read costs one slice, and delays nobody."""
    lazy = []
    for i in range(20):
        s = server.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"lru_crawler metadump all\r\n" * 50)
        lazy.append(s)
    assert ask(server, b"get key1\r\n", b"END\r\n") == b"VALUE key1 0 1\r\nv\r\nEND\r\n"
    time.sleep(0.2)
    kept = [int(v) for name, v in rows(server, b" conns").items() if name.endswith(":kept_bytes")]
    assert max(kept) < 2 << 20, max(kept)
    for s in lazy:
        s.close()


def binary_client(server):
    """Clients of the binary protocol are hung up on, counted, and told of once (15.28)."""
    for i in range(3):
        assert ask(server, b"\x80\x00" + b"\x00" * 22, b"never") == b""
        assert ask(server, b"version\r\n\x80" + b"\x07" * 23, b"never").startswith(b"VERSION")
    ask(server, b"nonsense HTTP/1.1\r\n", b"never")
    assert rows(server, b"")["binary_clients"] == "6"
    assert server.said().count("sess_binary_protocol") == 1, server.said()


def main():
    tests = [("an exporter's names and words", exporter), ("settings with blanks are one word", settings_with_blanks),
             ("memcached-tool in every mode", memcached_tool), ("who may not", no_right), ("every key, in slices", every_key),
             ("a slow reader", slow_reader), ("clients of the binary protocol", binary_client)]
    server = Server("peekd", ["-m", "64"])
    fill(server, 100)
    ask(server, b"get key1 none\r\ncas key1 0 0 1 1\r\nx\r\nmn\r\n", b"MN\r\n")
    print("1..%d" % len(tests))
    failed = 0
    for i, (name, test) in enumerate(tests, 1):
        why = None
        if test is memcached_tool and not (os.path.exists(TOOL) and shutil.which("perl")):
            print("ok %d - %s # SKIP no memcached-tool" % (i, name))
            continue
        try:
            test(server)
        except (AssertionError, KeyError, ValueError, OSError) as e:
            why = "%s: %s" % (type(e).__name__, e)
        failed += why is not None
        print("%s %d - %s" % ("not ok" if why else "ok", i, name), flush=True)
        if why:
            print("# " + why.replace("\n", "\n# ")[:1000])
    return 1 if failed | (server.stop() != 0) else 0


if __name__ == "__main__":
    sys.exit(main())
