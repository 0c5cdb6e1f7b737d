# server.sh: a server of a test's own, and TAP, for tests that are shell scripts. Sourced from the top of the tree.
#
# server_start sets SOCK (a Unix socket) and PORT (the same server on 127.0.0.1). PEEK_TEST_SERVER=memcached runs the tests against
# Debian's memcached in place of peekd, which checks what they expect.

B=${B:-$PWD/build/release}
PEEKD=${PEEKD:-$B/peekd}
tmp=$(mktemp -d) || exit 1
name=${PEEK_TEST_NAME:-t$$-}client$$
pids=
n=0 failed=0

finish() {
	for p in $pids; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
	rm -rf "$tmp" /dev/shm/peekd."$name"*
}
trap finish EXIT
trap 'exit 1' INT TERM

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

server_start() { # [OPTION...]
	SOCK=$tmp/socket
	PORT=$(free_port)
	if [ "${PEEK_TEST_SERVER:-peekd}" = memcached ]; then
		memcached -u root -a 777 -s "$SOCK" "$@" 2>"$tmp/log" &
		pids="$pids $!"
		memcached -u root -l 127.0.0.1 -p "$PORT" -U 0 "$@" 2>>"$tmp/log" &
	else
		"$PEEKD" -n "$name" -s "$SOCK" -l 127.0.0.1 -p "$PORT" --tcp-access=admin "$@" >"$tmp/log" 2>&1 &
	fi
	pids="$pids $!"
	for i in $(seq 200); do
		[ -S "$SOCK" ] && printf 'version\r\nquit\r\n' | socat -t 1 - "TCP:127.0.0.1:$PORT" 2>/dev/null | grep -q VERSION && break
		[ "$i" = 200 ] && echo "Bail out! the server does not start" && sed 's/^/# /' "$tmp/log" && exit 1
		sleep 0.05
	done
	export SOCK PORT
}

plan() { # N-OF-TESTS-TO-COME-IS-KNOWN-AT-THE-END
	echo "1..$n"
	exit $failed
}

skip_all() { # WHY
	echo "1..0 # SKIP $1"
	exit 0
}

result() { # STATUS NAME [FILE-WITH-OUTPUT]
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2 (status $1)"
	[ -n "${3:-}" ] && sed -e 's/^/# /' -e '$a\' "$3" | tail -n 30
}

# Runs a command; ok when it succeeds.
ok() { # NAME COMMAND...
	local what=$1
	shift
	"$@" >"$tmp/out" 2>&1
	result $? "$what" "$tmp/out"
}

# Runs a command; ok when its output is exactly this.
same() { # NAME EXPECTED COMMAND...
	local what=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err"
	[ "$(cat "$tmp/out")" = "$want" ]
	result $? "$what" "$tmp/out"
}
