/*
 * receive.h: bytes of a Unix socket with the descriptor that comes with them
 * (SCM_RIGHTS).
 */
#ifndef PEEK_BASE_RECEIVE_H
#define PEEK_BASE_RECEIVE_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptor.h"

/*
 * Receives up to n bytes without waiting; the result and errno are recvmsg's.
 * *fd is -1 at first and becomes the first descriptor that comes, above the
 * standard streams and with close-on-exec; it is then the caller's. Any other
 * descriptor is closed, also one of a later call with the same *fd: a peer that
 * sends many can't fill this process's table.
 */
static inline ssize_t
receive_with_fd(int sock, void *to, size_t n, int *fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = {to, n};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t received = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (received < 0)
		return received;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd >= 0)
				close(got);
			else
				*fd = descriptor_above(got);
		}
	}
	return received;
}

#endif
