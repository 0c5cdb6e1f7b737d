#!/bin/bash
# The manual pages name what there is: options, functions, and every counter that a daemon shows; and no counter that is none.
. tests/server.sh
server_start

named() { # WHAT PAGE NAME...: the page has each
	local what=$1 file=$2 word missing=
	shift 2
	for word in "$@"; do
		grep -qE -- "^\.(It|Op|Fl|Ic).* -?$word( |\$)" "$file" || missing+=" $word"
	done
	[ $# -gt 0 ] && [ -z "$missing" ]
	result $? "$what in $file${missing:+: missing$missing}"
}

stats=src/daemon/peekd-stats.7
named "what stats prints" $stats $("$PEEKCTL" -n "$name" stats | awk '{ print $1 }')
"$PEEKCTL" -n "$name" stats | awk '{ print $1 }' | sort >"$tmp/shown"
awk '/^\.Sh OTHER/ { exit } /^\.It Ic/ { print $3 }' $stats | sort >"$tmp/explained"
same "no counter is explained that is none" "" comm -13 "$tmp/shown" "$tmp/explained"
named "what stats snapshot prints" $stats $("$PEEKCTL" -n "$name" stats snapshot | awk '{ print $1 }')
named "what stats conns prints" $stats $("$PEEKCTL" -n "$name" stats conns | awk '{ sub(/.*:/, "", $1); print $1 }' | sort -u)

named "every verb" src/wire/peekd-protocol.7 $(sed -n 's/^VERB([^"]*"\([a-z_]*\)".*/\1/p' src/wire/verbs.def)

named "every rule that a case names" src/wire/peekd-protocol.7 $(sed -n 's/^test \([1-9][0-9]*\) .*/\1/p' tests/wire/*.cases | sort -nu)

named "the short options of settings" src/daemon/peekd.8 $(sed -n "s/^SETTING([A-Z]*, *[a-z_]*, *'\(.\)'.*/\1/p" src/daemon/conf/settings.def)
named "the other options" src/daemon/peekd.8 config check print-config print-manual verbose udp-port help version
named "peekctl's options" src/ctl/peekctl.1 $(sed -n 's/^OPTION([^"]*"\([a-z-]*\)".*/\1/p' src/ctl/options.def)
for f in $(sed -n 's/^\t\(peek_[a-z0-9_]*\);/\1/p' src/lib/libpeek.map); do
	grep -q "^\.Fn $f\b" src/lib/*.3
	result $? "$f has a manual"
done
# 15.42: a word behind an option's macro must not become an option itself.
if command -v mandoc >/dev/null; then
	for page in src/*/*.[13578]; do
		mandoc "$page" | col -b | grep -E -- '; -[a-z]{2,}' | sed "s|^|$page: |"
	done >"$tmp/options"
	[ ! -s "$tmp/options" ]
	result $? "no page shows an option that is none" "$tmp/options"
fi
for section in NAME DESCRIPTION FILES EXAMPLES 'SEE ALSO'; do
	grep -qx "\.Sh $section" src/daemon/peekd.conf.5
	result $? "peekd.conf(5) has $section"
done
plan
