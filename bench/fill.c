/*
 * fill.c: measures how much of the memory items get.
 *
 * fill       new keys only, three times the bytes that the arena holds: payload
 *              over arena, the mean of the last third
 *   overwrite  every second SET rewrites an existing key, with another length
 * shift      the mix, then values eight times as long, then the mix again: the
 *              worst of the three ends
 *   ttl        16 times to live, 10 s to 1 h, at a rate at which the items that
 *              have not expired would fill 70 % of the arena
 *   big        --items items in an arena that holds them all: shared bytes for
 *              each item beyond key and value
 *
 * bytes/entry+  shared memory for each item beyond key and value: header,
 * rounding, its share of the buckets, of the hints and of the table
 *               of blocks
 * left/entry    bytes of used blocks that no live item has: ends too short for
 *               the next item, dead items, open blocks
 * evicted %  live items that lack of room drove out, of all SETs
 * early %    the part of those that went while expired data remained: before or
 *            after the SET that evicted, the arena held at least one expired
 *            item that had not been removed. All items are looked at to find
 *            one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "payload.h"
#include "segment.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "sizes.h"

#define SAMPLE_EVERY 4096 /* SETs */
#define TTL_CLASSES  16
#define TTL_SPAN_S   10800 /* three times the longest */
#define TTL_FULL     0.70
#define SHIFT_FACTOR 8
#define BIG_SPARE    1.15

struct fill {
	const struct options *o;
	const struct size_mix *mix;
	const char *pattern;
	struct own_segment segment;
	struct rng rng;
	unsigned char key[250], *value;
	uint32_t value_cap;
	uint64_t next_id, n_sets, refused;
	uint64_t evicted_early; /* while expired data remained */
	/* in this second no expired item was left; items stored since expire
	 * later */
	uint32_t none_expired_s;
	double used_sum, used_n; /* of samples of payload / arena */
	double used_min;         /* at a stage's end; of the pattern `shift' */
	double third_max;        /* share of items on a chain's second or later line */
};

static double
fill_used(struct fill *f)
{
	uint64_t st[SHM_STAT_N];

	store_stats(f->segment.store, 0, st);
	double third = st[SHM_STAT_CURR_ITEMS] > 10000
	    ? (double)st[SHM_STAT_OVERFLOW_ITEMS] / (double)st[SHM_STAT_CURR_ITEMS]
	    : 0;
	f->third_max = third > f->third_max ? third : f->third_max;
	return (double)st[SHM_STAT_PAYLOAD_BYTES] / (double)f->segment.map.arena_bytes;
}

/* Called after a SET with a time to live: counts if it evicted while expired
 * data remained. */
static void
note_early(struct fill *f, const uint64_t *before)
{
	uint64_t st[SHM_STAT_N];

	store_stats(f->segment.store, 0, st);
	if (st[SHM_STAT_EVICTIONS] == before[SHM_STAT_EVICTIONS])
		return;
	if (st[SHM_STAT_RECLAIMED] == before[SHM_STAT_RECLAIMED] &&
	    f->none_expired_s != f->segment.now_s &&
	    store_expired_bytes(f->segment.store, f->segment.now_s, 1) == 0)
		f->none_expired_s = f->segment.now_s;
	if (st[SHM_STAT_RECLAIMED] != before[SHM_STAT_RECLAIMED] ||
	    f->none_expired_s != f->segment.now_s)
		f->evicted_early += st[SHM_STAT_EVICTIONS] - before[SHM_STAT_EVICTIONS];
}

