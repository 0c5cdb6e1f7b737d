/*
 * test_store_tags.c: tags in the engine: random items with random tags against
 * a plain model, also after a successor took over; names that share a number;
 * explicit CAS ids; the memory of the items that an invalidation covers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine_check.h"

#define NOW_S 100

struct fixture {
	struct map map;
	struct store *store;
};

static const struct store_conf conf_evict = {.evict = true, .item_max_bytes = 1 << 20};
static const struct store_conf conf_refuse = {.evict = false, .item_max_bytes = 1 << 20};

static void
open_fixture(struct fixture *f, uint64_t arena_bytes, const struct store_conf *conf)
{
	struct geometry g;
	struct store_recovery rec;
	char object[64], path[128];

	snprintf(object, sizeof(object), "peekd.test-tags-%d", (int)getpid());
	assert_int_equal(map_plan_geometry(arena_bytes, 0, &g), 0);
	assert_int_equal(map_create(object, &g, 0600, (gid_t)-1, 42, 1, "/nowhere", &f->map), 0);
	map_publish(&f->map);
	map_object_path(object, path, sizeof(path));
	unlink(path);
	assert_int_equal(store_open(&f->map, conf, NOW_S, &f->store, &rec), 0);
}

static void
close_fixture(struct fixture *f)
{
	assert_null(engine_check(f->store));
	store_close(f->store);
	map_close(&f->map);
}

static void
successor(struct fixture *f, const struct store_conf *conf)
{
	struct store_recovery rec;

	store_close(f->store);
	assert_int_equal(store_open(&f->map, conf, NOW_S, &f->store, &rec), 0);
	assert_int_equal(rec.dropped_damaged, 0);
	assert_null(engine_check(f->store));
}

static struct store_key
key_of(const struct store *s, const char *text)
{
	return (struct store_key){text, (uint32_t)strlen(text), store_hash(s, text, strlen(text))};
}

static enum store_result
put_tagged(struct store *s, enum store_mode mode, const char *key, const char *value,
    uint32_t value_bytes, const uint32_t *tag, unsigned n_tags, uint64_t explicit_cas)
{
	uint64_t cas;
	struct store_put p = {.key = key_of(s, key),
	    .mode = mode,
	    .value = value,
	    .value_bytes = value_bytes,
	    .flags = value_bytes % 2,
	    .state = n_tags > 0 ? ITEM_TAGS : 0,
	    .tags = n_tags > 0 ? store_tags(tag, n_tags) : 0,
	    .explicit_cas = explicit_cas};

	return store_put(s, &p, NOW_S, &cas);
}

static bool
is_there(struct store *s, const char *key)
{
	struct store_key k = key_of(s, key);
	struct store_item item;

	return store_find(s, &k, NOW_S, &item, NULL);
}

/* ---- against a model ----------------------------------------------------- */

#define N_KEYS  2000
#define N_NAMES 500

/* In the model an item lives until one of its numbers, cut to the table's
 * length, is invalidated. */
static struct {
	bool lives, is_number;
	unsigned n_tags;
	uint32_t tag[ITEM_TAGS_MAX];
} model[N_KEYS];

static uint32_t
random_name_tag(void)
{
	char name[40];
	int n = snprintf(name, sizeof(name), "%.*s%d", rand() % 9, "group:of:", rand() % N_NAMES);

	return store_tag(name, (size_t)n);
}

static void
model_invalidate(const struct store *s, uint32_t tag)
{
	uint64_t mask = s->map->n_tag_slots - 1;

	for (unsigned k = 0; k < N_KEYS; k++)
		for (unsigned i = 0; i < model[k].n_tags; i++)
			if ((model[k].tag[i] & mask) == (tag & mask))
				model[k].lives = false;
}

static void
model_check_all(struct store *s)
{
	char key[40];

	for (unsigned k = 0; k < N_KEYS; k++) {
		snprintf(key, sizeof(key), "key-%u", k);
		assert_int_equal(is_there(s, key), model[k].lives);
	}
	assert_null(engine_check(s));
}

