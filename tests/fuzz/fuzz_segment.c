/*
 * fuzz_segment.c: starts on damaged segments (ASan, UBSan). `make fuzz-segment`
 * runs it: fuzz_segment STARTS [SEED].
 *
 * Segments of several geometries are filled with what an engine makes: large
 * values, counters, flags, life times, chains, tables in the middle of their
 * growth. Then over and over: a few bytes of any region are changed, and a
 * start takes the segment over. The start may refuse the segment. Or it makes a
 * table with right sums, in which each key that is met is found under its own
 * name, and which goes on working: items are set and deleted, and items of the
 * segment are evicted for them. A fault, and memory that two items have, are
 * defects.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/store.h"
#include "engine/engine_check.h"
#include "unit/random.h"

#define N_BASES 6
#define NOW_S   100
#define REQUIRE(x) \
	((x) ? (void)0 \
	     : (fprintf(stderr, "start %lu of seed %lu: %s\n", n_starts, first_seed, #x), \
		   remove_all(), abort()))

static void remove_all(void); /* the bases' objects, which abort would leave */

struct part {
	char *at, *good;
	uint64_t n_bytes;
};

static struct base {
	struct map map;
	char object[64], path[96];
	struct part part[5];
	unsigned value_max;
} base[N_BASES];

static unsigned long n_starts, n_refused, n_damaged, first_seed;
static uint64_t state;

static uint64_t
pick(uint64_t n)
{
	return next_random(&state) % n;
}

static void
remove_all(void)
{
	for (unsigned i = 0; i < N_BASES; i++)
		if (base[i].path[0] != '\0')
			unlink(base[i].path);
}

static const struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};

static void
put_some(struct store *s, unsigned n, unsigned value_max)
{
	static char value[1 << 18];
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = (uint32_t)snprintf(text, sizeof(text), "key:%lu:%.*s",
		    (unsigned long)pick(n), (int)pick(20), "0123456789abcdefghij");
		struct store_key key = {text, len, store_hash(s, text, len)};
		struct store_put put = {.key = key,
		    .mode = STORE_SET,
		    .value = i % 7 == 0 ? "41" : value,
		    .value_bytes = i % 7 == 0 ? 2 : (uint32_t)pick(value_max),
		    .flags = (uint32_t)pick(3),
		    .expiry_s = pick(3) == 0 ? NOW_S + 1 + (uint32_t)pick(100000) : 0};
		struct store_item item;
		uint64_t cas, number;
		if (store_put(s, &put, NOW_S, &cas) == STORE_OK && i % 7 == 0 &&
		    store_find(s, &key, NOW_S, &item, NULL))
			store_arith(s, &key, &item, false, 1, 0, NOW_S, &number, &cas);
		if (pick(5) == 0 && store_find(s, &key, NOW_S, &item, NULL))
			store_delete(s, &item);
	}
}

static void
set_part(struct part *p, void *at, uint64_t n_bytes)
{
	*p = (struct part){at, malloc(n_bytes), n_bytes};
	memcpy(p->good, at, n_bytes);
}

static void
make_base(unsigned i)
{
	static const struct {
		uint64_t arena_bytes;
		unsigned block_shift, n, value_max;
	} want[N_BASES] = {{64 << 10, 9, 300, 400}, {256 << 10, 10, 4000, 40},
	    {512 << 10, 12, 400, 20000}, {1 << 20, 0, 3000, 300}, {16 << 7, 7, 30, 2000},
	    {128 << 10, 11, 900, 3000}};
	struct base *b = &base[i];
	struct store_recovery rec;
	struct geometry g;
	struct store *s;

	snprintf(b->object, sizeof(b->object), "peekd.fuzz-segment-%d-%u", (int)getpid(), i);
	if (map_object_path(b->object, b->path, sizeof(b->path)) != 0 ||
	    map_plan_geometry(want[i].arena_bytes, want[i].block_shift, &g) != 0 ||
	    map_create(b->object, &g, 0600, (gid_t)-1, 7 + i, 1, "/nowhere", &b->map) != 0 ||
	    store_open(&b->map, &conf, NOW_S, &s, &rec) != 0)
		abort();
	b->value_max = want[i].value_max;
	put_some(s, want[i].n, b->value_max);
	REQUIRE(engine_check(s) == NULL);
	store_close(s);
	map_publish(&b->map);
	struct map *m = &b->map;
	set_part(&b->part[0], m->header, LAYOUT_PAGE_BYTES);
	set_part(
	    &b->part[1], m->blocks, m->n_blocks * sizeof(struct block_record) + 8 * m->n_tag_slots);
	set_part(&b->part[2], m->buckets,
	    layout_grown_bytes(word_load_rlx(&m->header->count), m->n_buckets_max));
	set_part(&b->part[3], m->overflow,
	    layout_grown_bytes(word_load_rlx(&m->header->n_overflow), m->n_overflow_max));
	set_part(&b->part[4], m->arena, m->arena_bytes);
}