/* Returns the bytes of key and value that were stored. */
static uint64_t
fill_set(struct fill *f, uint64_t id, uint32_t version, uint32_t factor, uint32_t ttl_s)
{
	struct sizes sizes, other;
	uint64_t before[SHM_STAT_N];
	uint64_t cas;

	f->mix->of(id, &sizes);
	if (version > 0) { /* another length */
		f->mix->of(rng_mix(id * 1000 + version), &other);
		sizes.value_bytes = other.value_bytes;
	}
	uint64_t want = (uint64_t)sizes.value_bytes * factor;
	sizes.value_bytes = want > f->value_cap ? f->value_cap : (uint32_t)want;
	payload_key(f->key, sizes.key_bytes, id);
	struct store_put put = {.key = {.bytes = f->key,
				    .len = sizes.key_bytes,
				    .hash = store_hash(f->segment.store, f->key, sizes.key_bytes)},
	    .value = f->value,
	    .value_bytes = sizes.value_bytes,
	    .expiry_s = ttl_s == 0 ? 0 : f->segment.now_s + ttl_s};
	if (ttl_s != 0)
		store_stats(f->segment.store, 0, before);
	f->refused += store_put(f->segment.store, &put, f->segment.now_s, &cas) != STORE_OK;
	f->n_sets++;
	if (ttl_s != 0)
		note_early(f, before);
	return sizes.key_bytes + sizes.value_bytes;
}

/* Writes this number of bytes, to new keys or to old and new keys in turn.
 * Samples are taken in the last third. */
static void
write_bytes(struct fill *f, uint64_t n_bytes, bool overwrite, uint32_t factor)
{
	uint64_t st[SHM_STAT_N] = {0};

	for (uint64_t done = 0; done < n_bytes;) {
		if (overwrite && (f->n_sets & 1) != 0 && st[SHM_STAT_CURR_ITEMS] > 0) {
			uint64_t back = st[SHM_STAT_CURR_ITEMS] < f->next_id
			    ? st[SHM_STAT_CURR_ITEMS]
			    : f->next_id;
			uint64_t id = f->next_id - 1 - rng_next(&f->rng) % back;
			done += fill_set(f, id, (uint32_t)(f->n_sets & 0xffff) + 1, factor, 0);
		} else {
			done += fill_set(f, f->next_id++, 0, factor, 0);
		}
		if (f->n_sets % SAMPLE_EVERY != 0)
			continue;
		own_segment_tick(&f->segment);
		store_stats(f->segment.store, 0, st);
		double u = fill_used(f);
		if (done > n_bytes / 3 * 2) {
			f->used_sum += u;
			f->used_n++;
		}
	}
}

static void
run_fill(struct fill *f)
{
	write_bytes(f, 3 * f->o->arena, false, 1);
}

static void
run_overwrite(struct fill *f)
{
	write_bytes(f, f->o->arena, false, 1);
	f->used_sum = f->used_n = 0;
	write_bytes(f, 3 * f->o->arena, true, 1);
}

static void
run_shift(struct fill *f)
{
	static const uint32_t factors[] = {1, SHIFT_FACTOR, 1};

	f->used_min = 1;
	for (unsigned i = 0; i < 3; i++) {
		write_bytes(f, 2 * f->o->arena, false, factors[i]);
		double u = fill_used(f);
		if (i > 0 && u < f->used_min) /* the first stage is no shift */
			f->used_min = u;
	}
}

static uint32_t
ttl_of_class(uint64_t i)
{
	double ttl = 10;

	for (; i > 0; i--)
		ttl *= 1.4807; /* 10 s to 1 h in 15 steps */
	return (uint32_t)ttl;
}

