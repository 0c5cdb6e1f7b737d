/*
 * test_store.c: the engine against a plain model of a cache: random sets,
 * appends, counters, deletes, touches and flushes of keys that each have their
 * own length, with room for all of them, and the same after a successor took
 * over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine_check.h"

struct fixture {
	struct map map;
	struct store *store;
	char object[64];
};

static const struct store_conf conf_evict = {.evict = true, .item_max_bytes = 1 << 20};
static const struct store_conf conf_refuse = {.evict = false, .item_max_bytes = 1 << 20};

static void
open_fixture(struct fixture *f, uint64_t arena_bytes, const struct store_conf *conf)
{
	struct geometry g;
	struct store_recovery rec;

	snprintf(f->object, sizeof(f->object), "peekd.test-store-%d", (int)getpid());
	assert_int_equal(map_plan_geometry(arena_bytes, 0, &g), 0);
	assert_int_equal(map_create(f->object, &g, 0600, (gid_t)-1, 42, 1, "/nowhere", &f->map), 0);
	map_publish(&f->map);
	/* All is mapped: nothing stays behind if the test fails. */
	char path[128];
	map_object_path(f->object, path, sizeof(path));
	unlink(path);
	assert_int_equal(store_open(&f->map, conf, 100, &f->store, &rec), 0);
	assert_int_equal(rec.items, 0);
}

static void
close_fixture(struct fixture *f)
{
	store_close(f->store);
	map_close(&f->map);
}

static struct store_key
key_of(const struct store *s, const char *text)
{
	return (struct store_key){text, (uint32_t)strlen(text), store_hash(s, text, strlen(text))};
}

static enum store_result
put(struct store *s, enum store_mode mode, const char *key, const void *value, uint32_t n,
    uint32_t expiry_s)
{
	struct store_put p = {.key = key_of(s, key),
	    .mode = mode,
	    .value = value,
	    .value_bytes = n,
	    .flags = n % 3,
	    .expiry_s = expiry_s};
	uint64_t cas;

	return store_put(s, &p, 100, &cas);
}

static int
value_equals(struct store *s, const char *key, const void *value, uint32_t n, uint32_t now_s)
{
	struct store_key k = key_of(s, key);
	struct store_item item;
	char *buf = malloc(n + 1);
	int same = store_find(s, &k, now_s, &item, NULL) && item.value_bytes == n;

	if (same) {
		store_read(s, &item, 0, n, buf);
		same = memcmp(buf, value, n) == 0;
	}
	free(buf);
	return same;
}

#define N_KEYS 3000
struct expect {
	char key[40];
	char *value; /* NULL: absent */
	uint32_t n;
	uint32_t expiry_s;
};

static void
check_all(struct store *s, struct expect *e)
{
	for (int i = 0; i < N_KEYS; i++) {
		struct store_key k = key_of(s, e[i].key);
		struct store_item item;
		if (e[i].value == NULL)
			assert_false(store_find(s, &k, 100, &item, NULL));
		else
			assert_true(value_equals(s, e[i].key, e[i].value, e[i].n, 100));
	}
	assert_null(engine_check(s));
}

static void
successor(struct fixture *f, const struct store_conf *conf)
{
	struct store_recovery rec;
	uint64_t before[SHM_STAT_N], after[SHM_STAT_N];

	store_stats(f->store, 0, before);
	store_close(f->store);
	assert_int_equal(store_open(&f->map, conf, 100, &f->store, &rec), 0);
	store_stats(f->store, 0, after);
	assert_int_equal(rec.dropped_damaged + rec.dropped_double + rec.repaired_buckets, 0);
	assert_int_equal(rec.items, after[SHM_STAT_CURR_ITEMS]);
	assert_true(after[SHM_STAT_CURR_ITEMS] <= before[SHM_STAT_CURR_ITEMS]);
	assert_int_equal(after[SHM_STAT_N_OVERFLOW], before[SHM_STAT_N_OVERFLOW]);
}

