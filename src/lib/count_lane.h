/*
 * count_lane.h: the counters that a thread adds to without an atomic
 * read-modify-write.
 *
 * A thread takes a lane when it first reads, and gives it back when it ends. A
 * lane is one cell of counters. All lanes but the last belong to one thread
 * each, which loads, adds and stores. All further threads share the last one
 * and add atomically. The cells are private memory or lie in the hint page,
 * never in the segment.
 */
#ifndef PEEK_LIB_COUNT_LANE_H
#define PEEK_LIB_COUNT_LANE_H

#include <limits.h>
#include <stdbool.h>

#include "shm/arch/arch.h"
#include "shm/hint.h"

/* A lane is named by its cell's offset among a client's cells, in bytes. */
#define LANE_SHARED ((unsigned)((HINT_CELLS_PER_CLIENT - 1) * sizeof(struct hint_cell)))
#define LANE_NONE   UINT_MAX /* this thread has not read yet */

/*
 * n_left: reads left until the next sampling point. There the read looks for a
 * new daemon and, if it is a hit, leaves a sample (shm/hint.h); the next
 * interval is drawn from 1 to 256, all equally likely, 128.5 on average. So
 * each key of a loop, however long, is sampled as often as it is read. A fixed
 * interval would show one key of a loop over 2^n keys. A thread without a lane
 * of its own keeps n_left <= 0: in the shared lane it is lower by
 * LANE_SHARED_LEFT, and without a lane it is 0. So the hot path tests one
 * condition. The struct is the thread's own memory, where no other client can
 * write.
 */
struct lane {
	unsigned cell_at;
	int n_left;
};

#define LANE_SHARED_LEFT (INT_MAX / 2)

/* initial-exec: an access costs one or two loads, also in a shared library. It
 * takes eight bytes of the surplus that the C library keeps for dlopen. */
extern _Thread_local struct lane lane_mine __attribute__((tls_model("initial-exec")));

/* Takes a lane for this thread. Never fails: it returns LANE_SHARED if all
 * others are taken. */
unsigned lane_take(void);

/* Adds to a word of the lane's cell and returns the sum, which is approximate
 * in the shared lane. */
static inline uint64_t
lane_add(struct word *w, uint64_t n, unsigned lane)
{
	/* relaxed: counters, and the lane's only writer is this thread */
	uint64_t sum = word_load_rlx(w) + n;

	if (__builtin_expect(lane == LANE_SHARED, 0))
		word_add_rlx(w, n);
	else
		word_store_rlx(w, sum);
	return sum;
}

/* Says whether the lane belongs to one thread: it is neither LANE_NONE nor
 * LANE_SHARED. */
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

/* Counts n_left down. True: the thread has no lane of its own, or a sampling
 * point was reached; lane_is_due() says which. */
static inline bool
lane_pass(unsigned n_reads)
{
	return count_down(&lane_mine.n_left, n_reads);
}

/* How many reads were counted after the one at the sampling point; less than 0:
 * no sampling point was reached. */
static inline int
lane_past_due(void)
{
	return -lane_mine.n_left - (lane_is_own(lane_mine.cell_at) ? 0 : LANE_SHARED_LEFT);
}

static inline bool
lane_is_due(void)
{
	return lane_past_due() >= 0;
}

/* For a read at a sampling point, which is number n of the cell's hits or
 * misses. hint_at: the hint's index of the item that was read, or HINT_NONE. */
__attribute__((cold, noinline)) void lane_sample(
    struct hint_cell *cell, uint64_t n, uint64_t hint_at);

#endif