static void
run_ttl(struct fill *f)
{
	uint32_t begin_s = f->segment.now_s;
	double ttl_mean = 0, item_mean = 0;

	for (unsigned i = 0; i < TTL_CLASSES; i++)
		ttl_mean += ttl_of_class(i) / (double)TTL_CLASSES;
	for (uint64_t id = 0; id < 10000; id++) {
		struct sizes s;
		f->mix->of(id, &s);
		item_mean +=
		    (double)ITEM_ALIGN(ITEM_HEADER_BYTES + s.key_bytes + s.value_bytes) / 10000;
	}
	double rate = TTL_FULL * (double)f->o->arena / (ttl_mean * item_mean), due = 0;
	for (uint32_t t = 0; t < TTL_SPAN_S; t++) {
		for (unsigned tenth = 0; tenth < 10; tenth++) {
			own_segment_tick_at(&f->segment, begin_s + t);
			for (due += rate / 10; due >= 1; due--)
				fill_set(f, f->next_id++, 0, 1,
				    ttl_of_class(rng_next(&f->rng) % TTL_CLASSES));
		}
		f->used_sum += fill_used(f);
		f->used_n++;
	}
}

static void
run_big(struct fill *f)
{
	for (uint64_t i = 0; i < f->o->items; i++) {
		fill_set(f, f->next_id++, 0, 1, 0);
		if (i % SAMPLE_EVERY == 0) {
			own_segment_tick(&f->segment);
			fill_used(f);
		}
	}
	f->used_sum = fill_used(f);
	f->used_n = 1;
}

static const struct pattern {
	const char *name;
	void (*run)(struct fill *f);
	bool usual;
} patterns[] = {
    {"fill", run_fill, true},
    {"overwrite", run_overwrite, true},
    {"shift", run_shift, true},
    {"ttl", run_ttl, true},
    {"big", run_big, false},
};
#define N_PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static double
fill_overhead(const struct fill *f, const uint64_t *st)
{
	uint64_t lines = st[SHM_STAT_N_BUCKETS] + st[SHM_STAT_N_OVERFLOW];
	uint64_t shared = st[SHM_STAT_BYTES] +
	    lines * (sizeof(struct bucket) + HINT_BYTES_PER_BUCKET) +
	    f->segment.map.n_blocks * sizeof(struct block_record);

	return st[SHM_STAT_CURR_ITEMS] > 0
	    ? (double)(shared - st[SHM_STAT_PAYLOAD_BYTES]) / (double)st[SHM_STAT_CURR_ITEMS]
	    : 0;
}

static double
left_over(const struct fill *f, const uint64_t *st)
{
	uint64_t used = (st[SHM_STAT_N_SEGMENTS] - st[SHM_STAT_N_SEGMENTS_FREE])
	    << f->segment.map.block_shift;

	return st[SHM_STAT_CURR_ITEMS] > 0
	    ? (double)(used - st[SHM_STAT_BYTES]) / (double)st[SHM_STAT_CURR_ITEMS]
	    : 0;
}

static void
fill_print(const struct fill *f)
{
	uint64_t st[SHM_STAT_N];
	double share = f->used_n > 0 ? f->used_sum / f->used_n : 0;

	store_stats(f->segment.store, 0, st);
	if (strcmp(f->pattern, "shift") == 0)
		share = f->used_min;
	double copied = st[SHM_STAT_LOG_BYTES_WRITTEN] > 0
	    ? (double)st[SHM_STAT_LOG_BYTES_COPIED] / (double)st[SHM_STAT_LOG_BYTES_WRITTEN]
	    : 0;
	double evicted = 100 * (double)st[SHM_STAT_EVICTIONS] / (double)f->n_sets;
	double early = 100 * (double)f->evicted_early / (double)f->n_sets;
	const char *format = f->o->json
	    ? "{\"mix\":\"%s\",\"pattern\":\"%s\",\"sets\":%llu,\"items\":%llu,\"payload_per_"
	      "arena\":%.4f,"
	      "\"overhead_bytes_per_entry\":%.2f,\"left_over_bytes_per_entry\":%.2f,\"copied_per_"
	      "written\":%.3f,\"refused\":%llu,\"evicted_percent\":%.3f,"
	      "\"evicted_early_percent\":%.3f,"
	      "\"third_line_percent\":%.3f,\"longest_set_items\":%llu,\"longest_set_copied_bytes\":"
	      "%llu}\n"
	    : "%-9s %-10s %9llu %9llu  %8.4f  %8.2f %8.2f  %8.3f  %7llu  %8.3f %7.3f  %8.3f  %7llu "
	      "%9llu\n";
	printf(format, f->mix->name, f->pattern, (unsigned long long)f->n_sets,
	    (unsigned long long)st[SHM_STAT_CURR_ITEMS], share, fill_overhead(f, st),
	    left_over(f, st), copied, (unsigned long long)f->refused, evicted, early,
	    100 * f->third_max, (unsigned long long)st[SHM_STAT_LONGEST_SET_ITEMS],
	    (unsigned long long)st[SHM_STAT_LONGEST_SET_COPIED]);
	fflush(stdout);
}

