#!/bin/sh
# traces-peer.sh PEEKBENCH [FILE...]: the same traces with real sizes through peekd's engine and through a memcached of the same -m on a Unix
# socket, and who hits more. Traces without sizes are left out, and
# those with times to live, since memcached has a clock of its own. Without files: the generated traces.
# memcached gives every slab class a page of its own whatever its -m says, so that with a small one it takes several times as much; the
# last columns give peekd as much as memcached took.
#   SIZES="16 64"   megabytes
set -eu

bench=$1
shift
sizes=${SIZES:-16 64}
dir=$(mktemp -d)
server=
finish() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

command -v memcached >/dev/null || { echo "traces-peer: memcached is not installed" >&2; exit 1; }
if [ $# -gt 0 ]; then
	kind=--trace
else
	kind=--profile
	# shellcheck disable=SC2046 # names
	set -- $("$bench" gen 2>&1 | sed -n 's/^  \([a-z]*\) .*/\1/p')
fi
user=
[ "$(id -u)" != 0 ] || user='-u root'

field() { # NAME JSON
	printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

echo "| trace | -m | requests | memcached misses | it took | peekd misses | fewer | with as much as it took | fewer |"
echo "|---|---|---|---|---|---|---|---|---|"
lost=0
for t in "$@"; do
	for mb in $sizes; do
		own=$("$bench" replay "$kind" "$t" --bytes "${mb}m" --json)
		[ "$(field sizes "$own")$(field ttls "$own")" = 10 ] || break
		# shellcheck disable=SC2086 # words
		memcached $user -s "$dir/m.sock" -m "$mb" -t 1 >/dev/null 2>&1 &
		server=$!
		i=0
		while [ ! -S "$dir/m.sock" ] && [ $i -lt 100 ]; do
			sleep 0.05
			i=$((i + 1))
		done
		peer=$("$bench" replay "$kind" "$t" --socket "$dir/m.sock" --json)
		kill "$server"
		wait "$server" 2>/dev/null || true
		server=
		rm -f "$dir/m.sock"
		took=$(field memory "$peer")
		[ "$took" -gt 0 ] || took=$((mb << 20))
		same=$("$bench" replay "$kind" "$t" --bytes "$took" --json)
		a=$(field misses "$peer") b=$(field misses "$own") c=$(field misses "$same") n=$(field requests "$own")
		echo "$(basename "$t" .zst) $mb $n $a $took $b $c" | awk '{
			printf "| %s | %d MiB | %d | %.2f %% | %.0f MiB | %.2f %% | %+.2f %% | %.2f %% | %+.2f %% |\n", $1, $2, $3, 100 * $4 / $3,
			    $5 / 1048576, 100 * $6 / $3, 100 * (1 - $6 / $4), 100 * $7 / $3, 100 * (1 - $7 / $4) }'
		[ "$c" -le "$a" ] || lost=1
	done
done
exit $lost
