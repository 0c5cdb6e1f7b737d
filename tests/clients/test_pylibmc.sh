#!/bin/bash
# pylibmc (libmemcached) and python3-memcache, on the Unix socket and over loopback TCP.
. tests/server.sh
server_start

cat >"$tmp/c1.py" <<'PY'
import os, sys
import pylibmc
c = pylibmc.Client([sys.argv[1]], behaviors={"cas": True, "tcp_nodelay": True})
assert c.set("key", "value") and c.get("key") == "value"
assert c.set("object", {"a": [1, 2, 3]}) and c.get("object") == {"a": [1, 2, 3]}
assert c.set("n", 41) and c.incr("n") == 42 and c.decr("n", 2) == 40 and c.get("n") == 40
assert c.add("new", 1) and not c.add("new", 2)
assert c.replace("new", 3) and not c.replace("nothing", 1)
assert c.set("text", b"b") and c.append("text", b"c") and c.prepend("text", b"a") and c.get("text") == b"abc"
big = os.urandom(900000)
assert c.set("big", big) and c.get("big") == big
assert c.set_multi({"m%d" % i: i for i in range(300)}) == []
assert c.get_multi(["m%d" % i for i in range(310)]) == {"m%d" % i: i for i in range(300)}
value, cas = c.gets("n")
assert c.cas("n", 7, cas) and not c.cas("n", 8, cas)
assert c.touch("n", 60) and c.delete("n") and not c.delete("n") and c.get("n") is None
assert c.set("expires", 1, time=1)
# exptimes that a client prints without their sign, and dates that 31 bits don't hold: the value must not run (15.13)
raw = pylibmc.Client([sys.argv[1]])
for exptime in (-1, 2**31, 2**31 - 1, 2**32 - 1, 4000000000, int(__import__("time").time()) + 31 * 86400):
    try:
        raw.set("flush", b"flush_all", time=exptime)
    except (pylibmc.Error, OverflowError):
        pass
    assert raw.get("key") == "value", exptime
    live = exptime in (2**31, 2**31 - 1, 4000000000) or 10**9 < exptime < 2**31
    assert raw.get("flush") == (b"flush_all" if live else None), exptime
assert c.get_stats()[0][1]
pipeline = pylibmc.Client([sys.argv[1]], behaviors={"no_block": True})
for i in range(2000):
    pipeline.set("p%d" % i, "x" * i)
assert pipeline.get("p1999") == "x" * 1999
plain = pylibmc.Client([sys.argv[1]])
assert all(plain.get("p%d" % i) == "x" * i for i in range(2000))
assert c.flush_all() and c.get("key") is None
PY
cat >"$tmp/c2.py" <<'PY'
import sys
import memcache
c = memcache.Client([sys.argv[1]], cache_cas=True, debug=1)
assert c.set("key", "value") and c.get("key") == "value"
assert c.set("object", ["a", {"b": 2}]) and c.get("object") == ["a", {"b": 2}]
assert c.set("n", 5) and c.incr("n", 2) == 7 and c.decr("n") == 6
assert c.add("new", "x") and not c.add("new", "y") and c.replace("new", "z") and c.get("new") == "z"
assert c.set_multi({"a": 1, "b": 2}) == [] and c.get_multi(["a", "b", "c"]) == {"a": 1, "b": 2}
assert c.gets("n") == 6 and c.cas("n", 8)
assert c.set("large", "y" * 1000000) and len(c.get("large")) == 1000000
assert c.set("text", "b") and c.append("text", "c") and c.prepend("text", "a") and c.get("text") == "abc"
assert c.touch("n", 100) and c.delete("n") and c.get("n") is None
assert c.get_stats()[0][1]["pid"]
c.flush_all()
assert c.get("key") is None
PY
ok "pylibmc on the Unix socket" /usr/bin/python3 "$tmp/c1.py" "$SOCK"
ok "pylibmc over TCP" /usr/bin/python3 "$tmp/c1.py" "127.0.0.1:$PORT"
ok "python3-memcache on the Unix socket" /usr/bin/python3 "$tmp/c2.py" "unix:$SOCK"
ok "python3-memcache over TCP" /usr/bin/python3 "$tmp/c2.py" "127.0.0.1:$PORT"
plan