static void
test_random_ops(void **state)
{
	struct fixture f;
	struct expect *e = calloc(N_KEYS, sizeof(*e));
	static char buf[200000];

	(void)state;
	srand(7);
	open_fixture(&f, 256 << 20, &conf_refuse);
	for (int i = 0; i < N_KEYS; i++)
		snprintf(e[i].key, sizeof(e[i].key), "key-%d-%.*s", i, i % 20,
		    "abcdefghijklmnopqrstuvwxyz");
	for (int round = 0; round < 60000; round++) {
		struct expect *x = &e[rand() % N_KEYS];
		uint32_t n = (uint32_t)(rand() % 20 == 0 ? rand() % 150000 : rand() % 300);
		memset(buf, 'a' + rand() % 26, n);
		for (uint32_t k = 0; k < n; k += 7)
			buf[k] = (char)rand();
		int op = rand() % 10;
		if (op < 6) {
			assert_int_equal(put(f.store, STORE_SET, x->key, buf, n, 0), STORE_OK);
			free(x->value);
			x->value = malloc(n + 1);
			memcpy(x->value, buf, n);
			x->n = n;
		} else if (op < 8) {
			bool prepend = op == 7;
			if (x->n > 300000)
				continue;
			enum store_result r = put(f.store, prepend ? STORE_PREPEND : STORE_APPEND,
			    x->key, buf, n % 5000, 0);
			assert_int_equal(r, x->value == NULL ? STORE_NOT_STORED : STORE_OK);
			if (x->value == NULL)
				continue;
			char *joined = malloc(x->n + n % 5000 + 1);
			memcpy(joined + (prepend ? n % 5000 : 0), x->value, x->n);
			memcpy(joined + (prepend ? 0 : x->n), buf, n % 5000);
			free(x->value);
			x->value = joined;
			x->n += n % 5000;
		} else {
			struct store_key k = key_of(f.store, x->key);
			struct store_item item;
			assert_int_equal(
			    store_find(f.store, &k, 100, &item, NULL), x->value != NULL);
			if (x->value != NULL)
				store_delete(f.store, &item);
			free(x->value);
			x->value = NULL;
			x->n = 0;
		}
		if (round % 20000 == 0)
			check_all(f.store, e);
	}
	check_all(f.store, e);
	successor(&f, &conf_refuse);
	check_all(f.store, e);
	for (int i = 0; i < N_KEYS; i++)
		if (e[i].value != NULL)
			assert_int_equal(
			    put(f.store, STORE_SET, e[i].key, e[i].value, e[i].n, 0), STORE_OK);
	check_all(f.store, e);
	store_flush(f.store);
	for (int i = 0; i < N_KEYS; i++) {
		free(e[i].value);
		e[i].value = NULL;
	}
	check_all(f.store, e);
	assert_int_equal(put(f.store, STORE_SET, "after", "flush", 5, 0), STORE_OK);
	assert_true(value_equals(f.store, "after", "flush", 5, 100));
	free(e);
	close_fixture(&f);
}

/* A small cache takes values of any size for ever, and what was stored last is
 * there. */
static void
test_eviction(void **state)
{
	struct fixture f;
	static char buf[1 << 20];
	char key[32];

	(void)state;
	srand(3);
	open_fixture(&f, 2 << 20, &conf_evict);
	for (int i = 0; i < 20000; i++) {
		uint32_t n = (uint32_t)(rand() % 100 == 0 ? rand() % 1000000
			: rand() % 10 == 0                ? rand() % 66000
							  : rand() % 500);
		memset(buf, i, n);
		snprintf(key, sizeof(key), "k%d", rand() % 5000);
		assert_int_equal(put(f.store, STORE_SET, key, buf, n, 0), STORE_OK);
		assert_true(value_equals(f.store, key, buf, n, 100));
		if (i % 1000 == 0)
			assert_null(engine_check(f.store));
	}
	memset(buf, 'x', 1047552);
	assert_int_equal(put(f.store, STORE_SET, "big", buf, 1047552, 0), STORE_OK);
	assert_int_equal(put(f.store, STORE_SET, "big", buf, 1049600, 0), STORE_TOO_LARGE);
	assert_false(value_equals(f.store, "big", buf, 1047552, 100));
	assert_null(engine_check(f.store));
	successor(&f, &conf_evict);
	assert_null(engine_check(f.store));
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", rand() % 50000);
		assert_int_equal(
		    put(f.store, STORE_SET, key, buf, (uint32_t)rand() % 3000, 0), STORE_OK);
	}
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

