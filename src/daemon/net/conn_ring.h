/*
 * conn_ring.h: the daemon's end of a client's ring (shm/ring.h): read and write
 * as a socket has them, and the client's waking.
 */
#ifndef PEEKD_CONN_RING_H
#define PEEKD_CONN_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conn_ring;

/*
 * A new ring, whose memory is allocated. *ret_fd: for the client; the caller
 * closes it. -ENOMEM: no memory, in the heap or for the ring; -EIO.
 */
int conn_ring_create(struct conn_ring **ret, int *ret_fd);

/* The client has hung up: what it had put can still be read, at most one ring
 * full; what is written is dropped. */
void conn_ring_hang_up(struct conn_ring *r);

/* After the connection was closed. Wakes the client, so that it sees that. */
void conn_ring_end(struct conn_ring *r);

/* As read(2) and write(2) of a socket that doesn't block. EBADMSG: the client
 * has broken the ring. */
ssize_t conn_ring_read(struct conn_ring *r, char *to, size_t n);
ssize_t conn_ring_write(struct conn_ring *r, const char *bytes, size_t n);

/* At the end of a turn: wakes the client if it sleeps until what has been read
 * or written. */
void conn_ring_wake(struct conn_ring *r);

/* True: conn_ring_read, or with to_write conn_ring_write, would do
 * something. */
bool conn_ring_is_ready(struct conn_ring *r, bool to_write);

/* True: nothing is ready, and the client writes a byte to the connection when
 * it makes something ready. */
bool conn_ring_sleep(struct conn_ring *r, bool to_write);

#endif
