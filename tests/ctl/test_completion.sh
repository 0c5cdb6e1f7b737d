#!/bin/bash
# 15.42: what bash offers behind peekctl: commands, options, instances, files, keys.
. tests/server.sh
PEEKCTL=${PEEKCTL:-$B/peekctl}
[ "${PEEK_TEST_SERVER:-peekd}" = peekd ] || skip_all "memcached has no segment"
server_start -m 16
mkdir "$tmp/bin" "$tmp/files" "$tmp/files/folder"
touch "$tmp/files/snap one" "$tmp/files/snap2" "$tmp/files/other"
ln -s "$PEEKCTL" "$tmp/bin/peekctl"
"$PEEKCTL" -n "$name" set 'k 1' v
"$PEEKCTL" -n "$name" set 'k"2' v
"$PEEKCTL" -n "$name" set -x 'k\x003' v

offers() { # NAME EXPECTED WORD...: what is offered for the last word, sorted, a line each
	local what=$1 want=$2
	shift 2
	(
		PATH=$tmp/bin:$PATH
		. src/ctl/completion.bash
		cd "$tmp/files" || exit 1
		complete -p peekctl | grep -q -- '-F _peekctl ' || exit 1
		COMP_WORDS=(peekctl "$@") COMP_CWORD=$#
		_peekctl
		printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort >"$tmp/offered"
	) 2>"$tmp/err"
	[ "$(cat "$tmp/offered")" = "$(printf '%b\n' "$want" | LC_ALL=C sort)" ] && [ ! -s "$tmp/err" ]
	result $? "$what" "$tmp/offered"
}
offers "commands" 'save\nset\nshutdown\nsize\nstats\nstatus' s
offers "files behind save" 'snap one\nsnap2' save snap
offers "files behind load" 'snap one\nsnap2' load snap
offers "behind options" 'snap one\nsnap2' -n "$name" load --partial snap
offers "a folder" 'folder' save fol
offers "files behind -f" 'other' size -f oth
offers "files behind --output" 'other' get --output oth
offers "an option with a dash inside" '--dry-run' delete --dry
offers "options of a command" '--escape' keys --esc
offers "words of stats" 'settings\nsizes\nslabs\nsnapshot' stats s
offers "modes" 'add\nappend' set --mode a
offers "instances" "$name" -n "$name"
offers "keys, as the shell takes them" 'k\\ 1\nk\\"2' -n "$name" get k
offers "keys of any byte with -x" 'k\\ 1\nk\\"2\nk\\\\x003' -n "$name" get -x k
offers "keys behind --prefix" 'k\\ 1\nk\\"2' -n "$name" delete --prefix k
offers "nothing behind ping" '' ping s
plan
