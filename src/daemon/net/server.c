/* server.c: the event loop (server.h). conn.c has the work of one connection,
 * and cmd.c that of a request. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/now.h"
#include "daemon/host/memory.h"
#include "daemon/host/log.h"
#include "daemon/host/notify.h"
#include "daemon/net/server_private.h"

uint64_t
server_now_us(void)
{
	return (uint64_t)now_monotonic_us();
}

/* The number of a get's keys that take as long as a request with its reply. */
#define KEYS_A_REQUEST 16

/* ---- ten times a second -------------------------------------------------- */

static void
feed_watchdog(struct server *s, uint64_t now_us)
{
	if (s->watchdog_us == 0 || now_us - s->watchdog_fed_us < s->watchdog_us / 3)
		return;
	s->watchdog_fed_us = now_us;
	notify_send("WATCHDOG=1");
}

static void
close_idle(struct server *s)
{
	uint32_t now_s = s->a.cmd->now_s;
	struct peer *p, *next;

	for (p = TAILQ_FIRST(&s->peers); p != NULL; p = next) {
		next = TAILQ_NEXT(p, all);
		/* a client of the hint page sends nothing, because its reads
		 * need no daemon */
		if (p->conn.client_idx == HINT_PAGE_NO_CLIENT &&
		    now_s - p->conn.last_active_s > s->a.conf->idle_timeout) {
			s->a.stat[SHM_STAT_IDLE_KICKS]++;
			server_free_peer(s, p);
		}
	}
}

static void
once_a_second(struct server *s)
{
	uint64_t *stat = s->a.stat;
	struct stat st;

	stat[SHM_STAT_HEAP_BYTES] = memory_heap_bytes();
	stat[SHM_STAT_PRIVATE_BYTES] = memory_private_bytes();
	if (stat[SHM_STAT_PRIVATE_BYTES] == 0)
		stat[SHM_STAT_PRIVATE_BYTES] = stat[SHM_STAT_HEAP_BYTES]; /* it is at least this */
	if (fstat(s->a.map->fd, &st) == 0)
		stat[SHM_STAT_SEGMENT_BYTES] = (uint64_t)st.st_blocks * 512;
	if (s->a.hints != NULL && fstat(hint_page_fd(s->a.hints), &st) == 0)
		stat[SHM_STAT_HINT_PAGE_BYTES] = (uint64_t)st.st_blocks * 512;
	if (s->a.conf->idle_timeout > 0)
		close_idle(s);
	notify_send("STATUS=%llu connections, %llu items",
	    (unsigned long long)stat[SHM_STAT_CURR_CONNECTIONS],
	    /* relaxed: own store */
	    (unsigned long long)word_load_rlx(&s->a.map->stats->value[SHM_STAT_CURR_ITEMS]));
}

/* a page takes a millisecond: requests get their turn between two pages */
#define HUGE_EVERY_US 2000

static void
on_huge(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {0, HUGE_EVERY_US};
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (huge_step(s->a.huge))
		event_add(&s->huge, &soon);
	s->a.stat[SHM_STAT_HUGE_BYTES] = s->a.huge->huge_bytes;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct cmd *cmd = s->a.cmd;
	uint64_t now_us = server_now_us(),
		 late_us = now_us > s->tick_due_us ? now_us - s->tick_due_us : 0;

	(void)fd;
	(void)what;
	s->tick_due_us = now_us + TICK_MS * 1000;
	s->a.stat[SHM_STAT_LOOP_LAG_US] = late_us;
	if (late_us > s->a.stat[SHM_STAT_LOOP_LAG_MAX_US])
		s->a.stat[SHM_STAT_LOOP_LAG_MAX_US] = late_us;
	server_tell_time(s);
	lease_tick(cmd->leases, cmd->now_ms);
	server_publish(s);
	feed_watchdog(s, now_us);
	if (!event_pending(&s->huge, EV_TIMEOUT, NULL))
		on_huge(-1, 0, s);
	server_metrics_retry(s->metrics);
	if (s->retry_accept) {
		s->retry_accept = false;
		if (!s->accepting)
			server_accept(s, true);
	}
	if (cmd->verbosity != s->verbosity) {
		uint64_t level = s->a.conf->log_level + LOG_LEVEL_ERROR + cmd->verbosity;

		s->verbosity = cmd->verbosity;
		log_set_level(level > LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : (enum log_level)level);
	}
	if (++s->ticks % (1000 / TICK_MS) == 0)
		once_a_second(s);
	s->a.on_tick(s->a.arg, clock_word_ms(s->clock_word));
}

static void
on_end(evutil_socket_t sig, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	log_info("%s: ending", sig == SIGTERM ? "SIGTERM" : "SIGINT");
	event_base_loopbreak(s->base);
}

/* TCP connections have no user. Warns once, and again when a reload makes
 * tcp_access admin. */
static void
warn_of_tcp_admin(struct server *s)
{
	bool admin = s->a.conf->tcp_access == WIRE_ACCESS_ADMIN, tcp = false;

	for (unsigned i = 0; i < s->a.listeners->n; i++)
		tcp = tcp || !s->a.listeners->l[i].is_unix;
	if (tcp && admin && !s->tcp_admin)
		log_warning("tcp_access is \"admin\": everybody who reaches the TCP port can "
			    "flush the cache, list all keys and change the log's level, and every "
			    "user of this host reaches it; \"write\" is enough for memcached's "
			    "clients");
	s->tcp_admin = tcp && admin;
}

