/*
 * test_lib_marked.c: items whose state says more than how they are laid out.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>

static unsigned char got[64];

/* A reader judges an item's tags, and marks that it doesn't know. */
static void
marked_items(void **state)
{
	struct harness h;
	struct peek_view view;
	struct peek *p;
	uint64_t cas;

	(void)state;
	harness_open(&h, "marked", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY, &p), 0);
	const uint32_t marks[] = {
	    ITEM_TAGS, ITEM_ORIGIN | ITEM_TAGS, ITEM_ABSENT, ITEM_ORIGIN | 31u << ITEM_GROUP_SHIFT};
	for (unsigned i = 0; i < 8; i++) {
		struct store_put put = {.key = harness_key(&h, "k", 1),
		    .mode = STORE_SET,
		    .value = "tagged",
		    .value_bytes = 6,
		    .flags = i < 4 ? 0 : 9,
		    .state = marks[i % 4],
		    .tags = UINT64_C(0x0005000500060007)};
		struct peek_op op = {"k", 1, got, sizeof(got), 0};
		struct peek_info info;
		assert_int_equal(store_put(h.store, &put, harness_now_s(), &cas), STORE_OK);
		ssize_t want = i % 4 == 0 ? 6 : -ENOENT;
		assert_int_equal(peek_get(p, "k", 1, got, sizeof(got)), want);
		if (want == 6)
			assert_memory_equal(got, "tagged", 6);
		assert_int_equal(peek_get_info(p, "k", 1, got, sizeof(got), &info), want);
		peek_mget(p, &op, 1);
		assert_int_equal(op.result, want);
		assert_int_equal(peek_view(p, "k", 1, &view), want == 6 ? 0 : -ENOENT);
		if (want == 6)
			assert_memory_equal(view.data, "tagged", 6);
		word_store_rlx(&h.map.tags[6], cas);
		assert_int_equal(peek_get(p, "k", 1, got, sizeof(got)), -ENOENT);
		assert_int_equal(peek_view(p, "k", 1, &view), -ENOENT);
	}
	peek_close(p);
	harness_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(marked_items)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
