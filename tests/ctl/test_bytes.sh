#!/bin/bash
# 15.15: keys of any byte, in and out, over shared memory and over the socket: what is printed can be read back, and never is another key meant.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
server_start -A -m 16

all_bytes() { # the name of each byte, as -x reads it
	for i in $(seq 0 255); do printf '\\x%02x\n' "$i"; done
}

for at in "-n $name" "-s $SOCK"; do
	ctl() { "$PEEKCTL" $at "$@"; }
	all_bytes | while read -r byte; do ctl set -x "p$byte" "v$byte" || exit 1; done
	result $? "a key of each byte is set ($at)"
	ctl keys p | wc -l | grep -qx 256
	result $? "there are 256 ($at)"
	# Read back as another implementation reads it.
	ctl keys p | /usr/bin/python3 -c '
import re, sys
got = sorted(re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), line[:-1]) for line in sys.stdin.buffer)
assert got == sorted(b"p" + bytes([i]) for i in range(256)), got' 2>"$tmp/err"
	result $? "keys prints each in a form of its own ($at)" "$tmp/err"
	ctl keys --json p | /usr/bin/python3 -c '
import base64, json, sys
rows = [json.loads(line) for line in sys.stdin]
got = sorted(base64.b64decode(r["key_base64"]) if "key_base64" in r else r["key"].encode() for r in rows)
assert got == sorted(b"p" + bytes([i]) for i in range(256)), got' 2>"$tmp/err"
	result $? "so does --json ($at)" "$tmp/err"
	ctl dump -x --json p | /usr/bin/python3 -c '
import json, re, sys
rows = [json.loads(line) for line in sys.stdin]
got = sorted(re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), r["key"]) for r in rows)
assert got == sorted("p" + chr(i) for i in range(256)), got' 2>"$tmp/err"
	result $? "with -x it has the form that -x reads ($at)" "$tmp/err"
	ctl keys -0x p | while IFS= read -r -d '' key; do
		ctl get -x "$key"
		echo
	done | sort >"$tmp/values"
	all_bytes | sed 's/^/v/' | sort | cmp - "$tmp/values" >"$tmp/err"
	result $? "get takes what keys -0x printed ($at)" "$tmp/err"
	same "a prefix, and bounds ($at)" 'p\x01' ctl keys -x --from 'p\x01' --to 'p\x02' '\x70'
	ctl set -x 'n\x00n' 41
	same "incr ($at)" 42 ctl incr -x 'n\x00n'
	same "decr ($at)" 41 ctl decr -x 'n\x00n'
	ok "touch ($at)" ctl touch -x 'n\x00n' 10m
	ctl dump -x 'n\x00' | grep -qE '^ +2 +[0-9?]+ +(600|59[0-9])  n\\x00n$'
	result $? "dump ($at)"

	# A key that a C string would cut short, and the one that is left then.
	ctl set -x 'u:7\x00' cut
	ctl set u:7 whole
	ctl set u:8 other
	ctl keys -0 u:7 >"$tmp/keys" 2>"$tmp/err"
	[ $? = 1 ] && grep -q 'left out because they hold a NUL byte: 1$' "$tmp/err" && [ "$(tr '\0' '\n' <"$tmp/keys")" = u:7 ]
	result $? "keys -0 leaves out what it can't end, says so, and has an exit status ($at)" "$tmp/err"
	ctl keys -0 --sort u:7 2>"$tmp/err" | tr '\0' '\n' | grep -qx u:7 && grep -q 'left out' "$tmp/err"
	result $? "so with --sort ($at)" "$tmp/err"
	ctl keys -0 u:8 >/dev/null 2>"$tmp/err"
	result $? "and nothing where nothing is left out ($at)" "$tmp/err"
	ctl keys -0x 'u:7\x00' | xargs -0r "$PEEKCTL" $at delete -x --
	same "the other key is not removed ($at)" whole ctl get u:7
	same "this one is ($at)" "" ctl keys -x 'u:7\x00'
	ctl keys -0x p | xargs -0r "$PEEKCTL" $at delete -x --
	result $? "more keys than 250 at once ($at)"
	same "all of them ($at)" "" ctl keys p
	ctl delete -x 'n\x00n' u:7 u:8
done

