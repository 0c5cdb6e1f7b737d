/*
 * test_lib_lookup.c: lookup_fast.h and lookup_pinned.h step by step, with the
 * writer's steps put between the reader's by hand, as a race does it only by
 * luck. And damaged segments: any bytes give an answer and no fault.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <sys/mman.h>

#include "lib/lookup_fast.h"
#include "lib/lookup_pinned.h"
#include "shm/hash.h"
#include "unit/random.h"

static struct harness h;
static const struct clock_shift shift;

static int
setup(void **state)
{
	(void)state;
	harness_open(&h, "lookup", UINT64_C(4) << 20, false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	harness_close(&h);
	return 0;
}

struct probe {
	const char *key;
	size_t key_len;
	uint64_t hash, count, idx;
	struct bucket *bucket;
};

static struct probe
probe_of(const char *key)
{
	struct probe p = {.key = key, .key_len = strlen(key)};

	p.hash = hash_key(key, p.key_len, h.map.seed);
	p.count = word_load_rlx(&h.map.header->count);
	p.idx = table_bucket_idx(p.hash, p.count & COUNT_MASK);
	p.bucket = &h.map.buckets[p.idx];
	return p;
}

static void
set(const char *key, const char *value)
{
	assert_int_equal(harness_set(&h, key, strlen(key), value, strlen(value)), STORE_OK);
}

static ssize_t
unpinned(const struct probe *p, const struct lookup_place *at, char *buf, size_t cap)
{
	const struct word *item;

	if (!lookup_item(&h.map, lookup_item_off_max(&h.map), at, &item))
		return LOOKUP_NEXT;
	return lookup_fast_or_general(&h.map, at, item, p->key, p->key_len, buf, cap, &shift);
}

static enum lookup_result
pin(const struct probe *p, struct lookup_pinned *ret)
{
	return lookup_pin(&h.map, p->count, p->hash, p->key, p->key_len, &shift, ret);
}

static void
a_rewrite_between_begin_and_copy_is_torn(void **state)
{
	char buf[64];

	(void)state;
	set("a", "one");
	struct probe p = probe_of("a");
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_int_equal(unpinned(&p, &at, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "one", 3);
	set("a", "two");
	assert_int_equal(unpinned(&p, &at, buf, sizeof(buf)), LOOKUP_TORN);
	harness_delete(&h, "a", 1);
	assert_true(unpinned(&p, &at, buf, sizeof(buf)) < 0); /* wherever the empty slot leads */
}

static void
a_miss_counts_only_validated(void **state)
{
	struct lookup_pinned it;

	(void)state;
	struct probe p = probe_of("b");
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_true(lookup_confirm_miss(&h.map, &at, p.count));
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	set("b", "now it is there");
	assert_false(lookup_confirm_miss(&h.map, &at, p.count));
}

static void
a_miss_looks_at_the_count_again(void **state)
{
	char key[32], moved[32] = "";
	uint64_t before = word_load_rlx(&h.map.header->count);
	struct lookup_pinned it;

	(void)state;
	/* A key that the next split moves away. */
	for (int i = 0; moved[0] == '\0'; i++) {
		snprintf(key, sizeof(key), "m%d", i);
		uint64_t hash = hash_key(key, strlen(key), h.map.seed);
		if (table_bucket_idx(hash, before) != table_bucket_idx(hash, before + 1))
			strcpy(moved, key);
	}
	set(moved, "here");
	struct probe p = probe_of(moved);
	assert_int_equal(p.count, before);
	for (int i = 0; word_load_rlx(&h.map.header->count) == before; i++) {
		snprintf(key, sizeof(key), "grow%d", i);
		set(key, key);
	}
	/* With the old count the key's old bucket is empty of it, even and
	 * valid. */
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_int_equal(at.match, 0);
	assert_false(lookup_confirm_miss(&h.map, &at, p.count));
	assert_int_equal(pin(&p, &it), LOOKUP_AGAIN);
	p = probe_of(moved);
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
}

