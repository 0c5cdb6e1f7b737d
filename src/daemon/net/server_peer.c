/* server_peer.c: the turns of connections: when there is input, when there is
 * room for output, or when the others have had their turn. */
#include <stdlib.h>
#include <time.h>

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

/* One turn, and the events that the connection waits for after it. */
static void
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
	if (want == CONN_AGAIN)
		wait_turn(s, p);
	if ((want == CONN_WRITE) != (p->want == CONN_WRITE)) {
		if (want == CONN_WRITE) {
			event_del(&p->readable);
			event_add(&p->writable, NULL);
		} else {
			event_del(&p->writable);
			event_add(&p->readable, NULL);
		}
	}
	p->want = want;
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
	if (!p->waits_turn)
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
