#!/bin/bash
# pymemcache: the tests that its package brings, over loopback TCP; and the Unix socket.
. tests/server.sh
server_start

/usr/bin/python3 - "$PORT" "$tmp" <<'PY'
import os, subprocess, sys
import pymemcache
tests = os.path.join(os.path.dirname(pymemcache.__file__), "test", "test_integration.py")
run = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--no-header", "-m", "integration",
                      "-k", "not tls", "--server=127.0.0.1", "--port=" + sys.argv[1], tests],
                     cwd=sys.argv[2], stdout=open(sys.argv[2] + "/pytest", "w"), stderr=subprocess.STDOUT,
                     env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
sys.exit(run.returncode)
PY
status=$?
while read -r word test; do
	[ "$word" = PASSED ]
	result $? "pymemcache ${test##*::}" "$tmp/pytest"
done < <(grep -E '^(PASSED|FAILED|ERROR) ' "$tmp/pytest" | cut -d' ' -f1,2)
[ "$status" = 0 ] && [ $n -ge 20 ]
result $? "pymemcache's packaged tests: $n ran" "$tmp/pytest"

cat >"$tmp/unix.py" <<'PY'
import os, sys
from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient
c = Client(os.environ["SOCK"], timeout=5)
every = bytes(range(256)) * 16
assert c.set("bytes", every, noreply=False) and c.get("bytes") == every
assert c.set_many({"m%d" % i: str(i) for i in range(500)}) == []
assert c.get_many(["m%d" % i for i in range(510)]) == {"m%d" % i: str(i).encode() for i in range(500)}
big = os.urandom(1000000)
assert c.set("big", big, noreply=False) and c.get("big") == big
assert c.set("n", "9", noreply=False) and c.incr("n", 3) == 12 and c.decr("n", 100) == 0
value, cas = c.gets("n")
assert c.cas("n", b"1", cas, noreply=False) is True and c.cas("n", b"2", cas, noreply=False) is False
assert c.gat("n", 100) == b"1" if hasattr(c, "gat") else True
assert c.touch("n", 60, noreply=False) and c.delete("n", noreply=False) and c.get("n") is None
assert int(c.stats()[b"pid"]) > 0
h = HashClient([os.environ["SOCK"]])
assert h.set("h", "v", noreply=False) and h.get("h") == b"v"
PY
ok "pymemcache on the Unix socket" /usr/bin/python3 "$tmp/unix.py"
plan