static void
a_miss_sees_the_retired_bit(void **state)
{
	struct lookup_pinned it;

	(void)state;
	struct probe p = probe_of("nothing");
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	word_store_rlx(&h.map.header->count, p.count | COUNT_RETIRED);
	assert_false(lookup_confirm_miss(&h.map, &at, p.count));
	assert_int_equal(pin(&p, &it), LOOKUP_AGAIN);
	p.count |= COUNT_RETIRED; /* who stays on a retired segment has a true miss */
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	word_store_rlx(&h.map.header->count, p.count & COUNT_MASK);
}

static void
an_odd_bucket_is_asked_again(void **state)
{
	struct lookup_pinned it;
	char buf[64];

	(void)state;
	set("odd", "v");
	struct probe p = probe_of("odd");
	seq_enter(&p.bucket->seq);
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_int_equal(unpinned(&p, &at, buf, sizeof(buf)), LOOKUP_TORN);
	assert_false(lookup_confirm_miss(&h.map, &at, p.count));
	assert_int_equal(pin(&p, &it), LOOKUP_AGAIN);
	seq_exit(&p.bucket->seq);
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
	p = probe_of("not there");
	seq_enter(&p.bucket->seq);
	at = lookup_begin(&h.map, p.idx, p.hash);
	assert_int_equal(at.match, 0);
	assert_false(lookup_confirm_miss(&h.map, &at, p.count));
	assert_int_equal(pin(&p, &it), LOOKUP_AGAIN);
	seq_exit(&p.bucket->seq);
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
}

static void
a_pinned_value_outlives_its_bucket(void **state)
{
	size_t n = 200000;
	char *value = malloc(n), *got = malloc(n);
	struct lookup_pinned it, small;

	(void)state;
	assert_true(value != NULL && got != NULL);
	for (size_t i = 0; i < n; i++)
		value[i] = (char)(i * 7 + i / 251);
	assert_int_equal(harness_set(&h, "large", 5, value, n), STORE_OK);
	set("small", "s1");
	struct probe p = probe_of("large"), q = probe_of("small");
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
	assert_int_equal(pin(&q, &small), LOOKUP_HIT);
	assert_true(it.shape.n_extents >= 3 && it.shape.n_extents <= 64);
	set("large", "another");
	set("small", "s2");
	assert_true(lookup_copy(&h.map, &it, got));
	assert_true(lookup_stands(&h.map, &it));
	assert_memory_equal(got, value, n);
	assert_true(lookup_copy(&h.map, &small, got));
	assert_true(lookup_stands(&h.map, &small));
	assert_memory_equal(got, "s1", 2);
	/* Until any segment of it is used anew. */
	struct word *own = &h.map.blocks[it.item_off >> h.map.block_shift].incarnation;
	uint64_t was = word_load_rlx(own);
	for (uint32_t i = 0; i < it.shape.n_extents; i++) {
		uint32_t segment =
		    item_extent_block(&it.shape, i, lookup_extent(it.item, &it.shape, i));
		struct word *w = &h.map.blocks[segment].incarnation;
		uint64_t before = word_load_rlx(w);
		seq_retire(w);
		assert_false(lookup_stands(&h.map, &it));
		word_store_rlx(w, before);
		assert_true(lookup_stands(&h.map, &it));
	}
	seq_retire(own);
	assert_false(lookup_stands(&h.map, &it));
	word_store_rlx(own, was);
	free(value);
	free(got);
}

