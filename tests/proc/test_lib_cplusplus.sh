#!/bin/sh
# test_lib_cplusplus.sh: peek.h from C++, and what libpeek.so shows of itself: the names of peek.h, and no need but the C library.
# B is the build directory, MODE how it was built, CXX the compiler.
B=${B:-build/release}
here=$(cd "$(dirname "$0")/../.." && pwd)
case $B in /*) ;; *) B=$here/$B ;; esac
sanitizer=$(case ${MODE:-release} in asan) echo -fsanitize=address,undefined ;; tsan) echo -fsanitize=thread ;; esac)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
echo 1..4

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

# A daemon that refuses a value; the set and the walk are left by an exception, and the handle goes on.
cat > "$tmp/e.cpp" <<'END'
#include "peek.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
static int n_refused, n_visited;
static void failed(void *, const void *, size_t, int) { n_refused++; throw std::runtime_error("refused"); }
static int visit(void *, const struct peek_entry *) { n_visited++; throw std::runtime_error("visited"); }
int
main(int, char **argv)
{
	peek *p = nullptr;
	int n_caught = 0;
	std::string large(2000000, 'x');
	if (peek_open(argv[1], 0, &p) != 0 || peek_set(p, "k", 1, "v", 1, 0) != 0 || peek_set_timeout(p, 20000) != 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		try {
			peek_set_async(p, "large", 5, large.data(), large.size(), 0, failed, nullptr);
		} catch (const std::exception &e) {
			n_caught++;
		}
		try {
			peek_scan(p, visit, nullptr);
		} catch (const std::exception &e) {
			n_caught++;
		}
		char buf[8];
		if (peek_set_flush(p) != 0 || peek_get(p, "k", 1, buf, sizeof(buf)) != 1 || peek_set(p, "k", 1, "v", 1, 0) != 0)
			return 2;
	}
	peek_close(p);
	std::printf("%d %d %d\n", n_refused, n_visited, n_caught);
	return n_refused == 3 && n_visited == 3 && n_caught == 6 ? 0 : 3;
}
END
name=${PEEK_TEST_NAME:-t$$-}cpp$$
"${PEEKD:-$B/peekd}" -n "$name" -s "$tmp/sock" -m 8 2> "$tmp/log" &
daemon=$!
for i in $(seq 500); do grep -q serves "$tmp/log" && break; sleep 0.02; done
if ${CXX:-g++} -std=c++11 -Wall -Wextra -Wpedantic $sanitizer -I"$here/include" -o "$tmp/e" "$tmp/e.cpp" "$B/libpeek.a" -lpthread &&
    timeout 60 "$tmp/e" "$name" > "$tmp/out" 2>&1; then
	echo "ok 4 - an exception that leaves a callback leaves no lock behind"
else
	sed 's/^/# /' "$tmp/out" "$tmp/log"
	echo "not ok 4 - an exception that leaves a callback leaves no lock behind"
fi
kill $daemon
wait $daemon
rm -f "/dev/shm/peekd.$name"*
