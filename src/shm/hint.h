/*
 * hint.h: the hint page: what readers, who can't write the table, tell the
 * daemon.
 *
 * A memfd of its own, sealed against growing and shrinking, which the daemon
 * passes over the control socket. Not part of the segment; not believed: the
 * daemon masks every byte, bounds every sum, and works as well without it.
 *
 *   offset                       what
 *   0                            one byte for each slot of each head bucket,
 *                                HINT_BYTES_PER_BUCKET a bucket
 *   overflow_at                  the same for the overflow buckets
 *   cells_at                     struct hint_cell, HINT_CELLS_PER_CLIENT for
 *                                each client, one cache line each
 *
 * A reader that hits stores the slot's byte plus 1 while it is below HINT_MAX;
 * relaxed, and lost updates are fine. A byte begins at 0 and is 0 again when
 * its slot takes another item.
 *
 * A byte that is full tells no more: which keys are read most is told by a
 * sample. One hit in some hundred is left in its cell with the number that it
 * had among the cell's hits, in whichever of the sampled words, over what was
 * there. For people who look on (peekctl top); the daemon never reads it. Who
 * does takes a word that has changed for one new sample, knows from the hits
 * how many it stands for, and checks the slot. A reader that leaves none is a
 * client like any other.
 */
#ifndef PEEK_SHM_HINT_H
#define PEEK_SHM_HINT_H

#include "base/check.h"
#include "shm/map.h"

#define HINT_BYTES_PER_BUCKET 7
#define HINT_MAX              3
/* one for each of its first threads; the last is shared by the rest */
#define HINT_CELLS_PER_CLIENT 8
#define HINT_SAMPLES          4
#define HINT_SAMPLE_AT_BITS   40
#define HINT_NONE             UINT64_MAX /* in place of where a hint is: of a miss */

struct hint_cell {
	struct word hits, misses; /* reads that came to an end; their sum is the gets */
	struct word retries;
	struct word slow;                  /* reads that went another way than the common one */
	struct word sampled[HINT_SAMPLES]; /* hint_sample(); 0: none */
};

_Static_assert(sizeof(struct hint_cell) == 64, "a cell is one cache line");

struct hint_layout {
	uint64_t overflow_at, cells_at, total_bytes;
	uint64_t n_clients_max;
};

static inline struct hint_layout
hint_plan(uint64_t n_buckets_max, uint64_t n_overflow_max, uint64_t n_clients_max)
{
	struct hint_layout l = {.n_clients_max = n_clients_max};

	l.overflow_at = n_buckets_max * HINT_BYTES_PER_BUCKET;
	/*
	 * Not from a page's start: while a store is unfinished that crosses the
	 * end of a page (a value that a reader copies out), loads of a page's
	 * first bytes wait, whatever their page. The first cells are those in
	 * use.
	 */
	l.cells_at =
	    ((l.overflow_at + n_overflow_max * HINT_BYTES_PER_BUCKET + 4095) & ~UINT64_C(4095)) +
	    sizeof(struct hint_cell);
	l.total_bytes =
	    l.cells_at + n_clients_max * HINT_CELLS_PER_CLIENT * sizeof(struct hint_cell);
	l.total_bytes = (l.total_bytes + 4095) & ~UINT64_C(4095);
	return l;
}

/* at: the slot's byte in the page. n_hits: two samples of the same slot are
 * told apart by it. */
static inline uint64_t
hint_sample(uint64_t at, uint64_t n_hits)
{
	CHECK(at + 1 < UINT64_C(1) << HINT_SAMPLE_AT_BITS);
	return n_hits << HINT_SAMPLE_AT_BITS | (at + 1);
}

/* As much as anybody wrote there. */
static inline uint64_t
hint_sample_at(uint64_t sample)
{
	return (sample & ((UINT64_C(1) << HINT_SAMPLE_AT_BITS) - 1)) - 1;
}

/*
 * One read of a slot. A branch, though it is mispredicted where a byte is not
 * yet full: a store to either of two places, without one, has an address that
 * is not known until the byte has come, and until then the processor holds back
 * every load of the next read whose address is the same in its low 12 bits.
 * Some processes would read at half the speed, by where their stack happens to
 * lie.
 */
static inline void
hint_raise(struct byte *b)
{
	uint8_t v = byte_load_rlx(b); /* relaxed: a lost update costs a hint */

	if (__builtin_expect(v < HINT_MAX, 0))
		byte_store_rlx(b, v + 1);
}

#endif
