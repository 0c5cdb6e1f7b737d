#!/bin/bash
# peekctl top: keys stand in the order that they are read in, with the share that they have of all hits, however they are read, by how many and for
# how long already; a daemon that stops meanwhile.
# alone
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
SO=${SO:-$B/libpeek.so}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
[ -z "${RUNNER:-}" ] || skip_all "a library for another processor can't be loaded into this interpreter"
grep -qaE '__(asan|tsan)_init' "$SO" && skip_all "a sanitized libpeek can't be loaded into this interpreter"
server_start -m 16
pid=${pids##* }

# Reads through libpeek for some seconds, at a rate that isn't limited if it is 0, and prints the number of its reads.
cat >"$tmp/reader.py" <<'P'
import ctypes, sys, time
so, name, how, seconds, per_s = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
keys = [k.encode() for k in sys.argv[6:]]
class Op(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("key_len", ctypes.c_size_t), ("buf", ctypes.c_void_p), ("buf_cap", ctypes.c_size_t),
        ("result", ctypes.c_ssize_t)]
peek = ctypes.CDLL(so)
peek.peek_get.restype = peek.peek_mget.restype = ctypes.c_ssize_t
p, buf = ctypes.c_void_p(), ctypes.create_string_buffer(8192)
assert peek.peek_open(name.encode(), 0, ctypes.byref(p)) == 0
sizes = [ctypes.c_size_t(len(k)) for k in keys]
cap = ctypes.c_size_t(8192)
ops = (Op * len(keys))(*[Op(k, len(k), ctypes.addressof(buf), 8192, 0) for k in keys])
n, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    if how == "mget":
        assert peek.peek_mget(p, ops, ctypes.c_size_t(len(keys))) == len(keys)
    else:
        for k, size in zip(keys, sizes):
            assert peek.peek_get(p, k, size, buf, cap) > 0
    n += len(keys)
    if per_s:
        time.sleep(len(keys) / per_s)
print(n)
P
reader() { # get|mget SECONDS PER-SECOND KEY...
	/usr/bin/python3 "$tmp/reader.py" "$SO" "$name" "$@"
}

rows() { # of $tmp/out: SHARE KEY
	sed '1,/^ *of hits  *hits\/s  *samples/d' "$tmp/out" | awk '$2 == "%" { print $1, $5 }'
}

share_is() { # KEY PERCENT TOLERANCE
	rows | key=$1 awk -v share="$2" -v off="$3" '$2 == ENVIRON["key"] && $1 >= share - off && $1 <= share + off { found = 1 } END { exit !found }'
}

store() {
	(for i in "$@"; do printf 'set %s 0 0 1\r\n1\r\n' "$i"; done; printf 'mn\r\n') | socat -t 1 - "UNIX-CONNECT:$SOCK" | grep -c STORED >/dev/null
}
store k{0..999} 'a\hot' hot2 c{0..3} m{0..7}
(printf 'set big 0 0 5000\r\n%5000s\r\n' 1; printf 'mn\r\n') | socat -t 1 - "UNIX-CONNECT:$SOCK" | grep -q STORED
result $? "a value that the fast tier leaves to the pinned one"

"$PEEKCTL" -n "$name" top --once >"$tmp/out"
grep -qE '^hottest keys +sampled: one in - of 0 hits/s through shared memory, 0 samples' "$tmp/out" && [ -z "$(rows)" ]
result $? "nothing is read: no keys" "$tmp/out"

skewed=
for i in {0..49}; do skewed="$skewed a\\hot k$((i * 7))"; done
reader get .2 0 $skewed >/dev/null # every hint of these is full
reader get 2.6 0 $skewed >"$tmp/n" &
reader=$!
sleep .2
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out"
[ "$(rows | head -n 1 | cut -d' ' -f2)" = 'a\x5chot' ] && [ "$(rows | wc -l)" = 10 ] && share_is 'a\x5chot' 50 9
result $? "in a warm cache the key of half the reads stands first, with half of the hits" "$tmp/out"
rows | awk 'NR > 1 && $1 > 5 { exit 1 }'
result $? "the others have less" "$tmp/out"
awk 'function number(s) { return s * (s ~ /k$/ ? 1e3 : s ~ /M$/ ? 1e6 : 1) }
    /^shared memory/ { rate = number($3) } /^hottest keys/ { match($0, /of [0-9.kM]+ hits/); seen = number(substr($0, RSTART + 3, RLENGTH - 8)) }
    END { exit !(rate > 1000 && seen > rate / 2 && seen < rate * 2) }' "$tmp/out"
result $? "and the hits that samples stand for are about those that are counted" "$tmp/out"
wait $reader
result $? "the reader" "$tmp/n"

for i in {1..8}; do reader get 3 0 $skewed >"$tmp/n$i" & readers[i]=$!; done
sleep .5
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out"
[ "$(rows | head -n 1 | cut -d' ' -f2)" = 'a\x5chot' ] && share_is 'a\x5chot' 50 9
result $? "as with eight processes" "$tmp/out"
wait "${readers[@]}"

for look in {1..4}; do # on a busy host there may be too few samples for shares
	reader get 2.6 0 c{0..3} >"$tmp/n" &
	reader=$!
	sleep .3
	"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out"
	[ "$(rows | wc -l)" = 4 ] && share_is c0 25 8 && share_is c1 25 8 && share_is c2 25 8 && share_is c3 25 8
	equal=$?
	[ $equal = 0 ] || [ "$look" = 4 ] && break
	wait $reader
done
result $equal "a loop over a power of two has each key as often" "$tmp/out"
wait $reader

# The one leaves more samples than are seen, of the other all are.
reader get 2.5 0 hot2 >"$tmp/n1" & readers[1]=$!
reader get 2.5 20000 c{0..3} c{0..3} c{0..3} c{0..3} c{0..3} >"$tmp/n2" & readers[2]=$!
sleep .3
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out"
wait "${readers[1]}" && wait "${readers[2]}"
share=$(awk '{ n[NR] = $1 } END { print 100 * n[1] / (n[1] + n[2]) }' "$tmp/n1" "$tmp/n2")
share_is hot2 "$share" 5
result $? "who reads little is not taken for who reads much ($share %)" "$tmp/out"

reader mget 2.5 0 m{0..6} m7 >"$tmp/n1" & readers[1]=$!
reader get 2.5 0 big >"$tmp/n2" & readers[2]=$!
sleep .3
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out"
wait "${readers[1]}" && wait "${readers[2]}"
share=$(awk '{ n[NR] = $1 } END { print 100 * n[2] / (n[1] + n[2]) }' "$tmp/n1" "$tmp/n2")
share_is big "$share" 8 && [ "$(rows | grep -cE ' m[0-7]$')" = 8 ]
result $? "batches and large values are sampled as others are ($share %)" "$tmp/out"

reader get 1.3 0 k1 k2 >"$tmp/n" &
reader=$!
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out" &
top=$!
sleep 1.6
printf 'delete k1\r\nmn\r\n' | socat -t 1 - "UNIX-CONNECT:$SOCK" >/dev/null
wait $reader
wait $top
[ "$(rows)" != '' ] && ! rows | grep -q ' k1$' && share_is k2 50 8
result $? "a key that is gone is not shown" "$tmp/out"

# A client that writes nonsense over everybody's cells, from a second before top ends.
"$PEEKCTL" -n "$name" top --once -i 2 >"$tmp/out" 2>&1 &
top=$!
sleep 1
/usr/bin/python3 - "$SO" "$name" <<'P' >"$tmp/reader.log" 2>&1
import ctypes, os, sys, time
peek = ctypes.CDLL(sys.argv[1])
p = ctypes.c_void_p()
assert peek.peek_open(sys.argv[2].encode(), 0, ctypes.byref(p)) == 0
peek.peek_get(p, b"k2", ctypes.c_size_t(2), ctypes.create_string_buffer(8), ctypes.c_size_t(8))
page = [line.split()[0].split("-") for line in open("/proc/self/maps") if "peekd-hints" in line]
assert len(page) == 1
end, n = int(page[0][1], 16), 64 << 10
start = max(int(page[0][0], 16), end - (512 << 10)) # cells are last
stop = time.monotonic() + .5
while time.monotonic() < stop:
    for at in range(start, end, n):
        ctypes.memmove(at, os.urandom(n), min(n, end - at))
P
result $? "a client that lies" "$tmp/reader.log"
wait $top && grep -qE '^hottest keys +sampled: ' "$tmp/out"
result $? "is not believed, or only what it may say" "$tmp/out"

# The daemon stops after top has the hints: readers go on leaving samples.
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
assert peek.peek_get(p, b"k2", ctypes.c_size_t(2), buf, ctypes.c_size_t(64)) == 1
os.kill(pid, signal.SIGSTOP)
for i in range(4000):
    assert peek.peek_get(p, b"hot2", ctypes.c_size_t(4), buf, ctypes.c_size_t(64)) == 1
P
result $? "a reader beside a stopped daemon" "$tmp/reader.log"
wait $top
result $? "top ends in time" "$tmp/out"
[ "$(rows | head -n 1 | cut -d' ' -f2)" = hot2 ] && grep -q '^NO HEARTBEAT' "$tmp/out" && grep -qE 'socket: SILENT for ' "$tmp/out"
result $? "shows its key and says that the daemon is silent" "$tmp/out"

# Live: it goes on while the daemon is stopped, and takes up again when it runs.
(sleep 2.5; kill -CONT "$pid"; sleep 2.5; printf q) |
    TERM=xterm timeout 20 script -qec "stty rows 24 cols 120; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
result $? "live beside a daemon that stops and goes on"
grep -q 'SILENT for 0\.' "$tmp/out" && grep -q "doesn't answer" "$tmp/out" && grep -qF 'answers in' "$tmp/out" && grep -qF 'of hits' "$tmp/out"
result $? "all of which it showed"
reader get 3 0 $skewed >"$tmp/n" &
reader=$!
(sleep 2.5; printf q) | TERM=xterm timeout 10 script -qec "stty rows 24 cols 120; '$PEEKCTL' -n '$name' top" /dev/null >"$tmp/out" 2>&1
[ "$(sed 's/\x1b[[0-9;]*[A-Za-z]/\n/g' "$tmp/out" | grep -oE 'k[0-9]+$' | sort -u | wc -l)" -ge 4 ] && grep -qF 'q quits' "$tmp/out"
result $? "24 lines have room for keys, and for the last line" "$tmp/out"
wait $reader
plan
