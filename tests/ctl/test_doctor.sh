#!/bin/bash
# peekctl doctor: says what is wrong, and nothing where nothing is.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
object=/dev/shm/peekd.$name
server_start -m 16 --huge-pages=off

doctor() { # NAME WANTED-STATUS REGEX OPTION...
	local what=$1 want=$2 line=$3
	shift 3
	"$PEEKCTL" -n "$name" "$@" doctor >"$tmp/out" 2>&1
	[ $? = "$want" ] && grep -qE -- "$line" "$tmp/out"
	result $? "$what" "$tmp/out"
}

# The host's part may be a warning where the tests run; what this instance is like is not.
"$PEEKCTL" -n "$name" doctor >"$tmp/out"
! grep -vE '^ok|^(note|warn|bad) *(room|cgroup)|^ +>' "$tmp/out" && [ "$(grep -c '^ok' "$tmp/out")" -ge 8 ]
result $? "all is well" "$tmp/out"
grep -q 'huge pages *switched off' "$tmp/out"
result $? "what was switched off is no warning" "$tmp/out"
"$PEEKCTL" -n "$name" doctor --json | /usr/bin/python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert {"permissions", "layout", "heartbeat", "clock", "socket", "versions", "refusals", "room", "cgroup", "huge pages"} == {r["check"] for r in rows}, rows
assert all(r["state"] in ("ok", "note", "warn", "bad") and r["found"] for r in rows) and all(("advice" in r) == (r["state"] != "ok") for r in rows), rows'
result $? "doctor --json"

# Counted are the segment, the hint page and private memory. Each is large enough here to be missed.
seq -f 'set k%.0f 0 0 1 noreply' 100000 | sed 's/$/\r\nv\r/' | socat -t 5 - "UNIX-CONNECT:$SOCK"
for i in $(seq 10); do
	sleep .5
	"$PEEKCTL" -n "$name" stats >"$tmp/stats"
	"$PEEKCTL" -n "$name" doctor | grep -E '^(ok|warn|bad) +cgroup' >"$tmp/out"
	"$PEEKCTL" -n "$name" top --once | grep 'hint page' >"$tmp/top"
	/usr/bin/python3 - "$tmp/stats" "$tmp/out" "$tmp/top" >"$tmp/err" 2>&1 <<'END' && break
import re, sys
stats = dict(line.split()[:2] for line in open(sys.argv[1]))
want = [int(stats[name]) / 2**20 for name in ("segment_bytes", "hint_page_bytes", "private_bytes")]
text = open(sys.argv[2]).read()
has = [float(x) for x in re.search(r"the daemon uses ([\d.]+) MiB: segment ([\d.]+), hint page ([\d.]+), private ([\d.]+)$", text).groups()]
top = open(sys.argv[3]).read()
hints, unit, private = re.search(r"hint page ([\d.]+) ([KM])iB   private ([\d.]+) MiB$", top).groups()
print(text, top, want, has)
assert int(stats["curr_items"]) > 90000 and min(want) >= .2
assert all(abs(a - b) <= .1 for a, b in zip([sum(want)] + want, has))
assert abs(float(hints) / (1 if unit == "M" else 1024) - want[1]) <= .1 and abs(float(private) - want[2]) <= (.1 if "." in private else .6)
END
done
result $? "all memory that the limit is for, in doctor and top" "$tmp/err"

"$PEEKCTL" -n "$name" set --ttl 5 k v && head -c 2000000 /dev/zero | "$PEEKCTL" -n "$name" set big >"$tmp/err" 2>&1
sleep .3 # counters are published ten times a second
quiet() { # NAME REGEX: it is told, and is no matter of the exit status; the host's part may be
	"$PEEKCTL" -n "$name" doctor >"$tmp/out"
	local got=$? want=0
	grep -qE '^warn +(room|cgroup)' "$tmp/out" && want=1
	grep -qE '^bad +(room|cgroup)' "$tmp/out" && want=2
	[ $got = $want ] && grep -qE -- "$2" "$tmp/out"
	result $? "$1" "$tmp/out"
}
# 15.42: what happened once is told, and doesn't stay a warning for ever; what happens often is one.
quiet "one value that was refused is a note" '^note  refusals  *1 values refused for their size'
printf 'get\r\nbogus x\r\n' | socat -t 1 - "UNIX-CONNECT:$SOCK" >/dev/null
sleep .3
quiet "so are malformed requests" '^note  refusals  *2 malformed requests'
"$PEEKCTL" -n "$name" stats reset >/dev/null
for i in $(seq 12); do head -c 2000000 /dev/zero | "$PEEKCTL" -n "$name" set big 2>/dev/null; done
sleep .3
doctor "a share of a hundredth is a warning" 1 '^warn  refusals  *12 values refused for their size since the start \(12 stores\)'
"$PEEKCTL" -n "$name" stats reset >/dev/null
sleep .3
quiet "which stats reset takes away" '^ok    refusals  *none'
# peekctl opens the file itself, so that a path which can't be opened never comes to the daemon.
head -c 4096 /dev/zero >"$tmp/junk"
"$PEEKCTL" -n "$name" load "$tmp/junk" >"$tmp/err" 2>&1
doctor "a load of what is no snapshot failed" 1 '^warn  snapshot  *the last snapshot failed: '
printf 'peek_save %s\r\n' "$tmp-no-such-folder/x" | socat -t 1 - "UNIX-CONNECT:$SOCK" >"$tmp/err"
sleep .3
doctor "the last snapshot failed" 1 '^warn  snapshot  *the last snapshot failed: '
"$PEEKCTL" -n "$name" save "$tmp/snapshot" >"$tmp/err" 2>&1
quiet "an earlier one did" '^note  refusals  *2 snapshots failed'

