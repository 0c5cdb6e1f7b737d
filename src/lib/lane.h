/*
 * lane.h: which counters a thread adds to, without an atomic read-modify-write.
 *
 * A thread takes a lane when it first reads, and gives it back when it ends. All but the last belong to one thread each, which
 * loads, adds and stores; all further threads share the last one and add atomically. The cells are private memory or the hint page, never the
 * segment.
 */
#ifndef PEEK_LIB_LANE_H
#define PEEK_LIB_LANE_H

#include <limits.h>
#include <stdbool.h>

#include "shm/hint.h"

/* A lane is where its cell lies among a client's cells, in bytes. */
#define LANE_SHARED ((unsigned)((HINT_CELLS_PER_CLIENT - 1) * sizeof(struct hint_cell)))
#define LANE_NONE   UINT_MAX /* this thread has not read yet */

/*
 * sample_at: a hit is sampled (shm/hint.h) when the lowest byte of its lane's hits is this. Each sample draws the next one's: it is 1 to 256 hits
 * away, all as likely, 128.5 on average. So each key of a loop, however long, is sampled as often as it is read; at a fixed distance a loop over
 * 2^n keys would show one of them. The thread's own, where no other client can write.
 */
struct lane {
	unsigned cell_at;
	uint8_t sample_at;
};

/* initial-exec: a load or two, also in a shared library. Eight bytes of the surplus that the C library keeps for dlopen. */
extern _Thread_local struct lane lane_mine __attribute__((tls_model("initial-exec")));

/* Takes a lane for this thread. Never fails: LANE_SHARED, if all are taken. */
unsigned lane_take(void);

/* Adds to a word of the lane's cell and returns the sum, which of the shared lane is only near. */
static inline uint64_t
lane_add(struct word *w, uint64_t n, unsigned lane)
{
	uint64_t sum = word_load_rlx(w) + n; /* relaxed: counters, and the lane's only writer is this thread */

	if (__builtin_expect(lane == LANE_SHARED, 0))
		word_add_rlx(w, n);
	else
		word_store_rlx(w, sum);
	return sum;
}

/* Whether the lane belongs to one thread: neither LANE_NONE nor LANE_SHARED. */
static inline bool
lane_is_own(unsigned lane)
{
	return lane < LANE_SHARED;
}

static inline struct hint_cell *
lane_cell(struct hint_cell *cells, unsigned lane)
{
	return (struct hint_cell *)(void *)((char *)cells + lane);
}

static inline bool
lane_sample_due(uint64_t n_hits)
{
	return (uint8_t)n_hits == lane_mine.sample_at;
}

/* Leaves a sample: hint_at is what the cell's hit number n_hits read. */
__attribute__((cold, noinline)) void lane_sample(struct hint_cell *cell, uint64_t n_hits, uint64_t hint_at);

#endif
