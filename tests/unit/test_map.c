/*
 * test_map.c: words of the segment that layout.h describes and map.h and item.h
 * reach: tags, addresses, what grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/store.h"
#include "regress/unlinked.h"
#include "shm/item.h"
#include "engine/engine_check.h"

static const struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};

static struct store *
opened(struct map *map)
{
	struct store_recovery rec;
	struct store *s;

	assert_int_equal(store_open(map, &conf, 100, &s, &rec), 0);
	assert_true(rec.dropped_damaged == 0);
	return s;
}

/* Each tag's cut-off, and what an item keeps of its tags: through append, a
 * counter, a successor. */
static void
tags_cut_off(void **state)
{
	struct map map;
	struct store_item item;
	uint64_t cas, number;

	(void)state;
	unlinked_segment("tags", 2 << 20, &map);
	struct store *s = opened(&map);
	struct store_put p = {.key = {"t", 1, store_hash(s, "t", 1)},
	    .mode = STORE_SET,
	    .value = "7",
	    .value_bytes = 1,
	    .state = ITEM_TAGS,
	    .tags = UINT64_C(0x0003000300030001)};
	struct store_put more = {
	    .key = p.key, .mode = STORE_APPEND, .value = "8", .value_bytes = 1};
	assert_int_equal(store_put(s, &p, 100, &cas), STORE_OK);
	assert_int_equal(store_put(s, &more, 100, &cas), STORE_OK);
	assert_true(store_find(s, &p.key, 100, &item, NULL) && item.tags == p.tags &&
	    item.value_bytes == 2);
	assert_int_equal(store_arith(s, &p.key, &item, false, 1, 0, 100, &number, &cas), STORE_OK);
	store_close(s);
	s = opened(&map);
	assert_true(
	    store_find(s, &p.key, 100, &item, NULL) && item.tags == p.tags && item.counter == 79);

	word_store_rlx(&map.tags[2], item.cas); /* another's */
	word_store_rlx(&map.tags[3], item.cas - 1);
	assert_true(store_find(s, &p.key, 100, &item, NULL));
	word_store_rlx(&map.tags[3], item.cas);
	assert_false(store_find(s, &p.key, 100, &item, NULL));

	p.tags = map.n_tag_slots + 3; /* beyond the table: its low bits count */
	assert_int_equal(store_put(s, &p, 100, &cas), STORE_OK);
	assert_true(store_find(s, &p.key, 100, &item, NULL));
	word_store_rlx(&map.tags[3], cas);
	assert_false(store_find(s, &p.key, 100, &item, NULL));
	p.tags = 0;
	p.state = ITEM_TAGS | ITEM_ORIGIN;
	assert_int_equal(store_put(s, &p, 100, &cas), STORE_OK);
	assert_false(store_find(s, &p.key, 100, &item, NULL));
	assert_null(engine_check(s));
	store_close(s);
	map_close(&map);
}

static void
words_of_the_header(void **state)
{
	const uint64_t set[] = {layout_tcp(4, 0x7f000001, 11211), layout_tcp(6, 1, 65535)};
	uint64_t got[LAYOUT_TCP_WORDS];
	struct map map;

	(void)state;
	unlinked_segment("words", 2 << 20, &map);
	map_set_tcp(&map, set, 2);
	map_tcp(&map, got);
	assert_true(got[0] == UINT64_C(0x04002bcb7f000001) &&
	    got[1] == UINT64_C(0x0600ffff00000001) && got[2] == 0 && got[7] == 0);
	map_set_tcp(&map, NULL, 0);
	map_tcp(&map, got);
	assert_true(got[0] == 0 && got[1] == 0);
	assert_true(map_filling(&map) == SEGMENT_WHOLE);
	map_set_filling(&map, SEGMENT_FROM_HAND_OVER);
	assert_true(map_filling(&map) == SEGMENT_FROM_HAND_OVER);
	map_set_filling(&map, UINT64_MAX);
	assert_true(map_filling(&map) == SEGMENT_FROM_SNAPSHOT);
	map_close(&map);
}

static void
steps_of_growth(void **state)
{
	const uint64_t n_max = 4000000;
	uint64_t n_steps = 0, before = 0;

	(void)state;
	for (uint64_t n = 0; n <= n_max + 2; n++) {
		uint64_t bytes = layout_grown_bytes(n, n_max), need = n * sizeof(struct bucket);
		assert_true(bytes >= before && bytes % LAYOUT_PAGE_BYTES == 0 &&
		    bytes <= n_max * sizeof(struct bucket) + LAYOUT_PAGE_BYTES);
		assert_true(
		    n > n_max || (bytes >= need && bytes <= need + need / 8 + LAYOUT_PAGE_BYTES));
		n_steps += bytes != before;
		before = bytes;
	}
	assert_in_range(n_steps, 60, 8 * 17);
	assert_true(layout_grown_bytes(UINT64_MAX, n_max) == before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_cut_off),
	    cmocka_unit_test(words_of_the_header),
	    cmocka_unit_test(steps_of_growth),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
