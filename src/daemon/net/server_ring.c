/*
 * server_ring.c: rings between events. A ring that was busy lately is looked at
 * again and again, without the kernel: in slices, so that sockets have their
 * turns in between. One that has had nothing for ring_spin microseconds is told
 * that the daemon sleeps; its client then writes a byte to the connection
 * (server_peer.c), and it is looked at again. So rings that are idle cost
 * nothing.
 */
#include "base/now.h"
#include "base/pause.h"
#include "daemon/net/conn_ring.h"
#include "daemon/net/server_private.h"

#define SLICE_US 20 /* then the event loop looks at sockets */

int64_t
server_ring_spin_us(const struct conf *conf)
{
	return pause_is_alone() ? 0 : (int64_t)conf->ring_spin;
}

static bool
is_ready(const struct peer *p)
{
	return p->want == CONN_AGAIN || conn_ring_is_ready(p->conn.ring, p->want == CONN_WRITE);
}

static void
put_to_sleep(struct server *s, struct peer *p)
{
	if (!conn_ring_sleep(p->conn.ring, p->want == CONN_WRITE))
		return;
	TAILQ_REMOVE(&s->busy, p, busy);
	p->is_busy = false;
}

/* Looks at each busy ring once. True: one at least had something to do. */
static bool
look_at_each(struct server *s, int64_t now_us)
{
	int64_t spin_us = pause_rests(&s->ring_pause, now_us) ? 0 : s->ring_spin_us;
	bool any = false;
	struct peer *p;

	s->ring_round++;
	/* a turn may close any other connection: as server_on_turns */
	while ((p = TAILQ_FIRST(&s->busy)) != NULL && p->busy_round != s->ring_round) {
		TAILQ_REMOVE(&s->busy, p, busy);
		TAILQ_INSERT_TAIL(&s->busy, p, busy);
		p->busy_round = s->ring_round;
		if (is_ready(p)) {
			p->busy_us = now_us;
			any = true;
			server_peer_turn(s, p);
		} else if (now_us - p->busy_us >= spin_us)
			put_to_sleep(s, p);
	}
	return any;
}

void
server_on_rings(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct server *s = arg;
	int64_t begun_us = now_monotonic_us(), now_us = begun_us;

	(void)fd;
	(void)what;
	while (!TAILQ_EMPTY(&s->busy) && !s->shared.shutdown) {
		bool any = look_at_each(s, now_us);

		if (any) {
			now_us = now_monotonic_us();
			if (s->ring_waits)
				pause_end(&s->ring_pause, s->ring_idle_us, now_us);
			s->ring_waits = false;
		} else {
			if (!s->ring_waits) {
				pause_begin(&s->ring_pause);
				s->ring_idle_us = now_us;
			}
			s->ring_waits = true;
			if (!TAILQ_EMPTY(&s->busy))
				pause_once(&s->ring_pause, s->ring_idle_us, now_us);
			now_us = now_monotonic_us();
		}
		if (now_us - begun_us >= SLICE_US)
			break;
	}
	if (!TAILQ_EMPTY(&s->busy))
		evtimer_add(&s->rings, &at_once);
}
