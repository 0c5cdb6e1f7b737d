#!/bin/bash
# peekctl top: the key that a process reads half of the time stands first; what the hints can't tell is said; a daemon that stops meanwhile.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
SO=${SO:-$B/libpeek.so}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
grep -qaE '__(asan|tsan)_init' "$SO" && skip_all "a sanitized libpeek can't be loaded into this interpreter"
server_start -m 16
pid=${pids##* }

# Reads through libpeek: every other time the hot key, else one of 50 others, each as often.
cat >"$tmp/reader.py" <<'P'
import ctypes, sys, time
so, name, hot, reads, pause = sys.argv[1], sys.argv[2], sys.argv[3].encode(), int(sys.argv[4]), float(sys.argv[5])
peek = ctypes.CDLL(so)
peek.peek_get.restype = ctypes.c_ssize_t
p, buf = ctypes.c_void_p(), ctypes.create_string_buffer(64)
assert peek.peek_open(name.encode(), 0, ctypes.byref(p)) == 0
for i in range(reads):
    key = hot if i % 2 == 0 else b"k%d" % (i * 7 % 100)
    assert peek.peek_get(p, key, ctypes.c_size_t(len(key)), buf, ctypes.c_size_t(64)) == 1
    time.sleep(pause)
P
reader() { # HOT-KEY READS PAUSE
	/usr/bin/python3 "$tmp/reader.py" "$SO" "$name" "$@"
}

keys() { # the rows of $tmp/out
	sed '1,/^ *reads\/s  *seen ago/d' "$tmp/out" | awk '/ s  [^ ]+$/ { print $NF }'
}

store() {
	(for i in "$@"; do printf 'set %s 0 0 1\r\n1\r\n' "$i"; done; printf 'mn\r\n') | socat -t 1 - "UNIX-CONNECT:$SOCK" | grep -c STORED >/dev/null
}
store k{0..999} 'a\hot' hot2

"$PEEKCTL" -n "$name" top --once -i 3 >"$tmp/out" &
top=$!
sleep .5
reader 'a\hot' 600 .002
result $? "the reader"
wait $top
[ "$(keys | head -n 1)" = 'a\x5chot' ] && [ "$(keys | wc -l)" = 10 ]
result $? "the key of half the reads stands first" "$tmp/out"
awk '/ a.x5chot$/ { hot = $2 } / k[0-9]+$/ && $2 > other { other = $2 } END { exit !(hot <= 250 && hot > 2 * other && other <= 10) }' "$tmp/out"
result $? "with a rate of at most its own, as the others" "$tmp/out"
grep -qE '^hottest keys +sampled: ([0-9]+) of \1 slots, 100 looks/s, for [0-9]+ s; 3 reads fill a hint' "$tmp/out" && grep -qF '(0 are)' "$tmp/out"
result $? "that it is sampled is said, and how" "$tmp/out"

"$PEEKCTL" -n "$name" top --once >"$tmp/out"
grep -qF '(51 are): any rate, or none' "$tmp/out" && [ "$(keys | wc -l)" = 10 ] && ! grep -q '>=' "$tmp/out"
result $? "keys that were full before are of unknown rate" "$tmp/out"

store 'a\hot'
"$PEEKCTL" -n "$name" top --once >"$tmp/out"
grep -qF '(50 are)' "$tmp/out"
result $? "looking on raises no hint, and what was stored anew begins anew" "$tmp/out"

for i in 1 2 3; do printf 'get %s\r\n' k{0..999} 'a\hot' hot2; done | socat -t 1 - "UNIX-CONNECT:$SOCK" >/dev/null
"$PEEKCTL" -n "$name" top --once >"$tmp/out"
grep -qF '(1002 are)' "$tmp/out"
result $? "no key is overlooked: overflow buckets are in the sample" "$tmp/out"
store hot2

# The daemon stops after top has the hints: readers go on raising them.
"$PEEKCTL" -n "$name" top --once -i 5 >"$tmp/out" &
top=$!
sleep .5
# It is a client of the hints before the daemon stops.
/usr/bin/python3 - "$SO" "$name" "$pid" <<'P' >"$tmp/reader.log" 2>&1
import ctypes, os, signal, sys, time
so, name, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
peek = ctypes.CDLL(so)
peek.peek_get.restype = ctypes.c_ssize_t
p, buf = ctypes.c_void_p(), ctypes.create_string_buffer(64)
assert peek.peek_open(name.encode(), 0, ctypes.byref(p)) == 0
assert peek.peek_get(p, b"k1", ctypes.c_size_t(2), buf, ctypes.c_size_t(64)) == 1
os.kill(pid, signal.SIGSTOP)
for i in range(40):
    assert peek.peek_get(p, b"hot2", ctypes.c_size_t(4), buf, ctypes.c_size_t(64)) == 1
    time.sleep(.005)
P
result $? "a reader beside a stopped daemon" "$tmp/reader.log"
wait $top
result $? "top ends in time" "$tmp/out"
[ "$(keys | head -n 1)" = hot2 ] && grep -q '^NO HEARTBEAT' "$tmp/out" && grep -qE 'socket: SILENT for ' "$tmp/out"
result $? "shows its key and says that the daemon is silent" "$tmp/out"

# Live: it goes on while the daemon is stopped, and takes up again when it runs.
(sleep 2.5; kill -CONT "$pid"; sleep 2.5; printf q) |
    TERM=xterm timeout 20 script -qec "stty rows 24 cols 120; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
result $? "live beside a daemon that stops and goes on"
grep -q 'SILENT for 0\.' "$tmp/out" && grep -q "doesn't answer" "$tmp/out" && grep -qF 'answers in' "$tmp/out" && grep -qF 'looks/s' "$tmp/out"
result $? "all of which it showed"
(sleep .5; printf q) | TERM=xterm timeout 10 script -qec "stty rows 24 cols 120; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
[ "$(sed 's/\x1b[[0-9;]*[A-Za-z]/\n/g' "$tmp/out" | grep -cE '^ *\? .* s  |s  k[0-9]+|^k[0-9]+')" -ge 5 ] && grep -qF 'q quits' "$tmp/out"
result $? "24 lines have room for keys, and for the last line" "$tmp/out"
plan