static uint64_t
arena_of(const struct options *o, const struct size_mix *mix, bool big)
{
	uint64_t sum = 0;

	if (!big)
		return o->arena;
	for (uint64_t id = 0; id < o->items; id++) {
		struct sizes s;
		mix->of(id, &s);
		sum += ITEM_ALIGN((uint64_t)ITEM_HEADER_BYTES + s.key_bytes + s.value_bytes);
	}
	return (uint64_t)((double)sum * BIG_SPARE) + (16 << 20);
}

static int
run_one(const struct options *o, const struct size_mix *mix, const struct pattern *p)
{
	struct fill f = {
	    .o = o, .mix = mix, .pattern = p->name, .rng = {o->seed}, .value_cap = 1 << 20};
	int rc;

	f.value = calloc(1, f.value_cap);
	struct own_conf conf = {
	    .arena_bytes = arena_of(o, mix, p->run == run_big), .hash_seed = rng_mix(o->seed) | 1};
	rc = f.value == NULL ? -1 : own_segment_create(&conf, &f.segment);
	if (rc != 0) {
		fprintf(stderr, "peekbench fill: no segment of this size\n");
		free(f.value);
		return 1;
	}
	if (isatty(2))
		fprintf(stderr, "\r\033[K%s, %s ...", mix->name, p->name);
	p->run(&f);
	if (isatty(2))
		fputs("\r\033[K", stderr);
	fill_print(&f);
	own_segment_destroy(&f.segment);
	free(f.value);
	return f.refused != 0;
}

int
command_fill(const struct options *o)
{
	const struct size_mix *mix = o->mix != NULL ? size_mix_find(o->mix) : NULL;
	unsigned n_run = 0;
	int bad = 0;

	if ((o->mix != NULL && mix == NULL) || o->arena < 1 << 20) {
		fprintf(stderr, "peekbench fill: --arena is at least 1m; the mixes are:\n");
		for (unsigned i = 0; i < n_size_mixes; i++)
			fprintf(stderr, "  %-9s %s\n", size_mixes[i].name, size_mixes[i].source);
		return 2;
	}
	if (!o->json)
		puts("                                       payload   bytes/     left   copied/   "
		     "        evicted   early    third      worst SET\n"
		     "mix       pattern         sets     items   /arena   entry+   /entry   "
		     "written refused        %       %   line %   items     bytes");
	for (unsigned i = 0; i < n_size_mixes; i++) {
		for (unsigned j = 0; j < N_PATTERNS; j++) {
			bool wanted = o->pattern != NULL ? strcmp(o->pattern, patterns[j].name) == 0
							 : patterns[j].usual;
			if (!wanted || (mix != NULL && mix != &size_mixes[i]))
				continue;
			bad |= run_one(o, &size_mixes[i], &patterns[j]);
			n_run++;
		}
	}
	if (!o->json && n_run > 0)
		puts("evicted: live items that lack of room drove out, of all SETs; early: those "
		     "that went while anything expired was in the arena");
	if (n_run == 0)
		fprintf(
		    stderr, "peekbench fill: --pattern is fill, overwrite, shift, ttl or big\n");
	return n_run == 0 ? 2 : bad;
}
