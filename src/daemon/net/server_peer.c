/* server_peer.c: the turns of connections: when there is input, when there is
 * room for output, or when the others have had their turn. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/now.h"
#include "daemon/net/conn_ring.h"
#include "daemon/net/server_private.h"

void
server_tell_time(struct server *s)
{
	uint64_t word = clock_word_now(s->a.shift);

	s->a.cmd->now_unix_s = (int64_t)time(NULL);
	if (word == s->clock_word)
		return;
	s->clock_word = word;
	s->a.cmd->now_s = clock_word_s(word);
	/* the clock has the low 32 bits of the milliseconds */
	s->a.cmd->now_ms += (uint32_t)(clock_word_ms(word) - (uint32_t)s->a.cmd->now_ms);
	store_tick(s->a.cmd->store, word);
}

void
server_free_peer(struct server *s, struct peer *p)
{
	uint64_t *stat = s->a.stat;

	event_del(&p->readable);
	event_del(&p->writable);
	if (p->waits_turn)
		TAILQ_REMOVE(&s->again, p, again);
	if (p->is_busy)
		TAILQ_REMOVE(&s->busy, p, busy);
	TAILQ_REMOVE(&s->peers, p, all);
	if (p->conn.client_idx != HINT_PAGE_NO_CLIENT)
		stat[SHM_STAT_SHM_CLIENTS]--;
	server_share_end(s, p);
	conn_end(&p->conn, &s->shared);
	free(p);
	stat[SHM_STAT_CURR_CONNECTIONS]--;
	if (!s->accepting) /* there is room for another connection */
		event_active(&s->resume, 0, 0);
}

static void
wait_turn(struct server *s, struct peer *p)
{
	static const struct timeval at_once = {0, 0};

	if (p->waits_turn)
		return;
	p->waits_turn = true;
	/* a timer: an event that its own callback activates would run before
	 * other events that became ready */
	if (TAILQ_EMPTY(&s->again))
		evtimer_add(&s->turns, &at_once);
	p->queued_round = s->round;
	TAILQ_INSERT_TAIL(&s->again, p, again);
}

/* Gives its slices to a snapshot that the turn has begun. */
static void
begin_slices(struct server *s)
{
	static const struct timeval at_once = {0, 0};

	if (!s->slicing && s->a.snapshot != NULL && snapshot_is_busy(s->a.snapshot))
		s->slicing = event_add(&s->slice, &at_once) == 0;
}

/* Its ring is looked at between events from now on. */
static void
begin_busy(struct server *s, struct peer *p)
{
	static const struct timeval at_once = {0, 0};

	if (p->is_busy)
		return;
	p->is_busy = true;
	p->busy_us = now_monotonic_us();
	p->busy_round = s->ring_round;
	if (TAILQ_EMPTY(&s->busy))
		evtimer_add(&s->rings, &at_once);
	TAILQ_INSERT_TAIL(&s->busy, p, busy);
}

/* Makes the peer wait for events of its socket, its turn or its ring. */
static void
await_next(struct server *s, struct peer *p, enum conn_want want)
{
	bool by_ring = p->conn.ring != NULL, writes = want == CONN_WRITE && !by_ring,
	     wrote = event_pending(&p->writable, EV_WRITE, NULL) != 0;

	if (by_ring)
		begin_busy(s, p);
	else if (want == CONN_AGAIN)
		wait_turn(s, p);
	if (writes && !wrote) {
		event_del(&p->readable);
		event_add(&p->writable, NULL);
	} else if (!writes && wrote) {
		event_del(&p->writable);
		event_add(&p->readable, NULL);
	}
	p->want = want;
}

/* The client of a ring rings, or has hung up. */
static void
answer_bell(struct server *s, struct peer *p)
{
	char bells[256];
	ssize_t n = recv(p->conn.fd, bells, sizeof(bells), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		event_del(&p->readable);
		conn_ring_hang_up(p->conn.ring);
	} else if (n > 0)
		s->a.cmd->stat[SHM_STAT_RING_BELLS]++;
	begin_busy(s, p);
}

void
server_peer_turn(struct server *s, struct peer *p)
{
	bool was_attached = p->conn.client_idx != HINT_PAGE_NO_CLIENT;
	enum conn_want want;
	struct peer *victim;

	server_tell_time(s);
	want = conn_turn(&p->conn, &s->shared);
	if (!was_attached && p->conn.client_idx != HINT_PAGE_NO_CLIENT)
		s->a.stat[SHM_STAT_SHM_CLIENTS]++;
	begin_slices(s);
	if (s->shared.shutdown)
		event_base_loopbreak(s->base);
	if (want == CONN_CLOSE) {
		server_free_peer(s, p);
		return;
	}
	await_next(s, p, want);
	server_share_count(s, p);
	while ((victim = server_share_victim(s)) != NULL)
		server_free_peer(s, victim); /* it may be p */
}

void
server_turn_of(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (p->conn.ring != NULL)
		answer_bell(p->server, p);
	else if (!p->waits_turn)
		server_peer_turn(p->server, p);
}

/* One turn for each connection that was interrupted. */
void
server_on_turns(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct server *s = arg;
	struct peer *p;

	(void)fd;
	(void)what;
	s->round++;
	/* a turn may close any other connection, so the queue's head is read
	 * anew for each; those that wait again stand behind */
	while ((p = TAILQ_FIRST(&s->again)) != NULL && p->queued_round != s->round) {
		TAILQ_REMOVE(&s->again, p, again);
		p->waits_turn = false;
		server_peer_turn(s, p);
	}
	if (!TAILQ_EMPTY(&s->again))
		evtimer_add(&s->turns, &at_once);
}