static void
change_one(struct store *s)
{
	unsigned k = (unsigned)rand() % N_KEYS, op = (unsigned)rand() % 16;
	static char value[3000] = "7";
	struct store_item item;
	uint64_t number, cas;
	char key[40];

	snprintf(key, sizeof(key), "key-%u", k);
	struct store_key sk = key_of(s, key);
	bool found = store_find(s, &sk, NOW_S, &item, NULL);
	assert_int_equal(found, model[k].lives);
	if (op < 8) {
		uint32_t n = rand() % 4 == 0 ? (uint32_t)rand() % sizeof(value) + 1 : 1;
		model[k].n_tags = (unsigned)rand() % (ITEM_TAGS_MAX + 1);
		for (unsigned i = 0; i < model[k].n_tags; i++)
			model[k].tag[i] = random_name_tag();
		assert_int_equal(
		    put_tagged(s, STORE_SET, key, value, n, model[k].tag, model[k].n_tags, 0),
		    STORE_OK);
		model[k].lives = true;
		model[k].is_number = n == 1;
	} else if (op < 10) { /* keeps its own tags, whatever comes with it */
		uint32_t other = random_name_tag();
		assert_int_equal(put_tagged(s, op == 8 ? STORE_APPEND : STORE_PREPEND, key, "1", 1,
				     &other, 1, 0),
		    model[k].lives ? STORE_OK : STORE_NOT_STORED);
	} else if (op == 10 && found && model[k].is_number && item.value_bytes < 10) {
		assert_int_equal(
		    store_arith(s, &sk, &item, false, 1, 0, NOW_S, &number, &cas), STORE_OK);
	} else if (op == 11 && found) {
		store_touch(s, &item, NOW_S + 1000);
		store_mark(s, &item, ITEM_STALE, 0, store_next_cas(s, 0, 0, 0));
	} else if (op == 12 && found) {
		store_delete(s, &item);
		model[k].lives = false;
	} else if (op == 13) {
		uint32_t tag = random_name_tag();
		store_invalidate(s, tag);
		model_invalidate(s, tag);
	}
	store_tick(s, (uint64_t)NOW_S << 32);
}

static void
random_items(void **state)
{
	const uint64_t arena[] = {2 << 20, 32 << 20};

	(void)state;
	srand(17);
	for (unsigned a = 0; a < 2; a++) {
		struct fixture f;
		memset(model, 0, sizeof(model));
		open_fixture(&f, arena[a], &conf_refuse);
		for (unsigned i = 0; i < 40000; i++) {
			change_one(f.store);
			if (i % 5000 == 4999)
				model_check_all(f.store);
			if (i % 10000 == 9999)
				successor(&f, &conf_refuse);
		}
		model_check_all(f.store);
		close_fixture(&f);
	}
}

/* ---- numbers ------------------------------------------------------------- */

/* All 65,536 numbers in use: each invalidation takes its own items and no
 * other. */
static void
every_number(void **state)
{
	struct fixture f;
	char key[40];

	(void)state;
	open_fixture(&f, 32 << 20, &conf_refuse);
	assert_int_equal(f.map.n_tag_slots, LAYOUT_TAG_SLOTS_MAX);
	for (uint32_t t = 0; t < LAYOUT_TAG_SLOTS_MAX; t++) {
		snprintf(key, sizeof(key), "t%u", t);
		assert_int_equal(put_tagged(f.store, STORE_SET, key, "v", 1, &t, 1, 0), STORE_OK);
	}
	for (uint32_t t = 1; t < LAYOUT_TAG_SLOTS_MAX; t += 2)
		store_invalidate(f.store, t);
	for (unsigned life = 0; life < 2; life++) {
		for (uint32_t t = 0; t < LAYOUT_TAG_SLOTS_MAX; t++) {
			snprintf(key, sizeof(key), "t%u", t);
			assert_int_equal(is_there(f.store, key), t % 2 == 0);
		}
		successor(&f, &conf_refuse);
	}
	close_fixture(&f);
}

/* Two names with one number: either takes the items of both, and a set
 * afterwards stands. */
static void
shared_number(void **state)
{
	char name[2][40] = {"first", ""};
	struct fixture f;

	(void)state;
	open_fixture(&f, 32 << 20, &conf_evict);
	uint32_t tag = store_tag(name[0], strlen(name[0])), other = tag + 1;
	for (unsigned i = 0; other != tag; i++) {
		snprintf(name[1], sizeof(name[1]), "other-%u", i);
		other = store_tag(name[1], strlen(name[1]));
	}
	assert_int_equal(put_tagged(f.store, STORE_SET, "a", "1", 1, &tag, 1, 0), STORE_OK);
	store_invalidate(f.store, other);
	assert_false(is_there(f.store, "a"));
	assert_int_equal(put_tagged(f.store, STORE_SET, "a", "1", 1, &tag, 1, 0), STORE_OK);
	assert_true(is_there(f.store, "a"));
	close_fixture(&f);
}

/* The number of a name stands in items, snapshots and segments: it may never
 * change. */
static void
number_of_a_name(void **state)
{
	(void)state;
	assert_int_equal(store_tag("user:1", 6), 38145);
	assert_true(store_tags((uint32_t[]){1, 2}, 2) == UINT64_C(0x0001000100020001));
	assert_true(store_tags((uint32_t[]){9}, 1) == UINT64_C(0x0009000900090009));
}

/* An explicit CAS id at or below a cut-off of its tags would make an item that
 * nobody finds. */
