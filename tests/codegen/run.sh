#!/bin/sh
# Checks the machine code that compilers make of the four sequences (sequences.c): the barrier stands between the odd store and the first data
# store, between the last data store and the even one, between the sequence's load and the first data load, and between the last data
# load and the re-check. For aarch64, ppc64le, riscv64 and x86-64, whose own order serves it for a barrier.
#
# run.sh FOLDER    objects go there. Speaks TAP. Negatives: -DWEAK (no orders) must fail where the processor orders nothing, -DSWAPPED
# (the data on the wrong side) everywhere.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=${1:?folder}
mkdir -p "$dir"
n=0
failed=0

say() { # good text
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=$((failed + 1)); fi
}

# Loads L, stores S, acquiring loads A and releasing stores R with 0 (the sequence) or 1 (the data) behind them, by the second and
# third argument's register; fences Fa (orders all but store to load), Fr (loads), Fw (stores), Fi (after a branch on a load).
tokens() { # triple object function
	"$1-objdump" -d --no-show-raw-insn "$2" | awk -v want="<$3>:" -v arch="${1%%-*}" '
	function place(s) { return s ~ first ? 0 : s ~ second ? 1 : "?" }
	function out(t) { line = line (line == "" ? "" : " ") t }
	BEGIN {
		if (arch == "aarch64") { first = "\\[x1\\]"; second = "\\[x2\\]" }
		else if (arch == "powerpc64le") { first = "\\(r4\\)"; second = "\\(r5\\)" }
		else if (arch == "riscv64") { first = "\\(a1\\)"; second = "\\(a2\\)" }
		else { first = "\\(%rsi\\)"; second = "\\(%rdx\\)" }
	}
	/^[0-9a-f]+ </ { inside = $2 == want; next }
	!inside || NF < 2 { next }
	{
		op = $2; args = $0; sub(/^[^:]*:[ \t]*[^ \t]+[ \t]*/, "", args)
		if (arch == "aarch64") {
			if (op ~ /^(ldar|ldapr)$/) out("A" place(args)); else if (op ~ /^ld[rpu]/) out("L" place(args))
			else if (op == "stlr") out("R" place(args)); else if (op ~ /^st[rpu]/) out("S" place(args))
			else if (op == "dmb") out(args ~ /^(ish|sy)$/ ? "Fa" : args ~ /ld$/ ? "Fr" : args ~ /st$/ ? "Fw" : "F?")
		} else if (arch == "powerpc64le") {
			if (op ~ /^ldx?$/) out("L" place(args)); else if (op ~ /^stdx?$/) out("S" place(args))
			else if (op ~ /^(lw|hw)?sync$/) out("Fa"); else if (op == "isync") out("Fi")
		} else if (arch == "riscv64") {
			if (op == "ld") out("L" place(args)); else if (op == "sd" || op ~ /^amoswap\.d$/) out("S" place(args))
			else if (op ~ /^amo|^lr|^sc/) out("S?")
			else if (op == "fence") {
				split(args, a, ",")
				pw = args == "" || a[1] ~ /w/; pr = args == "" || a[1] ~ /r/; sw = args == "" || a[2] ~ /w/; sr = args == "" || a[2] ~ /r/
				out(pw && pr && sw && sr ? "Fa" : pw && sw ? "Fw" : pr && sr ? "Fr" : "F?")
			}
		} else {
			if (op ~ /fence$|^lock/) out("Fa")
			else if (op ~ /^(mov|add)q?$/ && args ~ /\(%r..\)$/) out("S" place(args))
			else if (op ~ /^(mov|add|cmp)q?$/ && args ~ /\(%r..\)/) out("L" place(args))
		}
	}
	END { print line }'
}

# The orders that are right. $1: triple, $2: function.
pattern() {
	case $2-$1 in
	writer_enter-x86*) echo 'L0 S0( Fa)? S1' ;;
	writer_exit-x86*) echo '(S1 L0|L0 S1)( Fa)? S0' ;;
	read_begin-x86*) echo 'L0( Fa)? L1' ;;
	read_validate-x86*) echo 'L1( Fa)? L0' ;;
	writer_enter-*) echo 'L0 S0 F[aw] S1' ;;
	writer_exit-*) echo '(S1 L0|L0 S1) (R0|F[aw] S0)|S1 F[aw] L0 S0' ;;
	read_begin-powerpc*) echo 'L0 F[ai] L1' ;;
	read_begin-*) echo '(A0|L0 F[ar]) L1' ;;
	read_validate-*) echo 'L1 F[ar] L0' ;;
	esac
}

right() { # triple object function; leaves what it saw in $seen
	seen=$(tokens "$1" "$2" "$3")
	echo "$seen" | grep -qxE "$(pattern "$1" "$3")"
}

for triple in aarch64-linux-gnu powerpc64le-linux-gnu riscv64-linux-gnu x86_64-linux-gnu; do
	if ! command -v "$triple-gcc" >/dev/null; then
		say 1 "$triple: no compiler ($triple-gcc)"
		continue
	fi
	for opt in -O1 -O2 -O3; do
		for wrong in "" -DWEAK -DSWAPPED; do
			o="$dir/${triple%%-*}$opt$wrong.o"
			# shellcheck disable=SC2086 # empty: none
			"$triple-gcc" -std=c11 -ffreestanding $opt $wrong -fPIC -Isrc -c -o "$o" tests/codegen/sequences.c || { say 1 "$triple $opt $wrong: compiles"; continue; }
			case $triple$wrong in x86*-DWEAK) continue ;; esac # its order needs no instruction
			for f in writer_enter writer_exit read_begin read_validate; do
				right "$triple" "$o" "$f"
				good=$?
				if [ -z "$wrong" ]; then
					say $good "${triple%%-*} $opt $f: $seen"
				else
					say $((1 - good)) "${triple%%-*} $opt $f $wrong is told from it: $seen"
				fi
			done
		done
	done
done
echo "1..$n"
echo "# $n checks, $failed failed"
[ $failed = 0 ]
