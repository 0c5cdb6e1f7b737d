/*
 * redis.c: Redis on a Unix socket: GET and SET one by one, MGET, pipelined
 * SETs. No persistence.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define PIPELINE_MAX 64

static struct stream in;
static pid_t server;
static char *out;

static int
rd_open(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/redis.sock", peer_conf.dir);
	const char *argv[] = {"redis-server", "--port", "0", "--unixsocket", path, "--save", "",
	    "--appendonly", "no", "--dir", peer_conf.dir, "--daemonize", "no", "--logfile",
	    "/dev/null", NULL};
	server = server_start(argv, path, &in.fd);
	if (server < 0)
		return -ENOENT;
	out = malloc(PIPELINE_MAX * (peer_conf.key_bytes + peer_conf.value_bytes + 64));
	return out != NULL ? 0 : -ENOMEM;
}

static char *
put_word(char *p, const void *bytes, size_t n)
{
	p += sprintf(p, "$%zu\r\n", n);
	p = mempcpy(p, bytes, n);
	return mempcpy(p, "\r\n", 2);
}

/* One bulk reply. */
static ssize_t
take_value(void *value)
{
	size_t len;
	const char *line = stream_line(&in, &len);

	if (line == NULL || len < 2 || line[0] != '$')
		return -2;
	if (line[1] == '-')
		return -1;
	if (strtoul(line + 1, NULL, 10) != peer_conf.value_bytes)
		return -2;
	const char *data = stream_bytes(&in, peer_conf.value_bytes + 2);
	if (data == NULL)
		return -2;
	memcpy(value, data, peer_conf.value_bytes);
	return (ssize_t)peer_conf.value_bytes;
}

static ssize_t
rd_get(const void *key, void *value)
{
	char *p = mempcpy(out, "*2\r\n$3\r\nGET\r\n", 13);

	p = put_word(p, key, peer_conf.key_bytes);
	if (server_send(in.fd, out, (size_t)(p - out)) != 0)
		return -2;
	return take_value(value);
}

static size_t
rd_get_many(const void *keys, size_t n, void *values)
{
	const char *k = keys;
	char *v = values, *p = out;
	size_t len, hits = 0;

	p += sprintf(p, "*%zu\r\n$4\r\nMGET\r\n", n + 1);
	for (size_t i = 0; i < n; i++)
		p = put_word(p, k + i * peer_conf.key_bytes, peer_conf.key_bytes);
	if (server_send(in.fd, out, (size_t)(p - out)) != 0 || stream_line(&in, &len) == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		hits += take_value(v + i * peer_conf.value_bytes) >= 0;
	return hits;
}

static int
rd_set_many(const void *keys, size_t n, const void *values)
{
	const char *k = keys, *v = values;
	char *p = out;

	for (size_t i = 0; i < n; i++, k += peer_conf.key_bytes, v += peer_conf.value_bytes) {
		p = mempcpy(p, "*3\r\n$3\r\nSET\r\n", 13);
		p = put_word(p, k, peer_conf.key_bytes);
		p = put_word(p, v, peer_conf.value_bytes);
	}
	if (server_send(in.fd, out, (size_t)(p - out)) != 0)
		return -EIO;
	return stream_expect(&in, n, "+OK");
}

static int
rd_set(const void *key, const void *value)
{
	return rd_set_many(key, 1, value);
}

static void
rd_close(void)
{
	server_end(server);
}

struct peer peer_redis = {.name = "Redis",
    .about = "Unix socket; many: MGET, 64 SETs at once",
    .flags = PEER_SOCKET,
    .open = rd_open,
    .get = rd_get,
    .get_many = rd_get_many,
    .set = rd_set,
    .set_many = rd_set_many,
    .close = rd_close};
