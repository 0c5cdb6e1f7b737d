/*
 * control.h: a blocking connection to the control socket. Requests go out and
 * replies come in; no wait is longer than the timeout.
 */
#ifndef PEEKCTL_CONTROL_H
#define PEEKCTL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

struct control {
	int fd;
	unsigned timeout_ms; /* for each wait */
	struct wire_out out; /* requests that are not sent yet */
	char *in;
	size_t in_at, in_len, in_cap;
};

/* -EINVAL: the path is too long. -ETIMEDOUT: nobody accepts. -ENOENT,
 * -ECONNREFUSED, -EACCES and others come from connect(2). */
int control_open(const char *path, unsigned timeout_ms, struct control **ret);
void control_close(struct control *c);

/* Sends the requests in out, then n more bytes. -ETIMEDOUT, -EPIPE, -ENOMEM. */
int control_send(struct control *c, const void *more, size_t n);

/*
 * The next reply. Its pointers are valid until the next call. -ETIMEDOUT;
 * -ECONNRESET: the daemon hung up; -EBADMSG: it answered something that is not
 * in the protocol; -ENOMEM.
 */
int control_reply(struct control *c, struct wire_reply *ret);

/* Sends a line, to which CR LF is added, and takes its first reply. */
int control_ask(struct control *c, struct wire_reply *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
