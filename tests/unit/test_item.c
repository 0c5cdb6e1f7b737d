/*
 * test_item.c: the arithmetic of items (item.h), hashes (hash.h), buckets and
 * slots (table.h) against plain definitions of the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shm/hash.h"
#include "shm/item.h"
#include "shm/table.h"
#include "unit/random.h"

static uint64_t random_state = 42;

static void
words_hold_their_fields(void **state)
{
	const uint32_t expiries[] = {0, 1, 77, UINT32_MAX},
		       values[] = {0, 1, 255, 256, 1048576, ITEM_VALUE_MAX};

	(void)state;
	for (size_t e = 0; e < 4; e++) {
		for (size_t v = 0; v < 6; v++) {
			for (uint32_t k = 1; k <= ITEM_KEY_MAX; k++) {
				uint64_t w = item_word0(expiries[e], values[v], k);
				assert_int_equal(item_expiry_s(w), expiries[e]);
				assert_int_equal(item_value_bytes(w), values[v]);
				assert_int_equal(item_key_bytes(w), k);
			}
		}
	}
	uint64_t w1 = item_word1(ITEM_CAS_MAX, 0xabcd);
	assert_true(item_cas(w1) == ITEM_CAS_MAX);
	assert_int_equal(item_state(w1), 0xabcd);
}

static void
inline_shape_is_a_row_of_fields(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 32; bits++) {
		uint32_t s = ((bits & 1) != 0 ? ITEM_COUNTER : 0) |
		    ((bits & 2) != 0 ? ITEM_FLAGS : 0) | ((bits & 4) != 0 ? ITEM_KEY_B64 : 0) |
		    ((bits & 8) != 0 ? ITEM_TAGS : 0) |
		    ((bits & 16) != 0 ? ITEM_ORIGIN | ITEM_ABSENT | ITEM_GROUP : 0);
		for (uint32_t k = 1; k <= ITEM_KEY_MAX; k += 7) {
			for (uint32_t v = 0; v < 600; v += 13) {
				struct item_shape shape = item_shape(s, k, v, 16);
				uint32_t at = 16;
				if ((s & ITEM_COUNTER) != 0)
					at += 8;
				if ((s & ITEM_FLAGS) != 0) {
					assert_int_equal(item_flags_at(s), at);
					at += 8;
				}
				if ((s & ITEM_TAGS) != 0) {
					assert_int_equal(item_tags_at(s), at);
					at += 8;
				}
				assert_int_equal(shape.key_at, at);
				assert_int_equal(shape.value_at, at + k);
				assert_int_equal(shape.tail_bytes, v);
				assert_int_equal(shape.n_extents, 0);
				assert_int_equal(shape.extents_at, 0);
				uint64_t end = at + k + v;
				while (end % 8 != 0)
					end++;
				assert_true(shape.record_bytes == end);
			}
		}
	}
}

/*
 * Every value has room in its extents and tail, no byte twice; what isn't used
 * of them is at most an eighth of a segment, and only where the last one is
 * whole.
 */
static void
extents_hold_the_value(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned shift = BLOCK_SHIFT_MIN +
		    (unsigned)(next_random(&random_state) %
			(BLOCK_SHIFT_MAX - BLOCK_SHIFT_MIN + 1));
		uint64_t block = UINT64_C(1) << shift;
		uint32_t key = 1 + (uint32_t)(next_random(&random_state) % ITEM_KEY_MAX);
		uint32_t value = (uint32_t)(next_random(&random_state) & ITEM_VALUE_MAX) >>
		    (next_random(&random_state) % 16);
		uint32_t flags = ((next_random(&random_state) & 1) != 0 ? ITEM_FLAGS : 0) |
		    ((next_random(&random_state) & 1) != 0 ? ITEM_TAGS : 0);
		struct item_shape s = item_shape(ITEM_EXTENTS | flags, key, value, shift);

		assert_true(s.extents_at % 8 == 0 && s.extents_at >= s.key_at + key &&
		    s.extents_at < s.key_at + key + 8);
		assert_true(s.value_at == s.extents_at + (s.n_extents + 1) / 2 * 8);
		assert_true(s.record_bytes % 8 == 0 && s.record_bytes >= s.value_at + s.tail_bytes);
		uint64_t in_extents = value - s.tail_bytes, part = block >> BLOCK_PARTS_SHIFT;
		uint64_t held = s.n_whole * block + (s.n_extents - s.n_whole) * part;
		assert_true(
		    s.n_whole <= s.n_extents && s.n_extents - s.n_whole < 7 && s.tail_bytes < part);
		assert_int_equal(item_parts(&s) * part, held);
		assert_true(in_extents <= held && held - in_extents <= part);
		if (in_extents < held)
			assert_true(s.n_whole == s.n_extents && s.tail_bytes == 0);
		assert_true(s.record_bytes <= s.extents_at + (s.n_extents + 1) / 2 * 8 + part);
	}
}