says() { # NAME REGEX COMMAND...
	local what=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" && result 1 "$what: succeeded" && return
	LC_ALL=C grep -qE -- "$want" "$tmp/err" && ! LC_ALL=C grep -q $'[^ -~]' "$tmp/err"
	result $? "$what" "$tmp/err"
}
# Nothing that a terminal obeys is printed, whatever a word holds.
evil=$'e\x1b]0;t\a\x9b31m\xc2\x9b'
says "a key that is not there" 'e\\x1b\]0;t\\x07\\x9b31m\\xc2\\x9b: no such key' "$PEEKCTL" -n "$name" get "$evil"
says "deleted" 'e\\x1b.*: no such key' "$PEEKCTL" -s "$SOCK" delete "$evil"
says "a command" 'there is no command "e\\x1b' "$PEEKCTL" "$evil"
says "an option" 'there is no option "--e\\x1b' "$PEEKCTL" "--$evil"
says "a letter" 'there is no option -\\x1b' "$PEEKCTL" $'-\e'
says "an instance" 'e\\x1b.*name an instance' "$PEEKCTL" -n "$evil" get x
says "a socket" 'no daemon listens on /tmp/e\\x1b' "$PEEKCTL" -s "/tmp/$evil" ping
says "a file" "can't read /tmp/e\\\\x1b" "$PEEKCTL" -s "$SOCK" set -f "/tmp/$evil/x" k
says "a snapshot" '/tmp/e\\x1b' "$PEEKCTL" -n "$name" load "/tmp/$evil/x"
says "stats" 'no stats "e\\x1b' "$PEEKCTL" -n "$name" stats "$evil"
"$PEEKCTL" -n "$evil" doctor >"$tmp/out"
LC_ALL=C grep -qF 'e\x1b]0;t\x07' "$tmp/out" && ! LC_ALL=C grep -q $'[^ -~]' "$tmp/out"
result $? "doctor" "$tmp/out"
says "a backslash that begins nothing" '"a\\xZZ" is not in the form' "$PEEKCTL" -n "$name" get -x 'a\xZZ'
says "one at the end" 'form that -x reads' "$PEEKCTL" -n "$name" delete -x 'a\x0'
says "the second of two words: nothing is done" 'form that -x reads' "$PEEKCTL" -n "$name" delete -x u:8 '\'
says "251 bytes of 1004" '1 to 250 bytes; this one has 251' "$PEEKCTL" -n "$name" get -x "$(printf '\\x00%.0s' $(seq 251))"
ok "250 bytes of 1000" "$PEEKCTL" -n "$name" set -x "$(printf '\\x00%.0s' $(seq 250))" v

"$PEEKCTL" -n "$name" set value $'\e[31mred\x9b\xc2\x9b\x7f\ttab\xc3\xa9'
if command -v script >/dev/null; then
	TERM=xterm script -qec "'$PEEKCTL' -n '$name' get value" /dev/null </dev/null | tr -d '\r' >"$tmp/out"
	printf '%s\ttab\xc3\xa9\n' '\x1b[31mred\x9b\xc2\x9b\x7f' | cmp - "$tmp/out" >"$tmp/err"
	result $? "a value on a terminal" "$tmp/err"
fi

# ---- delete --prefix ---------------------------------------------------------
for at in "-n $name" "-s $SOCK"; do
	for i in $(seq 5000); do printf 'set user:%04d 0 0 1 noreply\r\nx\r\nset other:%04d 0 0 1 noreply\r\nx\r\n' "$i" "$i"; done |
	    socat -t 5 - "UNIX-CONNECT:$SOCK"
	same "--dry-run counts ($at)" "5000 keys would be deleted" "$PEEKCTL" $at delete --prefix user: --dry-run
	"$PEEKCTL" $at keys user: | wc -l | grep -qx 5000
	result $? "and deletes nothing ($at)"
	same "delete --prefix ($at)" "5000 keys deleted" "$PEEKCTL" $at delete --prefix user:
	same "none is left ($at)" "" "$PEEKCTL" $at keys user:
	"$PEEKCTL" $at keys other: | wc -l | grep -qx 5000
	result $? "all others are ($at)"
	same "a second time ($at)" "0 keys deleted" "$PEEKCTL" $at delete --prefix user:
	same "of any byte, in JSON ($at)" '{"deleted":5000}' "$PEEKCTL" $at --json delete -x --prefix '\x6fther'
done
says "an empty prefix" 'every key begins with an empty prefix' "$PEEKCTL" -n "$name" delete --prefix ''
says "a prefix and keys" 'takes --prefix PREFIX or keys, not both: "k"' "$PEEKCTL" -n "$name" delete --prefix u k
says "neither" 'usage: peekctl delete' "$PEEKCTL" -n "$name" delete
says "only count what is named" 'dry-run needs --prefix' "$PEEKCTL" -n "$name" delete --dry-run k

# ---- what may not be done ------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$tmp"
	cp "$PEEKCTL" "$tmp/peekctl"
	rm -f "$tmp/second"*
	"$PEEKD" -n "$name.w" -s "$tmp/second" -m 8 --unix-mask 0777 --shm-mask 0644 --access-write root --access-read '*' 2>"$tmp/log2" &
	pids="$pids $!"
	for i in $(seq 100); do "$PEEKCTL" -n "$name.w" ping >/dev/null 2>&1 && break; sleep .1; done
	for k in a b u1 u2; do "$PEEKCTL" -n "$name.w" set $k 1; done
	other() { setpriv --reuid 65534 --regid 65534 --clear-groups env PEEK_OWNER=0 "$tmp/peekctl" -n "$name.w" "$@"; }
	says "who may not delete is told" '^peekctl: a: the daemon says: permission denied' other delete a b
	same "and what was done by then is printed" "0 keys deleted" other delete --prefix u
	other delete --prefix u >/dev/null 2>&1
	[ $? = 1 ] && [ "$("$PEEKCTL" -n "$name.w" keys --sort | tr '\n' ' ')" = "a b u1 u2 " ]
	result $? "with an exit status; nothing is gone"
fi

# ---- what holds a key back ---------------------------------------------------
ok "shutdown" "$PEEKCTL" -s "$SOCK" shutdown
says "delete --prefix without a daemon" 'no daemon listens' "$PEEKCTL" -n "$name" delete --prefix u
plan
