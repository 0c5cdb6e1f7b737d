/*
 * test_room.c: how room is made. With eviction: for what is needed and a
 * bounded reserve, whatever the sizes, and never at the cost of what was just
 * stored. Without: nothing that lives goes, and what is dead comes back (15.2
 * to 15.4, 15.43, 15.44, 15.46).
 */
#include "unit/room_fixture.h"

static uint64_t
stat_of(const struct room *f, enum shm_stat stat)
{
	uint64_t st[SHM_STAT_N];

	store_stats(f->store, 0, st);
	return st[stat];
}

/*
 * 15.43: one more of many large values takes the place of one or two, not of
 * the cache.
 */
static void
one_large_value_takes_the_place_of_one(void **state)
{
	static const uint32_t sizes[] = {40000, 65536, 100000, 200000, 983040, 1000000};
	char key[32];

	(void)state;
	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct room f;
		uint64_t fewest = UINT64_MAX, most = 0, full = 0;
		int n_after = 3000 / ROOM_SLOWNESS; /* in the full cache */
		room_open(&f, 64 << 20, true, 0);
		for (int i = 0; i < 6000 && n_after > 0; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			assert_int_equal(
			    room_put(&f, STORE_SET, key, room_value(0), sizes[k], 0), STORE_OK);
			store_tick(f.store, (uint64_t)f.now_s << 32);
			uint64_t n_items = stat_of(&f, SHM_STAT_CURR_ITEMS);
			if (full == 0 && stat_of(&f, SHM_STAT_EVICTIONS) > 0)
				full = most;
			most = n_items > most ? n_items : most;
			if (full != 0 && n_items < fewest)
				fewest = n_items;
			n_after -= full != 0;
		}
		print_message("# values of %u: full with %llu items, never fewer than %llu\n",
		    sizes[k], (unsigned long long)full, (unsigned long long)fewest);
		/*
		 * Two segments for the record, two ahead, and an open one
		 * sealed early now and then.
		 */
		assert_true(full > 0 && fewest + 2 + 8 * 65536 / sizes[k] >= full);
		assert_null(engine_check(f.store));
		room_close(&f);
	}
}

/*
 * 15.44: what was stored is there before the next request, for every size and
 * limit.
 */
static void
what_was_stored_is_there(void **state)
{
	static const uint64_t arenas[] = {1 << 20, 2 << 20, 3 << 20, 4 << 20};
	uint64_t seed = 44;
	char key[32];

	(void)state;
	for (unsigned k = 0; k < sizeof(arenas) / sizeof(arenas[0]); k++) {
		struct room f;
		room_open(&f, arenas[k], true, 0);
		for (uint32_t i = 0, n = 1; i < 9000 / ROOM_SLOWNESS; i++) {
			switch (i % 4) {
			case 0:
				n = 30000 + (i * 8) % 40000;
				break;
			case 1:
				n = 1 + (uint32_t)(next_random(&seed) % 4096);
				break;
			case 2:
				n = 1u << (next_random(&seed) % 20);
				break;
			default:
				n = (uint32_t)(next_random(&seed) %
				    (1048000 < arenas[k] / 2 ? 1048000 : arenas[k] / 2));
				break;
			}
			uint32_t expiry_s = next_random(&seed) % 3 == 0
			    ? f.now_s + 1 + (uint32_t)(1u << (next_random(&seed) % 20))
			    : 0;
			snprintf(key, sizeof(key), "k%u", (unsigned)(next_random(&seed) % 500));
			enum store_result r =
			    room_put(&f, STORE_SET, key, room_value(i), n, expiry_s);
			assert_true(r == STORE_OK || r == STORE_TOO_LARGE);
			if (r == STORE_OK && !room_is(&f, key, room_value(i), n)) {
				print_message("# -m %llu: %s of %u bytes was stored and is gone, "
					      "at step %u\n",
				    (unsigned long long)arenas[k] >> 20, key, n, i);
				fail();
			}
			if (i % 50 == 0)
				store_tick(f.store, (uint64_t)(f.now_s += i % 100 == 0) << 32);
		}
		assert_null(engine_check(f.store));
		room_close(&f);
	}
}

/* 15.44, as it was found. */
static void
two_halves_of_two_mebibytes(void **state)
{
	struct room f;

	(void)state;
	room_open(&f, 2 << 20, true, 0);
	assert_int_equal(room_put(&f, STORE_SET, "a", room_value(1), 1044480, 0), STORE_OK);
	assert_int_equal(room_put(&f, STORE_SET, "b", room_value(2), 1040384, 0), STORE_OK);
	assert_true(room_is(&f, "b", room_value(2), 1040384));
	room_close(&f);
}

