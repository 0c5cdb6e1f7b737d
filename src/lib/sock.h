/*
 * sock.h: connections to the control socket. They send bytes and take replies,
 * each within a deadline. The caller holds the lock of the connection.
 *
 * A deadline is a time of sock_now_ms(). Errors: -ECONNREFUSED (nobody
 * listens), -EACCES, -ETIMEDOUT, -EBADMSG (not the protocol), -EIO, -ECONNRESET
 * (the daemon hung up; the application never sees it), -EPIPE (the daemon hung
 * up and took nothing of the last request; likewise). After any of them the
 * connection is closed.
 *
 * A connection that goes on being used gets a ring in shared memory, if the
 * daemon gives one (ring_client.h). Then bytes go that way, and everything else
 * is as it was.
 */
#ifndef PEEK_LIB_SOCK_H
#define PEEK_LIB_SOCK_H

#include <sys/uio.h>

#include "lib/handle.h"

int64_t sock_now_ms(void);

/* The deadline of a call that begins now: peek_set_timeout. */
int64_t sock_deadline_ms(const struct peek *p);

/* The path of the control socket that this handle uses: PEEK_SOCKET, else the
 * one that the segment names. buf holds 128 bytes. */
void sock_socket_path(struct peek *p, char *buf);

static inline bool
sock_is_open(const struct peek *p, enum sock_of which)
{
	return p->own.conn[which].fd_plus_1 != 0;
}

/* Closes the connection if the daemon has closed its end. Call it when no reply
 * is due. */
void sock_drop_if_stale(struct peek *p, enum sock_of which);

/* Connects, unless it is connected. Call it when no reply is due. */
int sock_open(struct peek *p, enum sock_of which, int64_t deadline_ms);
void sock_close(struct peek *p, enum sock_of which);

/*
 * Sends everything; iov is used up. Reads replies meanwhile, so that neither
 * side waits for the other with full buffers. On failure the daemon has not had
 * the whole request, and carries out nothing of it.
 */
int sock_send(
    struct peek *p, enum sock_of which, struct iovec *iov, int n_iov, int64_t deadline_ms);

/* Sends as many of the n bytes as the socket takes now. The number of bytes; 0:
 * none. */
ssize_t sock_send_some(struct peek *p, enum sock_of which, const char *bytes, size_t n);

/*
 * Takes the next reply; 0. Its pointers are valid until the next call. A reply
 * that is larger than the connection's buffer lies in *ret_heap, which the
 * caller frees; without ret_heap it is -EBADMSG.
 */
int sock_reply(struct peek *p, enum sock_of which, int64_t deadline_ms, struct wire_reply *ret,
    char **ret_heap);

/* Waits until something was read or, with to_send, until bytes can be sent. 0,
 * or an error as above. */
int sock_wait(struct peek *p, enum sock_of which, bool to_send, int64_t deadline_ms);

/* Takes a reply that has arrived already: 1; 0: there is none. */
int sock_reply_ready(struct peek *p, enum sock_of which, struct wire_reply *ret);

#endif
