/*
 * ring_client.h: the client's end of a ring (shm/ring.h), which a connection to
 * the daemon may have. The caller holds the lock of the connection.
 */
#ifndef PEEK_LIB_RING_CLIENT_H
#define PEEK_LIB_RING_CLIENT_H

#include "base/pause.h"
#include "shm/ring.h"

struct ring_client {
	void *mem; /* NULL: there is no ring */
	struct ring_end end;
	uint64_t n_put_before; /* the request that is under way */
	uint32_t spin_us;      /* for so long a wait looks without sleeping */
	struct pause pause;
};

/*
 * Asks the daemon for a ring on the connection `sock`, where no reply is due.
 * 0: c has a ring, or the daemon gives none. Errors are as in sock.h; after one
 * the connection can't be used any more.
 */
int ring_client_ask(struct ring_client *c, int sock, int64_t deadline_ms);

/* Unmaps the ring if there is one. */
void ring_client_drop(struct ring_client *c);

/* As send and recv with MSG_DONTWAIT, but: 0 for no room, and for no bytes;
 * -EBADMSG; -ECONNRESET: the daemon has hung up. */
ssize_t ring_client_put(struct ring_client *c, int sock, const char *bytes, size_t n);
ssize_t ring_client_take(struct ring_client *c, int sock, char *to, size_t n);

/*
 * Shows the daemon the bytes that were put since the last time, and wakes it if
 * it sleeps. False: it has hung up. The bytes may have been taken before.
 */
bool ring_client_publish(struct ring_client *c, int sock);

/*
 * Waits until there is something to take (with to_take) or room (with to_put).
 * 0; -ETIMEDOUT; -ECONNRESET: the daemon has hung up, and there is nothing to
 * take.
 */
int ring_client_wait(
    struct ring_client *c, int sock, bool to_put, bool to_take, int64_t deadline_ms);

#endif
