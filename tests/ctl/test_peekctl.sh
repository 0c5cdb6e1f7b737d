#!/bin/bash
# peekctl: every command, over shared memory and over the socket; exit statuses; bytes of any kind; errors that say what to do.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
server_start -A
shm=$([ "${PEEK_TEST_SERVER:-peekd}" = peekd ] && echo 1 || echo 0)

status() { # NAME WANTED-STATUS COMMAND...
	local what=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>&1 </dev/null
	local got=$?
	[ $got = "$want" ]
	result $? "$what: exit status $want${got#"$want"}" "$tmp/out"
}
says() { # NAME REGEX COMMAND...: it fails, and its standard error says this
	local what=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null && result 1 "$what: succeeded" && return
	grep -qE -- "$want" "$tmp/err"
	result $? "$what" "$tmp/err"
}

head -c 700000 /dev/urandom >"$tmp/bytes"
head -c 256 /dev/zero | tr '\0' '\377' >"$tmp/no-utf8"

suite() { # HOW OPTION...: all that goes both ways
	local how=$1
	shift
	ctl() { "$PEEKCTL" "$@"; }
	local at=("$@")
	status "$how: get of nothing" 1 ctl "${at[@]}" get nothing
	ok "$how: set" ctl "${at[@]}" set key value
	same "$how: get" value ctl "${at[@]}" get key
	if [ "${PEEK_TEST_SERVER:-peekd}" = peekd ]; then
		ok "$how: set with tags" ctl "${at[@]}" set --tag red,green tagged 5
		ok "$how: incr of it" ctl "${at[@]}" incr tagged
		ok "$how: invalidate another tag" ctl "${at[@]}" invalidate blue
		same "$how: it is there" 6 ctl "${at[@]}" get tagged
		ok "$how: invalidate" ctl "${at[@]}" invalidate blue green
		status "$how: it is gone" 1 ctl "${at[@]}" get tagged
		says "$how: a tag with a blank" 'is no tag' ctl "${at[@]}" invalidate 'a b'
		says "$how: five tags" 'at most 4 tags' ctl "${at[@]}" set --tag a,b,c,d,e k v
	fi
	ok "$how: set from a file" ctl "${at[@]}" set -f "$tmp/bytes" bytes
	ctl "${at[@]}" get bytes | cmp -s - "$tmp/bytes"
	result $? "$how: get of 700000 bytes of any kind"
	ok "$how: get to a file" ctl "${at[@]}" get -o "$tmp/back" bytes
	cmp -s "$tmp/back" "$tmp/bytes"
	result $? "$how: what get wrote"
	ctl "${at[@]}" set piped <"$tmp/no-utf8"
	result $? "$how: set from standard input"
	ctl "${at[@]}" get piped | cmp -s - "$tmp/no-utf8"
	result $? "$how: what set read"
	ok "$how: set of nothing" ctl "${at[@]}" set empty ""
	same "$how: get of an empty value" "" ctl "${at[@]}" get empty
	ok "$how: a key with blanks and a line feed" ctl "${at[@]}" set $'a b\nc' odd
	same "$how: it comes back" odd ctl "${at[@]}" get $'a b\nc'
	ok "$how: a value that looks like an option" ctl "${at[@]}" set -- dash -5
	same "$how: it comes back too" -5 ctl "${at[@]}" get dash
	ok "$how: flags and time to live" ctl "${at[@]}" set --flags 4294967295 --ttl 10m rich v
	ctl "${at[@]}" get --json rich | /usr/bin/python3 -c '
import json, sys
o = json.load(sys.stdin)
assert o["key"] == "rich" and o["value"] == "v" and o["flags"] == 4294967295 and 590 <= o["ttl_s"] <= 600 and o["length"] == 1, o
print(o["cas"])' >"$tmp/cas"
	result $? "$how: get --json"
	ok "$how: set --cas" ctl "${at[@]}" set --cas "$(cat "$tmp/cas")" rich w
	says "$how: set --cas of an older id" 'another CAS id' ctl "${at[@]}" set --cas "$(cat "$tmp/cas")" rich x
	ctl "${at[@]}" get --json piped | /usr/bin/python3 -c '
import base64, json, sys
o = json.load(sys.stdin)
assert base64.b64decode(o["value_base64"]) == b"\xff" * 256 and "value" not in o and o["ttl_s"] == -1, o'
	result $? "$how: get --json of what is no UTF-8"
	status "$how: add of a present key" 1 ctl "${at[@]}" set --mode add key x
	ok "$how: append" ctl "${at[@]}" set --mode append key +
	ok "$how: prepend" ctl "${at[@]}" set --mode prepend key -- -
	same "$how: what they made" -value+ ctl "${at[@]}" get key
	status "$how: replace of nothing" 1 ctl "${at[@]}" set --mode replace nothing x
	if [ "${PEEK_TEST_SERVER:-peekd}" = peekd ]; then # memcached takes it for a date
		ok "$how: touch" ctl "${at[@]}" touch key 60d
		ctl "${at[@]}" get --json key | grep -qE '"ttl_s":51(84000|839[0-9][0-9])'
		result $? "$how: touch beyond 30 days counts from now"
	fi
	ok "$how: touch to for ever" ctl "${at[@]}" touch key 0
	status "$how: touch of nothing" 1 ctl "${at[@]}" touch nothing 5
	ctl "${at[@]}" set n 18446744073709551614
	same "$how: incr" 18446744073709551615 ctl "${at[@]}" incr n
	same "$how: incr wraps" 4 ctl "${at[@]}" incr n 5
	same "$how: decr stops at 0" 0 ctl "${at[@]}" decr n 9
	[ "$(ctl "${at[@]}" get n | tr -d ' ')" = 0 ] # memcached pads it
	result $? "$how: get of a counter"
	says "$how: incr of a text" 'the daemon says: .*non-numeric' ctl "${at[@]}" incr key
	ok "$how: delete" ctl "${at[@]}" delete n empty
	status "$how: delete of nothing" 1 ctl "${at[@]}" delete n
	ok "$how: ping" ctl "${at[@]}" ping
	ctl "${at[@]}" stats --json | /usr/bin/python3 -c 'import json, sys; assert json.load(sys.stdin)["curr_items"] > 3'
	result $? "$how: stats --json"
	for what in settings items slabs sizes conns; do
		ok "$how: stats $what" ctl "${at[@]}" stats $what
	done
	ctl "${at[@]}" version | grep -q '^peekd  *[0-9]'
	result $? "$how: version"
}