static void
whatever_is_past_is_a_miss(void **state)
{
	struct lookup_pinned it;
	uint32_t now_s = harness_now_s();
	char buf[16];

	(void)state;
	assert_int_equal(harness_set_expiring(&h, "past", 4, "v", 1, 0, now_s + 1000), STORE_OK);
	struct probe p = probe_of("past");
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
	/* The published clock says so. */
	uint64_t clock = harness_clock();
	word_store_rlx(&h.map.header->clock, clock + (UINT64_C(1000) << 32));
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_int_equal(unpinned(&p, &at, buf, sizeof(buf)), LOOKUP_NEXT);
	/* It has stopped, and the own clock says so: an item of the past, a
	 * clock of long ago. */
	assert_int_equal(harness_set_expiring(&h, "past", 4, "v", 1, 0, now_s - 1), STORE_OK);
	word_store_rlx(&h.map.header->clock,
	    (uint64_t)(now_s - 100) << 32 | (uint32_t)(clock_word_ms(clock) - 10000));
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	/* So it has when its lower half has come round again: 2^32
	 * milliseconds, twice that, and half of it later. */
	for (uint64_t ago_ms = UINT64_C(1) << 31; ago_ms <= UINT64_C(2) << 32; ago_ms *= 2) {
		struct clock_shift later = {
		    (int64_t)ago_ms * 1000000, (int64_t)ago_ms * 1000000, 0};
		uint64_t dead = harness_clock(), silent = clock_silent_ms(dead, &later);
		assert_in_range(silent, ago_ms - 1000, ago_ms + 1000 + 2000);
		assert_true(lookup_clock_stopped(dead, &later));
		/* A host that had been suspended for longer than it ran: its
		 * monotonic clock lags. */
		later =
		    (struct clock_shift){(int64_t)ago_ms * 1000000, 0, (int64_t)ago_ms * 1000000};
		assert_true(lookup_clock_stopped(dead, &later));
	}
	assert_false(lookup_clock_stopped(harness_clock(), &shift));
	/* The same clock with a fresh heartbeat is believed. */
	word_store_rlx(
	    &h.map.header->clock, (uint64_t)(now_s - 100) << 32 | clock_word_ms(harness_clock()));
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
	/* A flush to come dies with the daemon, but comes all the same. */
	set("kept", "v");
	p = probe_of("kept");
	word_store_rlx(&h.map.header->flush_at_s, now_s - 1);
	word_store_rlx(
	    &h.map.header->cutoff, CUTOFF_PENDING | word_load_rlx(&h.map.header->cutoff));
	assert_int_equal(pin(&p, &it), LOOKUP_HIT);
	word_store_rlx(&h.map.header->clock,
	    (uint64_t)(now_s - 100) << 32 | (uint32_t)(clock_word_ms(clock) - 10000));
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	word_store_rlx(&h.map.header->clock, harness_clock());
	store_flush(h.store);
	assert_int_equal(pin(&p, &it), LOOKUP_MISS);
	at = lookup_begin(&h.map, p.idx, p.hash);
	assert_true(at.match == 0 || unpinned(&p, &at, buf, sizeof(buf)) == LOOKUP_NEXT);
}

/* ---- damage -------------------------------------------------------------- */

static void
impossible_places_are_refused(void **state)
{
	struct lookup_pinned it;
	char buf[64];

	(void)state;
	struct probe p = probe_of("damaged");
	uint64_t units = h.map.arena_bytes / ITEM_UNIT_BYTES;
	const uint64_t places[] = {units, units - 1, units + 1, (UINT64_C(1) << SLOT_UNIT_BITS) - 1,
	    (UINT64_C(1) << (h.map.block_shift - 3)) - 1};
	for (size_t i = 0; i < 5; i++) {
		struct bucket saved;
		for (unsigned s = 0; s < BUCKET_SLOTS; s++) {
			word_store_rlx(&saved.slot[s], word_load_rlx(&p.bucket->slot[s]));
			word_store_rlx(&p.bucket->slot[s],
			    s == 0 ? slot_make(slot_tag(p.hash), places[i]) : 0);
		}
		struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
		assert_int_equal(unpinned(&p, &at, buf, sizeof(buf)), LOOKUP_NEXT);
		assert_int_equal(pin(&p, &it), LOOKUP_DAMAGED);
		for (unsigned s = 0; s < BUCKET_SLOTS; s++)
			word_store_rlx(&p.bucket->slot[s], word_load_rlx(&saved.slot[s]));
	}
}