# 15.28: a name that was removed, of a segment whose daemon runs.
rm "$object"
doctor "a name that was removed" 2 "^bad   segment .*the name was removed, and its daemon runs: process ${pids##* }$"
"$PEEKCTL" -n "$name" get k >"$tmp/out" 2>&1
[ $? = 2 ] && grep -q 'was removed, and its daemon runs' "$tmp/out" && ! grep -q 'peekd -n' "$tmp/out"
result $? "any command says it, and doesn't advise to start another" "$tmp/out"
kill ${pids##* }
wait ${pids##* } 2>/dev/null
rm -f "$object"*
server_start -m 16 --huge-pages=off

chmod 666 "$object"
doctor "a segment that others may write" 2 '^bad   permissions .*mode 0666; it may be written by others'
chmod 600 "$object"
ln "$object" "$object.too"
doctor "a segment with two names" 2 '^bad   permissions .* has a second name'
rm "$object.too"
if [ "$(id -u)" = 0 ]; then
	chown 12345 "$object"
	doctor "somebody's segment" 2 '^bad   permissions .*owner 12345.* belongs to a user whom libpeek doesn.t trust'
	grep -q 'PEEK_OWNER=12345' "$tmp/out"
	result $? "whom to believe" "$tmp/out"
	chown 0 "$object"
fi

pid=${pids##* }
# 15.28: at conn_limit it says so, and takes nobody for another program.
server_full() { /usr/bin/python3 - "$SOCK" "$tmp/ready" <<'P'
import socket, sys, time
conns = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    conns.append(s)
    try:
        s.sendall(b"version\r\n")
        if not s.recv(99).startswith(b"VERSION"):
            break
    except OSError:
        break
open(sys.argv[2], "w").close()
time.sleep(30)
P
}
kill $pid
wait $pid 2>/dev/null
rm -f "$object"*
server_start -m 16 -c 16 --huge-pages=off
pid=${pids##* }
server_full & full=$!
for i in $(seq 100); do [ -e "$tmp/ready" ] && break; sleep .1; done
doctor "as many connections as there may be" 1 '^warn  socket .*the daemon says: Too many open connections'
"$PEEKCTL" -n "$name" set k v >"$tmp/out" 2>&1
[ $? = 2 ] && grep -q 'as many connections as its conn_limit' "$tmp/out" && ! grep -q 'is it peekd' "$tmp/out"
result $? "a command says it" "$tmp/out"
"$PEEKCTL" -n "$name" top --once >"$tmp/out" 2>&1
grep -q 'socket: the daemon refuses: Too many open connections' "$tmp/out"
result $? "top says it" "$tmp/out"
kill $full

kill -STOP $pid
sleep 2.3
doctor "a stopped daemon" 2 '^bad   heartbeat .*silent for 2' -t 1
grep -q "kill -CONT $pid" "$tmp/out" && grep -q '^bad   socket .*timed out' "$tmp/out"
result $? "what to do about it" "$tmp/out"
kill -CONT $pid
mv "$SOCK" "$SOCK.away"
for i in $(seq 50); do "$PEEKCTL" -n "$name" status >/dev/null 2>&1 && break; sleep .1; done
doctor "a socket that is gone" 2 "^bad   socket .*$SOCK: No such file"
mv "$SOCK.away" "$SOCK"
kill -KILL $pid
wait $pid 2>/dev/null
sleep 2.3
doctor "a killed daemon" 2 'has no process '
head -c 4096 /dev/zero >"$object"
doctor "a damaged segment" 2 '^bad   layout .*damaged'
rm -f "$object"*
doctor "no segment" 2 "^bad   segment .*No such file"
plan