suite "socket" -s "$SOCK"
if [ $shm = 1 ]; then
	suite "shared memory" -n "$name"
	for i in $(seq 300); do printf 'set user:%03d 0 0 3\r\nabc\r\n' "$i"; done | socat -t 5 - "UNIX-CONNECT:$SOCK" | grep -c STORED |
	    grep -qx 300
	result $? "300 keys"
	for at in "-n $name" "-s $SOCK"; do
		same "keys by prefix ($at)" "$(seq -f 'user:%03.0f' 300)" "$PEEKCTL" $at keys --sort user:
		same "keys by range ($at)" "$(seq -f 'user:%03.0f' 10 19)" "$PEEKCTL" $at keys --sort --from user:010 --to user:020
		"$PEEKCTL" $at keys --limit 7 user: | wc -l | grep -qx 7
		result $? "keys --limit ($at)"
		"$PEEKCTL" $at keys | grep -qx 'a b\\x0ac'
		result $? "keys escapes ($at)"
		"$PEEKCTL" $at keys -0 | tr '\0\n' '\n_' | grep -qx 'a b_c'
		result $? "keys -0 doesn't ($at)"
		"$PEEKCTL" $at dump --json user:0 | /usr/bin/python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert len(rows) == 99 and all(r["length"] == 3 and r["ttl_s"] == -1 and 0 <= r["age_s"] < 60 for r in rows), rows[:3]'
		result $? "dump --json ($at)"
		"$PEEKCTL" $at dump --sort user:001 | grep -qE '^ +3 +[0-9]+ +-  user:001$'
		result $? "dump ($at)"
	done
	"$PEEKCTL" -n "$name" metrics >"$tmp/metrics"
	grep -q "^peekd_items{cache=\"$name\"} [0-9]" "$tmp/metrics" && grep -q '^# TYPE peekd_items gauge$' "$tmp/metrics"
	result $? "metrics" "$tmp/metrics"
	"$PEEKCTL" list | grep -q "^$name .*pid"
	result $? "list"
	ok "status" "$PEEKCTL" -n "$name" status
	says "no such instance" "peekd -n no-such-name" "$PEEKCTL" -n no-such-name get x
	"$PEEKCTL" -n no-such-name get x >"$tmp/out" 2>&1
	grep -q "This host has .*$name" "$tmp/out" ||
	    { grep -qE 'This host has .* and [0-9]+ more, which peekctl list shows' "$tmp/out" && "$PEEKCTL" list | grep -q "^$name "; }
	result $? "it names those that are there, or says how many it leaves out" "$tmp/out"
	# Other users' objects, which belong to the list as well, are more than it has room for.
	others=()
	for i in {1..16}; do others+=("/dev/shm/peekd.$name-$i-a-name-of-another"); done
	touch "${others[@]}" && chmod 0 "${others[@]}" && { [ "$(id -u)" != 0 ] || chown nobody "${others[@]}"; }
	"$PEEKCTL" -n no-such-name get x >"$tmp/out" 2>&1
	rm -f "${others[@]}"
	grep -qE 'This host has .* and [1-9][0-9]* more, which peekctl list shows \(choose with -n\)\. To start this one: ' "$tmp/out"
	result $? "a list that is too long ends with how many more there are" "$tmp/out"
	says "a name that is none" "can't name an instance" "$PEEKCTL" -n a/b get x

	kill -STOP ${pids##* }
	sleep 2.3
	says "status of a stopped daemon" 'no daemon has written .* for 2' "$PEEKCTL" -n "$name" status
	same "get beside a stopped daemon" abc "$PEEKCTL" -n "$name" get user:001
	says "a write to a stopped daemon" "doesn't answer" "$PEEKCTL" -n "$name" -t 1 set user:001 x
	kill -CONT ${pids##* }
	for i in $(seq 50); do "$PEEKCTL" -n "$name" status >/dev/null 2>&1 && break; sleep .1; done
	dd if="/dev/shm/peekd.$name" of="$tmp/fingerprint" bs=8 skip=2 count=1 status=none
	printf 'another!' | dd of="/dev/shm/peekd.$name" bs=8 seek=2 conv=notrunc status=none
	says "status of a daemon of another build" 'has another layout than peekctl [0-9]' "$PEEKCTL" -n "$name" status
	dd if="$tmp/fingerprint" of="/dev/shm/peekd.$name" bs=8 seek=2 conv=notrunc status=none
	ok "status when it is as it was" "$PEEKCTL" -n "$name" status
fi

says "an unknown command" 'no command "gte"' "$PEEKCTL" gte x
says "too few words" 'usage: peekctl get KEY' "$PEEKCTL" get
says "an option of another command" 'get has no option --ttl' "$PEEKCTL" get --ttl 5 x
says "a bad number" '--flags: found "x", allowed is' "$PEEKCTL" set --flags x k v
says "a bad time" '--ttl: found "5y"' "$PEEKCTL" set --ttl 5y k v
says "a key that is too long" '1 to 250 bytes' "$PEEKCTL" -s "$SOCK" get "$(head -c 251 /dev/zero | tr '\0' k)"
says "no socket" 'no daemon listens' "$PEEKCTL" -s "$tmp/nothing" ping
says "a socket path that is too long" '107 bytes' "$PEEKCTL" -s "/$(head -c 120 /dev/zero | tr '\0' s)" ping
says "an unreadable file" "can't read" "$PEEKCTL" -s "$SOCK" set -f "$tmp/nothing" k
"$PEEKCTL" -s "$SOCK" get bytes >/dev/full 2>"$tmp/err"
[ $? = 2 ] && grep -q "can't write" "$tmp/err"
result $? "a full disk" "$tmp/err"
for command in $(sed -n 's/^COMMAND([a-z]*, "\([a-z]*\)".*/\1/p' src/ctl/commands.def); do
	"$PEEKCTL" help "$command" | grep -q "usage: peekctl \[options\] $command"
	result $? "help $command"
done

ok "flush" "$PEEKCTL" -s "$SOCK" flush
status "what flush left" 1 "$PEEKCTL" -s "$SOCK" get bytes
ok "shutdown" "$PEEKCTL" -s "$SOCK" shutdown
if [ $shm = 1 ]; then
	wait ${pids##* }
	sleep 1.2
	says "status after a clean end" "the daemon of \"$name\" ended cleanly [1-9]\.[0-9] s ago" "$PEEKCTL" -n "$name" status
	grep -q "To start the daemon: peekd -n $name" "$tmp/err" && ! grep -q 'no daemon has written' "$tmp/err"
	result $? "what to do next" "$tmp/err"
	status "status of no daemon" 1 "$PEEKCTL" -n "$name" status
	same "keys of nobody" "" "$PEEKCTL" -n "$name" keys
fi
plan
