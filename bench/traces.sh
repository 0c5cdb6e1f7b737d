#!/bin/sh
# traces.sh PEEKBENCH [FILE...]: replays traces at 0.1 % (where that is at least 200 entries), 1 % and 10 % of their keys, and prints
# the table of misses against exact LRU. Without files: the generated traces.
#   HINTS=on|off|lossy|hostile   what the readers' hints are worth
#   DATA=FILE                    the figures for gnuplot (bench/plot/traces.gp)
set -eu

bench=$1
shift
hints=${HINTS:-on}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 1' INT TERM

if [ $# -gt 0 ]; then
	kind=--trace
else
	kind=--profile
	# shellcheck disable=SC2046 # names
	set -- $("$bench" gen 2>&1 | sed -n 's/^  \([a-z]*\) .*/\1/p')
fi

for t in "$@"; do
	for share in 1 10 0.1; do
		printf '%s %s\n' "$share" "$t"
	done
done >"$out/jobs"

# One line of JSON for each point; 0.1 % of too few keys is refused or dropped below.
one='"$1" replay "$2" "$5" --entries "$4%" --hints "$3" --compare --json >"$6/$(basename "$5").$4.json" 2>"$6/$(basename "$5").$4.err" || true'
n=$(wc -l <"$out/jobs")
(
	while [ ! -e "$out/done" ] && [ -t 2 ]; do
		printf '\r%d of %d' "$(find "$out" -name '*.json' -size +0 | wc -l)" "$n" >&2
		sleep 1
	done
) &
while read -r share t; do
	printf '%s\0%s\0%s\0%s\0%s\0%s\0' "$bench" "$kind" "$hints" "$share" "$t" "$out"
done <"$out/jobs" | xargs -0 -n 6 -P "$(nproc)" sh -c "$one" sh
touch "$out/done"
wait
[ -t 2 ] && printf '\r\033[K' >&2

for f in "$out"/*.err; do
	[ -s "$f" ] && [ "${f%.0.1.err}" = "$f" ] && { sed "s|^|$(basename "${f%.err}"): |" "$f" >&2; bad=1; }
done
[ -z "${bad:-}" ] || exit 1

for t in "$@"; do
	for share in 0.1 1 10; do
		f="$out/$(basename "$t").$share.json"
		[ -s "$f" ] && printf '%s %s %s\n' "$(basename "$t" .zst)" "$share" "$(cat "$f")"
	done
done | awk -v hints="$hints" -v data="${DATA:-}" '
function get(name,  v) {
	v = $0
	if (!sub(".*\"" name "\":", "", v)) return 0
	sub("[,}].*", "", v)
	return v + 0
}
BEGIN {
	print "| trace | of its keys | entries | LRU misses | S3-FIFO | peekd | Belady | fewer misses than LRU: S3-FIFO | peekd | Belady |"
	print "|---|---|---|---|---|---|---|---|---|---|"
	if (data != "") print "trace\tS3-FIFO, fixed queues\tpeekd\tBelady" >data
	worst = 100
}
get("capacity") < 200 && $2 == "0.1" { next }
{
	n = get("requests"); lru = get("lru"); s3 = get("s3-fifo"); own = get("misses"); best = get("belady")
	wrong += get("wrong") + get("refused")
	a = 100 * (1 - s3 / lru); b = 100 * (1 - own / lru); c = 100 * (1 - best / lru)
	printf "| %s | %s %% | %d | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %+.2f %% | %+.2f %% | %+.2f %% |\n", $1, $2, get("capacity"),
	    100 * lru / n, 100 * s3 / n, 100 * own / n, 100 * best / n, a, b, c
	if (data != "") printf "%s %s %%\t%.3f\t%.3f\t%.3f\n", $1, $2, a, b, c >data
	if ($2 != "0.1") { points++; sum_s3 += a; sum += b }
	if (b < worst) { worst = b; where = $1 " at " $2 " %" }
	if (a < worst_s3) worst_s3 = a
}
END {
	if (points == 0) exit 1
	printf "\nhints %s; mean of the %d points at 1 and 10 %%: peekd %+.2f %%, S3-FIFO with fixed queues %+.2f %%; ", hints, points,
	    sum / points, sum_s3 / points
	printf "worst of all: peekd %+.2f %% (%s), S3-FIFO %+.2f %%; wrong values and refused SETs: %d\n", worst, where, worst_s3, wrong
	exit wrong != 0
}'
