#!/bin/bash
# The recipe of peekd-containers(7): the daemon in one set of namespaces, readers in others, one tmpfs and one socket between them.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
# Other users run these too, who may not enter the folder that they were built in.
for program in "$PEEKCTL" "$PEEKD"; do cp "$program" "$tmp/"; done
PEEKCTL=$tmp/${PEEKCTL##*/} PEEKD=$tmp/${PEEKD##*/}
[ "$(id -u)" = 0 ] || skip_all "needs root"
command -v unshare >/dev/null && unshare -m -p -f -i -n -u true 2>/dev/null || skip_all "namespaces can't be made here"

shm=$tmp/shm run=$tmp/run
mkdir "$shm" "$run"
chmod 755 "$tmp"
mount -t tmpfs -o size=48m,mode=1777 peekd-shm "$shm" || skip_all "can't mount"
container_finish() {
	for p in $pids; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
	pids=
	umount -l "$shm" 2>/dev/null
	finish
}
trap container_finish EXIT

# NAME of a kind of container, then what runs in it: private mounts, processes, IPC and network; shm as /dev/shm.
contain() { # rw|ro EXTRA-OPTIONS-OF-UNSHARE COMMAND...
	local how=$1 extra=$2
	shift 2
	# shellcheck disable=SC2016,SC2086 # expanded inside; a list of words
	unshare -m -p -f --kill-child --mount-proc -i -n -u $extra sh -c '
		mount --bind "$1" /dev/shm || exit 99
		[ "$2" = rw ] || mount -o remount,ro,bind /dev/shm || exit 99
		shift 2
		exec "$@"' sh "$shm" "$how" "$@"
}

contain rw "" "$PEEKD" -n "$name" -s "$run/sock" -a 0666 -m 16 >"$tmp/log" 2>&1 &
pids=$!
for i in $(seq 100); do grep -q serves "$tmp/log" && break; sleep 0.05; done
grep -q serves "$tmp/log"
result $? "a daemon in a container of its own" "$tmp/log"
[ -e "$shm/peekd.$name" ] && [ ! -e "/dev/shm/peekd.$name" ]
result $? "its segment is in the volume, not in the host's /dev/shm"

ok "a reader writes over the socket that both have" contain ro "" "$PEEKCTL" -n "$name" set key value
same "another reads through the segment, mounted read-only" value contain ro "" "$PEEKCTL" -n "$name" get key
same "keys, without the daemon" key contain ro "" "$PEEKCTL" -n "$name" keys
same "a short life, also in a time namespace" soon contain ro "-T --boottime 1000000 --monotonic 5000" \
    sh -c "$PEEKCTL -n $name set --ttl 1 brief soon && $PEEKCTL -n $name get brief"
sleep 2.1
contain ro "-T --boottime 1000000 --monotonic 5000" "$PEEKCTL" -n "$name" get brief >"$tmp/out" 2>&1
[ $? = 1 ]
result $? "it ends there at the same moment" "$tmp/out"

# A user namespace in which the daemon's user has no number: the kernel shows it as the overflow id.
other="setpriv --reuid=65534 --regid=65534 --clear-groups unshare -U --map-user=1000"
# shellcheck disable=SC2086 # words
contain ro "" $other "$PEEKCTL" -n "$name" get key >"$tmp/out" 2>&1
[ $? = 2 ] && grep -q PEEK_OWNER "$tmp/out"
result $? "a user namespace that lacks the daemon's user: refused, and told what to do" "$tmp/out"
# shellcheck disable=SC2086
same "with PEEK_OWNER it reads" value contain ro "" env PEEK_OWNER="$(cat /proc/sys/kernel/overflowuid)" $other "$PEEKCTL" -n "$name" get key

# A user namespace without a map: everybody shows the overflow user there, the reader too.
for uid in 1234 65534; do
	other="setpriv --reuid=$uid --regid=$uid --clear-groups unshare -U"
	# shellcheck disable=SC2086 # words
	contain ro "" $other "$PEEKCTL" -n "$name" get key >"$tmp/out" 2>&1
	[ $? = 2 ] && grep -q PEEK_OWNER "$tmp/out"
	result $? "a user namespace without a map, uid $uid outside: another's segment isn't believed" "$tmp/out"
	cp "$shm/peekd.$name" "$shm/peekd.$name-$uid" && chown "$uid" "$shm/peekd.$name-$uid"
	# shellcheck disable=SC2086
	same "its own is" value contain ro "" $other "$PEEKCTL" -n "$name-$uid" get key
	rm -f "$shm/peekd.$name-$uid"
done

# The same for the lock of a daemon there: another user's isn't taken for its own.
: >"$shm/peekd.$name-locked.lock"
chown 4321 "$shm/peekd.$name-locked.lock"
chmod 0666 "$shm/peekd.$name-locked.lock"
contain rw "" setpriv --reuid=1234 --regid=1234 --clear-groups unshare -U timeout 20 \
    "$PEEKD" -n "$name-locked" -m 2 -s "$tmp/locked.sock" >"$tmp/out" 2>&1
[ $? = 77 ]
result $? "a daemon in a user namespace without a map: another's lock is refused" "$tmp/out"
rm -f "$shm/peekd.$name-locked.lock"

# the daemon itself, which the host sees as a child of a child
leaf=$pids
while child=$(pgrep -o -P "$leaf"); do leaf=$child; done
kill -KILL "$leaf"
wait "$pids" 2>/dev/null
contain rw "" "$PEEKD" -n "$name" -s "$run/sock" -a 0666 -m 16 >"$tmp/log2" 2>&1 &
pids=$!
for i in $(seq 100); do grep -q serves "$tmp/log2" && break; sleep 0.05; done
grep -q 'took over 1 items' "$tmp/log2"
result $? "a new container of the daemon takes the segment over" "$tmp/log2"
same "which readers never miss" value contain ro "" "$PEEKCTL" -n "$name" get key

contain rw "" "$PEEKD" -n "$name-large" -s "$run/large" -m 128 >"$tmp/out" 2>&1
[ $? != 0 ] && grep -q 'no room\|needs\|No space\|full' "$tmp/out"
result $? "a volume that is too small is an error at the start, not a SIGBUS later" "$tmp/out"
plan