/* By both forms, whatever the chain's first link is. */
static void
assert_refused(const struct probe *p, uint64_t link_idx)
{
	struct lookup_pinned it;

	word_store_rlx(&p->bucket->slot[LINK_SLOT],
	    slot_make_link(link_idx, slot_filter_bit(slot_tag(p->hash))));
	struct lookup_place at = lookup_begin(&h.map, p->idx, p->hash);
	assert_int_equal(at.match, 0);
	assert_false(lookup_follow(&h.map, &at, p->hash));
	assert_int_equal(pin(p, &it), LOOKUP_DAMAGED);
}

static void
impossible_links_are_refused(void **state)
{
	(void)state;
	struct probe p = probe_of("linked");
	uint64_t saved = word_load_rlx(&p.bucket->slot[LINK_SLOT]);
	assert_refused(&p, h.map.n_overflow_max);
	assert_refused(&p, h.map.n_overflow_max + 1);
	assert_refused(&p, (UINT64_C(1) << LINK_IDX_BITS) - 2);
	/* A circle. */
	assert_int_equal(map_allocate_overflow(&h.map, 8), 0);
	word_store_rlx(&h.map.overflow[3].slot[LINK_SLOT],
	    slot_make_link(3, slot_filter_bit(slot_tag(p.hash))));
	assert_refused(&p, 3);
	word_store_rlx(&h.map.overflow[3].slot[LINK_SLOT], 0);
	word_store_rlx(&p.bucket->slot[LINK_SLOT], saved);
	struct lookup_place at = lookup_begin(&h.map, p.idx, p.hash);
	assert_true(lookup_follow(&h.map, &at, p.hash));
}

/* The header lies inside its segment, what it tells does not. */
static void
impossible_lengths_are_refused(void **state)
{
	struct lookup_pinned it;
	struct peek_view view;
	struct peek *handle;
	uint64_t block_units = UINT64_C(1) << (h.map.block_shift - 3);

	(void)state;
	struct probe p = probe_of("too long");
	word_store_rlx(&p.bucket->slot[0], slot_make(slot_tag(p.hash), block_units - 4));
	word_store_rlx(&h.map.arena[block_units - 3], item_word1(5, 0));
	word_store_rlx(&h.map.arena[block_units - 4], item_word0(0, 8, 8));
	assert_int_equal(pin(&p, &it), LOOKUP_MISS); /* another key's, and just inside */
	word_store_rlx(&h.map.arena[block_units - 4], item_word0(0, 9, 8));
	assert_int_equal(pin(&p, &it), LOOKUP_DAMAGED);
	/* A view is of what lies inside. */
	uint64_t key;
	memcpy(&key, p.key, sizeof(key));
	word_store_rlx(&h.map.arena[block_units - 2], key);
	assert_int_equal(peek_open(h.name, PEEK_NO_HINTS, &handle), 0);
	assert_int_equal(peek_view(handle, p.key, p.key_len, &view), -EBADMSG);
	word_store_rlx(&h.map.arena[block_units - 4], item_word0(0, 8, 8));
	assert_int_equal(peek_view(handle, p.key, p.key_len, &view), 0);
	assert_int_equal(view.len, 8);
	peek_close(handle);
	word_store_rlx(&h.map.arena[block_units - 3], item_word1(5, ITEM_EXTENTS));
	word_store_rlx(&h.map.arena[block_units - 4], item_word0(0, ITEM_VALUE_MAX, 8));
	assert_int_equal(pin(&p, &it), LOOKUP_DAMAGED);
	word_store_rlx(&p.bucket->slot[0], 0);
}

