/*
 * screen.c: see screen.h.
 */
#include "ctl/screen.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/clock.h"

#define WIDTH_MAX 256
#define BAR_MAX   60

#define HEIGHT_FULL 36 /* lines of a full screen */
#define HEIGHT_BARE 18 /* lines above the keys, without bars and blank lines */
#define KEYS_ONCE   10 /* keys, if any number of lines fits */

struct screen {
	const struct sample *before, *now;
	const struct sights *sights;
	double seconds; /* between the samples; 0: there are no rates */
	bool alive;     /* the daemon has a heartbeat, so its counters go on */
	int width, height;
	bool bare; /* bars and blank lines don't fit */
	void (*put)(void *arg, enum line_kind kind, const char *line);
	void *arg;
};

static void screen_line(const struct screen *s, enum line_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
screen_line(const struct screen *s, enum line_kind kind, const char *fmt, ...)
{
	char buf[WIDTH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, s->width < WIDTH_MAX ? (size_t)s->width + 1 : sizeof(buf), fmt, ap);
	va_end(ap);
	for (char *p = buf; *p != '\0'; p++) /* a terminal would obey other bytes */
		*p = *p >= ' ' && *p <= '~' ? *p : '?';
	s->put(s->arg, kind, buf);
}

static void
screen_blank(const struct screen *s)
{
	if (!s->bare)
		screen_line(s, LINE_PLAIN, "%s", "");
}

/* ---- numbers ------------------------------------------------------------- */

static uint64_t
screen_value(const struct screen *s, enum shm_stat stat)
{
	return s->now->value[stat];
}

/* There are two samples, and counters went on between them. */
static bool
has_rates(const struct screen *s)
{
	return s->seconds > 0 && s->alive;
}

/* The growth of a counter between the samples; 0 after a restart or `stats
 * reset`, and if there are no rates. */
static uint64_t
screen_grown(const struct screen *s, enum shm_stat stat)
{
	uint64_t before = s->before->value[stat], now = s->now->value[stat];

	return has_rates(s) && now > before ? now - before : 0;
}

/* n per second. NAN, shown as "-": there are no rates. */
static double
per_second(const struct screen *s, uint64_t n)
{
	return has_rates(s) ? (double)n / s->seconds : NAN;
}

static double
screen_rate(const struct screen *s, enum shm_stat stat)
{
	return per_second(s, screen_grown(s, stat));
}

static uint64_t
screen_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct words {
	char w[24];
};

/* 12, 3.4k, 56M; "-": unknown */
static struct words
short_number(double v)
{
	static const char units[] = " kMGTP";
	struct words ret = {"-"};
	int i = 0;

	if (isnan(v))
		return ret;
	for (; v >= 999.5 && i < 5; i++)
		v /= 1000;
	if (i == 0)
		snprintf(ret.w, sizeof(ret.w), "%.0f", v);
	else
		snprintf(ret.w, sizeof(ret.w), v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
	return ret;
}

static struct words
short_bytes(double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	struct words ret = {"-"};
	int i = 0;

	if (isnan(v))
		return ret;
	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	snprintf(ret.w, sizeof(ret.w), v < 9.95 && i > 0 ? "%.1f %s" : "%.0f %s", v, units[i]);
	return ret;
}

/* 87 ns, 12.3 us, 4.5 ms */
static struct words
short_time(uint64_t ns)
{
	struct words ret;

	if (ns < 1000)
		snprintf(ret.w, sizeof(ret.w), "%" PRIu64 " ns", ns);
	else
		snprintf(ret.w, sizeof(ret.w), "%.1f %s", (double)ns / (ns < 1000000 ? 1e3 : 1e6),
		    ns < 1000000 ? "us" : "ms");
	return ret;
}

/* part / whole with some decimals; "-" if whole is 0. */
static struct words
screen_quotient(int decimals, double part, double whole)
{
	struct words ret = {"-"};

	if (whole > 0)
		snprintf(ret.w, sizeof(ret.w), "%.*f", decimals, part / whole);
	return ret;
}

/* "-" if whole is 0 */
static struct words
screen_percent(uint64_t part, uint64_t whole)
{
	struct words ret = {"-"};

	if (whole > 0)
		snprintf(ret.w, sizeof(ret.w), "%.1f %%", 100.0 * (double)part / (double)whole);
	return ret;
}

static struct words
screen_duration(int64_t s)
{
	struct words ret;

	if (s >= 86400)
		snprintf(
		    ret.w, sizeof(ret.w), "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(ret.w, sizeof(ret.w), "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(ret.w, sizeof(ret.w), "%" PRId64 "m %" PRId64 "s", s > 0 ? s / 60 : 0,
		    s > 0 ? s % 60 : 0);
	return ret;
}

/* ---- bars ---------------------------------------------------------------- */

/* A bar: each part of the whole in its own letter, the rest as dots. */
static void
screen_bar(
    const struct screen *s, char *buf, uint64_t whole, const char *letters, const uint64_t *parts)
{
	int n = s->width - 16 < BAR_MAX ? s->width - 16 : BAR_MAX, at = 0;
	uint64_t sum = 0;

	if (n < 0)
		n = 0;
	for (size_t i = 0; letters[i] != '\0'; i++) {
		sum += parts[i];
		int to = whole > 0 ? (int)((double)sum / (double)whole * n + 0.5) : 0;
		while (at < to && at < n)
			buf[at++] = letters[i];
	}
	while (at < n)
		buf[at++] = '.';
	buf[at] = '\0';
}

/* ---- the screen ---------------------------------------------------------- */

static void
put_daemon(const struct screen *s, const char *name)
{
	const struct sample *n = s->now;

	struct words pid = {"-"};
	if (n->writer_pid != 0)
		snprintf(pid.w, sizeof(pid.w), "%" PRIu64, n->writer_pid);
	/* by the daemon's clock, until its last word */
	int64_t up_s = (int64_t)screen_value(s, SHM_STAT_UPTIME);
	screen_line(s, LINE_HEAD,
	    "peekd %s   process %s   up %s   connections %" PRIu64 " of %" PRIu64
	    "   shm clients %" PRIu64,
	    name, pid.w, n->writer_pid != 0 ? screen_duration(up_s).w : "-",
	    screen_value(s, SHM_STAT_CURR_CONNECTIONS), screen_value(s, SHM_STAT_MAX_CONNECTIONS),
	    screen_value(s, SHM_STAT_SHM_CLIENTS));
	if (n->retired)
		screen_line(s, LINE_ALARM,
		    "RETIRED: this segment is out of use, and no other has replaced it yet.");
	else if (n->writer_pid == 0)
		screen_line(s, LINE_ALARM,
		    "NO DAEMON: it ended cleanly %" PRIu64 ".%" PRIu64
		    " s ago. Reads go on; the numbers below are its last ones.",
		    n->silent_ms / 1000, n->silent_ms % 1000 / 100);
	else if (n->silent_ms > CLOCK_SILENT_MS)
		screen_line(s, LINE_ALARM,
		    "NO HEARTBEAT for %" PRIu64 ".%" PRIu64
		    " s. Reads go on; the numbers below are the last ones. See: peekctl doctor",
		    n->silent_ms / 1000, n->silent_ms % 1000 / 100);
	else
		screen_line(s, LINE_PLAIN, "heartbeat %" PRIu64 " ms ago", n->silent_ms);
}

static void
put_reads(const struct screen *s)
{
	/* cmd_get and get_hits count the reads through shared memory too */
	uint64_t gets = screen_grown(s, SHM_STAT_CMD_GET),
		 shm_gets = screen_grown(s, SHM_STAT_SHM_GETS),
		 shm_hits = screen_grown(s, SHM_STAT_SHM_HITS);
	uint64_t all_gets =
	    screen_less(screen_value(s, SHM_STAT_CMD_GET), screen_value(s, SHM_STAT_SHM_GETS));

	screen_line(s, LINE_PLAIN, "%-14s%10s%10s%14s", "", "reads/s", "hits", "hits, all");
	screen_line(s, LINE_PLAIN, "%-14s%10s%10s%14s   retries %s per 1000", "shared memory",
	    short_number(per_second(s, shm_gets)).w, screen_percent(shm_hits, shm_gets).w,
	    screen_percent(screen_value(s, SHM_STAT_SHM_HITS), screen_value(s, SHM_STAT_SHM_GETS))
		.w,
	    screen_quotient(
		3, 1000.0 * (double)screen_grown(s, SHM_STAT_SHM_RETRIES), (double)shm_gets)
		.w);
	screen_line(s, LINE_PLAIN, "%-14s%10s%10s%14s   %s/s in, %s/s out", "socket",
	    short_number(per_second(s, screen_less(gets, shm_gets))).w,
	    screen_percent(screen_less(screen_grown(s, SHM_STAT_GET_HITS), shm_hits),
		screen_less(gets, shm_gets))
		.w,
	    screen_percent(
		screen_less(screen_value(s, SHM_STAT_GET_HITS), screen_value(s, SHM_STAT_SHM_HITS)),
		all_gets)
		.w,
	    short_bytes(screen_rate(s, SHM_STAT_BYTES_READ)).w,
	    short_bytes(screen_rate(s, SHM_STAT_BYTES_WRITTEN)).w);
}

static void
put_writes(const struct screen *s)
{
	double deletes =
	    screen_rate(s, SHM_STAT_DELETE_HITS) + screen_rate(s, SHM_STAT_DELETE_MISSES);
	double counts = screen_rate(s, SHM_STAT_INCR_HITS) + screen_rate(s, SHM_STAT_INCR_MISSES) +
	    screen_rate(s, SHM_STAT_DECR_HITS) + screen_rate(s, SHM_STAT_DECR_MISSES);

	screen_line(s, LINE_PLAIN, "%-14ssets %s/s   deletes %s/s   touches %s/s   incr, decr %s/s",
	    "writes", short_number(screen_rate(s, SHM_STAT_CMD_SET)).w, short_number(deletes).w,
	    short_number(screen_rate(s, SHM_STAT_CMD_TOUCH)).w, short_number(counts).w);
}

static void
put_latency(const struct screen *s)
{
	const struct latency_result *g = &s->sights->gets;
	const struct probe_state *d = &s->sights->daemon;

	if (g->n > 0)
		screen_line(s, LINE_PLAIN,
		    "%-14sget: median %s   99 %% in %s   least %s   (%u keys; without the clock's "
		    "%s)",
		    "latency", short_time(g->median_ns).w, short_time(g->p99_ns).w,
		    short_time(g->least_ns).w, g->n, short_time(g->clock_ns).w);
	else
		screen_line(s, LINE_PLAIN, "%-14sget: no key to time", "latency");
	if (d->answered)
		screen_line(
		    s, LINE_PLAIN, "%-14ssocket: answers in %s", "", short_time(d->trip_ns).w);
	else if (d->silent)
		screen_line(s, LINE_ALARM, "%-14ssocket: SILENT for %" PRIu64 ".%" PRIu64 " s", "",
		    d->silent_ms / 1000, d->silent_ms % 1000 / 100);
	else
		screen_line(s, LINE_PLAIN, "%-14ssocket: %s", "", d->why);
	struct words late = {"-"}; /* unknown while the daemon is silent */
	if (s->alive)
		snprintf(late.w, sizeof(late.w), "%.3f ms",
		    (double)screen_value(s, SHM_STAT_LOOP_LAG_US) / 1000);
	screen_line(s, LINE_PLAIN,
	    "%-14slongest set %.3f ms   event loop late by %s, at most %.3f ms", "",
	    (double)screen_value(s, SHM_STAT_LONGEST_SET_US) / 1000, late.w,
	    (double)screen_value(s, SHM_STAT_LOOP_LAG_MAX_US) / 1000);
}

static void
put_memory(const struct screen *s)
{
	char chart[BAR_MAX + 1];
	uint64_t limit = screen_value(s, SHM_STAT_LIMIT_MAXBYTES),
		 live = screen_value(s, SHM_STAT_BYTES),
		 dead = screen_value(s, SHM_STAT_DEAD_BYTES);
	uint64_t segment = screen_value(s, SHM_STAT_SEGMENT_BYTES),
		 huge = screen_value(s, SHM_STAT_HUGE_BYTES);

	screen_bar(s, chart, limit, "#-", (const uint64_t[]){live, dead});
	if (!s->bare)
		screen_line(s, LINE_PLAIN, "%-14s[%s]", "memory", chart);
	screen_line(s, LINE_PLAIN, "%-14s# live %s   - dead %s   . free %s   of %s",
	    s->bare ? "memory" : "", screen_percent(live, limit).w, screen_percent(dead, limit).w,
	    screen_percent(screen_value(s, SHM_STAT_FREE_BYTES), limit).w,
	    short_bytes((double)limit).w);
	uint64_t parts[] = {screen_value(s, SHM_STAT_SMALL_SEGMENTS),
	    screen_value(s, SHM_STAT_MAIN_SEGMENTS), screen_value(s, SHM_STAT_EXTENT_SEGMENTS)};
	screen_bar(s, chart, screen_value(s, SHM_STAT_N_SEGMENTS), "SME", parts);
	if (!s->bare)
		screen_line(s, LINE_PLAIN, "%-14s[%s]", "blocks", chart);
	screen_line(s, LINE_PLAIN,
	    "%-14sS new items %" PRIu64 " (target %" PRIu64 ")   M proved useful %" PRIu64
	    "   E large values %" PRIu64,
	    s->bare ? "blocks" : "", parts[0], screen_value(s, SHM_STAT_SMALL_TARGET), parts[1],
	    parts[2]);
	screen_bar(s, chart, segment, "#", &huge);
	if (!s->bare)
		screen_line(s, LINE_PLAIN, "%-14s[%s]", "huge pages", chart);
	screen_line(s, LINE_PLAIN, "%-14s# %s of the segment's %s   hint page %s   private %s",
	    s->bare ? "huge pages" : "", screen_percent(huge, segment).w,
	    short_bytes((double)segment).w,
	    short_bytes((double)screen_value(s, SHM_STAT_HINT_PAGE_BYTES)).w,
	    short_bytes((double)screen_value(s, SHM_STAT_PRIVATE_BYTES)).w);
	screen_line(s, LINE_PLAIN, "%-14s%s   buckets %s (%s a bucket)   in overflow buckets %s",
	    "items", short_number((double)screen_value(s, SHM_STAT_CURR_ITEMS)).w,
	    short_number((double)screen_value(s, SHM_STAT_N_BUCKETS)).w,
	    screen_quotient(2, (double)screen_value(s, SHM_STAT_CURR_ITEMS),
		(double)screen_value(s, SHM_STAT_N_BUCKETS))
		.w,
	    screen_percent(
		screen_value(s, SHM_STAT_OVERFLOW_ITEMS), screen_value(s, SHM_STAT_CURR_ITEMS))
		.w);
}

static void
put_removed(const struct screen *s)
{
	uint64_t written = screen_grown(s, SHM_STAT_LOG_BYTES_WRITTEN);

	screen_line(s, LINE_PLAIN,
	    "%-14sevicted %s/s (never read %s/s, full chains %s/s)   expired %s/s   flushed %s/s",
	    "removed", short_number(screen_rate(s, SHM_STAT_EVICTIONS)).w,
	    short_number(screen_rate(s, SHM_STAT_EVICTED_UNFETCHED)).w,
	    short_number(screen_rate(s, SHM_STAT_CHAIN_EVICTIONS)).w,
	    short_number(screen_rate(s, SHM_STAT_RECLAIMED)).w,
	    short_number(screen_rate(s, SHM_STAT_FLUSHED_ITEMS)).w);
	screen_line(s, LINE_PLAIN,
	    "%-14sby eviction %s/s, expiry %s/s, cleaning %s/s   copied %s bytes for each "
	    "written",
	    "blocks freed", short_number(screen_rate(s, SHM_STAT_SEGMENTS_EVICTED)).w,
	    short_number(screen_rate(s, SHM_STAT_SEGMENTS_EXPIRED)).w,
	    short_number(screen_rate(s, SHM_STAT_SEGMENTS_CLEANED)).w,
	    screen_quotient(2, (double)screen_grown(s, SHM_STAT_LOG_BYTES_COPIED), (double)written)
		.w);
	screen_line(s, LINE_PLAIN,
	    "%-14stoo large %" PRIu64 "   no room %" PRIu64 "   connections %" PRIu64
	    "   not allowed %" PRIu64 "   malformed %" PRIu64,
	    "refused", screen_value(s, SHM_STAT_STORE_TOO_LARGE),
	    screen_value(s, SHM_STAT_STORE_NO_MEMORY),
	    screen_value(s, SHM_STAT_REJECTED_CONNECTIONS), screen_value(s, SHM_STAT_DENIED),
	    screen_value(s, SHM_STAT_BAD_REQUESTS));
}

/* ---- keys ---------------------------------------------------------------- */

static void
put_key(const struct screen *s, const struct hot_key *k)
{
	char text[4 * ITEM_KEY_MAX + 1];
	size_t at = 0;

	for (unsigned i = 0; i < k->key_len; i++)
		at += escape_byte(text + at, k->key[i]);
	text[at] = '\0';
	screen_line(s, LINE_PLAIN, "%-14s%8.1f %%%10s%10.0f  %s", "", 100 * k->share,
	    short_number(k->hits_s).w, k->n_samples, text);
}

static void
put_keys(const struct screen *s)
{
	const struct hot_list *h = &s->sights->hot;
	int left = s->height - (s->bare ? HEIGHT_BARE : HEIGHT_FULL - KEYS_ONCE);
	unsigned n = s->height == 0 ? KEYS_ONCE : left > 0 ? (unsigned)left : 0;

	if (s->sights->daemon.no_hints[0] != '\0') {
		screen_line(
		    s, LINE_PLAIN, "%-14sunknown: %s", "hottest keys", s->sights->daemon.no_hints);
		return;
	}
	screen_line(s, LINE_PLAIN,
	    "%-14ssampled: one in %s of %s hits/s through shared memory, %.0f samples; one that is "
	    "10 s older counts half",
	    "hottest keys", screen_quotient(0, h->hits, h->n_samples).w, short_number(h->hits_s).w,
	    h->n_samples);
	screen_line(s, LINE_PLAIN, "%-14s%10s%10s%10s", "", "of hits", "hits/s", "samples");
	for (unsigned i = 0; i < h->n && i < n; i++)
		put_key(s, &h->row[i]);
}

void
screen_lines(const char *name, const struct sample *before, const struct sample *now,
    const struct sights *sights, int width, int height,
    void (*put)(void *arg, enum line_kind kind, const char *line), void *arg)
{
	struct screen s = {
	    .before = before,
	    .now = now,
	    .sights = sights,
	    .seconds = (double)(now->taken_ms - before->taken_ms) / 1000,
	    .alive = !now->retired && now->writer_pid != 0 && now->silent_ms <= CLOCK_SILENT_MS,
	    .width = width,
	    .height = height,
	    .bare = height != 0 && height < HEIGHT_FULL,
	    .put = put,
	    .arg = arg,
	};

	if (before->generation != now->generation || now->taken_ms <= before->taken_ms)
		s.seconds = 0;
	put_daemon(&s, name);
	screen_blank(&s);
	put_reads(&s);
	put_writes(&s);
	put_latency(&s);
	screen_blank(&s);
	put_memory(&s);
	screen_blank(&s);
	put_removed(&s);
	screen_blank(&s);
	put_keys(&s);
}
