#!/bin/bash
# libmemcached-tools: memccapable over TCP (ASCII), the others on the Unix socket.
. tests/server.sh
server_start
S=--servers=$SOCK

memccapable -a -h 127.0.0.1 -p "$PORT" -t 5 >"$tmp/capable" 2>&1
status=$?
while read -r test verdict; do
	[ "$verdict" = '[pass]' ]
	result $? "memccapable $test" "$tmp/capable"
done < <(sed -n 's/^\(ascii [a-z_ ]*[a-z]\) *\(\[.*\]\)$/\1\t\2/p' "$tmp/capable" | tr ' ' '_' | tr '\t' ' ')
[ $status = 0 ] && [ $n -ge 20 ] && grep -q 'All tests passed' "$tmp/capable"
result $? "memccapable: $n ASCII tests" "$tmp/capable"

ok "memcping" memcping "$S"
echo 'one file' >"$tmp/one"
head -c 300000 /dev/urandom >"$tmp/two"
ok "memccp copies files in" memccp "$S" "$tmp/one" "$tmp/two"
same "memccat shows one" 'one file' memccat "$S" one
ok "memccat writes one to a file" memccat "$S" --file="$tmp/back" two
head -c 300000 "$tmp/back" | cmp -s - "$tmp/two"
result $? "what memccat wrote is what memccp read"
ok "memcexist finds it" memcexist "$S" one
ok "memctouch" memctouch "$S" --expire=100 one
ok "memcstat" memcstat "$S"
memcstat "$S" | grep -q 'curr_items'
result $? "memcstat shows curr_items"
ok "memcrm" memcrm "$S" one
memcexist "$S" one >/dev/null 2>&1
[ $? != 0 ]
result $? "memcrm removed it"
for test in set get mget; do
	ok "memcslap $test" memcslap "$S" --test=$test --execute-number=500 --initial-load=500 --concurrency=4
done
ok "memcflush" memcflush "$S"
memcexist "$S" two >/dev/null 2>&1
[ $? != 0 ]
result $? "memcflush removed the rest"
plan
