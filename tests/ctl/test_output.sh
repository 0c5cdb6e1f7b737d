#!/bin/bash
# 15.16: each command's --json is JSON, in lines of an object; a reader that has enough ends each command quietly; files that can't be written.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
server_start -A -m 16
ctl() { "$PEEKCTL" -n "$name" "$@"; }

cat >"$tmp/check.py" <<'P'
import json, sys
def unique(pairs):
    assert len({k for k, v in pairs}) == len(pairs), pairs
    return dict(pairs)
def no_constant(word):
    raise ValueError(word)
text = sys.stdin.buffer.read().decode() # UTF-8
rows = [json.loads(line, object_pairs_hook=unique, parse_constant=no_constant) for line in text.splitlines()]
assert text == "" or text.endswith("\n")
assert all(isinstance(r, dict) for r in rows), rows
assert len(rows) >= int(sys.argv[1]), "%d rows" % len(rows)
for r in rows:
    assert eval(sys.argv[2].replace("\\\n", " ")), r
P
json() { # NAME ROWS-AT-LEAST EXPRESSION-OF-r COMMAND...: status and JSON of standard output
	local what=$1 rows=$2 expression=$3
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	local got=$?
	[ $got = "${want:-0}" ] && /usr/bin/python3 "$tmp/check.py" "$rows" "$expression" <"$tmp/out" >>"$tmp/err" 2>&1
	result $? "--json $what" "$tmp/err"
	tried="$tried ${what%% *}"
}
tried=
ctl set -x 'k\xff"\x00' 'v' && ctl set n 41 && ctl set t "text" && ctl set v $'\xff\xfe'
json "get of a key of any bytes" 1 'r["key"] == "k\\xff\"\\x00" and r["value"] == "v"' ctl --json get -x 'k\xff"\x00'
ctl set -x 'k\xff' w
json "get of a key that is no UTF-8" 1 'r["key_base64"] == "a/8=" and "key" not in r' ctl --json get $'k\xff'
json "get of a value" 1 'r["key"] == "v" and "value_base64" in r and "value" not in r' ctl --json get v
json "set" 0 0 ctl --json set x 1
json "touch" 0 0 ctl --json touch x 1h
json "invalidate" 0 0 ctl --json invalidate nothing
json "incr" 1 'r["value"] == 42' ctl --json incr n
json "decr" 1 'r["value"] == 41' ctl --json decr n
json "keys" 5 '"key" in r or "key_base64" in r' ctl --json keys
json "keys -0" 5 '"key" in r or "key_base64" in r' ctl --json keys -0
json "keys -x" 5 '"key" in r' ctl --json keys -x
json "dump" 5 'r["length"] >= 1 and r["ttl_s"] >= -1 and r["age_s"] >= 0' ctl --json dump --sort
json "delete of keys" 0 0 ctl --json delete x
json "delete --prefix" 1 'r["deleted"] == 0' ctl --json delete --prefix nothing:
want=1 json "delete of nothing" 0 0 ctl --json delete x
for what in "" settings items slabs sizes conns snapshot; do
	json "stats $what" 1 'len(r) > 0 or sys.argv[1] == "0"' ctl --json stats $what
done
json "metrics" 90 'set(r) == {"name", "labels", "value", "type", "help"} and r["labels"]["cache"] == "'"$name"'" and \
    r["type"] in ("counter", "gauge") and (isinstance(r["value"], (int, float)) or r["value"] is None) and r["name"].startswith("peekd_") and r["help"]' ctl --json metrics
ctl metrics | grep -c '^peekd_' >"$tmp/n"
ctl --json metrics | wc -l | cmp - "$tmp/n"
result $? "each sample is an object"
json "status" 1 'r["daemon_present"] is True' ctl --json status
json "list" 1 '"name" in r' ctl --json list
want=2 json "top has none" 0 0 ctl --json top
json "size" 1 'r["items"] == 1000' ctl --json size 1000 20 100
json "ping" 1 'r["answered_us"] >= 0' ctl --json ping
json "save" 1 'r["path"] == "'"$tmp"'/dump" and r["words"]' ctl --json save "$tmp/dump"
json "load" 1 'r["words"]' ctl --json load "$tmp/dump"
want=1 json "load of nothing" 0 0 ctl --json load "$tmp/nothing"
ctl --json doctor >/dev/null
want=$? json "doctor" 8 'r["check"] and r["state"] and r["found"]' ctl --json doctor
json "version" 1 'r["peekctl"] and r["peekd"]' ctl --json version
json "help" 20 'r["command"] and r["help"]' ctl --json help
json "help of one" 1 'r["command"] == "get"' ctl --json get --help
json "the version of peekctl" 1 'r["peekctl"]' ctl --json -V