/*
 * Fills a cache that evicts nothing with values of n bytes; returns how many
 * fit.
 */
static int
fill(struct room *f, const char *prefix, uint32_t n)
{
	char key[32];

	for (int i = 0;; i++) {
		snprintf(key, sizeof(key), "%s%d", prefix, i);
		enum store_result r = room_put(f, STORE_SET, key, room_value((uint64_t)i), n, 0);
		if (r == STORE_NO_MEMORY)
			return i;
		assert_int_equal(r, STORE_OK);
	}
}

/*
 * 15.4: a quarter, evenly spread over all segments, can be stored again; so can
 * what one of eight leaves twice over.
 */
static void
dead_memory_comes_back(void **state)
{
	static const uint32_t sizes[] = {30, 200, 900, 3000, 20000, 70000};
	char key[32];

	(void)state;
	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct room f;
		room_open(&f, 8 << 20, false, 0);
		int n = fill(&f, "k", sizes[k]), gone = 0;
		for (int i = 0; i < n; i += 4, gone++) {
			snprintf(key, sizeof(key), "k%d", i);
			room_delete(&f, key);
		}
		int again = fill(&f, "n", sizes[k]);
		print_message(
		    "# values of %u: %d fit, %d deleted, %d fit again\n", sizes[k], n, gone, again);
		/*
		 * An eighth of the arena, at most, stays dead: half of a
		 * quarter.
		 */
		assert_true(again * 2 >= gone - 2);
		for (int i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			assert_true(
			    room_is(&f, key, room_value((uint64_t)i), sizes[k]) == (i % 4 != 0));
		}
		assert_null(engine_check(f.store));
		room_close(&f);
	}
}

/* 15.4: the same after a flush, which leaves nothing. */
static void
flushed_memory_comes_back(void **state)
{
	struct room f;

	(void)state;
	room_open(&f, 4 << 20, false, 0);
	int n = fill(&f, "k", 300);
	store_flush(f.store);
	assert_int_equal(stat_of(&f, SHM_STAT_FLUSHED_ITEMS), 0);
	assert_true(fill(&f, "n", 300) >= n - 20);
	assert_int_equal(stat_of(&f, SHM_STAT_EVICTIONS), 0);
	assert_null(engine_check(f.store));
	room_close(&f);
}

/*
 * 15.3: items that were touched into every class of times to live, while their
 * segments are cleaned.
 */
static void
cleaning_evicts_nothing(void **state)
{
	struct room f;
	struct store_item item;
	char key[32];
	uint64_t seed = 3;

	(void)state;
	room_open(&f, 64 << 20, false, 0);
	int n = fill(&f, "k", 9000);
	for (int round = 0; round < (ROOM_SLOWNESS > 1 ? 2 : 4); round++) {
		for (int i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			struct store_key k = room_key(&f, key);
			if (!store_find(f.store, &k, f.now_s, &item, NULL))
				continue;
			if (next_random(&seed) % 8 == 0)
				store_delete(f.store, &item);
			else
				store_touch(f.store, &item,
				    f.now_s + 1 + (1u << (next_random(&seed) % 24)));
		}
		room_restart(&f); /* no segment is open */
		uint64_t before = stat_of(&f, SHM_STAT_CURR_ITEMS);
		snprintf(key, sizeof(key), "r%d-", round);
		int more = fill(&f, key, 9000);
		assert_int_equal(stat_of(&f, SHM_STAT_CURR_ITEMS), before + (uint64_t)more);
		assert_int_equal(stat_of(&f, SHM_STAT_EVICTIONS), 0);
	}
	assert_null(engine_check(f.store));
	room_close(&f);
}

