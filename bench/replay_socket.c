/*
 * replay_socket.c: the same trace against a memcached: get, and set after a
 * miss, over its Unix socket.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "payload.h"
#include "replay.h"
#include "timer.h"

#define KEY_BYTES 8

/* True: the reply in in[0, n) is complete: a line, and for a hit the value, of
 * value_len bytes, and END. */
static bool
replay_socket_complete(const char *in, size_t n, size_t value_len)
{
	const char *lf = memchr(in, '\n', n);

	if (lf == NULL)
		return false;
	return memcmp(in, "VALUE ", 6) != 0 || n >= (size_t)(lf + 1 - in) + value_len + 2 + 5;
}

static int
replay_socket_exchange(int fd, const char *out, size_t out_len, char *in, size_t in_cap,
    size_t value_len, size_t *ret_len)
{
	size_t sent = 0, len = 0;

	while (sent < out_len) {
		ssize_t n = send(fd, out + sent, out_len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		sent += (size_t)n;
	}
	while (!replay_socket_complete(in, len, value_len)) {
		if (len == in_cap)
			return -EMSGSIZE;
		ssize_t n = recv(fd, in + len, in_cap - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int
replay_socket_request(int fd, const struct trace *t, const struct trace_record *r, char *out,
    char *in, size_t cap, struct replay_result *res)
{
	uint32_t size = t->size_of[r->key], len = size > KEY_BYTES ? size - KEY_BYTES : 0;
	unsigned char key[KEY_BYTES];
	size_t n;

	payload_key(key, KEY_BYTES, r->key);
	int k = sprintf(out, "get %.*s\r\n", KEY_BYTES, (const char *)key);
	int rc = replay_socket_exchange(fd, out, (size_t)k, in, cap, len, &n);
	if (rc != 0)
		return rc;
	if (memcmp(in, "VALUE ", 6) == 0) {
		const char *body = (const char *)memchr(in, '\n', n) + 1;
		res->wrong += n != (size_t)(body - in) + len + 7 ||
		    !payload_ok((const unsigned char *)body, len, r->key);
		return 0;
	}
	res->misses++;
	k = sprintf(out, "set %.*s 0 %u %u\r\n", KEY_BYTES, (const char *)key, r->ttl_s, len);
	payload_value((unsigned char *)out + k, len, r->key, 0);
	memcpy(out + (size_t)k + len, "\r\n", 2);
	rc = replay_socket_exchange(fd, out, (size_t)k + len + 2, in, cap, 0, &n);
	if (rc == 0 && memcmp(in, "STORED", 6) != 0)
		res->too_large++;
	return rc;
}

/* The bytes of the server's slabs. They are more than a small -m, since every
 * class has a page. 0: it didn't tell. */
static uint64_t
slab_bytes(int fd, char *in, size_t cap)
{
	static const char want[] = "STAT total_malloced ";
	size_t len = 0;

	if (send(fd, "stats slabs\r\n", 13, MSG_NOSIGNAL) != 13)
		return 0;
	while (len < 5 || memcmp(in + len - 5, "END\r\n", 5) != 0) {
		ssize_t n = len + 1 < cap ? recv(fd, in + len, cap - 1 - len, 0) : 0;
		if (n <= 0)
			return 0;
		len += (size_t)n;
	}
	in[len] = '\0';
	const char *at = strstr(in, want);
	return at != NULL ? strtoull(at + sizeof(want) - 1, NULL, 10) : 0;
}

int
replay_socket(const struct trace *t, const char *path, struct replay_result *ret)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct replay_result res = {0};
	uint32_t largest = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	for (uint32_t k = 0; k < t->n_keys; k++)
		largest = t->size_of[k] > largest ? t->size_of[k] : largest;
	size_t cap = (size_t)largest + (256 << 10);
	char *out = malloc(cap), *in = malloc(cap);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = out == NULL || in == NULL                                       ? -ENOMEM
	    : fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ? -errno
										 : 0;
	uint64_t begin_ns = timer_clock_ns();

	for (uint64_t i = 0; i < t->n && rc == 0; i++)
		rc = replay_socket_request(fd, t, &t->rec[i], out, in, cap, &res);
	res.seconds = (double)(timer_clock_ns() - begin_ns) / 1e9;
	if (rc == 0)
		res.memory_bytes = slab_bytes(fd, in, cap);
	if (fd >= 0)
		close(fd);
	free(out);
	free(in);
	if (rc == 0)
		*ret = res;
	return rc;
}