static void
take_settings(struct server *s)
{
	const struct conf *conf = s->a.conf;
	struct peer *p, *next;

	warn_of_tcp_admin(s);
	s->shared.max_reqs = (uint32_t)conf->max_reqs_per_event;
	s->shared.output_limit = conf->output_limit;
	s->shared.rings_max = conf->ring ? conf->ring_max : 0;
	s->shared.ring_spin_us = conf->ring_spin;
	s->ring_spin_us = server_ring_spin_us(conf);
	s->a.cmd->reply_bytes_max = conf->output_limit;
	s->a.cmd->work_max = conf->max_reqs_per_event * KEYS_A_REQUEST;
	s->a.stat[SHM_STAT_MAX_CONNECTIONS] = conf->conn_limit;
	for (p = TAILQ_FIRST(&s->peers); p != NULL; p = next) {
		struct conn *c = &p->conn;

		next = TAILQ_NEXT(p, all);
		if (!c->is_unix)
			c->level = server_tcp_level(s);
		else if (!access_of_peer(s->a.access, c->fd, &c->level, &c->pid, &c->uid, &c->gid))
			server_free_peer(s, p);
	}
}

static void
on_hangup(evutil_socket_t sig, short what, void *arg)
{
	struct server *s = arg;

	(void)sig;
	(void)what;
	s->a.on_hangup(s->a.arg);
	take_settings(s);
	if (!s->accepting)
		server_accept(s, true);
}

/* ---- life ---------------------------------------------------------------- */

int
server_create(const struct server_args *args, struct server **ret)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->a = *args;
	TAILQ_INIT(&s->peers);
	TAILQ_INIT(&s->again);
	TAILQ_INIT(&s->busy);
	TAILQ_INIT(&s->owners);
	s->shared.cmd = args->cmd;
	s->shared.hints = args->hints;
	s->shared.snapshot = args->snapshot;
	s->shared.epoch = args->epoch;
	s->shared.bytes_read = &args->stat[SHM_STAT_BYTES_READ];
	s->shared.longest_set_us = &args->stat[SHM_STAT_LONGEST_SET_US];
	s->shared.now_us = server_now_us;
	s->shared.bytes_written = &args->stat[SHM_STAT_BYTES_WRITTEN];
	s->base = event_base_new();
	if (s->base == NULL || conn_shared_init(&s->shared) != 0)
		goto fail;
	if (args->listeners->metrics_fd >= 0 &&
	    server_metrics_open(s, args->listeners->metrics_fd, &s->metrics) != 0)
		goto fail_shared;
	args->cmd->source = (struct stats_source){server_put_stats, s};
	s->verbosity = args->cmd->verbosity;
	take_settings(s);
	evtimer_assign(&s->turns, s->base, server_on_turns, s);
	evtimer_assign(&s->rings, s->base, server_on_rings, s);
	evtimer_assign(&s->slice, s->base, server_on_slice, s);
	evtimer_assign(&s->huge, s->base, on_huge, s);
	event_assign(&s->resume, s->base, -1, 0, server_on_resume, s);
	event_assign(&s->tick, s->base, -1, EV_PERSIST, on_tick, s);
	evsignal_assign(&s->on_term, s->base, SIGTERM, on_end, s);
	evsignal_assign(&s->on_int, s->base, SIGINT, on_end, s);
	evsignal_assign(&s->on_hup, s->base, SIGHUP, on_hangup, s);
	/* before the service manager is told that the daemon is ready */
	event_add(&s->on_term, NULL);
	event_add(&s->on_int, NULL);
	event_add(&s->on_hup, NULL);
	for (unsigned i = 0; i < args->listeners->n; i++)
		event_assign(&s->listening[i], s->base, args->listeners->l[i].fd,
		    EV_READ | EV_PERSIST, server_on_accept, s);
	*ret = s;
	return 0;
fail_shared:
	conn_shared_free(&s->shared);
fail:
	if (s->base != NULL)
		event_base_free(s->base);
	free(s);
	return -ENOMEM;
}

void
server_run(struct server *s)
{
	const struct timeval every = {0, TICK_MS * 1000};

	server_tell_time(s);
	server_publish(s);
	once_a_second(s);
	s->watchdog_us = notify_watchdog_us();
	s->tick_due_us = server_now_us() + TICK_MS * 1000;
	event_add(&s->tick, &every);
	server_accept(s, true);
	event_base_dispatch(s->base);
	server_publish(s);
}

void
server_free(struct server *s)
{
	server_accept(s, false);
	while (!TAILQ_EMPTY(&s->peers))
		server_free_peer(s, TAILQ_FIRST(&s->peers));
	event_del(&s->resume);
	event_del(&s->tick);
	event_del(&s->turns);
	event_del(&s->rings);
	event_del(&s->slice);
	event_del(&s->huge);
	event_del(&s->on_term);
	event_del(&s->on_int);
	event_del(&s->on_hup);
	server_metrics_free(s->metrics);
	event_base_free(s->base);
	conn_shared_free(&s->shared);
	free(s);
}
