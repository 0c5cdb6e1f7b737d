/*
 * cmd_stats.c: stats and its sub-commands, peek_dump: what is known about the
 * cache as a whole.
 */
#include <sys/resource.h>

#include "daemon/verbs/cmd_private.h"
#include "daemon/verbs/stats_rows.h"

/* of one peek_dump, empty ones included; the other connections wait for them */
#define DUMP_BUCKETS_MAX 4096
#define DUMP_LINE_MAX    (5 + 3 * WIRE_KEY_MAX + 5 * 21 + 2)

/* All values since the start. */
static void
collect_raw(const struct cmd *cmd, uint64_t *v)
{
	store_stats(cmd->store, cmd->now_s, v);
	v[SHM_STAT_CMD_GET] += v[SHM_STAT_SHM_GETS];
	v[SHM_STAT_GET_HITS] += v[SHM_STAT_SHM_HITS];
	v[SHM_STAT_GET_MISSES] += v[SHM_STAT_SHM_MISSES];
	v[SHM_STAT_UPTIME] = cmd->now_s - cmd->started_s;
}

void
cmd_collect(const struct cmd *cmd, uint64_t *values)
{
	collect_raw(cmd, values);
	for (unsigned i = 0; i < SHM_STAT_N; i++)
		if (stats_rows[i].kind == SHM_STAT_COUNTER)
			values[i] -= cmd->base[i];
}

static void
cmd_stats_reset(struct cmd *cmd)
{
	uint64_t values[SHM_STAT_N];

	collect_raw(cmd, values);
	memcpy(cmd->base, values, sizeof(values));
}

static void
put_processor_time(struct wire_out *out)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	wire_put_reply_words(out, WIRE_RE_STAT, "rusage_user %lld.%06ld",
	    (long long)used.ru_utime.tv_sec, (long)used.ru_utime.tv_usec);
	wire_put_reply_words(out, WIRE_RE_STAT, "rusage_system %lld.%06ld",
	    (long long)used.ru_stime.tv_sec, (long)used.ru_stime.tv_usec);
}

static void
put_general(const struct cmd *cmd, struct wire_out *out)
{
	uint64_t values[SHM_STAT_N];

	cmd_collect(cmd, values);
	wire_put_stat_u64(out, "pid", (uint64_t)cmd->pid);
	/* the second row, as in memcached */
	wire_put_stat_u64(out, stats_rows[SHM_STAT_UPTIME].name, values[SHM_STAT_UPTIME]);
	wire_put_stat_u64(out, "time", (uint64_t)cmd->now_unix_s);
	wire_put_stat_str(out, "version", PEEKD_VERSION);
	wire_put_stat_u64(out, "pointer_size", sizeof(void *) * 8);
	wire_put_stat_u64(out, "threads", 1);
	put_processor_time(out);
	wire_put_stat_u64(out, "accepting_conns", 1);
	for (unsigned i = 0; i < SHM_STAT_N; i++)
		if (i != SHM_STAT_UPTIME)
			wire_put_stat_u64(out, stats_rows[i].name, values[i]);
}

static void
put_settings(const struct cmd *cmd, struct wire_out *out)
{
	wire_put_stat_u64(out, "maxbytes", cmd->limit_maxbytes);
	wire_put_stat_u64(out, "item_size_max", cmd->item_max_bytes);
	wire_put_stat_u64(out, "maxconns", cmd->stat[SHM_STAT_MAX_CONNECTIONS]);
	wire_put_stat_u64(out, "verbosity", cmd->verbosity);
	wire_put_stat_str(out, "cas_enabled", "yes");
	wire_put_stat_str(out, "flush_enabled", cmd->flush_allowed ? "yes" : "no");
	wire_put_stat_str(out, "shutdown_command", cmd->shutdown_allowed ? "yes" : "no");
	wire_put_stat_u64(out, "num_threads", 1);
	wire_put_stat_str(out, "evictions", cmd->evicts ? "on" : "off");
	wire_put_stat_str(out, "binding_protocol", "ascii");
	wire_put_stat_str(out, "dump_enabled", "yes");
	cmd->source.put(cmd->source.arg, STATS_SETTINGS, out);
}

/*
 * There is one class of items, since all sizes share the log. Its rows have the
 * names that memcached's tools and exporters read. A row that has no meaning
 * here says 0, and stands here only if the tools fail without it.
 */
static void
put_items(const struct cmd *cmd, struct wire_out *out)
{
	uint64_t v[SHM_STAT_N];

	cmd_collect(cmd, v);
	if (v[SHM_STAT_CURR_ITEMS] == 0)
		return;
	wire_put_stat_u64(out, "items:1:number", v[SHM_STAT_CURR_ITEMS]);
	wire_put_stat_u64(out, "items:1:age", v[SHM_STAT_OLDEST_AGE_S]);
	wire_put_stat_u64(out, "items:1:mem_requested", v[SHM_STAT_BYTES]);
	wire_put_stat_u64(out, "items:1:evicted", v[SHM_STAT_EVICTIONS]);
	wire_put_stat_u64(out, "items:1:evicted_nonzero", 0);
	wire_put_stat_u64(out, "items:1:evicted_time", 0);
	wire_put_stat_u64(out, "items:1:outofmemory", v[SHM_STAT_STORE_NO_MEMORY]);
	wire_put_stat_u64(out, "items:1:tailrepairs", 0);
	wire_put_stat_u64(out, "items:1:reclaimed", v[SHM_STAT_RECLAIMED]);
	wire_put_stat_u64(out, "items:1:evicted_unfetched", v[SHM_STAT_EVICTED_UNFETCHED]);
	wire_put_stat_u64(out, "items:1:hits_to_hot", v[SHM_STAT_GET_HITS]);
}

