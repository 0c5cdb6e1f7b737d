/*
 * metrics.c: see metrics.h.
 *
 * Names, help and units are those of stats.def. A row's name may end in labels;
 * the rows of one name stand together behind one HELP and TYPE, as the format
 * demands. Ratios that are asked for often follow, over the time since the
 * start or the last `stats reset`. For another span of time, divide the rates
 * of the counters.
 */
#include "daemon/verbs/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/verbs/cmd_private.h"
#include "daemon/verbs/stats_rows.h"

#define LINE_MAX_BYTES 512

static void put_text(struct wire_out *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
put_text(struct wire_out *out, const char *fmt, ...)
{
	char *p = wire_reserve(out, LINE_MAX_BYTES);
	va_list ap;
	int n;

	if (p == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(p, LINE_MAX_BYTES, fmt, ap);
	va_end(ap);
	if (n > 0 && n < LINE_MAX_BYTES)
		out->len += (size_t)n;
}

static void
put_head(struct wire_out *out, const char *prom, const char *kind, const char *help)
{
	put_text(out, "# HELP %s %s\n# TYPE %s %s\n", prom, help, prom, kind);
}

/* prom: "name" or "name{labels}". */
static void
put_sample(const struct cmd *cmd, struct wire_out *out, const char *prom, const char *value)
{
	size_t len = strcspn(prom, "{");

	/* the instance's name has no byte that would need escaping */
	put_text(out, "%.*s{cache=\"%s\"%s%s %s\n", (int)len, prom,
	    cmd->name != NULL ? cmd->name : "", prom[len] == '{' ? "," : "}",
	    prom[len] == '{' ? prom + len + 1 : "", value);
}

static bool
same_name(const struct shm_stat_info *a, const struct shm_stat_info *b)
{
	size_t len = strcspn(a->prom, "{");

	return len == strcspn(b->prom, "{") && memcmp(a->prom, b->prom, len) == 0;
}

/* The head of the rows that have the name of the row `first`: the help of each,
 * in their order. */
static void
put_rows_head(struct wire_out *out, unsigned first)
{
	const struct shm_stat_info *r = &stats_rows[first];
	int len = (int)strcspn(r->prom, "{");

	put_text(out, "# HELP %.*s %s", len, r->prom, r->help);
	for (unsigned i = first + 1; i < SHM_STAT_N; i++)
		if (same_name(&stats_rows[i], r))
			put_text(out, "; %s", stats_rows[i].help);
	put_text(out, "\n# TYPE %.*s %s\n", len, r->prom,
	    r->kind == SHM_STAT_COUNTER ? "counter" : "gauge");
}

static void
put_row(const struct cmd *cmd, struct wire_out *out, unsigned row, unsigned long long v)
{
	char value[32];

	if (strcmp(stats_rows[row].unit, "microseconds") == 0)
		snprintf(value, sizeof(value), "%llu.%06llu", v / 1000000, v % 1000000);
	else
		snprintf(value, sizeof(value), "%llu", v);
	put_sample(cmd, out, stats_rows[row].prom, value);
}

static void
put_rows(const struct cmd *cmd, struct wire_out *out, const uint64_t *values)
{
	for (unsigned i = 0; i < SHM_STAT_N; i++) {
		bool is_first = true;

		for (unsigned j = 0; j < i && is_first; j++)
			is_first = !same_name(&stats_rows[j], &stats_rows[i]);
		if (!is_first)
			continue;
		put_rows_head(out, i);
		for (unsigned j = i; j < SHM_STAT_N; j++)
			if (same_name(&stats_rows[j], &stats_rows[i]))
				put_row(cmd, out, j, values[j]);
	}
}

static void
put_ratio(
    const struct cmd *cmd, struct wire_out *out, const char *prom, uint64_t part, uint64_t whole)
{
	char value[32];

	/* the format's word for a sample without a value */
	snprintf(value, sizeof(value), "NaN");
	if (whole != 0)
		snprintf(value, sizeof(value), "%.6f", (double)part / (double)whole);
	put_sample(cmd, out, prom, value);
}

static void
put_ratios(const struct cmd *cmd, struct wire_out *out, const uint64_t *v)
{
	uint64_t socket_hits = v[SHM_STAT_GET_HITS] - v[SHM_STAT_SHM_HITS];
	uint64_t socket_misses = v[SHM_STAT_GET_MISSES] - v[SHM_STAT_SHM_MISSES];

	put_head(out, "peekd_hit_ratio", "gauge",
	    "keys found, of those asked for through shared memory and over the socket");
	put_ratio(cmd, out, "peekd_hit_ratio{via=\"shm\"}", v[SHM_STAT_SHM_HITS],
	    v[SHM_STAT_SHM_HITS] + v[SHM_STAT_SHM_MISSES]);
	put_ratio(
	    cmd, out, "peekd_hit_ratio{via=\"socket\"}", socket_hits, socket_hits + socket_misses);
	put_head(out, "peekd_retry_ratio", "gauge",
	    "reads begun anew, for each key asked for through shared memory");
	put_ratio(cmd, out, "peekd_retry_ratio", v[SHM_STAT_SHM_RETRIES], v[SHM_STAT_SHM_GETS]);
	put_head(out, "peekd_table_load_ratio", "gauge", "items for each slot of the head buckets");
	put_ratio(cmd, out, "peekd_table_load_ratio", v[SHM_STAT_CURR_ITEMS],
	    v[SHM_STAT_N_BUCKETS] * BUCKET_SLOTS);
	put_head(out, "peekd_chain_lines_ratio", "gauge", "mean length of a chain in buckets");
	put_ratio(cmd, out, "peekd_chain_lines_ratio",
	    v[SHM_STAT_N_BUCKETS] + v[SHM_STAT_N_OVERFLOW], v[SHM_STAT_N_BUCKETS]);
	put_head(out, "peekd_overflow_ratio", "gauge",
	    "items whose lookup reads a third cache line, of all");
	put_ratio(
	    cmd, out, "peekd_overflow_ratio", v[SHM_STAT_OVERFLOW_ITEMS], v[SHM_STAT_CURR_ITEMS]);
	put_head(out, "peekd_log_copied_ratio", "gauge",
	    "bytes copied by cleaning and eviction, for each byte that clients stored");
	put_ratio(cmd, out, "peekd_log_copied_ratio", v[SHM_STAT_LOG_BYTES_COPIED],
	    v[SHM_STAT_LOG_BYTES_WRITTEN]);
	put_head(
	    out, "peekd_huge_page_ratio", "gauge", "the segment's bytes on 2 MiB pages, of all");
	put_ratio(
	    cmd, out, "peekd_huge_page_ratio", v[SHM_STAT_HUGE_BYTES], v[SHM_STAT_SEGMENT_BYTES]);
}

void
metrics_put(const struct cmd *cmd, struct wire_out *out)
{
	uint64_t values[SHM_STAT_N];
	char value[32];

	cmd_collect(cmd, values);
	put_head(out, "peekd_info", "gauge", "which peekd this is; always 1");
	put_sample(cmd, out, "peekd_info{version=\"" PEEKD_VERSION "\"}", "1");
	put_head(out, "peekd_start_time_seconds", "gauge", "when the daemon started, in Unix time");
	snprintf(value, sizeof(value), "%lld", (long long)cmd->started_unix_s);
	put_sample(cmd, out, "peekd_start_time_seconds", value);
	put_rows(cmd, out, values);
	put_ratios(cmd, out, values);
}

void
cmd_metrics(struct cmd *cmd, struct wire_out *out)
{
	char line[64];
	size_t begin = out->len, len, n;

	metrics_put(cmd, out);
	len = out->len - begin;
	n = (size_t)snprintf(
	    line, sizeof(line), "%s metrics 0 %zu\r\n", wire_replies[WIRE_RE_VALUE].text, len);
	if (wire_reserve(out, n) == NULL)
		return;
	memmove(out->buf + begin + n, out->buf + begin, len);
	memcpy(out->buf + begin, line, n);
	out->len += n;
	wire_put(out, "\r\n", 2);
	wire_put_reply(out, WIRE_RE_END);
}
