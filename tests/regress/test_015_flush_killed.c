/*
 * test_015_flush_killed.c: the writer ends at each point of a flush, of one to
 * come and of one that takes its place. A reader then finds an item as it was
 * before or after the flush, and a successor finds the same: no item that has
 * vanished comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/crash.h"
#include "engine/store.h"
#include "regress/unlinked.h"

#ifndef PEEK_HOOKS
int
main(void)
{
	printf("1..0 # SKIP crash points are compiled in by MODE=hooks\n");
	return 0;
}
#else

#define NOW_S 100000

static jmp_buf dead;
static unsigned points_left;

static void
die(const char *label)
{
	(void)label;
	if (points_left-- == 0)
		longjmp(dead, 1);
}

static void
flush_now(struct store *s)
{
	store_flush(s);
}

static void
flush_later(struct store *s)
{
	store_flush_at(s, NOW_S + 1000);
}

static void
flush_past(struct store *s)
{
	store_flush_at(s, NOW_S - 1); /* stands until the next tick */
}

static void
flush_not(struct store *s)
{
	store_flush_at(s, 0);
}

static void
time_comes(struct store *s)
{
	store_tick(s, (uint64_t)(NOW_S + 1000) << 32);
}

/* As a reader of a daemon that is dead. The clock is the host's: an item that
 * doesn't expire is judged by the flush alone. */
static bool
reader_finds(const struct map *m, uint32_t now_s)
{
	uint64_t cutoff = word_load_rlx(&m->header->cutoff),
		 at_s = word_load_rlx(&m->header->flush_at_s);

	return (cutoff & CUTOFF_MASK) == 0 && ((cutoff & CUTOFF_PENDING) == 0 || at_s > now_s);
}

static bool
successor_finds(struct map *m, const struct store_key *key, uint32_t now_s)
{
	const struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct store_item item;
	struct store *s;

	assert_int_equal(store_open(m, &conf, now_s, &s, &rec), 0);
	store_tick(s, (uint64_t)now_s << 32);
	bool found = store_find(s, key, now_s, &item, NULL);
	store_close(s);
	return found;
}

/* One life: `first`, then `then`, in which it ends at its n-th point. Returns
 * whether it ended there. */
static bool
one_life(void (*first)(struct store *), void (*then)(struct store *), unsigned n, bool before,
    bool after, uint32_t now_s)
{
	const struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_put put = {.mode = STORE_SET, .value = "v", .value_bytes = 1};
	struct store_recovery rec;
	struct store *s;
	struct map map;
	uint64_t cas;

	unlinked_segment("flush", 2 << 20, &map);
	assert_int_equal(store_open(&map, &conf, NOW_S, &s, &rec), 0);
	put.key = (struct store_key){"k", 1, store_hash(s, "k", 1)};
	assert_int_equal(store_put(s, &put, NOW_S, &cas), STORE_OK);
	if (first != NULL)
		first(s);
	points_left = n;
	crash_hook = die;
	bool ended = setjmp(dead) != 0;
	if (!ended)
		then(s);
	crash_hook = NULL;
	store_close(s);
	bool reader = reader_finds(&map, now_s);
	assert_true(reader == before || reader == after);
	assert_true(ended || reader == after);
	assert_int_equal(successor_finds(&map, &put.key, now_s), reader);
	map_close(&map);
	return ended;
}

static void
it_was_or_is_flushed(void **state)
{
	static const struct {
		void (*first)(struct store *), (*then)(struct store *);
		bool before, after;
		uint32_t now_s;
	} lives[] = {
	    {NULL, flush_now, true, false, NOW_S},
	    {NULL, flush_later, true, true, NOW_S},
	    {flush_later, flush_now, true, false, NOW_S},
	    {flush_later, flush_not, true, true, NOW_S},
	    {flush_later, flush_not, false, true, NOW_S + 2000},
	    {flush_later, time_comes, false, false, NOW_S + 1000},
	    {flush_later, flush_past, true, false, NOW_S},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		unsigned n = 0;
		while (one_life(lives[i].first, lives[i].then, n, lives[i].before, lives[i].after,
		    lives[i].now_s))
			n++;
		assert_true(n >= 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_was_or_is_flushed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
