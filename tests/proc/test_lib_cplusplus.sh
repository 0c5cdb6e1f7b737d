#!/bin/sh
# test_lib_cplusplus.sh: peek.h from C++, and what libpeek.so shows of itself: the names of peek.h, and no need but the C library.
# B is the build directory, MODE how it was built, CXX the compiler.
B=${B:-build/release}
here=$(cd "$(dirname "$0")/../.." && pwd)
case $B in /*) ;; *) B=$here/$B ;; esac
sanitizer=$(case ${MODE:-release} in asan) echo -fsanitize=address,undefined ;; tsan) echo -fsanitize=thread ;; esac)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
echo 1..3

cat > "$tmp/t.cpp" <<'END'
#include "peek.h"
#include <cstdio>
int
main()
{
	peek *p = nullptr;
	peek_info info{};
	peek_op op{"key", 3, nullptr, 0, 0};
	struct peek_status status{}; // a function has the same name
	int r = peek_open("no-such-instance-of-a-test", PEEK_NO_HINTS, &p);
	(void)info;
	(void)op;
	(void)status;
	std::printf("%s\n", peek_strerror(r));
	peek_close(p);
	return r < 0 ? 0 : 1;
}
END
if ${CXX:-g++} -std=c++11 -Wall -Wextra -Wpedantic -Werror $sanitizer -I"$here/include" -o "$tmp/t" "$tmp/t.cpp" "$B/libpeek.a" -lpthread &&
    "$tmp/t" > /dev/null; then
	echo "ok 1 - a C++ program compiles, links and runs"
else
	echo "not ok 1 - a C++ program compiles, links and runs"
fi

sed -n 's/^[^ /*].*[ *]\(peek_[a-z0-9_]*\)(.*/\1/p' "$here/include/peek.h" | grep -v _fn | sort -u > "$tmp/declared"
nm -D --defined-only "$B/libpeek.so" | sed -n 's/.* \(peek[a-z0-9_]*\).*/\1/p' | sort -u > "$tmp/exported"
others=$(nm -D --defined-only "$B/libpeek.so" | grep -vc ' peek_\| PEEK_')
if [ -s "$tmp/declared" ] && diff "$tmp/declared" "$tmp/exported" > "$tmp/diff" && [ "$others" = 0 ]; then
	echo "ok 2 - libpeek.so shows the names of peek.h and no other"
else
	sed 's/^/# /' "$tmp/diff"
	echo "not ok 2 - libpeek.so shows the names of peek.h and no other"
fi

needed=$(readelf -d "$B/libpeek.so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^libc\.so\|^ld-linux\|^lib[atu][sb]*san\.so' | tr '\n' ' ')
if [ -z "$needed" ]; then
	echo "ok 3 - libpeek.so needs the C library alone"
else
	echo "# $needed"
	echo "not ok 3 - libpeek.so needs the C library alone"
fi
