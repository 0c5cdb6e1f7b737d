#!/bin/bash
# peekctl size: what it says against a real fill: so many items of such sizes fit without an eviction, in no more memory than said; and
# a good deal less doesn't do.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has slabs"

field() { "$PEEKCTL" --json size "$@" | sed "s/.*\"$want\":\([0-9]*\).*/\1/"; }

fill() { # SIZES-FILE MEMORY: prints evictions, items, bytes of the table and of the segment
	rm -f "$tmp/socket"
	"$PEEKD" -n "$name" -s "$tmp/socket" -m "$2" 2>"$tmp/log" &
	local pid=$!
	pids="$pids $pid"
	NAME=$name SIZES=$1 SOCKET=$tmp/socket /usr/bin/python3 - <<'P'
import os, socket, time
for _ in range(400):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.environ["SOCKET"])
        break
    except OSError:
        time.sleep(.05)
out, n = [], 0
for i, line in enumerate(open(os.environ["SIZES"])):
    k, v = map(int, line.split())
    out.append(b"set %0*d 0 0 %d noreply\r\n%s\r\n" % (k, i, v, b"v" * v))
    n += k + v
    if n > 1 << 20:
        s.sendall(b"".join(out))
        out, n = [], 0
s.sendall(b"".join(out))
f = s.makefile("rb")
def stats():
    s.sendall(b"stats\r\n")
    d = {}
    while True:
        w = f.readline().split()
        if w[0] == b"END":
            return d
        d[w[1]] = w[-1]
stats()
d = stats()
print(int(d[b"evictions"]), int(d[b"curr_items"]), 64 * (int(d[b"n_buckets"]) + int(d[b"n_overflow"])), os.stat("/dev/shm/peekd." + os.environ["NAME"]).st_blocks * 512)
P
	kill $pid
	wait $pid
	rm -f /dev/shm/peekd."$name"*
}

check() { # NAME SIZES-FILE ARGUMENT...: the instance that size asks for holds them all
	local what=$1 sizes=$2 items
	shift 2
	items=$(wc -l <"$sizes")
	local m table shm
	m=$(want=memory_limit_bytes field "$@") table=$(want=table_bytes field "$@") shm=$(want=shm_bytes field "$@")
	fill "$sizes" $((m >> 20)) >"$tmp/filled"
	read -r evicted there real_table real_shm <"$tmp/filled"
	echo "# $what: -m $((m >> 20)): $there of $items items, table $real_table of $table, segment $real_shm of $shm bytes"
	[ "$evicted" = 0 ] && [ "$there" = "$items" ]
	result $? "$what: all are there"
	[ "$real_table" -le "$table" ] && { [ $items -lt 1000 ] || [ $((real_table * 5)) -ge $((table * 4)) ]; }
	result $? "$what: the table takes at most what was said, and not much less"
	[ "$real_shm" -le "$shm" ] && [ $((shm - real_shm)) -le $((6 << 20)) ]
	result $? "$what: so does the segment"
	fill "$sizes" $(((m >> 20) * 4 / 5)) >"$tmp/filled"
	read -r evicted there real_table real_shm <"$tmp/filled"
	[ "${evicted:-0}" -gt 0 ]
	result $? "$what: four fifths of it don't do" "$tmp/log"
}

sizes() { # PYTHON-EXPRESSION OF i, N
	/usr/bin/python3 -c "import random; random.seed(5)
for i in range($2): print(*($1))"
}
sizes '16, 32' 250000 >"$tmp/small"
check "small items, by means" "$tmp/small" 250000 16 32
sizes '24, 997' 30000 >"$tmp/large"
check "items of 1 KiB, by means" "$tmp/large" 30000 24 997
sizes 'random.randint(10, 40), int(random.lognormvariate(5, 1.5))' 80000 >"$tmp/mixed"
check "a mixture, by a sample" "$tmp/mixed" -f "$tmp/mixed"
sizes '20, random.randint(60000, 200000)' 300 >"$tmp/whole"
check "values that take whole segments" "$tmp/whole" -f "$tmp/whole"

echo 10 10 >"$tmp/one"
same "a sample for more items" "$(want=table_bytes field 1000000 10 10)" eval "want=table_bytes field -f '$tmp/one' 1000000"
"$PEEKCTL" size 10 8 3000000 | grep -q '^options .*-m [0-9]* -I 30'
result $? "a value above the default limit is named"
for words in "0 10 10" "5 0 10" "5 251 10" "5 10 16777216" "5 10" "5 10 x" "-- -5 1 1"; do
	"$PEEKCTL" size $words >"$tmp/out" 2>&1
	[ $? = 2 ]
	result $? "size $words is refused" "$tmp/out"
done
printf '5 5\n5 x\n' >"$tmp/bad"
"$PEEKCTL" size -f "$tmp/bad" 2>&1 | grep -q ":2: found \"5 x\""
result $? "a bad line is named"
"$PEEKCTL" size 99999999999 250 10000 2>&1 | grep -q '2 TiB'
result $? "too much is refused"
plan