/* A chunk, and a page, is a block of the arena. */
static void
put_slabs(const struct cmd *cmd, struct wire_out *out)
{
	uint64_t v[SHM_STAT_N];

	cmd_collect(cmd, v);
	uint64_t n_blocks = v[SHM_STAT_N_SEGMENTS], n_free = v[SHM_STAT_N_SEGMENTS_FREE];
	wire_put_stat_u64(out, "1:chunk_size", n_blocks != 0 ? cmd->limit_maxbytes / n_blocks : 0);
	wire_put_stat_u64(out, "1:chunks_per_page", 1);
	wire_put_stat_u64(out, "1:total_pages", n_blocks);
	wire_put_stat_u64(out, "1:total_chunks", n_blocks);
	wire_put_stat_u64(out, "1:used_chunks", n_blocks - n_free);
	wire_put_stat_u64(out, "1:free_chunks", n_free);
	wire_put_stat_u64(out, "1:free_chunks_end", 0);
	wire_put_stat_u64(out, "1:mem_requested", v[SHM_STAT_BYTES]);
	wire_put_stat_u64(out, "1:get_hits", v[SHM_STAT_GET_HITS]);
	wire_put_stat_u64(out, "1:cmd_set", v[SHM_STAT_CMD_SET]);
	wire_put_stat_u64(out, "1:delete_hits", v[SHM_STAT_DELETE_HITS]);
	wire_put_stat_u64(out, "1:incr_hits", v[SHM_STAT_INCR_HITS]);
	wire_put_stat_u64(out, "1:decr_hits", v[SHM_STAT_DECR_HITS]);
	wire_put_stat_u64(out, "1:cas_hits", v[SHM_STAT_CAS_HITS]);
	wire_put_stat_u64(out, "1:cas_badval", v[SHM_STAT_CAS_BADVAL]);
	wire_put_stat_u64(out, "1:touch_hits", v[SHM_STAT_TOUCH_HITS]);
	wire_put_stat_u64(out, "active_slabs", 1);
	wire_put_stat_u64(out, "total_malloced", cmd->limit_maxbytes);
}

static bool
word_is(const struct wire_request *req, const char *text)
{
	return req->word.len == strlen(text) && memcmp(req->word.p, text, req->word.len) == 0;
}

void
cmd_stats(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	cmd->work += CMD_STATS_WORK;
	if (req->word.len == 0) {
		put_general(cmd, out);
	} else if (word_is(req, "settings")) {
		put_settings(cmd, out);
	} else if (word_is(req, "items")) {
		put_items(cmd, out);
	} else if (word_is(req, "slabs")) {
		put_slabs(cmd, out);
	} else if (word_is(req, "sizes")) {
		wire_put_stat_str(out, "sizes_status", "disabled");
	} else if (word_is(req, "conns")) {
		cmd->source.put(cmd->source.arg, STATS_CONNS, out);
	} else if (word_is(req, "snapshot")) {
		cmd->source.put(cmd->source.arg, STATS_SNAPSHOT, out);
	} else if (word_is(req, "reset")) {
		cmd_stats_reset(cmd);
		wire_put_reply(out, WIRE_RE_RESET);
		return;
	} else {
		wire_put_reply(out, WIRE_RE_ERROR);
		return;
	}
	wire_put_reply(out, WIRE_RE_END);
}

struct dump {
	const struct cmd *cmd;
	struct wire_out *out;
	uint64_t n_items;
};

static void
dump_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct dump *d = arg;
	int64_t ttl_s = cmd_ttl(d->cmd, item->expiry_s);
	uint32_t now_s = d->cmd->now_s;
	char *p = wire_reserve(d->out, DUMP_LINE_MAX), *begin = p;

	d->n_items++;
	if (p == NULL)
		return;
	p = wire_reply_text(p, WIRE_RE_ITEM);
	*p++ = ' ';
	p = wire_urlencode(p, key, key_len);
	*p++ = ' ';
	p = wire_digits(p, item->value_bytes);
	*p++ = ' ';
	p = wire_digits(p, now_s > item->last_access_s ? now_s - item->last_access_s : 0);
	*p++ = ' ';
	if (ttl_s < 0)
		*p++ = '-';
	p = wire_digits(p, (uint64_t)(ttl_s < 0 ? 1 : ttl_s));
	*p++ = ' ';
	p = wire_digits(p, item->cas);
	*p++ = ' ';
	p = wire_digits(p, item->flags);
	memcpy(p, "\r\n", 2);
	d->out->len += (size_t)(p + 2 - begin);
}

void
cmd_dump(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct dump d = {cmd, out, 0};
	uint64_t cursor = req->number;
	size_t begin = out->len;

	for (unsigned i = 0; i < DUMP_BUCKETS_MAX; i++) {
		cmd->work++;
		cursor = store_walk(cmd->store, cursor, cmd->now_s, dump_item, &d);
		if (cursor == 0 || d.n_items >= req->number2 || out->failed ||
		    (cmd->reply_bytes_max != 0 && out->len - begin > cmd->reply_bytes_max))
			break;
	}
	wire_put_reply_words(out, WIRE_RE_END, "%llu", (unsigned long long)cursor);
}
