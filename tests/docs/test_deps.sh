#!/bin/bash
# .ci/deps, with a package manager that only plays: services of what it installs are neither started nor enabled, and nothing of this stays behind,
# however the installation ends.
. tests/server.sh
mkdir "$tmp/bin" "$tmp/sbin"
export PATH=$tmp/bin:$PATH POLICY_RC_D=$tmp/sbin/policy-rc.d PLAY=$tmp
unset MAKEFLAGS

fake() { # NAME: the script on standard input
	cat >"$tmp/bin/$1"
	chmod 755 "$tmp/bin/$1"
}
fake dpkg-query <<'S'
#!/bin/sh
case "$*" in
*db:Status*) sed 's/^/installed /' "$PLAY/installed" ;;
*) for p; do :; done; grep -qx "$p" "$PLAY/installed" && echo 'install ok installed' ;;
esac
S
fake dpkg <<'S'
#!/bin/sh
[ "$1" = -L ] && [ "$2" = memcached ] && printf '%s\n' /etc/init.d/memcached /lib/systemd/system/memcached.service /lib/systemd/system/memcached@.service
[ "$1" = -L ] && [ "$2" = depends ] && printf '%s\n' /usr/lib/systemd/system/depends.socket
[ "$1" = -L ] && [ "$2" = older ] && printf '%s\n' /usr/lib/systemd/system/older.service
:
S
fake apt-get <<'S'
#!/bin/sh
"$POLICY_RC_D" memcached.service start
echo "$?" >"$PLAY/policy"
[ ! -e "$PLAY/hang" ] || { touch "$PLAY/hangs"; sleep 30; }
[ ! -e "$PLAY/fail" ] || exit 100
printf '%s\n' memcached depends >>"$PLAY/installed"
S
fake systemctl <<'S'
#!/bin/sh
echo "$*" >>"$PLAY/systemctl"
S
fake sudo <<'S'
#!/bin/sh
[ ! -e "$PLAY/no-sudo" ] || exit 1
[ "$1" = -n ] && shift
exec "$@"
S
fake npm </dev/null

begin() { # FLAG...
	rm -f "$tmp"/{policy,systemctl,hang,hangs,fail,no-sudo} "$POLICY_RC_D"
	for p in $(.ci/deps list build test) older; do [ "$p" = memcached ] || echo "$p"; done >"$tmp/installed"
	for f in "$@"; do touch "$tmp/$f"; done
}
gone() { [ ! -e "$POLICY_RC_D" ]; result $? "$1"; }

begin
ok "what is missing is installed" .ci/deps install build test
same "meanwhile no service may start" 101 cat "$tmp/policy"
gone "afterwards they may as before"
same "the services of new packages are disabled, dependencies' too, older ones' not" \
    "disable depends.socket
disable memcached.service" sort "$tmp/systemctl"
rm "$tmp/systemctl"
ok "nothing is missing: nothing is done" .ci/deps install build test
[ ! -e "$tmp/systemctl" ]
result $? "and nothing is disabled"

begin fail
.ci/deps install build test >"$tmp/out" 2>&1
[ $? = 1 ] && grep -q 'could not install: memcached' "$tmp/out"
result $? "an installation that fails is an error" "$tmp/out"
gone "and leaves nothing"

begin hang
setsid .ci/deps install build test >"$tmp/out" 2>&1 &
child=$!
for _ in $(seq 200); do [ -e "$tmp/hangs" ] && break; sleep 0.05; done
[ -e "$POLICY_RC_D" ]
result $? "while it runs it stands there"
kill -TERM -- "-$child"
wait "$child"
gone "ended from outside it leaves nothing"

begin
printf '#!/bin/sh\nexit 104\n' >"$POLICY_RC_D"
chmod 755 "$POLICY_RC_D"
ok "with the administrator's own policy" .ci/deps install build test
same "this one is asked" 104 cat "$tmp/policy"
grep -q 'exit 104' "$POLICY_RC_D"
result $? "and stays"

begin
printf '#!/bin/sh\n# made by peekd while it installs packages\nexit 101\n' >"$POLICY_RC_D"
ok "one that an installation left, killed by force" .ci/deps install build test
same "serves once more" 101 cat "$tmp/policy"
gone "and goes"

# A folder in which another user has built (sudo make) is said before the compiler stumbles over it.
mkdir -p "$tmp/built/release"
chmod 755 "$tmp" && cp .ci/deps "$tmp/deps"
ok "a build of one's own" "$tmp/deps" writable "$tmp/built" "$tmp/not-there"
chmod 555 "$tmp/built/release"
other=
[ "$(id -u)" = 0 ] && other="setpriv --reuid=65534 --regid=65534 --clear-groups"
# shellcheck disable=SC2086 # words
$other "$tmp/deps" writable "$tmp/built" >"$tmp/out" 2>&1
[ $? = 1 ] && grep -q "built.* belongs to" "$tmp/out" && grep -q 'rm -rf' "$tmp/out"
result $? "another user's build is an error that says what to do" "$tmp/out"

# The test that fetches clients from a registry: one that never answers is a skip, not a hang.
printf '#!/bin/sh\nexec sleep 60\n' >"$tmp/bin/npm"
printf '#!/bin/sh\n' >"$tmp/bin/node"
chmod 755 "$tmp/bin/npm" "$tmp/bin/node"
B=$tmp/b NPM_SECONDS=1 TMPDIR=$tmp timeout 20 bash tests/clients/test_node.sh >"$tmp/out" 2>&1
[ $? = 0 ] && grep -q '^1\.\.0 # SKIP' "$tmp/out"
result $? "a registry that doesn't answer is a skip" "$tmp/out"

if [ "$(id -u)" != 0 ]; then
	begin no-sudo
	.ci/deps install build test >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -q 'apt-get install memcached' "$tmp/out" && [ ! -e "$tmp/policy" ]
	result $? "who may not install is told the line" "$tmp/out"
fi
plan