static void
explicit_cas(void **state)
{
	uint32_t tag = 5, other = 6;
	uint64_t number, cas;
	struct store_item item;
	struct fixture f;

	(void)state;
	open_fixture(&f, 2 << 20, &conf_evict);
	struct store *s = f.store;
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, &tag, 1, 1000), STORE_OK);
	store_invalidate(s, tag);
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, &tag, 1, 1000), STORE_BAD_CAS);
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, &tag, 1, 999), STORE_BAD_CAS);
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, &other, 1, 999), STORE_OK);
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, NULL, 0, 999), STORE_OK);
	assert_int_equal(put_tagged(s, STORE_SET, "a", "1", 1, &tag, 1, 1001), STORE_OK);
	struct store_key k = key_of(s, "a");
	assert_true(store_find(s, &k, NOW_S, &item, NULL));
	assert_int_equal(
	    store_arith(s, &k, &item, false, 1, 1000, NOW_S, &number, &cas), STORE_BAD_CAS);
	assert_true(store_next_cas(s, 1000, item.state, item.tags) == 0);
	assert_true(store_next_cas(s, 1000, 0, 0) == 1000);
	assert_true(is_there(s, "a"));
	close_fixture(&f);
}

/* ---- memory -------------------------------------------------------------- */

/* Half of a full cache is covered, everywhere: its memory comes back, and
 * nothing that is live goes for it. */
static void
memory_comes_back(void **state)
{
	enum { N_OLD = 36000, N_NEW = 12000, BYTES = 200 };
	static const char value[BYTES];
	const struct store_conf *confs[] = {&conf_evict, &conf_refuse};

	(void)state;
	for (unsigned c = 0; c < 2; c++) {
		uint64_t st[SHM_STAT_N];
		uint32_t tag = 77, other = 78;
		struct fixture f;
		char key[32];
		open_fixture(&f, 10 << 20, confs[c]);
		for (int i = 0; i < N_OLD; i++) {
			snprintf(key, sizeof(key), "old-%05d", i);
			assert_int_equal(put_tagged(f.store, STORE_SET, key, value, BYTES,
					     i % 2 == 0 ? &tag : &other, 1, 0),
			    STORE_OK);
		}
		store_invalidate(f.store, tag);
		for (int i = 0; i < N_NEW; i++) {
			snprintf(key, sizeof(key), "new-%05d", i);
			assert_int_equal(
			    put_tagged(f.store, STORE_SET, key, value, BYTES, NULL, 0, 0),
			    STORE_OK);
		}
		for (int i = 0; i < N_OLD; i++) {
			snprintf(key, sizeof(key), "old-%05d", i);
			assert_int_equal(is_there(f.store, key), i % 2 != 0);
		}
		store_stats(f.store, NOW_S, st);
		assert_int_equal(st[SHM_STAT_EVICTIONS], 0);
		assert_int_equal(st[SHM_STAT_INVALIDATIONS], 1);
		assert_true(st[SHM_STAT_INVALIDATED_ITEMS] > N_OLD / 4);
		close_fixture(&f);
	}
}

/* Invalidations that come faster than a sweep moves don't keep it from its
 * end. */
static void
many_invalidations(void **state)
{
	uint64_t st[SHM_STAT_N];
	struct fixture f;
	char key[32];

	(void)state;
	open_fixture(&f, 8 << 20, &conf_evict);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t tag = 1000 + i % 1000;
		snprintf(key, sizeof(key), "key-%u", i);
		put_tagged(f.store, STORE_SET, key, "value", 5, &tag, 1, 0);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t tag = 1;
		store_invalidate(f.store, 1000 + i % 1000);
		put_tagged(f.store, STORE_SET, "one", "value", 5, &tag, 1, 0);
		store_invalidate(f.store, tag);
	}
	for (unsigned i = 0; i < 20000; i++)
		store_tick(f.store, (uint64_t)NOW_S << 32);
	store_stats(f.store, NOW_S, st);
	assert_int_equal(st[SHM_STAT_CURR_ITEMS], 0);
	close_fixture(&f);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A tag of a million items: none is found after one short call. */
static void
one_of_a_million(void **state)
{
	enum { N_ITEMS = 1000000 };
	struct fixture f;
	uint32_t tag = 3;
	char key[32];

	(void)state;
	open_fixture(&f, 96 << 20, &conf_refuse);
	for (unsigned i = 0; i < N_ITEMS; i++) {
		snprintf(key, sizeof(key), "item-%u", i);
		assert_int_equal(put_tagged(f.store, STORE_SET, key, "v", 1, &tag, 1, 0), STORE_OK);
	}
	uint64_t from = now_ns();
	store_invalidate(f.store, tag);
	uint64_t took = now_ns() - from;
	for (unsigned i = 0; i < N_ITEMS; i++) {
		snprintf(key, sizeof(key), "item-%u", i);
		assert_false(is_there(f.store, key));
	}
	printf("# a tag of %d items invalidated in %u ns\n", N_ITEMS, (unsigned)took);
	assert_true(took < 20000);
	close_fixture(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_items),
	    cmocka_unit_test(every_number),
	    cmocka_unit_test(shared_number),
	    cmocka_unit_test(number_of_a_name),
	    cmocka_unit_test(explicit_cas),
	    cmocka_unit_test(memory_comes_back),
	    cmocka_unit_test(many_invalidations),
	    cmocka_unit_test(one_of_a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
