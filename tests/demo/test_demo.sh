#!/bin/bash
# The demo, short: it ends well and leaves nothing; it fails when a value is wrong, and when a key is missing.
. tests/server.sh
export TMPDIR=$tmp
DEMO=$B/demo
mkdir "$tmp/files"
for i in $(seq 40); do head -c $((i * i * 20)) /dev/urandom >"$tmp/files/$i"; done
head -c 17000000 /dev/zero >"$tmp/files/large"

demo() {
	"$DEMO" --peekd "$PEEKD" --dir "$tmp/files" --seconds 2 --readers 2
}
ok "the demo ends well" demo
grep -q '^kill -9 .* reads succeeded without it' "$tmp/out" && grep -q '^left out *1 too large' "$tmp/out"
result $? "it says what happened at the kill, and what was left out" "$tmp/out"
for line in 'wrong values  *0 ' 'misses of present keys  *0 ' 'through shared memory  *[0-9]' 'through the control socket  *[0-9]' 'p50 .*p99 '; do
	grep -q "$line" "$tmp/out"
	result $? "it prints: $line" "$tmp/out"
done

spoiled() { # NAME REQUEST: something else writes to the instance while the demo runs
	demo >"$tmp/out" 2>&1 &
	local pid=$! socket
	for i in $(seq 300); do
		socket=$(ls -d "$tmp"/peekd-demo-*/socket 2>/dev/null) && [ -n "$socket" ] &&
		    printf '%b' "$2" | socat -t 0.1 - "UNIX-CONNECT:$socket" >/dev/null 2>&1
		kill -0 $pid 2>/dev/null || break
		sleep 0.02
	done
	wait $pid
	[ $? = 1 ] && grep -q '^FAILED$' "$tmp/out"
	result $? "$1" "$tmp/out"
}
spoiled "it fails when a value is wrong" "set $tmp/files/2 0 0 3\r\nbad\r\n"
spoiled "it fails when a key is missing" "delete $tmp/files/2\r\n"

"$DEMO" --peekd "$PEEKD" --dir "$tmp/files" --seconds 30 >/dev/null 2>&1 &
pid=$!
sleep 1.5
kill -INT $pid
wait $pid
[ $? = 130 ]
result $? "it ends on an interrupt"
ls -d "$tmp"/peekd-demo-* /dev/shm/peekd.demo-$pid* >"$tmp/left" 2>/dev/null
[ ! -s "$tmp/left" ]
result $? "nothing is left behind" "$tmp/left"
pgrep -f "peekd -n demo-$pid" >"$tmp/left"
[ ! -s "$tmp/left" ]
result $? "nor does anything run"
plan