/* Never read again, all of them: by age alone the small ones, which came first,
 * would be gone after one round. They cost next to nothing. */
static void
test_small_outlive_large(void **state)
{
	static const char value[2000] = "as large as it gets";
	struct fixture f;
	char key[32];
	unsigned n_left = 0, n_like_others = 0;

	(void)state;
	open_fixture(&f, 1 << 20, &conf_evict);
	for (unsigned i = 0; i < 8000; i++) {
		if (i < 500) {
			snprintf(key, sizeof(key), "small%u", i);
			assert_int_equal(put(f.store, STORE_SET, key, value, 10, 0), STORE_OK);
			snprintf(key, sizeof(key), "like%u", i);
			assert_int_equal(put(f.store, STORE_SET, key, value, 1000, 0), STORE_OK);
		}
		snprintf(key, sizeof(key), "large%u", i);
		assert_int_equal(put(f.store, STORE_SET, key, value, 1000, 0), STORE_OK);
	}
	for (unsigned i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "small%u", i);
		n_left += value_equals(f.store, key, value, 10, 100) != 0 ? 1u : 0;
		snprintf(key, sizeof(key), "like%u", i);
		n_like_others += value_equals(f.store, key, value, 1000, 100) != 0 ? 1u : 0;
	}
	assert_in_range(n_left, 450, 500);
	assert_in_range(n_like_others, 0, 50);
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

static void
test_growth(void **state)
{
	struct fixture f;
	uint64_t st[SHM_STAT_N];
	char key[32];

	(void)state;
	open_fixture(&f, 64 << 20, &conf_refuse);
	for (int i = 0; i < 500000; i++) {
		snprintf(key, sizeof(key), "grow-%d", i);
		assert_int_equal(put(f.store, STORE_SET, key, &i, sizeof(i), 0), STORE_OK);
		if (i % 50000 == 49999) {
			store_stats(f.store, 0, st);
			/* At most 5 % of the items are on a third line, at any
			 * moment of growth. */
			assert_true(st[SHM_STAT_OVERFLOW_ITEMS] * 20 <= st[SHM_STAT_CURR_ITEMS]);
		}
	}
	store_stats(f.store, 0, st);
	assert_true(st[SHM_STAT_N_BUCKETS] > 100000);
	assert_int_equal(st[SHM_STAT_CHAIN_EVICTIONS], 0);
	for (int i = 0; i < 500000; i++) {
		snprintf(key, sizeof(key), "grow-%d", i);
		assert_true(value_equals(f.store, key, &i, sizeof(i), 100));
	}
	assert_null(engine_check(f.store));
	for (int i = 0; i < 500000; i += 3) {
		struct store_item item;
		snprintf(key, sizeof(key), "grow-%d", i);
		struct store_key k = key_of(f.store, key);
		assert_true(store_find(f.store, &k, 100, &item, NULL));
		store_delete(f.store, &item);
	}
	assert_null(engine_check(f.store));
	successor(&f, &conf_refuse);
	for (int i = 0; i < 500000; i++) {
		snprintf(key, sizeof(key), "grow-%d", i);
		assert_int_equal(value_equals(f.store, key, &i, sizeof(i), 100), i % 3 != 0);
	}
	close_fixture(&f);
}

