/*
 * test_007_restart_evicts.c: a daemon that is killed again and again on an
 * arena that is full of dead records, a seventh of it live. A successor had no
 * credit for cleaning: where its first SET found little free it evicted a
 * segment, with what was live there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/store.h"
#include "regress/unlinked.h"

#define ARENA_BYTES (UINT64_C(8) << 20)
#define N_KEYS      4000u
#define N_LIVES     400u

/* One SET in 64 is of a value up to four segments long. */
static uint32_t
value_bytes(unsigned r)
{
	return r % 64 == 0 ? r / 64 % 70000 : 16 + r / 64 % 250;
}

static void
a_successor_evicts_nothing_while_there_is_dead_memory(void **state)
{
	struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	uint64_t st[SHM_STAT_N];
	struct store *s;
	struct map map;
	char key[32], *value = calloc(1, 70000);
	unsigned seed = 7, n_set = 0;
	uint64_t cas, evictions = 0;

	(void)state;
	unlinked_segment("007r", ARENA_BYTES, &map);
	for (unsigned life = 0; life < N_LIVES; life++) {
		assert_int_equal(store_open(&map, &conf, 100, &s, &rec), 0);
		assert_int_equal(rec.items, n_set);
		for (unsigned n = (unsigned)rand_r(&seed) % 4000; n > 0; n--) {
			unsigned k = n_set < N_KEYS
			    ? n_set++
			    : (unsigned)rand_r(&seed) % (1 + (unsigned)rand_r(&seed) % N_KEYS);
			int len = snprintf(key, sizeof(key), "key-%u", k);
			struct store_put put = {
			    .key = {key, (uint32_t)len, store_hash(s, key, (size_t)len)},
			    .value = value,
			    .value_bytes = value_bytes((unsigned)rand_r(&seed))};
			assert_int_equal(store_put(s, &put, 100, &cas), STORE_OK);
		}
		store_stats(s, 0, st);
		evictions += st[SHM_STAT_EVICTIONS];
		store_close(s);
	}
	print_message("# %u lives, %llu evictions\n", N_LIVES, (unsigned long long)evictions);
	assert_int_equal(evictions, 0);
	map_close(&map);
	free(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_successor_evicts_nothing_while_there_is_dead_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
