/*
 * peekd.c: peekd itself: a daemon with a private name, read through libpeek,
 * written over its socket; with huge pages as by default, and without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peek.h"
#include "peer.h"

static struct peek *handle;
static pid_t server;
static int n_failed;

static int
open_with(const char *huge)
{
	char path[256], name[64], megabytes[32];
	uint64_t item = 16 + peer_conf.key_bytes + peer_conf.value_bytes + 8;
	int fd, rc = -ENOENT;

	snprintf(path, sizeof(path), "%s/peekd-%ld.sock", peer_conf.dir, (long)getpid());
	snprintf(name, sizeof(name), "bench-peer-%ld", (long)getpid());
	snprintf(megabytes, sizeof(megabytes), "%llu",
	    (unsigned long long)((peer_conf.n_keys * item * 5 / 4 >> 20) + 64));
	const char *argv[] = {peer_conf.peekd, "--name", name, "--unix-socket", path,
	    "--memory-limit", megabytes, "--huge-pages", huge, "--unlink", "--log-level", "error",
	    NULL};
	server = server_start(argv, path, &fd);
	if (server < 0)
		return -ENOENT;
	close(fd);
	for (int tries = 0; rc != 0 && tries < 200; tries++) {
		rc = peek_open(name, 0, &handle);
		if (rc != 0)
			usleep(10000);
	}
	return rc;
}

static int
pd_open(void)
{
	return open_with("try");
}

static int
pd_open_small(void)
{
	return open_with("off");
}

static ssize_t
pd_get(const void *key, void *value)
{
	return peek_get(handle, key, peer_conf.key_bytes, value, peer_conf.value_bytes);
}

static size_t
pd_get_many(const void *keys, size_t n, void *values)
{
	struct peek_op ops[64];
	ssize_t hits;

	for (size_t i = 0; i < n; i++) {
		ops[i].key = (const char *)keys + i * peer_conf.key_bytes;
		ops[i].key_len = peer_conf.key_bytes;
		ops[i].buf = (char *)values + i * peer_conf.value_bytes;
		ops[i].buf_cap = peer_conf.value_bytes;
	}
	hits = peek_mget(handle, ops, n);
	return hits < 0 ? 0 : (size_t)hits;
}

static bool
pd_view(const void *key, uint64_t *ret_first, uint64_t *ret_last)
{
	struct peek_view v;

	if (peek_view(handle, key, peer_conf.key_bytes, &v) != 0 || v.len != peer_conf.value_bytes)
		return false;
	memcpy(ret_first, v.data, 8);
	memcpy(ret_last, (const char *)v.data + (v.len / 8 - 1) * 8, 8);
	return peek_view_valid(handle, &v) == 1;
}

static int
pd_set(const void *key, const void *value)
{
	return peek_set(handle, key, peer_conf.key_bytes, value, peer_conf.value_bytes, 0);
}

static void
peekd_failed(void *arg, const void *key, size_t key_len, int error)
{
	(void)arg;
	(void)key;
	(void)key_len;
	(void)error;
	n_failed++;
}

static int
pd_set_many(const void *keys, size_t n, const void *values)
{
	n_failed = 0;
	for (size_t i = 0; i < n; i++) {
		int rc = peek_set_async(handle, (const char *)keys + i * peer_conf.key_bytes,
		    peer_conf.key_bytes, (const char *)values + i * peer_conf.value_bytes,
		    peer_conf.value_bytes, 0, peekd_failed, NULL);
		if (rc != 0)
			return rc;
	}
	int rc = peek_set_flush(handle);
	return rc != 0 ? rc : n_failed != 0 ? -EIO : 0;
}

static void
pd_close(void)
{
	peek_close(handle);
	server_end(server);
}

/* Both are the same but for the pages that the daemon takes. */
#define PD_CALLS \
	.flags = PEER_SHARED | PEER_DAEMON, .get = pd_get, .get_many = pd_get_many, \
	.view = pd_view, .set = pd_set, .set_many = pd_set_many, .close = pd_close

struct peer peer_peekd = {.name = "peekd",
    .about = "libpeek and a daemon; many: peek_mget, 64 peek_set_async at once",
    .open = pd_open,
    PD_CALLS};
struct peer peer_peekd_small = {.name = "peekd, 4 KiB pages",
    .about = "the same with huge_pages=off",
    .open = pd_open_small,
    PD_CALLS};
