# boot_lib.sh: a Debian root at $root, booted with systemd-nspawn, and what is tried in it. Sourced by boot_trial and by tests/docs/newcomer; $tmp is
# the caller's directory for what commands say.

n_bad=0 machine= init=

finish() {
	if [ -n "$machine" ]; then
		in_root systemctl poweroff >/dev/null 2>&1
		for _ in $(seq 100); do kill -0 "$machine" 2>/dev/null || break; sleep 0.1; done
		[ -n "$init" ] && kill -KILL "$init" 2>/dev/null
		wait "$machine" 2>/dev/null
	fi
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM

in_root() { nsenter -t "$init" -a env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
sh_in() { in_root sh -c "$1"; }
as() { # USER COMMAND: with the groups that the user has now
	in_root runuser -u "$1" -- sh -c "$2"
}
check() { # NAME COMMAND...
	local what=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok   $what"
	else
		echo "FAIL $what"
		sed 's/^/     /' "$tmp/out" | tail -n 30
		n_bad=$((n_bad + 1))
	fi
}
refuses() { ! "$@"; }

boot() {
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q -D "$root" -b --register=no --keep-unit --console=read-only \
	    --setenv=LC_ALL=C </dev/null >"$tmp/console" 2>&1 &
	machine=$!
	for _ in $(seq 300); do
		init=$(pgrep -P "$machine" -x systemd | head -n 1)
		[ -n "$init" ] && in_root systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && return 0
		kill -0 "$machine" 2>/dev/null || break
		sleep 0.2
	done
	tail -n 20 "$tmp/console" >&2
	echo "${0##*/}: systemd doesn't boot here" >&2
	exit 77
}
