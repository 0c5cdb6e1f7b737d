/*
 * get.h: how a read that get.c or mget.c can't end goes on. None of it is in the way of one that they can.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include <errno.h>

#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/read.h"

#define GET_COLD __attribute__((cold, noinline))

/* A read by the pinned form. Counts it. */
GET_COLD ssize_t get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the bucket was found in a rewrite. */
GET_COLD ssize_t get_torn(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the hot path can't begin: nothing is attached yet, or the segment was retired. The key may be of no allowed length. */
GET_COLD ssize_t get_first(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/*
 * Counts a read that came to its end, and returns result, where it is not just one more: the thread has no lane of its own, or the read is due.
 * hint_at: HINT_NONE for a miss.
 */
GET_COLD ssize_t get_count_rarely(const struct attached *a, uint64_t hint_at, ssize_t result);

/* Counts a read that came to its end, and returns result: its thread's own cell, without an atomic read-modify-write. */
static inline ssize_t
get_count(const struct attached *a, bool hit, uint64_t hint_at, ssize_t result)
{
	if (LOOKUP_UNLIKELY(lane_pass(1)))
		return get_count_rarely(a, hit ? hint_at : HINT_NONE, result);
	struct hint_cell *cell = lane_cell(a->cells, lane_mine.cell_at);
	lane_count(hit ? &cell->hits : &cell->misses);
	return result;
}

static inline ssize_t
get_count_miss(const struct attached *a)
{
	return get_count(a, false, HINT_NONE, -ENOENT);
}

/* A hit leaves its hint. */
static inline ssize_t
get_count_hit(const struct attached *a, const struct lookup_place *at, ssize_t result)
{
	uint64_t hint_at = lookup_hint_at(at);

	if (a->hints != NULL)
		hint_raise(&a->hints[hint_at]);
	return get_count(a, true, hint_at, result);
}

#endif
