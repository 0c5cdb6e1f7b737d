#!/bin/bash
# make install: what arrives where, what the library shows, and a program built against it from the outside.
. tests/server.sh
root=$tmp/root
lib=/usr/lib/somewhere
mkdir -p "$B" && echo 'of an earlier install by root' >"$B/libpeek.pc" && chmod 444 "$B/libpeek.pc"
ok "make install" make -s B="$B" MODE="${MODE:-release}" install DESTDIR="$root" prefix=/usr libdir=$lib
for f in /usr/bin/peekd /usr/bin/peekctl /usr/include/peek.h $lib/libpeek.a $lib/libpeek.so $lib/pkgconfig/libpeek.pc \
    /usr/share/man/man1/peekctl.1 /usr/share/man/man8/peekd.8 /usr/share/man/man5/peekd.conf.5 \
    /usr/share/man/man7/peekd-memcached.7 /usr/share/man/man1/peekbench.1 /etc/peekd/peekd.conf \
    /usr/lib/systemd/system/peekd.service /usr/lib/systemd/system/peekd@.service /usr/lib/sysusers.d/peekd.conf \
    /usr/lib/tmpfiles.d/peekd.conf /usr/share/bash-completion/completions/peekctl; do
	[ -s "$root$f" ]
	result $? "$f"
done
echo 'memory_limit = 7m' >"$root/etc/peekd/peekd.conf"
ok "make install once more" make -s B="$B" MODE="${MODE:-release}" install DESTDIR="$root" prefix=/usr libdir=$lib
same "the administrator's configuration stays" 'memory_limit = 7m' cat "$root/etc/peekd/peekd.conf"
cmp -s conf/peekd.conf "$root/etc/peekd/peekd.conf.new"
result $? "the release's lies beside it"
same "the name in sbin leads to it" /usr/bin/peekd readlink "$root/usr/sbin/peekd"
make -n B="$B" MODE="${MODE:-release}" install >"$tmp/plan" 2>&1
make -n B="$B" MODE="${MODE:-release}" install DESTDIR="$root" >"$tmp/plan-dest" 2>&1
grep -q ldconfig "$tmp/plan" && ! grep -q ldconfig "$tmp/plan-dest"
result $? "an install into the running system tells the loader, one below DESTDIR doesn't" "$tmp/plan"
make CC=no-such-compiler help >"$tmp/out" 2>&1
[ $? = 0 ] && ! grep -q 'no-such-compiler' "$tmp/out"
result $? "make says nothing of a compiler that it doesn't need" "$tmp/out"
version=$(sed -n 's/^#define PEEK_VERSION_[A-Z]* *//p' include/peek.h | paste -sd.)
same "the library's name carries its version" "libpeek.so.$version" basename "$(readlink -f "$root$lib/libpeek.so")"
readelf -d "$root$lib/libpeek.so" | grep -q "soname: \[libpeek.so.${version%%.*}\]"
result $? "its soname carries the major version"
same "it shows what peek.h declares, and nothing else" \
    "$(grep -o '\bpeek_[a-z0-9_]*(' include/peek.h | tr -d '(' | grep -v -e '_fn$' | sort -u | grep -xF "$(
	nm -D --defined-only "$root$lib/libpeek.so" | sed -n 's/.* T \(.*\)@@.*/\1/p' | sort)")" \
    sh -c "nm -D --defined-only '$root$lib/libpeek.so' | sed -n 's/.* [TDBR] \([^@]*\).*/\1/p' | sort"
if [ "${MODE:-release}" = release ]; then
	readelf -d "$root$lib/libpeek.so" | grep NEEDED | grep -vq 'libc\.so\.6'
	[ $? = 1 ]
	result $? "it needs libc alone"
fi
nm --defined-only "$root$lib/libpeek.a" 2>/dev/null | sed -n 's/.* [TDBRC] //p' | grep -v '^peek_' >"$tmp/other"
[ ! -s "$tmp/other" ]
result $? "nor does the archive show other names" "$tmp/other"
grep -q "^ExecStart=/usr/bin/peekd" "$root/usr/lib/systemd/system/peekd.service"
result $? "the unit starts what was installed"

if [ "${MODE:-release}" = release ]; then
	flags=$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root$lib/pkgconfig pkg-config --cflags --libs libpeek)
	ok "a program builds with pkg-config's flags" gcc -o "$tmp/example" tests/docs/example.c $flags
	PEEKD=$root/usr/bin/peekd
	server_start
	same "it runs against the daemon that was installed" hello env LD_LIBRARY_PATH="$root$lib" "$tmp/example" "$name"
	ok "so does peekctl" "$root/usr/bin/peekctl" -n "$name" get greeting
fi
(. "$root/usr/share/bash-completion/completions/peekctl"; PATH=$root/usr/bin:$PATH
COMP_WORDS=(peekctl sta) COMP_CWORD=1
_peekctl
[ "${COMPREPLY[*]}" = "stats status" ])
result $? "completion knows the commands"
plan
