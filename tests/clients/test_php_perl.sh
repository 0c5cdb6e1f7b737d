#!/bin/bash
# php-memcached and Perl's Cache::Memcached::Fast.
. tests/server.sh
server_start

cat >"$tmp/client.php" <<'PHP'
<?php
function must($what, $line) { if (!$what) { fwrite(STDERR, "line $line\n"); exit(1); } }
$m = new Memcached();
$m->addServer($argv[1], (int)$argv[2]);
must($m->set("key", "value") && $m->get("key") === "value", __LINE__);
must($m->set("array", ["a" => [1, 2.5, null]]) && $m->get("array") === ["a" => [1, 2.5, null]], __LINE__);
must($m->set("n", 10) && $m->increment("n", 5) === 15 && $m->decrement("n", 20) === 0, __LINE__);
must($m->add("key", "other") === false && $m->getResultCode() === Memcached::RES_NOTSTORED, __LINE__);
must($m->replace("key", "new") && $m->get("key") === "new", __LINE__);
$m->setOption(Memcached::OPT_COMPRESSION, false);
must($m->set("text", "b") && $m->append("text", "c") && $m->prepend("text", "a") && $m->get("text") === "abc", __LINE__);
$many = [];
for ($i = 0; $i < 300; $i++) $many["m$i"] = str_repeat("x", $i);
must($m->setMulti($many) && $m->getMulti(array_keys($many)) == $many, __LINE__);
$got = $m->get("key", null, Memcached::GET_EXTENDED);
must($m->cas($got["cas"], "key", "mine") && !$m->cas($got["cas"], "key", "late"), __LINE__);
$big = random_bytes(900000);
must($m->set("big", $big) && $m->get("big") === $big, __LINE__);
must($m->touch("key", 60) && $m->delete("key") && $m->get("key") === false && $m->getResultCode() === Memcached::RES_NOTFOUND, __LINE__);
must(count($m->getStats()) === 1 && count($m->getVersion()) === 1, __LINE__);
must($m->set("soon", "x", 1), __LINE__);
foreach ([-1, 2147483648, 4294967295, 4000000000, 7000000000] as $exptime) {
	must($m->set("late", "flush_all", $exptime), $exptime);
	must($m->get("late") === ($exptime == -1 || $exptime == 4294967295 ? false : "flush_all"), $exptime);
	must($m->get("text") === "abc", __LINE__);
}
must($m->flush() && $m->get("text") === false, __LINE__);
PHP
cat >"$tmp/client.pl" <<'PERL'
use strict;
use warnings;
use Cache::Memcached::Fast;
sub must { my ($ok, $line) = @_; die "line $line\n" unless $ok }
my $m = Cache::Memcached::Fast->new({servers => [$ARGV[0]], io_timeout => 5, connect_timeout => 5, max_size => 2_000_000});
must($m->set("key", "value") && $m->get("key") eq "value", __LINE__);
must($m->set("hash", {a => [1, 2]}) && $m->get("hash")->{a}[1] == 2, __LINE__);
must($m->set("n", 10) && $m->incr("n", 5) == 15 && $m->decr("n", 20) == 0, __LINE__);
must(!$m->add("key", "other") && $m->replace("key", "new") && $m->get("key") eq "new", __LINE__);
must($m->append("key", "!") && $m->prepend("key", "?") && $m->get("key") eq "?new!", __LINE__);
my @r = $m->set_multi(map { ["m$_", "x" x $_] } 0 .. 299);
must(300 == grep({ $_ } @r), __LINE__);
my $all = $m->get_multi(map { "m$_" } 0 .. 310);
must(300 == keys(%$all) && $all->{m299} eq "x" x 299, __LINE__);
my $cas = $m->gets("key");
must($m->cas("key", $cas->[0], "mine") && !$m->cas("key", $cas->[0], "late"), __LINE__);
must($m->touch("key", 60) && $m->gat(60, "key") eq "mine", __LINE__);
$m->set("quiet$_", $_) for 0 .. 999;
$m->nowait_push;
must($m->get("quiet999") == 999, __LINE__);
my $big = join("", map { chr(int(rand(256))) } 1 .. 900_000);
must($m->set("big", $big) && $m->get("big") eq $big, __LINE__);
must($m->delete("key") && !defined($m->get("key")), __LINE__);
must(defined((values %{$m->server_versions})[0]), __LINE__);
must($m->flush_all && !defined($m->get("n")), __LINE__);
PERL
php -m 2>/dev/null | grep -qi '^memcached$' || skip_all "php-memcached is not installed"
ok "php-memcached on the Unix socket" php "$tmp/client.php" "$SOCK" 0
ok "php-memcached over TCP" php "$tmp/client.php" 127.0.0.1 "$PORT"
ok "Cache::Memcached::Fast on the Unix socket" perl "$tmp/client.pl" "$SOCK"
ok "Cache::Memcached::Fast over TCP" perl "$tmp/client.pl" "127.0.0.1:$PORT"
plan
