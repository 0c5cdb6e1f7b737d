#!/bin/bash
# peekctl top: rates and ratios are right; a daemon that hangs or is gone is shown with its last numbers, and named as such.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
server_start -m 16
pid=${pids##* }

shows() { # NAME REGEX...: in $tmp/out
	local what=$1
	shift
	for regex; do grep -qE -- "$regex" "$tmp/out" || break; done
	grep -qE -- "$regex" "$tmp/out"
	result $? "$what" "$tmp/out"
}

printf 'set a 0 0 1\r\n1\r\nget a a b\r\n' | socat -t 1 - "UNIX-CONNECT:$SOCK" >/dev/null
sleep .3 # counters are published ten times a second
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out" &
top=$!
sleep .5
for i in $(seq 400); do printf 'set k%d 0 0 1\r\n1\r\nget k%d\r\n' $i $i; done | socat -t 1 - "UNIX-CONNECT:$SOCK" >/dev/null
wait $top
result $? "top --once"
shows "rates" '^socket +(200|19[5-9]) ' 'sets (200|19[5-9])/s'
shows "ratios: of these two seconds, and of all" '^socket +[0-9]+ +100.0 % +99.8 %'
shows "items and memory" '^items +401 ' '^memory +\[[#.-]{60}\]' 'of 16 MiB'
shows "the daemon" "^peekd $name +process $pid +up 0m [0-9]+s +connections 1 of 1024" '^heartbeat [0-9]{1,3} ms ago'
shows "latency" '^latency +get: median [0-9.]+ [nu]s +99 % in [0-9.]+ [num]+s +least [0-9.]+ [nu]s +\([0-9]+ keys; without the clock.s [0-9]+ ns' \
    'socket: answers in [0-9.]+ [um]s'
! grep -qE 'NO |SILENT' "$tmp/out"
result $? "no alarm"
# 15.34: a wall clock that was set since the start changes no age: here by 1970's distance.
/usr/bin/python3 - "/dev/shm/peekd.$name" <<'END'
import struct, sys, time
with open(sys.argv[1], "r+b") as f:
    words = struct.unpack("<64Q", f.read(512))
    at = [i for i, w in enumerate(words) if abs(w - time.time()) < 3600]
    f.seek(8 * at[-1]) # writer_started_unix_s stands behind the generation, which begins as a date too
    f.write(struct.pack("<Q", 1))
END
"$PEEKCTL" -n "$name" top --once >"$tmp/out"
shows "the age by the daemon's clock" "^peekd $name +process $pid +up 0m [0-9]+s "

(sleep 1.5; printf q) | TERM=xterm timeout 10 script -qec "stty rows 30 cols 100; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
result $? "q ends the live screen"
shows "which was there" "peekd $name" 'q quits'
(sleep .5; printf q) | TERM=xterm timeout 10 script -qec "stty rows 3 cols 7; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
result $? "a very small window"

kill -STOP "$pid"
sleep 2.1
"$PEEKCTL" -n "$name" top --once >"$tmp/out"
shows "beside a stopped daemon" '^NO HEARTBEAT for [34]\.' '^items +401 '
# 15.42: what nobody counts is unknown, and not 0.
shows "rates that are unknown are no 0" '^shared memory +- +- ' 'retries - per 1000' '^socket +- +- .* -/s in, -/s out' \
    'sets -/s   deletes -/s' 'event loop late by -,' 'evicted -/s' 'copied - bytes'
! grep -qE ' 0(\.0+)?( B)?/s| nan' "$tmp/out"
result $? "nowhere" "$tmp/out"
shows "which it asked in vain, and reads all the same" 'socket: SILENT for [0-9]+\.[0-9] s' 'get: median [0-9.]+ [nu]s .*\(256 keys' \
    "hottest keys +unknown: the daemon doesn't answer"
kill -CONT "$pid"
kill "$pid"
wait "$pid" 2>/dev/null
"$PEEKCTL" -n "$name" top --once >"$tmp/out"
shows "no process" "^peekd $name +process - +up - "
shows "after a daemon's end" '^NO DAEMON: it ended cleanly' '^items +401 ' 'socket: no daemon listens' 'get: median ' \
    'hottest keys +unknown: no daemon listens'

"$PEEKCTL" -n "$name" top --once -i 3 >"$tmp/out" &
top=$!
sleep .5
rm -f /dev/shm/peekd."$name"
server_start -m 8
wait $top
shows "a new segment is followed" 'of 8.0 MiB' "process ${pids##* } " '^items +0 '
"$PEEKCTL" -n "$name" top --once -i 0 2>&1 | grep -q 'allowed is 1 to 3600'
result $? "an interval of nothing"
plan
