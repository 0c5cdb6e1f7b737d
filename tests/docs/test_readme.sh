#!/bin/bash
# The README's examples are the files beside this one, and they run, as do its commands. The targets, files and links that README,
# ARCHITECTURE and RESULTS name exist, README's figures stand in RESULTS, and the drawing is what its command prints.
. tests/server.sh
server_start
PEEKCTL=${PEEKCTL:-$B/peekctl}

block() { # LANGUAGE: the README's first block of it
	awk -v fence="\`\`\`$1" '$0 == fence { in_it = 1; next } in_it && /^```/ { exit } in_it' README.md
}
same "the README's C example is example.c" "$(cat tests/docs/example.c)" block c
same "the README's Python example is example.py" "$(cat tests/docs/example.py)" block python
[ "$(wc -l <tests/docs/example.c)" -le 22 ]
result $? "the C example is short"

sanitizer=$(case ${MODE:-release} in asan) echo -fsanitize=address,undefined ;; tsan) echo -fsanitize=thread ;; esac)
ok "the C example compiles" "${CC:-gcc}" -std=c11 -Wall -Wextra -Werror $sanitizer -Iinclude -o "$tmp/example" tests/docs/example.c \
    "$B/libpeek.a" -lpthread
same "the C example runs" hello "$tmp/example" "$name"
ok "it compiles as C++" g++ -std=c++11 -Wall -Wextra -Werror $sanitizer -x c++ -Iinclude -o "$tmp/example++" tests/docs/example.c \
    -x none "$B/libpeek.a" -lpthread
same "as C++ it runs" hello "$tmp/example++" "$name"
same "the Python example runs" hello /usr/bin/python3 tests/docs/example.py "$SOCK"

[ "$(wc -l <README.md)" -lt 200 ]
result $? "README has under 200 lines"
same "the drawing is what its command prints" "$(cat bench/plot/memory.svg)" bench/plot/memory.sh
while IFS='|' read -r _ figure _ by _; do
	figure=$(echo $figure | cut -d' ' -f1) by=$(echo $by | sed 's/^\(`[^`]*`\).*/\1/')
	awk -v by="$by" -v figure="$figure" '/^`/ { on = index($0, by) == 1 } on && index(" " $0 " ", " " figure " ") { found = 1 } END { exit !found }' bench/RESULTS.md
	result $? "README's figure $figure stands below $by in bench/RESULTS.md"
done < <(sed -n '/^|---/,/^$/ { /^| /p }' README.md)
awk '/^## / && section != "" && !named { print section; bad = 1 } /^## / { section = $0; named = 0 } /^`.*, 20[0-9-]*, [0-9a-f]+/ { named = 1 } END { exit bad || !named }' bench/RESULTS.md >"$tmp/out"
result $? "each section of bench/RESULTS.md names command, day and commit" "$tmp/out"

# The blocks that start an instance, under a name of the test's and with little memory; make docs-check runs all of them as they stand.
awk -v dir="$tmp" '/^```sh$/ { file = sprintf("%s/block-%02d", dir, ++n); next } /^```/ { file = "" } file { print >file }' README.md
for block in $(grep -lE '^peekd -n (web|shop) ' "$tmp"/block-*); do
	instance=$(sed -n 's/^peekd -n \([a-z]*\) .*/\1/p' "$block")
	sed -E -e 's/ +# .*//' -e "s/-n $instance/-n $name-$instance/" -e 's/-m 1g/-m 16/' -e 's/ doctor$/& || [ $? = 1 ]/' \
	    -e "s/&\$/\& until peekctl -n $name-$instance ping >\/dev\/null 2>\&1; do sleep 0.1; done/" "$block" >"$tmp/commands"
	ok "README's commands of instance $instance run" env PATH="$(dirname "$PEEKD"):$(dirname "$PEEKCTL"):$PATH" RUNTIME_DIRECTORY="$tmp" \
	    bash -ec "trap 'kill \$(jobs -p); wait' EXIT; $(cat "$tmp/commands")"
done

number() { sed -n "s/^#define $1  *\([0-9]*\)$/\1/p" "$2"; }
version=$(for part in MAJOR MINOR PATCH; do number PEEK_VERSION_$part include/peek.h; done | paste -sd.)
grep -A 2 '^| version | libpeek | layout' ARCHITECTURE.md | tail -n 1 |
    grep -q "^| $version | libpeek\.so\.${version%%.*} | $(number LAYOUT_VERSION src/shm/layout.h) |"
result $? "ARCHITECTURE's newest version is this one, with its library and layout"

make -s help >"$tmp/help"
for target in $(grep -o '`make [a-z0-9-]*`' README.md ARCHITECTURE.md bench/RESULTS.md | sed 's/.*`make \(.*\)`/\1/' | sort -u); do
	grep -q "^$target " "$tmp/help"
	result $? "make $target, which the documents name, exists"
done
for command in $(sed -n 's/^COMMAND([a-z]*, "\([a-z]*\)".*/\1/p' src/ctl/commands.def); do
	grep -q "^\.It Cm $command\b" src/ctl/peekctl.1
	result $? "peekctl.1 has $command"
done
for path in $(grep -o '`\(src\|include\|tests\|bench\|conf\|systemd\)/[A-Za-z0-9_./]*`' README.md ARCHITECTURE.md bench/RESULTS.md | tr -d '`' | cut -d: -f2 | sort -u); do
	[ -e "$path" ]
	result $? "$path, which the documents name, exists"
done
heading() { # FILE ANCHOR: as the forges make an anchor of a heading
	sed -n 's/^##* //p' "$1" | tr A-Z a-z | tr -cd 'a-z0-9 \n-' | tr ' ' - | grep -qx "$2"
}
for file in README.md ARCHITECTURE.md bench/RESULTS.md tests/README.md .github/*.md; do
	for link in $(grep -o '](\([^):]*\))' "$file" | sed 's/](\(.*\))/\1/' | sort -u); do
		to=$(dirname "$file")/${link%%#*}
		[ -n "${link%%#*}" ] || to=$file
		[ -e "$to" ] && { [ "${link#*#}" = "$link" ] || heading "$to" "${link#*#}"; }
		result $? "$file leads to $link"
	done
done
plan