# Names of fields come from the daemon, and whoever listens may be another program.
printf 'STAT n\377\033 1\r\nEND\r\n' >"$tmp/reply"
socat "UNIX-LISTEN:$tmp/fake,fork" "SYSTEM:read line; cat $tmp/reply; sleep 1" &
pids="$pids $!"
for i in $(seq 50); do [ -S "$tmp/fake" ] && break; sleep .1; done
json "stats of a foreign program" 1 'list(r) == ["n\\xff\x1b"]' "$PEEKCTL" --json -s "$tmp/fake" stats

# A pipe whose reader has gone ends a program by SIGPIPE, and nothing is said. Enough is printed to meet it.
for i in $(seq 20000); do printf 'set key:%08d 0 0 1 noreply\r\nx\r\n' "$i"; done | socat -t 5 - "UNIX-CONNECT:$SOCK"
head -c 900000 /dev/zero | ctl set big
quiet() { # NAME COMMAND...
	local what=$1
	shift
	(trap - PIPE; "$@" 2>"$tmp/err"; echo $? >"$tmp/status") | sleep .2
	[ "$(cat "$tmp/status")" = 141 ] && [ ! -s "$tmp/err" ]
	result $? "quietly: $what" "$tmp/err"
}
gone() { # the same, for what is printed at the end: its reader has gone before
	local what=$1
	shift
	/usr/bin/python3 - "$tmp/status" "$@" 2>"$tmp/err" <<'P'
import os, subprocess, sys
r, w = os.pipe()
os.close(r)
with open(sys.argv[1], "w") as f:
    p = subprocess.run(sys.argv[2:], stdout=w, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    f.write("%d %d" % (p.returncode, len(p.stderr)))
P
	[ "$(cat "$tmp/status")" = "-13 0" ]
	result $? "quietly: $what" "$tmp/status"
}
quiet "keys" "$PEEKCTL" -n "$name" keys
quiet "keys --sort" "$PEEKCTL" -n "$name" keys --sort
quiet "keys by the socket" "$PEEKCTL" -s "$SOCK" keys
quiet "dump" "$PEEKCTL" -n "$name" dump
quiet "get" "$PEEKCTL" -n "$name" get big
quiet "get by the socket" "$PEEKCTL" -s "$SOCK" get big
for words in "keys" "dump" "get n" "incr n" "decr n" "stats" "stats conns" "metrics" "--json metrics" "status" "list" "top --once" "doctor" "size 9 9 9" \
    "ping" "version" "help" "help get" "-V" "delete --prefix none:" "save $tmp/dump" "load $tmp/dump"; do
	gone "$words" "$PEEKCTL" -n "$name" $words
	tried="$tried ${words%% *}"
done
"$PEEKCTL" -n "$name" keys 2>"$tmp/err" | head -n 1 | grep -q .
[ "${PIPESTATUS[0]}" = 141 ] && [ ! -s "$tmp/err" ]
result $? "keys | head" "$tmp/err"

for words in "keys" "get big" "stats" "metrics" "doctor" "top --once" "incr n" "list" "help"; do
	"$PEEKCTL" -n "$name" $words >/dev/full 2>"$tmp/err"
	[ $? = 2 ] && grep -q "can't write to standard output" "$tmp/err"
	result $? "a full disk: $words" "$tmp/err"
done
"$PEEKCTL" -n "$name" get -o /dev/full n 2>"$tmp/err"
[ $? = 2 ] && grep -q "can't write /dev/full: No space left" "$tmp/err"
result $? "a full disk: get -o" "$tmp/err"

# memcached counts what echo stores.
echo 5 | ctl set five
same "a value from echo is its bytes" $'5\n#' sh -c "'$PEEKCTL' -n '$name' get five; echo '#'"
same "and counts" 6 ctl incr five
for text in ' 5' '+5' $'5\r\n'; do
	ctl set five "$text"
	same "so does $(printf %q "$text")" 6 ctl incr five
done

json "flush" 0 0 ctl --json flush
json "shutdown" 0 0 ctl --json shutdown
for command in $(sed -n 's/^COMMAND([a-z]*, "\([a-z]*\)".*/\1/p' src/ctl/commands.def); do
	[[ " $tried " == *" $command "* ]]
	result $? "$command was tried"
done
plan