static void
test_counters(void **state)
{
	struct fixture f;
	uint64_t value, cas, last = 0;
	struct store_item item;

	(void)state;
	open_fixture(&f, 2 << 20, &conf_evict);
	struct store_key k = key_of(f.store, "n");
	assert_int_equal(put(f.store, STORE_SET, "n", "10", 2, 0), STORE_OK);
	for (uint64_t i = 1; i < 100; i++) {
		assert_true(store_find(f.store, &k, 100, &item, NULL));
		assert_int_equal(
		    store_arith(f.store, &k, &item, false, 1, 0, 100, &value, &cas), STORE_OK);
		assert_int_equal(value, 10 + i);
		assert_true(cas > last);
		last = cas;
	}
	assert_true(value_equals(f.store, "n", "109", 3, 100));
	assert_true(store_find(f.store, &k, 100, &item, NULL));
	assert_int_equal(
	    store_arith(f.store, &k, &item, true, 1000, 0, 100, &value, &cas), STORE_OK);
	assert_int_equal(value, 0);
	assert_int_equal(put(f.store, STORE_APPEND, "n", "1", 1, 0), STORE_OK);
	assert_true(value_equals(f.store, "n", "01", 2, 100));
	successor(&f, &conf_evict);
	assert_true(store_find(f.store, &k, 100, &item, NULL));
	assert_int_equal(
	    store_arith(f.store, &k, &item, false, UINT64_MAX, 0, 100, &value, &cas), STORE_OK);
	assert_true(value == 0 && cas > last);
	assert_int_equal(put(f.store, STORE_SET, "n", "18446744073709551616", 20, 0), STORE_OK);
	assert_true(store_find(f.store, &k, 100, &item, NULL));
	assert_int_equal(
	    store_arith(f.store, &k, &item, false, 1, 0, 100, &value, &cas), STORE_NON_NUMERIC);
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

static void
test_expiry(void **state)
{
	struct fixture f;
	struct store_item item;

	(void)state;
	open_fixture(&f, 2 << 20, &conf_evict);
	assert_int_equal(put(f.store, STORE_SET, "short", "v", 1, 105), STORE_OK);
	assert_true(value_equals(f.store, "short", "v", 1, 104));
	assert_false(value_equals(f.store, "short", "v", 1, 105));
	struct store_key k = key_of(f.store, "short");
	assert_true(store_find(f.store, &k, 100, &item, NULL));
	store_touch(f.store, &item, 200);
	assert_true(value_equals(f.store, "short", "v", 1, 199));
	store_flush_at(f.store, 150);
	assert_true(value_equals(f.store, "short", "v", 1, 149));
	store_tick(f.store, (uint64_t)150 << 32);
	assert_false(value_equals(f.store, "short", "v", 1, 150));
	assert_int_equal(put(f.store, STORE_ADD, "short", "w", 1, 0), STORE_OK);
	assert_true(value_equals(f.store, "short", "w", 1, 150));
	close_fixture(&f);
}

/* The bytes that blocks say have expired are never more than those that
 * have. */
static void
expired_is_a_lower_bound(struct store *s, uint32_t now_s, uint64_t at_least)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->arena.n_blocks; i++)
		sum += s->arena.block[i].spans.expired.bytes;
	assert_true(sum <= store_expired_bytes(s, now_s, UINT64_MAX) && sum >= at_least);
}

/* One key in two has expired, everywhere: their room is found, and nothing that
 * is live goes for it. */