/* A bit, a byte, a word of a few values, or a word of another place. */
static void
change(struct base *b)
{
	struct part *p = &b->part[pick(5)];
	uint64_t used = p == &b->part[0] && pick(4) != 0 ? sizeof(struct header) : p->n_bytes,
		 at = pick(used), v = next_random(&state) >> pick(64);

	switch (pick(5)) {
	case 0:
	case 1:
		p->at[at] = (char)(p->at[at] ^ 1 << pick(8));
		break;
	case 2:
		p->at[at] = (char)v;
		break;
	case 3:
		memcpy(p->at + at / 8 * 8, &v, 8);
		break;
	default:
		memcpy(p->at + at / 8 * 8, p->at + pick(used) / 8 * 8, 8);
	}
}

struct met {
	struct store *s;
	unsigned long n;
};

static void
visit(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	static char value[ITEM_VALUE_MAX + 1];
	struct met *met = arg;
	struct store_key k = {key, key_len, store_hash(met->s, key, key_len)};
	struct store_item found;

	met->n++;
	REQUIRE(store_find(met->s, &k, NOW_S, &found, NULL));
	store_read(met->s, item, 0, item->value_bytes, value);
}

static void
sound(struct store *s, const char *when)
{
	const char *wrong = engine_check(s);

	if (wrong != NULL)
		fprintf(
		    stderr, "start %lu of seed %lu, %s: %s\n", n_starts, first_seed, when, wrong);
	REQUIRE(wrong == NULL);
}

static void
undamage(struct base *b)
{
	for (unsigned i = 0; i < 5; i++)
		memcpy(b->part[i].at, b->part[i].good, b->part[i].n_bytes);
}

/* As a daemon takes over what is there. */
static void
start(struct base *b)
{
	struct store_recovery rec;
	struct store *s;
	struct map m;

	n_starts++;
	if (map_open(b->object, true, (uid_t)-1, &m) != 0) {
		n_refused++;
		return;
	}
	word_store_rlx(&m.header->count, word_load_rlx(&m.header->count) & COUNT_MASK);
	if (store_open(&m, &conf, NOW_S, &s, &rec) != 0) {
		n_refused++;
	} else {
		struct met met = {s, 0};
		n_damaged += rec.dropped_damaged > 0;
		sound(s, "after recovery");
		for (uint64_t cursor = 0;
		     (cursor = store_walk(s, cursor, NOW_S, visit, &met)) != 0;)
			;
		put_some(s, 50, b->value_max);
		store_tick(s, (uint64_t)(NOW_S + 50000) << 32);
		sound(s, "after work");
		store_close(s);
	}
	map_close(&m);
}

static void
one_start(struct base *b)
{
	undamage(b);
	for (uint64_t n = 1 + pick(12); n > 0; n--)
		change(b);
	start(b);
}

#ifndef SEGMENT_UNIT
int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;

	first_seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	state = first_seed;
	atexit(remove_all);
	for (unsigned i = 0; i < N_BASES; i++)
		make_base(i);
	while (n_starts < n)
		one_start(&base[n_starts % N_BASES]);
	printf("%lu starts: %lu refused, %lu with damaged items dropped, the rest whole\n",
	    n_starts, n_refused, n_damaged);
	return 0;
}
#endif
