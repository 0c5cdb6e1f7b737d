/*
 * memcached.c: memcached on a Unix socket: single gets and sets, multi-key
 * gets, pipelined sets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define PIPELINE_MAX 64

static struct stream in;
static pid_t server;
static char *out;

static int
mc_open(void)
{
	char path[256], megabytes[32];
	uint64_t item = peer_conf.key_bytes + peer_conf.value_bytes + 100;

	snprintf(path, sizeof(path), "%s/memcached.sock", peer_conf.dir);
	snprintf(megabytes, sizeof(megabytes), "%llu",
	    (unsigned long long)((peer_conf.n_keys * item * 3 / 2 >> 20) + 64));
	const char *argv[] = {"memcached", "-s", path, "-m", megabytes, "-t", "2",
	    geteuid() == 0 ? "-u" : NULL, "root", NULL};
	server = server_start(argv, path, &in.fd);
	if (server < 0)
		return -ENOENT;
	out = malloc(PIPELINE_MAX * (peer_conf.key_bytes + peer_conf.value_bytes + 64));
	return out != NULL ? 0 : -ENOMEM;
}

static size_t
mc_get_many(const void *keys, size_t n, void *values)
{
	const char *k = keys;
	char *v = values, *p = out;
	size_t len, hits = 0;

	p = mempcpy(p, "get", 3);
	for (size_t i = 0; i < n; i++) {
		*p++ = ' ';
		p = mempcpy(p, k + i * peer_conf.key_bytes, peer_conf.key_bytes);
	}
	p = mempcpy(p, "\r\n", 2);
	if (server_send(in.fd, out, (size_t)(p - out)) != 0)
		return 0;
	for (size_t i = 0;; i++) { /* replies come in the order of the keys; a miss leaves none */
		const char *line = stream_line(&in, &len);
		if (line == NULL || len < 6 || memcmp(line, "VALUE ", 6) != 0)
			return hits;
		while (memcmp(line + 6, k + i * peer_conf.key_bytes, peer_conf.key_bytes) != 0)
			if (++i == n)
				return hits;
		const char *data = stream_bytes(&in, peer_conf.value_bytes + 2);
		if (data == NULL || i == n)
			return hits;
		memcpy(v + i * peer_conf.value_bytes, data, peer_conf.value_bytes);
		hits++;
	}
}

static ssize_t
mc_get(const void *key, void *value)
{
	return mc_get_many(key, 1, value) == 1 ? (ssize_t)peer_conf.value_bytes : -1;
}

static int
mc_set_many(const void *keys, size_t n, const void *values)
{
	const char *k = keys, *v = values;
	char *p = out;

	for (size_t i = 0; i < n; i++, k += peer_conf.key_bytes, v += peer_conf.value_bytes) {
		p = mempcpy(p, "set ", 4);
		p = mempcpy(p, k, peer_conf.key_bytes);
		p += sprintf(p, " 0 0 %u\r\n", peer_conf.value_bytes);
		p = mempcpy(p, v, peer_conf.value_bytes);
		p = mempcpy(p, "\r\n", 2);
	}
	if (server_send(in.fd, out, (size_t)(p - out)) != 0)
		return -EIO;
	return stream_expect(&in, n, "STORED");
}

static int
mc_set(const void *key, const void *value)
{
	return mc_set_many(key, 1, value);
}

static void
mc_close(void)
{
	server_end(server);
}

struct peer peer_memcached = {.name = "memcached",
    .about = "Unix socket; many: one multi-key get, 64 sets at once",
    .flags = PEER_SOCKET,
    .open = mc_open,
    .get = mc_get,
    .get_many = mc_get_many,
    .set = mc_set,
    .set_many = mc_set_many,
    .close = mc_close};
