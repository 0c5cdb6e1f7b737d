/* server_report.c: the counters in the segment, and the server's part of
 * `stats`. */
#include <stdio.h>

#include "daemon/net/server_private.h"

void
server_publish(struct server *s)
{
	uint64_t values[SHM_STAT_N] = {0};

	if (s->a.hints != NULL) {
		const struct hint_page_sums *sums = hint_page_collect(s->a.hints);

		s->a.stat[SHM_STAT_SHM_GETS] = sums->gets;
		s->a.stat[SHM_STAT_SHM_HITS] = sums->hits;
		s->a.stat[SHM_STAT_SHM_MISSES] = sums->misses;
		s->a.stat[SHM_STAT_SHM_RETRIES] = sums->retries;
	}
	cmd_collect(s->a.cmd, values);
	if (s->a.hints != NULL)
		hint_page_grow(s->a.hints, values[SHM_STAT_N_BUCKETS], values[SHM_STAT_N_OVERFLOW]);
	for (unsigned i = 0; i < SHM_STAT_N; i++)
		/* relaxed: each for itself (stats.h) */
		word_store_rlx(&s->a.map->stats->value[i], values[i]);
}

static void
put_settings(const struct server *s, struct wire_out *out)
{
	char value[1100];

	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		conf_row_value(s->a.conf, i, value, sizeof(value));
		wire_put_stat_word(out, conf_row_name(i), value);
	}
}

static void
put_conns(const struct server *s, struct wire_out *out)
{
	const struct peer *p;
	char name[32];

	TAILQ_FOREACH(p, &s->peers, all)
	{
		const struct conn *c = &p->conn;

#define ROW(suffix) (snprintf(name, sizeof(name), "%d:" suffix, c->fd), name)
		wire_put_stat_word(
		    out, ROW("addr"), c->is_unix ? s->a.listeners->unix_path : "tcp");
		wire_put_stat_str(out, ROW("level"), wire_access_name(c->level));
		if (c->is_unix) {
			wire_put_stat_u64(out, ROW("pid"), (uint64_t)c->pid);
			wire_put_stat_u64(out, ROW("uid"), c->uid);
		}
		wire_put_stat_str(out, ROW("state"),
		    p->want == CONN_WRITE ? "writing"
			: p->waits_turn   ? "waiting"
					  : "reading");
		wire_put_stat_u64(out, ROW("hints"), c->client_idx != HINT_PAGE_NO_CLIENT);
		wire_put_stat_u64(out, ROW("ring"), c->ring != NULL);
		wire_put_stat_u64(out, ROW("kept_bytes"), conn_kept_bytes(c));
		wire_put_stat_u64(
		    out, ROW("secs_since_last_cmd"), s->a.cmd->now_s - c->last_active_s);
#undef ROW
	}
}

void
server_put_stats(void *arg, enum stats_part part, struct wire_out *out)
{
	const struct server *s = arg;

	switch (part) {
	case STATS_SETTINGS:
		put_settings(s, out);
		break;
	case STATS_CONNS:
		put_conns(s, out);
		break;
	case STATS_SNAPSHOT:
		if (s->a.snapshot != NULL)
			snapshot_put_stats(s->a.snapshot, out);
		break;
	}
}