/* The writer keeps a block full of records of one length to 85 %. A value in
 * extents fills more. */
static void
no_size_wastes_a_block(void **state)
{
	(void)state;
	for (unsigned shift = BLOCK_SHIFT_MIN; shift <= BLOCK_SHIFT_MAX; shift += 4) {
		uint64_t block = UINT64_C(1) << shift;
		for (uint32_t v = 1; v < 3 * block; v += 1 + v / 500) {
			bool out = item_wants_extents(0, 20, v, block);
			struct item_shape s = item_shape(out ? ITEM_EXTENTS : 0, 20, v, shift);
			double in_extents =
			    (double)item_parts(&s) * (double)(block >> BLOCK_PARTS_SHIFT);
			/* a record's share of a full block */
			double each = (double)block / (double)(block / s.record_bytes);
			assert_true(s.record_bytes <= block / 2);
			if (v >= 700)
				assert_true((double)(20 + v) / (in_extents + each) > 0.8);
			if (v >= 2000 && shift >= 16)
				assert_true((double)(20 + v) / (in_extents + each) > 0.845);
		}
	}
}

static void
bounds_are_the_segments(void **state)
{
	uint64_t block = 4096, arena = 16 * block;

	(void)state;
	for (uint64_t off = 0; off < arena + 2 * block; off += 8) {
		for (uint64_t bytes = 8; bytes < 2 * block; bytes += 504) {
			bool inside = off < arena && off / block == (off + bytes - 1) / block;
			assert_int_equal(item_in_bounds(off, bytes, arena, 12), inside);
		}
	}
	assert_false(item_in_bounds(UINT64_MAX - 7, 16, arena, 12));
	assert_false(item_in_bounds((UINT64_C(1) << 43) - 8, 16, arena, 12));
}

static void
expiry_is_a_moment(void **state)
{
	(void)state;
	assert_false(item_expired(0, UINT32_MAX));
	assert_true(item_expired(1, CLOCK_BASE_S));
	assert_false(item_expired(101, 100));
	assert_true(item_expired(100, 100));
}

/* Linear hashing by its definition: grow one bucket at a time and move what
 * belongs to the new one. */
static void
bucket_idx_is_linear_hashing(void **state)
{
	(void)state;
	for (int key = 0; key < 200; key++) {
		uint64_t hash = next_random(&random_state), at = 0;
		for (uint64_t n = 1; n < 3000; n++) {
			assert_true(table_bucket_idx(hash, n) == at);
			uint64_t level = 1; /* the largest power of two <= n */
			while (level * 2 <= n)
				level *= 2;
			uint64_t from = n - level;
			assert_true(table_split_idx(n) == from);
			if (at == from && hash % (level * 2) == n)
				at = n;
		}
	}
	assert_true(table_bucket_idx(UINT64_MAX, UINT64_C(1) << 40) == (UINT64_C(1) << 40) - 1);
}

