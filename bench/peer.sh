# peer.sh: a peekd and a memcached by turns on one Unix socket, for sizes-peer.sh and traces-peer.sh, which source it.
#
# bench: the peekbench that they were given; peekd is the one beside it. instance: peekd's name. server: the process id of the server that runs.

peekd=$(dirname "$bench")/peekd
instance=${PEEK_TEST_NAME:-}peer-$$
dir=$(mktemp -d)
server=
finish() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$dir" "/dev/shm/peekd.$instance" "/dev/shm/peekd.$instance.lock"
}
trap finish EXIT
trap 'exit 1' INT TERM

command -v memcached >/dev/null || { echo "$(basename "$0"): memcached is not installed" >&2; exit 1; }
user=
[ "$(id -u)" != 0 ] || user='-u root'

field() { # NAME JSON
	printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

peer_begin() { # COMMAND...: a server on $dir/sock
	local i=0
	"$@" >"$dir/log" 2>&1 &
	server=$!
	while [ ! -S "$dir/sock" ] && [ $i -lt 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
}

peer_end() {
	kill "$server"
	wait "$server" 2>/dev/null || true
	server=
	rm -f "$dir/sock"
}

# Sets json: what peekbench says of a replay through the server. It ends the script if that fails.
replay() { # OPTION...
	json=$("$bench" replay "$@" --socket "$dir/sock" --json) || { cat "$dir/log" >&2; exit 1; }
}
