/*
 * conn.h: a blocking connection to the control socket: requests out, replies in, nothing longer than the timeout.
 */
#ifndef PEEKCTL_CONN_H
#define PEEKCTL_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

struct conn {
	int fd;
	unsigned timeout_ms; /* for each wait */
	struct wire_out out; /* requests that were not sent yet */
	char *in;
	size_t in_at, in_len, in_cap;
};

/* -EINVAL: the path is too long. -ETIMEDOUT: nobody accepts. -ENOENT, -ECONNREFUSED, -EACCES ... as connect has them. */
int conn_open(const char *path, unsigned timeout_ms, struct conn **ret);
void conn_close(struct conn *c);

/* Sends what is in out, then n more bytes. -ETIMEDOUT, -EPIPE, -ENOMEM. */
int conn_send(struct conn *c, const void *more, size_t n);

/*
 * The next reply. What it points to is valid until the next call. -ETIMEDOUT; -ECONNRESET: the daemon hung up; -EBADMSG: not in the
 * protocol; -ENOMEM.
 */
int conn_reply(struct conn *c, struct wire_reply *ret);

/* A line (CR LF is added) and its first reply. */
int conn_ask(struct conn *c, struct wire_reply *ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