static void
test_expired_go_first(void **state)
{
	/* of 8 MiB: 66 %, half of it expires; then 57 % */
	enum { N_OLD = 24000, N_NEW = 21000, BYTES = 200 };
	struct fixture f;
	uint64_t st[SHM_STAT_N];
	struct store_item item;
	static char value[BYTES];
	char key[32];
	uint64_t cas;

	(void)state;
	open_fixture(&f, 8 << 20, &conf_evict);
	for (int i = 0; i < N_OLD + N_NEW; i++) {
		uint32_t now_s = i < N_OLD ? 100 : 260;
		bool again = i >= N_OLD && i % 8 == 0; /* a key that was there and has expired */
		snprintf(key, sizeof(key), "key-%05d", again ? i - N_OLD : i);
		struct store_put p = {.key = key_of(f.store, key),
		    .value = value,
		    .value_bytes = BYTES,
		    .expiry_s = i >= N_OLD ? 0
			: i % 2 == 0       ? 200
					   : 290};
		if (i == N_OLD) {
			assert_int_equal(store_expired_bytes(f.store, 199, UINT64_MAX), 0);
			assert_int_equal(
			    store_expired_bytes(f.store, 200, UINT64_MAX), N_OLD / 2 * 232);
		}
		assert_int_equal(store_put(f.store, &p, now_s, &cas), STORE_OK);
		if (i % 4 == 1) { /* the time to live is another one than it was written with */
			assert_true(store_find(f.store, &p.key, now_s, &item, NULL));
			store_touch(f.store, &item, i >= N_OLD ? 0 : 300);
		}
		if (i % 1000 == 0)
			assert_null(engine_check(f.store));
		if (i % 1000 == 0 || i == N_OLD + 500)
			expired_is_a_lower_bound(
			    f.store, now_s, i == N_OLD + 500 ? 10000 * 232 : 0);
	}
	store_stats(f.store, 0, st);
	assert_int_equal(st[SHM_STAT_EVICTIONS], 0);
	assert_true(st[SHM_STAT_LOG_BYTES_COPIED] <= 2 * st[SHM_STAT_LOG_BYTES_WRITTEN]);
	for (int i = 0; i < N_OLD + N_NEW; i++) {
		snprintf(key, sizeof(key), "key-%05d", i);
		assert_int_equal(value_equals(f.store, key, value, BYTES, 260),
		    i >= N_OLD ? i % 8 != 0 : i % 2 == 1 || (i % 8 == 0 && i < N_NEW));
	}
	assert_null(engine_check(f.store));
	successor(&f, &conf_evict);
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

static void
test_refuses_when_full(void **state)
{
	struct fixture f;
	static char buf[1000];
	char key[32];
	int stored = 0;

	(void)state;
	open_fixture(&f, 2 << 20, &conf_refuse);
	for (;; stored++) {
		snprintf(key, sizeof(key), "k%d", stored);
		if (put(f.store, STORE_SET, key, buf, sizeof(buf), 0) != STORE_OK)
			break;
	}
	assert_true(stored > 1500);
	for (int i = 0; i < stored; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_true(value_equals(f.store, key, buf, sizeof(buf), 100));
	}
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

/* A successor mends links that tell less than lies behind them: it would lose
 * those items. */
static void
test_wrong_links_are_mended(void **state)
{
	struct fixture f;
	struct store_recovery rec;
	uint64_t n_links = 0;
	char key[40];

	(void)state;
	open_fixture(&f, 64 << 20, &conf_refuse);
	for (int i = 0; i < N_KEYS; i++) {
		snprintf(key, sizeof(key), "link-%d", i);
		assert_int_equal(
		    put(f.store, STORE_SET, key, key, (uint32_t)strlen(key), 0), STORE_OK);
	}
	store_close(f.store);
	for (uint64_t i = 0; i < (word_load_rlx(&f.map.header->count) & COUNT_MASK); i++) {
		struct word *last = &f.map.buckets[i].slot[LINK_SLOT];
		if (slot_is_link(word_load_rlx(last))) {
			word_store_rlx(last, slot_make_link(slot_link_idx(word_load_rlx(last)), 0));
			n_links++;
		}
	}
	assert_true(n_links > 0);
	assert_int_equal(store_open(&f.map, &conf_refuse, 100, &f.store, &rec), 0);
	assert_int_equal(rec.items, N_KEYS);
	assert_int_equal(rec.repaired_buckets, n_links);
	for (int i = 0; i < N_KEYS; i++) {
		snprintf(key, sizeof(key), "link-%d", i);
		assert_true(value_equals(f.store, key, key, (uint32_t)strlen(key), 100));
	}
	assert_null(engine_check(f.store));
	close_fixture(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_ops),
	    cmocka_unit_test(test_eviction),
	    cmocka_unit_test(test_small_outlive_large),
	    cmocka_unit_test(test_growth),
	    cmocka_unit_test(test_counters),
	    cmocka_unit_test(test_expiry),
	    cmocka_unit_test(test_expired_go_first),
	    cmocka_unit_test(test_refuses_when_full),
	    cmocka_unit_test(test_wrong_links_are_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