static void
slots_are_tag_and_unit(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t hash = next_random(&random_state),
			 unit = next_random(&random_state) & ((UINT64_C(1) << SLOT_UNIT_BITS) - 1);
		uint64_t slot = slot_make(slot_tag(hash), unit);
		assert_true(slot_tag(hash) != 0 && slot_tag(hash) < UINT64_C(1) << SLOT_TAG_BITS);
		assert_true(slot_tag_of(slot) == slot_tag(hash) && slot_unit(slot) == unit);
		assert_true(slot_is_item(slot) && !slot_is_link(slot));
	}
	assert_true(slot_tag((UINT64_C(1) << SLOT_UNIT_BITS) - 1) == slot_tag(0) &&
	    slot_tag(UINT64_C(2) << SLOT_UNIT_BITS) == (slot_tag(0) | 2));
	assert_true(slot_tag(UINT64_MAX) == (1u << SLOT_TAG_BITS) - 1);
	assert_true(
	    !slot_is_item(0) && !slot_is_link(0) && slot_is_item(slot_make(slot_tag(0), 0)));
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t behind = slot_tag(next_random(&random_state)),
			 other = slot_tag(next_random(&random_state));
		uint64_t link = slot_make_link(i, slot_filter_bit(behind));
		assert_true(slot_is_link(link) && !slot_is_item(link) &&
		    slot_is_link(slot_make_link(i, 0)));
		assert_true(slot_link_idx(link) == i);
		assert_true(slot_leads_to(link, behind) && !slot_leads_to(0, behind) &&
		    !slot_leads_to(slot_make_link(i, 0), behind));
		assert_true(
		    slot_leads_to(link, other) == ((behind >> 19 & 15) == (other >> 19 & 15)));
		assert_true(slot_leads_to(link | slot_filter_bit(other), other));
		assert_false(slot_leads_to(
		    slot_make(behind, next_random(&random_state) & 0xffffffffff), behind));
		assert_false(slot_leads_to(slot_make((1u << SLOT_TAG_BITS) - 1, i), behind));
	}
}

/* Against a loop: every set of slots that match, at every place, beside empty
 * slots, links, and a sequence that looks like the tag. */
static void
match_is_a_comparison_of_each(void **state)
{
	_Alignas(64) struct bucket b;

	(void)state;
	for (unsigned set = 0; set < 1u << BUCKET_SLOTS; set++) {
		for (int round = 0; round < 50; round++) {
			uint64_t tag = slot_tag(next_random(&random_state));
			if (round == 0)
				tag = slot_tag(0);
			if (round == 1)
				tag = (1u << SLOT_TAG_BITS) - 1;
			word_store_rlx(&b.seq,
			    round % 3 == 0 ? slot_make(tag, 2) : next_random(&random_state));
			for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
				uint64_t other = tag ^
				    (UINT64_C(1) << next_random(&random_state) % SLOT_TAG_BITS);
				uint64_t v =
				    slot_make(other, next_random(&random_state) & 0xffffffffff);
				if (other == 0 || next_random(&random_state) % 4 == 0)
					v = next_random(&random_state) % 2 == 0
					    ? 0
					    : slot_make_link(next_random(&random_state) % 1000,
						  slot_filter_bit(
						      slot_tag(next_random(&random_state))));
				if ((set >> i & 1) != 0)
					v = slot_make(
					    tag, next_random(&random_state) & 0xffffffffff);
				word_store_rlx(&b.slot[i], v);
			}
			assert_int_equal(bucket_match(&b, tag), set);
			if (set != 0)
				assert_int_equal(bucket_match_slot(set), __builtin_ctz(set));
		}
	}
}

static void
usual_keys_hash_as_all_do(void **state)
{
	unsigned char key[HASH_FAST_MAX];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t seed = i == 0 ? 0 : i == 1 ? UINT64_MAX : next_random(&random_state);
		struct hash_secret secret = hash_secret_of(seed);
		for (size_t j = 0; j < sizeof(key); j++)
			key[j] = (unsigned char)next_random(&random_state);
		for (size_t n = HASH_FAST_MIN; n <= HASH_FAST_MAX; n++)
			assert_true(hash_fast_key(key, n, &secret) == hash_key(key, n, seed));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_hold_their_fields),
	    cmocka_unit_test(inline_shape_is_a_row_of_fields),
	    cmocka_unit_test(extents_hold_the_value),
	    cmocka_unit_test(no_size_wastes_a_block),
	    cmocka_unit_test(bounds_are_the_segments),
	    cmocka_unit_test(expiry_is_a_moment),
	    cmocka_unit_test(bucket_idx_is_linear_hashing),
	    cmocka_unit_test(usual_keys_hash_as_all_do),
	    cmocka_unit_test(slots_are_tag_and_unit),
	    cmocka_unit_test(match_is_a_comparison_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
