/*
 * get.c: one key, read. peek_get is the hot path: two cache-line misses (bucket, item), and nothing that waits for them but the
 * comparison and the copy. Read lookup.h beside it. What is out of the ordinary is get_slow.c's. Compiled twice: wide.h.
 */
#include <errno.h>

#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/lookup.h"
#include "lib/read.h"
#include "lib/wide.h"
#include "shm/hash.h"

/* Counts a read that came to its end: its thread's own cell, without an atomic read-modify-write. */
static inline ssize_t
counted(struct peek *p, const struct attached *a, bool hit, uint64_t hint_at, ssize_t result)
{
	unsigned lane = lane_mine.cell_at;

	if (LOOKUP_UNLIKELY(!lane_is_own(lane)))
		return get_counted_rarely(p, a, hint_at, result);
	struct hint_cell *cell = lane_cell(a->cells, lane);
	if (LOOKUP_UNLIKELY(get_is_due(hit, lane_add(hit ? &cell->hits : &cell->misses, 1, lane))))
		return get_counted_rarely(p, a, hint_at, result);
	return result;
}

/* flatten: the hash must not become a call for having several callers. */
__attribute__((flatten)) ssize_t
WIDE(peek_get)(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (LOOKUP_UNLIKELY(a == NULL))
		return get_first(p, key, key_len, buf, buf_cap);
	const struct map *m = &a->map;
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: a hit is validated, a miss looks at it again */
	if (LOOKUP_UNLIKELY(count - 1 >= m->n_buckets_max))
		return get_first(p, key, key_len, buf, buf_cap); /* retired, as a rule */

	uint64_t hash;
	if (LOOKUP_LIKELY(key_len - HASH_USUAL_MIN <= HASH_USUAL_MAX - HASH_USUAL_MIN))
		hash = hash_usual_key(key, key_len, m->seed);
	else if (LOOKUP_LIKELY(key_len - 1 < ITEM_KEY_MAX))
		hash = hash_key(key, key_len, m->seed);
	else
		return -EINVAL;
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	if (LOOKUP_UNLIKELY(at.match == 0)) {
		lookup_quick_follow(m, &at, hash);
		if (at.match == 0) {
			if (LOOKUP_UNLIKELY(!lookup_quick_miss(m, &at, count)))
				return get_slow(p, key, key_len, buf, buf_cap);
			return counted(p, a, false, GET_MISS, -ENOENT);
		}
	}
	if (LOOKUP_UNLIKELY((at.begun & 1) != 0))
		return get_torn(p, key, key_len, buf, buf_cap);
	const struct word *item;
	if (LOOKUP_UNLIKELY(!lookup_quick_item(m, a->quick_off_max, &at, &item)))
		return get_slow(p, key, key_len, buf, buf_cap);
	ssize_t n = lookup_quick_read(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	if (LOOKUP_LIKELY(n >= 0)) {
		uint64_t hint_at = lookup_hint_at(&at);
		if (a->hints != NULL)
			hint_raise(&a->hints[hint_at]);
		return counted(p, a, true, hint_at, n);
	}
	return n == LOOKUP_TORN ? get_torn(p, key, key_len, buf, buf_cap) : get_slow(p, key, key_len, buf, buf_cap);
}
