/*
 * read.h: a read that is not the common case: the budget of tries, following to a new segment, counting. get.c has the common one.
 */
#ifndef PEEK_LIB_READ_H
#define PEEK_LIB_READ_H

#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/lookup.h"
#include "shm/hash.h"

/* The daemon's health is looked at once in so many reads of this kind; others do so when one is due (lane.h). */
#define READ_CADENCE 512u

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
 * Makes what this thread in this process still lacks for reading: a lane, and what to read (first read of a thread, of a child after fork()).
 * Returns 0 (p->own.now is not NULL), or -EPROTO: only the socket can be asked.
 */
int read_ready(struct peek *p);

/* Begins, and counts. Returns as read_ready. */
int read_begin(struct read *rd, struct peek *p, const void *key, size_t key_len);

/*
 * Finds and pins the item, within what is left of the budget of tries. 0: rd->pin is to be read and then confirmed by lookup_stands(&rd->a->map,
 * &rd->pin); if that fails, call again. -ENOENT (counted as a miss), -EAGAIN, -EBADMSG; -EPROTO as read_ready; or, when the segment was
 * replaced and the new one can't be attached, why not.
 */
int read_pin(struct read *rd);

/* After a read that stood: counts the hit, and leaves the hint and, if it is time, a sample. */
static inline void
read_hit(const struct read *rd)
{
	uint64_t n_hits = lane_add(&rd->cell->hits, 1, rd->lane);

	if (LOOKUP_UNLIKELY(lane_pass(1) && lane_is_due()))
		lane_sample(rd->cell, n_hits, rd->pin.hint_at);
	if (rd->a->hints != NULL)
		hint_raise(&rd->a->hints[rd->pin.hint_at]);
}

#endif
