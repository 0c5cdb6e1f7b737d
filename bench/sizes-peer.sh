#!/bin/bash
# sizes-peer.sh PEEKBENCH [BYTES...]: Zipf reads (0.9) with a set after each miss over items that all have one size, through a peekd and a
# memcached of the same -m, by the same client over a Unix socket: who misses less.
# The keys are four times what -m could hold. peekd is the one beside PEEKBENCH.
#   MIB=n        -m for all sizes; without it 64, and 256 from 150,000 bytes on
#   REQUESTS=n   for all sizes
# The exit status is 1 if peekd misses more at any size.
set -eu

bench=$1
shift
[ $# -gt 0 ] || set -- 100 1000 10000 20000 22000 30000 40000 50000 65000 100000 200000 500000 983040 1048000
. "$(dirname "$0")/peer.sh"

# Sets misses.
run() { # PROFILE REQUESTS COMMAND...
	local profile=$1 n=$2
	shift 2
	peer_begin "$@"
	replay --profile "$profile" --requests "$n"
	peer_end
	misses=$(field misses "$json")
	refused=$(field too_large "$json")
	[ "${refused:-0}" = 0 ] || { echo "sizes-peer: $1 refused $refused values" >&2; exit 1; }
}

echo "| bytes | -m | requests | memcached misses | peekd misses | peekd's are fewer by |"
echo "|---|---|---|---|---|---|"
n=0 won=0
for bytes in "$@"; do
	mb=${MIB:-$([ "$bytes" -lt 150000 ] && echo 64 || echo 256)}
	keys=$(((mb << 22) / bytes))
	requests=${REQUESTS:-$((keys * 20 < 20000 ? 20000 : keys * 20 > 3000000 ? 3000000 : keys * 20))}
	profile=equal:$keys:$bytes
	# shellcheck disable=SC2086 # words
	run "$profile" "$requests" memcached $user -s "$dir/sock" -m "$mb" -t 1
	peer=$misses
	run "$profile" "$requests" "$peekd" -n "$instance" -s "$dir/sock" -m "$mb" --unlink
	echo "$bytes $mb $requests $peer $misses" | awk '{
		printf "| %d | %d | %d | %.2f %% | %.2f %% | %+.2f %% |\n", $1, $2, $3, 100 * $4 / $3, 100 * $5 / $3, 100 * (1 - $5 / $4) }'
	n=$((n + 1)) won=$((won + (misses <= peer)))
done
printf '\npeekd misses no more than memcached at %d of %d sizes\n' "$won" "$n"
[ "$won" -eq "$n" ]