static void
an_impossible_count_is_refused(void **state)
{
	struct lookup_pinned it;

	(void)state;
	struct probe p = probe_of("out of range");
	p.count = h.map.n_buckets_max + 1;
	assert_int_equal(pin(&p, &it), LOOKUP_DAMAGED);
	p.count = 0;
	assert_int_equal(pin(&p, &it), LOOKUP_DAMAGED);
}

static uint64_t random_state = 7;

static int
count_visit(void *arg, const struct peek_entry *e)
{
	(void)e;
	++*(uint64_t *)arg;
	return 0;
}

/* Random words in the table, the items and the header's hot line, read by
 * everything that reads: answers, no faults, no endless loops. */
static void
random_damage_is_survived(void **state)
{
	static char buf[1 << 20];
	struct peek_info info;
	struct peek_view view;
	uint64_t n_scanned = 0, number;
	struct peek *p;
	char key[32];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		set(key, "some value that is there");
	}
	assert_int_equal(harness_set(&h, "x", 1, buf, 300000), STORE_OK);
	assert_int_equal(peek_open(h.name, PEEK_NO_FOLLOW, &p), 0);
	uint64_t n_buckets = word_load_rlx(&h.map.header->count), good_count = n_buckets;
	for (int round = 0; round < 4000; round++) {
		for (int i = 0; i < 20; i++) {
			uint64_t r = next_random(&random_state),
				 v = next_random(&random_state) >> (r >> 40) % 64;
			struct bucket *b = &h.map.buckets[r % n_buckets];
			if (i % 4 == 0) { /* into a slot, keeping its tag so that it is followed */
				struct word *slot = &b->slot[(r >> 32) % BUCKET_SLOTS];
				word_store_rlx(slot,
				    slot_make(slot_tag_of(word_load_rlx(slot)),
					v & ((UINT64_C(1) << SLOT_UNIT_BITS) - 1)));
			} else if (i % 4 == 1) {
				word_store_rlx(&b->slot[LINK_SLOT],
				    slot_make_link(v % (h.map.n_overflow_max + 5),
					(r >> 20 & 0xffff) << LINK_IDX_BITS));
			} else {
				word_store_rlx(&h.map.arena[r % (h.map.arena_bytes / 8)], v);
			}
		}
		if (round % 50 == 0)
			word_store_rlx(&h.map.header->count,
			    next_random(&random_state) >> next_random(&random_state) % 64);
		if (round % 50 == 1)
			word_store_rlx(&h.map.header->count, good_count);
		for (int i = 0; i < 20; i++) {
			size_t n = (size_t)snprintf(
			    key, sizeof(key), "k%d", (int)(next_random(&random_state) % 3000));
			struct peek_op op = {key, n, buf, sizeof(buf), 0};
			peek_get(p, key, n, buf, sizeof(buf));
			peek_get_info(p, key, n, buf, 100, &info);
			peek_get_u64(p, key, n, &number);
			peek_mget(p, &op, 1);
			if (peek_view(p, key, n, &view) == 0)
				/* nobody writes now */
				memcpy(buf, view.data,
				    view.len < sizeof(buf) ? view.len : sizeof(buf));
		}
		peek_get(p, "x", 1, buf, sizeof(buf));
	}
	word_store_rlx(&h.map.header->count, good_count);
	assert_int_equal(peek_scan(p, count_visit, &n_scanned), 0);
	peek_close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_rewrite_between_begin_and_copy_is_torn, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_miss_counts_only_validated, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_miss_looks_at_the_count_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_miss_sees_the_retired_bit, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_odd_bucket_is_asked_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pinned_value_outlives_its_bucket, setup, teardown),
	    cmocka_unit_test_setup_teardown(whatever_is_past_is_a_miss, setup, teardown),
	    cmocka_unit_test_setup_teardown(impossible_places_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(impossible_links_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(impossible_lengths_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_impossible_count_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(random_damage_is_survived, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
