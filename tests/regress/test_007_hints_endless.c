/*
 * test_007_hints_endless.c: items of 40 % of a segment, and a client that holds
 * every hint at its highest, flat out. Two of them take up a segment by less
 * than the seven eighths that counted as kept, and copied elsewhere they take
 * up a segment again: making room never ended.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/store.h"
#include "regress/unlinked.h"
#include "shm/hint.h"

static struct byte *hints;
static uint64_t n_hints;
static _Atomic int stop;

static void *
raise_all(void *arg)
{
	while (!stop)
		for (uint64_t i = 0; i < n_hints; i++)
			byte_store_rlx(&hints[i], HINT_MAX);
	return arg;
}

static void
room_is_made_whatever_the_hints_say(void **state)
{
	static const uint32_t sizes[] = {1640, 1300, 1000, 3, 40000};
	struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	uint64_t st[SHM_STAT_N];
	struct store *s;
	struct map map;
	pthread_t thread;
	char key[32], *value = calloc(1, 40000);
	uint64_t cas;

	(void)state;
	unlinked_segment("007", 1 << 20, &map);
	assert_int_equal(store_open(&map, &conf, 100, &s, &rec), 0);
	n_hints = 64 * 1024;
	hints = calloc(n_hints, sizeof(*hints));
	assert_non_null(hints);
	store_set_hints(s, hints, n_hints);
	assert_int_equal(pthread_create(&thread, NULL, raise_all, NULL), 0);
	alarm(60);
	for (unsigned k = 0; k < 5; k++) {
		uint32_t n = sizes[k];
		for (unsigned i = 0; i < 3000; i++) {
			int len = snprintf(key, sizeof(key), "k%u-%u", k, i);
			struct store_put put = {
			    .key = {key, (uint32_t)len, store_hash(s, key, (size_t)len)},
			    .value = value,
			    .value_bytes = n};
			/* also where the other thread doesn't get to run */
			for (uint64_t h = 0; i % 256 == 0 && h < n_hints; h++)
				byte_store_rlx(&hints[h], HINT_MAX);
			assert_int_equal(store_put(s, &put, 100, &cas), STORE_OK);
		}
		store_stats(s, 0, st);
		/* For each segment that is asked for, eight victims that are
		 * kept and one that isn't; and what was due ahead. */
		uint64_t n_blocks = 1 + n / 4096 + 1, n_victims = 9 * n_blocks + 8;
		print_message("# values of %u: %llu items examined and %llu bytes copied for the "
			      "worst SET yet\n",
		    n, (unsigned long long)st[SHM_STAT_LONGEST_SET_ITEMS],
		    (unsigned long long)st[SHM_STAT_LONGEST_SET_COPIED]);
		assert_true(st[SHM_STAT_LONGEST_SET_ITEMS] <= n_victims * (4096 / 24));
		assert_true(st[SHM_STAT_LONGEST_SET_COPIED] <= n_victims * 4096);
	}
	stop = 1;
	pthread_join(thread, NULL);
	store_set_hints(s, NULL, 0);
	store_close(s);
	map_close(&map);
	free(hints);
	free(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(room_is_made_whatever_the_hints_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
