#!/bin/bash
# 15.38: the advice of how to start an instance can be followed by the one who gets it: by root beside a service and beside another user's segment.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}

"$PEEKCTL" -n "$name" ping >"$tmp/out" 2>&1
grep -q "To start one: peekd -n $name\$\|To start this one: peekd -n $name\$" "$tmp/out"
result $? "an instance that is not there" "$tmp/out"

"$PEEKD" -n "$name" -s "$tmp/s" -m 2 >"$tmp/log" 2>&1 &
child=$!
for i in $(seq 100); do grep -q serves "$tmp/log" && break; sleep 0.05; done
kill "$child"
wait "$child"
"$PEEKCTL" -n "$name" status >"$tmp/out" 2>&1
grep -q "To start the daemon: peekd -n $name\$" "$tmp/out"
result $? "one of one's own that ended" "$tmp/out"

if [ "$(id -u)" = 0 ]; then
	chown nobody "$tmp" "/dev/shm/peekd.$name" "/dev/shm/peekd.$name.lock"
	PEEK_OWNER=$(id -u nobody) "$PEEKCTL" -n "$name" status >"$tmp/out" 2>&1
	grep -q "To start the daemon: peekd -n $name -u nobody\$" "$tmp/out"
	result $? "another user's" "$tmp/out"
	command=$(sed -n 's/.*start the daemon: //p' "$tmp/out")
	"$PEEKD" ${command#peekd } -s "$tmp/s" -m 2 >"$tmp/log" 2>&1 &
	pids=$!
	for i in $(seq 100); do grep -q serves "$tmp/log" && break; sleep 0.05; done
	grep -q 'took over' "$tmp/log"
	result $? "the command takes it over" "$tmp/log"

	kill $pids
	wait $pids
	pids=
	rm -f "/dev/shm/peekd.$name"*
	# shellcheck disable=SC2016 # expanded inside
	unshare -m sh -c 'mount -t tmpfs run /run && mkdir -p /run/systemd/system && mount -t tmpfs etc /etc && mkdir -p /etc/systemd/system /etc/peekd &&
		touch /etc/systemd/system/peekd.service "/etc/peekd/$2.conf" /etc/peekd/peekd.conf && "$1" -n "$2" ping; "$1" -n default-"$2" ping' sh \
	    "$PEEKCTL" "$name" >"$tmp/out" 2>&1
	if grep -q 'denied\|not permitted' "$tmp/out"; then
		echo "# mount namespaces can't be made here"
	else
		grep -q "systemctl start peekd@$name.service\$" "$tmp/out"
		result $? "one that a unit and a file are for" "$tmp/out"
		grep -q "peekd -n default-$name\$" "$tmp/out"
		result $? "one that no file is for, where the unit is" "$tmp/out"
	fi
fi
plan
