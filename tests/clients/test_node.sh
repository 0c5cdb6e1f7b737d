#!/bin/bash
# npm's memcached and memcache-client, over loopback TCP. A registry that doesn't answer in time is a skip.
. tests/server.sh
command -v node >/dev/null && command -v npm >/dev/null || skip_all "node or npm is not installed"
modules=$B/node
if ! [ -f "$modules/.installed" ] || [ tests/clients/npm/package.json -nt "$modules/.installed" ]; then
	mkdir -p "$modules"
	cp tests/clients/npm/package.json "$modules/"
	(cd "$modules" && timeout -k 5 "${NPM_SECONDS:-60}" npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error --fetch-retries=1 \
	    --fetch-timeout=20000) >"$tmp/npm" 2>&1 &&
	    touch "$modules/.installed" || { sed 's/^/# /' "$tmp/npm"; skip_all "npm could not install the clients"; }
fi
server_start
for client in memcached memcache-client; do
	ok "npm $client" env NODE_PATH="$modules/node_modules" node "tests/clients/npm/$client.js" "127.0.0.1:$PORT"
done
plan
