/*
 * server_private.h: what the files of the server share: server_peer.c (turns),
 * server_accept.c, server_share.c, server_report.c, server.c (the loop and its
 * life).
 */
#ifndef PEEKD_SERVER_PRIVATE_H
#define PEEKD_SERVER_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/pause.h"
#include "daemon/net/conn.h"
#include "daemon/net/server.h"

#define TICK_MS 100

struct share; /* server_share.c: a user of connections */

struct peer {
	struct conn conn;
	struct server *server;
	struct share *owner;
	size_t kept_bytes; /* the bytes of it that the sums hold */
	uint64_t queued_round;
	struct event readable, writable;
	enum conn_want want;
	bool waits_turn;     /* it is in the queue `again` */
	bool is_busy;        /* its ring is in the list `busy` */
	int64_t busy_us;     /* when its ring last had something to do */
	uint64_t busy_round; /* in which its ring was looked at */
	TAILQ_ENTRY(peer) all, again, busy;
};

TAILQ_HEAD(peer_queue, peer);
TAILQ_HEAD(owner_list, share);

struct server {
	struct server_args a;
	struct conn_shared shared;
	struct event_base *base;
	struct event listening[LISTENERS_MAX];
	struct event tick, turns, rings, resume, on_term, on_int, on_hup;
	struct peer_queue peers, again;
	struct peer_queue busy; /* rings that are looked at between events */
	uint64_t ring_round;
	int64_t ring_spin_us;
	bool ring_waits;      /* no ring had anything to do ... */
	int64_t ring_idle_us; /* ... since then */
	struct pause ring_pause;
	uint64_t round; /* counts the rounds of turns for those in `again` */
	struct owner_list owners;
	uint64_t kept_bytes; /* for all connections */
	bool closes_for_memory;
	uint64_t clock_word; /* as the store was told last */
	uint64_t tick_due_us;
	uint64_t watchdog_us, watchdog_fed_us;
	uint64_t ticks;
	unsigned verbosity; /* as the log was told last */
	bool accepting;
	bool tcp_admin;  /* the warning was logged */
	bool out_of_fds; /* the warning was logged */
	bool retry_accept;
	struct event huge;  /* while there are pages to be made large */
	struct event slice; /* while a snapshot is being saved or loaded */
	bool slicing;
	struct server_metrics *metrics; /* NULL: the setting `metrics` is empty */
};

/* server.c: microseconds of the monotonic clock */
uint64_t server_now_us(void);

/*
 * server_share.c
 *
 * begin: counts a connection whose level is known. False: the connection isn't
 * allowed, and line says why, without CR LF. count: after a turn of p. victim:
 * the connection to close now, since more than conn_memory is kept; it has been
 * told. NULL: none.
 */
#define SERVER_LINE_BYTES 160
bool server_share_begin(struct server *s, struct peer *p, char line[static SERVER_LINE_BYTES]);
void server_share_end(struct server *s, struct peer *p);
void server_share_count(struct server *s, struct peer *p);
struct peer *server_share_victim(struct server *s);

/* server_peer.c: calls server_share.c */

/* Tells commands and the store the time, before every batch of requests. Costs
 * two reads of the vDSO. */
void server_tell_time(struct server *s);
void server_turn_of(evutil_socket_t fd, short what, void *peer);
void server_on_turns(evutil_socket_t fd, short what, void *server);

/* One turn. Then the connection waits for events, for its turn or for its
 * ring. */
void server_peer_turn(struct server *s, struct peer *p);

/* Ends a connection, which must not be in the midst of its turn. */
void server_free_peer(struct server *s, struct peer *p);

/* server_ring.c: calls server_peer.c */
int64_t server_ring_spin_us(const struct conf *conf);
void server_on_rings(evutil_socket_t fd, short what, void *server);

/* server_accept.c: calls server_peer.c, server_share.c */
enum wire_access server_tcp_level(const struct server *s);
void server_accept(struct server *s, bool on);
void server_on_accept(evutil_socket_t listening_fd, short what, void *server);
void server_on_resume(evutil_socket_t fd, short what, void *server);

/* server_report.c: the segment's counters; the server as a stats_source */
void server_publish(struct server *s);
void server_put_stats(void *server, enum stats_part part, struct wire_out *out);

/* server_snapshot.c: calls server_peer.c */
void server_on_slice(evutil_socket_t fd, short what, void *server);

/* server_metrics.c: calls server_peer.c, server_report.c. fd: a listening
 * socket, which stays the caller's. -ENOMEM. */
int server_metrics_open(struct server *s, int fd, struct server_metrics **ret);
void server_metrics_free(struct server_metrics *m);
/* Ten times a second. */
void server_metrics_retry(struct server_metrics *m);

#endif
