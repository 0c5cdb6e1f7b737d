/*
 * read_count.h: the end of every read: its hint, and its count.
 */
#ifndef PEEK_LIB_READ_COUNT_H
#define PEEK_LIB_READ_COUNT_H

#include <errno.h>
#include <sys/types.h>

#include "lib/count_lane.h"
#include "lib/handle.h"
#include "lib/lookup_past.h"

/*
 * Counts a finished read in the rare cases: the thread has no lane of its own,
 * or the read is at a sampling point. hint_at: HINT_NONE for a miss. Returns
 * result, as the functions below do, so that they end in a jump: they have no
 * register to restore.
 */
__attribute__((cold, noinline)) ssize_t read_count_rarely(
    const struct attached *a, uint64_t hint_at, ssize_t result);

/* Ends a read that found the item with this hint: raises the hint, and counts
 * the hit in the thread's own cell, without an atomic read-modify-write. */
static inline ssize_t
read_count_hit(const struct attached *a, uint64_t hint_at, ssize_t result)
{
	if (a->hints != NULL)
		hint_raise(&a->hints[hint_at]);
	if (LOOKUP_UNLIKELY(lane_pass(1)))
		return read_count_rarely(a, hint_at, result);
	count_one(&lane_cell(a->cells, lane_mine.cell_at)->hits);
	return result;
}

/* Ends a read that found nothing. */
static inline ssize_t
read_count_miss(const struct attached *a)
{
	if (LOOKUP_UNLIKELY(lane_pass(1)))
		return read_count_rarely(a, HINT_NONE, -ENOENT);
	count_one(&lane_cell(a->cells, lane_mine.cell_at)->misses);
	return -ENOENT;
}

#endif
