/*
 * control.c: see control.h.
 */
#include "ctl/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"

#define OUT_FIRST_BYTES 4096
#define IN_AHEAD_BYTES  65536 /* free room when it reads on */

static int
control_grow(struct wire_out *out, size_t cap_min)
{
	return buffer_grow(&out->buf, &out->cap, cap_min, OUT_FIRST_BYTES);
}

int
control_open(const char *path, unsigned timeout_ms, struct control **ret)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(sun.sun_path))
		return -EINVAL;
	memcpy(sun.sun_path, path, len);

	struct control *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A daemon that hangs may have a full queue. connect waits this long
	 * for room in it. */
	const struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	if (c->fd >= 0)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int error = errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return error;
	}
	c->timeout_ms = timeout_ms;
	c->out.grow = control_grow;
	*ret = c;
	return 0;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	free(c->out.buf);
	free(c->in);
	free(c);
}

static int
wait_for(const struct control *c, short events)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	int n;

	do {
		n = poll(&p, 1, (int)c->timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int
send_all(struct control *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0) {
			bytes += sent;
			n -= (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		int error = wait_for(c, POLLOUT);
		if (error != 0)
			return error;
	}
	return 0;
}

int
control_send(struct control *c, const void *more, size_t n)
{
	if (c->out.failed)
		return -ENOMEM;
	int error = send_all(c, c->out.buf, c->out.len);
	c->out.len = 0;
	return error != 0 ? error : send_all(c, more, n);
}

int
control_reply(struct control *c, struct wire_reply *ret)
{
	for (;;) {
		uint64_t need = 0;
		int got = c->in_len > c->in_at
		    ? wire_parse_reply(c->in + c->in_at, c->in_len - c->in_at, ret, &need)
		    : 0;
		if (got < 0)
			return got;
		if (got > 0) {
			c->in_at += ret->total_bytes;
			return 0;
		}
		if (c->in_at > 0)
			memmove(c->in, c->in + c->in_at, c->in_len - c->in_at);
		c->in_len -= c->in_at;
		c->in_at = 0;
		size_t want = c->in_len + IN_AHEAD_BYTES;
		int error = buffer_grow(
		    &c->in, &c->in_cap, want > need ? want : (size_t)need, IN_AHEAD_BYTES);
		if (error == 0)
			error = wait_for(c, POLLIN);
		if (error != 0)
			return error;
		ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			c->in_len += (size_t)n;
	}
}

int
control_ask(struct control *c, struct wire_reply *ret, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 2)
		return -EINVAL;
	memcpy(line + n, "\r\n", 2);
	int error = control_send(c, line, (size_t)n + 2);
	if (error != 0 && error != -EPIPE)
		return error;
	int answered = control_reply(c, ret); /* a daemon that hung up may have told why before */
	return answered != 0 && error != 0 ? error : answered;
}
