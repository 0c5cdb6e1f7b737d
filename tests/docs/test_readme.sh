#!/bin/bash
# The README's examples are the files beside this one, and they run. Its targets and peekctl's manual name what exists.
. tests/server.sh
server_start

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

make -s help >"$tmp/help"
for target in $(grep -o '`make [a-z0-9-]*`' README.md ARCHITECTURE.md | sed 's/.*`make \(.*\)`/\1/' | sort -u); do
	grep -q "^$target " "$tmp/help"
	result $? "make $target, which the documents name, exists"
done
for command in $(sed -n 's/^COMMAND([a-z]*, "\([a-z]*\)".*/\1/p' src/ctl/commands.def); do
	grep -q "^\.It Cm $command\b" src/ctl/peekctl.1
	result $? "peekctl.1 has $command"
done
for path in $(grep -o '`\(src\|include\|tests\|bench\|conf\|systemd\)/[A-Za-z0-9_./]*`' README.md ARCHITECTURE.md | tr -d '`' | cut -d: -f2 | sort -u); do
	[ -e "$path" ]
	result $? "$path, which the documents name, exists"
done
plan
