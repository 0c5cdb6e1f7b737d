#!/bin/bash
# traces-peer.sh PEEKBENCH [FILE...]: the same traces with real sizes through a peekd and a memcached, by the same client over a Unix socket,
# and who misses less. Traces without sizes are left out, and those with times to live, since memcached has a clock of its own. Without
# files: the generated traces. peekd is the one beside PEEKBENCH.
#
# -m doesn't say the same of both: memcached gives every slab class a page of its own whatever its -m, so that with a small one it takes several
# times as much; peekd's is the room for items, and the table comes on top. So there are two rows for each -m, always both:
#   same -m       what an administrator gets who changes nothing else
#   same memory   peekd with as many whole MiB as let it take no more than memcached took in the row above
# The memory of each is measured when the trace has ended: all that is allocated for it alone. memcached: the anonymous memory of its process.
# peekd: that of its process, and the allocated blocks of its segment and its hint page.
#   SIZES="16 64"   -m, in MiB
# The exit status is 1 if peekd misses more than memcached with the same memory.
set -eu

bench=$1
shift
sizes=${SIZES:-16 64 128}
. "$(dirname "$0")/peer.sh"

if [ $# -gt 0 ]; then
	kind=--trace
else
	kind=--profile
	# shellcheck disable=SC2046 # names
	set -- $("$bench" gen 2>&1 | sed -n 's/^  \([a-z]*\) .*/\1/p')
fi

taken() { # bytes that the server takes
	local fd at kib
	kib=$(awk '/^RssAnon:/ { print $2 }' "/proc/$server/status")
	for fd in "/proc/$server/fd/"*; do
		at=$(readlink "$fd") || continue
		case $at in
		"/dev/shm/peekd.$instance" | /memfd:*) kib=$((kib + $(stat -L -c %b "$fd") / 2)) ;;
		esac
	done
	echo $((kib * 1024))
}

# Sets misses, requests, took.
run() { # TRACE COMMAND...
	local trace=$1
	shift
	peer_begin "$@"
	replay "$kind" "$trace"
	took=$(taken)
	peer_end
	misses=$(field misses "$json") requests=$(field requests "$json")
}

run_peekd() { # TRACE MIB
	run "$1" "$peekd" -n "$instance" -s "$dir/sock" -m "$2" --unlink
}

row() { # TRACE RULE MEMCACHED_MIB TOOK MISSES PEEKD_MIB TOOK MISSES
	echo "$* $requests" | awk '{
		sub("_", " ", $2)
		printf "| %s | %s | %d | %.1f MiB | %.2f %% | %d | %.1f MiB | %.2f %% | %+.2f %% |\n", $1, $2, $3, $4 / 1048576, 100 * $5 / $9, $6,
		    $7 / 1048576, 100 * $8 / $9, 100 * (1 - $8 / $5) }'
}

echo "| trace | rule | memcached -m | it takes | misses | peekd -m | it takes | misses | peekd's are fewer by |"
echo "|---|---|---|---|---|---|---|---|---|"
n=0 won_same=0 won_memory=0
for t in "$@"; do
	probe=$("$bench" replay "$kind" "$t" --bytes 16m --json)
	[ "$(field sizes "$probe")$(field ttls "$probe")" = 10 ] || continue
	name=$(basename "$t" .zst)
	for mb in $sizes; do
		# shellcheck disable=SC2086 # words
		run "$t" memcached $user -s "$dir/sock" -m "$mb" -t 1
		peer=$misses peer_took=$took
		run_peekd "$t" "$mb"
		row "$name" "same_-m" "$mb" "$peer_took" "$peer" "$mb" "$took" "$misses"
		n=$((n + 1)) won_same=$((won_same + (misses <= peer)))
		# The memory beyond -m grows with -m, so that less by the excess fits.
		own_mb=$((peer_took >> 20))
		while run_peekd "$t" "$own_mb" && [ "$took" -gt "$peer_took" ] && [ "$own_mb" -gt 2 ]; do
			own_mb=$((own_mb - ((took - peer_took + 1048575) >> 20)))
		done
		row "$name" "same_memory" "$mb" "$peer_took" "$peer" "$own_mb" "$took" "$misses"
		won_memory=$((won_memory + (misses <= peer)))
	done
done
[ "$n" -gt 0 ] || { echo "traces-peer: none of the traces has sizes and no times to live" >&2; exit 1; }
printf '\npeekd misses no more than memcached: with the same memory in %d of %d, with the same -m in %d of %d\n' "$won_memory" "$n" "$won_same" "$n"
[ "$won_memory" -eq "$n" ]
