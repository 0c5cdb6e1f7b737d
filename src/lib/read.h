/*
 * read.h: the state of a pinned read: its budget of tries, following to a new
 * segment, counting.
 */
#ifndef PEEK_LIB_READ_H
#define PEEK_LIB_READ_H

#include <errno.h>
#include <sys/types.h>

#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/lookup.h"
#include "shm/hash.h"

struct read {
	struct peek *p;
	const struct attached *a; /* may change with each read_pin */
	struct hint_cell *cell;
	unsigned lane;
	unsigned n_tries;
	const void *key;
	size_t key_len;
	uint64_t hash;
	struct lookup_pinned pin;
};

/*
 * Makes what this thread of this process still lacks for reading: a lane, and
 * an attachment (at the first read of a thread, or of a child after fork()).
 * Returns 0 (p->own.now is not NULL), or -EPROTO: only the socket can be asked.
 */
int read_ready(struct peek *p);

/* Begins a pinned read, and counts it. Returns as read_ready. */
int read_begin(struct read *rd, struct peek *p, const void *key, size_t key_len);

/*
 * Finds and pins the item, within the rest of the budget of tries. 0: read from
 * rd->pin, then confirm it by lookup_stands(&rd->a->map, &rd->pin); if that
 * fails, call again. -ENOENT (counted as a miss), -EAGAIN, -ESTALE, -EBADMSG;
 * -EPROTO as read_ready; or, when the segment was replaced and the new one
 * can't be attached, the reason.
 */
int read_pin(struct read *rd);

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
read_hit(const struct attached *a, uint64_t hint_at, ssize_t result)
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
read_miss(const struct attached *a)
{
	if (LOOKUP_UNLIKELY(lane_pass(1)))
		return read_count_rarely(a, HINT_NONE, -ENOENT);
	count_one(&lane_cell(a->cells, lane_mine.cell_at)->misses);
	return -ENOENT;
}

#endif
