#!/bin/sh
# gate.sh BUILD_DIR BUDGET_FILE [record]: fails when a get takes more instructions than recorded, or falls too far behind the ideal lookup in one run.
#
# The budget's lines: `instructions N` (of one get as any x86-64 runs it, with its loop; 2 % more is allowed), `wide N` (the same as a processor with
# AVX-512 runs it, if this is one: valgrind knows no such instructions, single steps count them) and `ratio R` (peekd's uniform get against the ideal
# lookup on 4 KiB pages, the median of the rounds' ratios in one run: at most R). `record` writes the counts that it finds.
set -eu

b=$1 budget=$2 record=${3:-}
gets=20000
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

command -v valgrind >/dev/null || { echo "gate: valgrind is not installed" >&2; exit 1; }
count() {
	valgrind --tool=callgrind --callgrind-out-file="$dir/out" --collect-atstart=no --toggle-collect=gate_loop \
	    "$b/peekbench" gate --gets "$1" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
	sed -n 's/^summary: \([0-9]*\).*/\1/p' "$dir/out"
}
step() {
	"$b/peekbench" gate --steps --gets "$1" | sed -n 's/^steps=//p'
}
# Two lengths, so that what happens once falls out.
of_one() {
	echo "$1 $2 $3" | awk '{ printf "%.1f", ($2 - $1) / (2 * $3) }'
}
line() {
	sed -n "s/^$1 //p" "$budget" 2>/dev/null | grep . || echo "$2"
}
now=$(of_one "$(count $gets)" "$(count $((gets * 3)))" $gets) wide=
if grep -q avx512_vbmi2 /proc/cpuinfo; then
	wide=$(of_one "$(step 1000)" "$(step 3000)" 1000)
fi
if [ "$record" = record ]; then
	printf 'instructions %s\nwide %s\nratio %s\n' "$now" "${wide:-$(line wide 0)}" "$(line ratio 1.18)" >"$dir/new"
	cat "$dir/new" >"$budget"
fi
ratio=$(line ratio 1.18)
bad=0
within() {
	echo "$1 $2 $3" | awk '{ printf "gate: %.1f instructions a get%s, budget %.1f\n", $1, $3 == "wide" ? " with AVX-512" : "", $2; exit $1 > $2 * 1.02 }' || bad=1
}
within "$now" "$(line instructions 0)" any
[ -z "$wide" ] || within "$wide" "$(line wide 0)" wide

"$b/peekbench-peers" --only ideal,peekd-4k --ops 500000 --rounds 15 --peekd "$b/peekd" --json "$dir/json" >"$dir/log" 2>&1 ||
    { cat "$dir/log" >&2; exit 1; }
of_peekd() { sed -n "s|.*\"id\":\"peekd-4k\"[^}]*\"$1\":\([0-9.]*\).*|\1|p" "$dir/json"; }
now=$(of_peekd get/ideal)
[ -n "$now" ] || { cat "$dir/log" >&2; exit 1; }
echo "$(of_peekd get) $now $ratio" |
    awk '{ printf "gate: get %.1f ns, %.2f times the ideal lookup, at most %.2f\n", $1, $2, $3; exit $2 > $3 }' || bad=1
exit $bad