/* 15.46: a stored number can be counted although no memory is left. */
static void
a_number_counts_in_a_full_cache(void **state)
{
	struct room f;
	struct store_item item;
	uint64_t value, cas;
	char key[32], text[24];

	(void)state;
	room_open(&f, 1 << 20, false, 0);
	for (int i = 0; i < 2000; i++) {
		int len = snprintf(text, sizeof(text), "%d", i);
		snprintf(key, sizeof(key), "c%d", i);
		assert_int_equal(room_put(&f, STORE_SET, key, text, (uint32_t)len, 0), STORE_OK);
		assert_true(room_is(&f, key, text, (uint32_t)len));
	}
	assert_int_equal(room_put(&f, STORE_SET, "max", "18446744073709551615", 20, 0), STORE_OK);
	assert_true(room_is(&f, "max", "18446744073709551615", 20));
	assert_int_equal(room_put(&f, STORE_SET, "more", "18446744073709551616", 20, 0), STORE_OK);
	assert_true(room_is(&f, "more", "18446744073709551616", 20));
	assert_int_equal(room_put(&f, STORE_SET, "padded", "7 ", 2, 0), STORE_OK);
	assert_int_equal(room_put(&f, STORE_SET, "zero", "007", 3, 0), STORE_OK);
	fill(&f, "k", 300);
	fill(&f, "s", 1);
	fill(&f, "", 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "c%d", i);
		struct store_key k = room_key(&f, key);
		assert_true(store_find(f.store, &k, f.now_s, &item, NULL));
		assert_int_equal(
		    store_arith(f.store, &k, &item, false, 5, 0, f.now_s, &value, &cas), STORE_OK);
		assert_int_equal(value, i + 5);
	}
	assert_true(room_is(&f, "padded", "7 ", 2) && room_is(&f, "zero", "007", 3));
	struct store_key k = room_key(&f, "padded");
	assert_true(store_find(f.store, &k, f.now_s, &item, NULL));
	assert_int_equal(
	    store_arith(f.store, &k, &item, false, 5, 0, f.now_s, &value, &cas), STORE_OK);
	assert_int_equal(stat_of(&f, SHM_STAT_EVICTIONS), 0);
	assert_null(engine_check(f.store));
	room_close(&f);
}

/*
 * 15.2: where the table can't grow nothing is dropped from a chain; what has
 * expired gives its place.
 */
static void
a_full_table_refuses(void **state)
{
	struct room f;
	char key[32];
	int n_in = 0, n_refused = 0, n_early = 0;

	(void)state;
	room_open(&f, 16 << 20, false, 256);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		enum store_result r =
		    room_put(&f, STORE_SET, key, room_value((uint64_t)i), 10, i % 2 == 0 ? 200 : 0);
		n_in += r == STORE_OK;
		n_refused += r == STORE_NO_MEMORY;
		n_early += r == STORE_NO_MEMORY && n_in < 256 * 4;
		assert_int_equal(r == STORE_OK, room_is(&f, key, room_value((uint64_t)i), 10));
	}
	assert_int_equal(n_in + n_refused, 5000);
	assert_int_equal(stat_of(&f, SHM_STAT_CURR_ITEMS), n_in);
	assert_int_equal(stat_of(&f, SHM_STAT_TABLE_REFUSED), n_refused);
	assert_int_equal(
	    stat_of(&f, SHM_STAT_CHAIN_EVICTIONS) + stat_of(&f, SHM_STAT_EVICTIONS), 0);
	assert_int_equal(n_early, 0);
	f.now_s = 300;
	assert_int_equal(room_put(&f, STORE_SET, "another", "x", 1, 0), STORE_OK);
	assert_null(engine_check(f.store));
	room_close(&f);
}

/*
 * The same keys where eviction is on: each of them is stored, and room is
 * counted as chains'.
 */
static void
a_full_table_evicts_from_chains(void **state)
{
	struct room f;
	char key[32];

	(void)state;
	room_open(&f, 16 << 20, true, 256);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(
		    room_put(&f, STORE_SET, key, room_value((uint64_t)i), 10, 0), STORE_OK);
		assert_true(room_is(&f, key, room_value((uint64_t)i), 10));
	}
	uint64_t n_items = stat_of(&f, SHM_STAT_CURR_ITEMS);
	assert_int_equal(stat_of(&f, SHM_STAT_CHAIN_EVICTIONS), 5000 - n_items);
	assert_true(n_items > 256 * 5);
	assert_null(engine_check(f.store));
	room_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_large_value_takes_the_place_of_one),
	    cmocka_unit_test(what_was_stored_is_there),
	    cmocka_unit_test(two_halves_of_two_mebibytes),
	    cmocka_unit_test(dead_memory_comes_back),
	    cmocka_unit_test(flushed_memory_comes_back),
	    cmocka_unit_test(cleaning_evicts_nothing),
	    cmocka_unit_test(a_number_counts_in_a_full_cache),
	    cmocka_unit_test(a_full_table_refuses),
	    cmocka_unit_test(a_full_table_evicts_from_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
