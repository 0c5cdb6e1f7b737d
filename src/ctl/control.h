/*
 * control.h: a blocking connection to the control socket: requests out, replies
 * in, nothing longer than the timeout.
 */
#ifndef PEEKCTL_CONTROL_H
#define PEEKCTL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

struct control {
	int fd;
	unsigned timeout_ms; /* for each wait */
	struct wire_out out; /* requests that were not sent yet */
	char *in;
	size_t in_at, in_len, in_cap;
};

/* -EINVAL: the path is too long. -ETIMEDOUT: nobody accepts. -ENOENT,
 * -ECONNREFUSED, -EACCES ... as connect has them. */
int control_open(const char *path, unsigned timeout_ms, struct control **ret);
void control_close(struct control *c);

/* Sends what is in out, then n more bytes. -ETIMEDOUT, -EPIPE, -ENOMEM. */
int control_send(struct control *c, const void *more, size_t n);

/*
 * The next reply. What it points to is valid until the next call. -ETIMEDOUT;
 * -ECONNRESET: the daemon hung up; -EBADMSG: not in the protocol; -ENOMEM.
 */
int control_reply(struct control *c, struct wire_reply *ret);

/* A line (CR LF is added) and its first reply. */
int control_ask(struct control *c, struct wire_reply *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
