/* conn_fd.c: see conn_fd.h. */
#include "daemon/net/conn_fd.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
conn_fd_drop(struct conn *c)
{
	if (c->passed_fd >= 0)
		close(c->passed_fd);
	c->passed_fd = -1;
}

ssize_t
conn_fd_read(struct conn *c, char *to, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {to, n};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	if (!c->is_unix || c->level < WIRE_ACCESS_ADMIN)
		return read(c->fd, to, n);
	got = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	if (got < 0)
		return got;
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m != NULL; m = CMSG_NXTHDR(&msg, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		/* alignment leaves room for a second descriptor: the last one
		 * counts */
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= m->cmsg_len; at += sizeof(int)) {
			conn_fd_drop(c);
			memcpy(&c->passed_fd, CMSG_DATA(m) + at, sizeof(int));
		}
	}
	return got;
}
