/*
 * hint.h: the hint page. Readers can't write the table; here they tell the
 * daemon which slots they read.
 *
 * The page is a memfd of its own, sealed against growing and shrinking, which
 * the daemon passes over the control socket. It is not part of the segment and
 * not trusted: the daemon masks every byte, bounds every sum, and works without
 * it too.
 *
 *   offset                       what
 *   0                            one byte for each slot of each head bucket,
 *                                HINT_BYTES_PER_BUCKET a bucket
 *   overflow_at                  the same for the overflow buckets
 *   cells_at                     struct hint_cell, HINT_CELLS_PER_CLIENT for
 *                                each client, one cache line each
 *
 * A reader that hits raises the slot's byte by 1 while it is below HINT_MAX.
 * The accesses are relaxed, and a lost update does no harm. A byte begins at 0
 * and is 0 again when its slot takes another item.
 *
 * A full byte tells no more, so samples tell which keys are read most. One hit
 * in 128, on average, leaves a sample in a cell of its thread: the slot, and
 * the number of the hit among the cell's hits. A sample may overwrite any
 * sampled word of the cell. peekctl top reads the samples; the daemon never
 * does. A program that reads them takes a changed word for one new sample,
 * knows from the cell's hits how many reads it stands for, and checks the slot
 * before it uses it. A reader need not leave samples.
 */
#ifndef PEEK_SHM_HINT_H
#define PEEK_SHM_HINT_H

#include "base/check.h"
#include "shm/map.h"

#define HINT_BYTES_PER_BUCKET 7
#define HINT_MAX              3
/* one cell for each of a client's first threads; the last cell is shared by all
 * others */
#define HINT_CELLS_PER_CLIENT 8
#define HINT_SAMPLES          4
#define HINT_SAMPLE_AT_BITS   40
#define HINT_NONE             UINT64_MAX /* a miss's hint index */

struct hint_cell {
	struct word hits, misses; /* reads that came to an end; their sum is the gets */
	struct word retries;
	struct word slow;                  /* reads that the fast form could not finish */
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
	/* The cells don't begin at a page's start. While a store across the end
	 * of a page is unfinished (a value that a reader copies out), loads of
	 * any page's first bytes wait. The first cells are the ones in use. */
	l.cells_at =
	    ((l.overflow_at + n_overflow_max * HINT_BYTES_PER_BUCKET + 4095) & ~UINT64_C(4095)) +
	    sizeof(struct hint_cell);
	l.total_bytes =
	    l.cells_at + n_clients_max * HINT_CELLS_PER_CLIENT * sizeof(struct hint_cell);
	l.total_bytes = (l.total_bytes + 4095) & ~UINT64_C(4095);
	return l;
}

/* at: the slot's byte in the page. n_hits tells two samples of one slot
 * apart. */
static inline uint64_t
hint_sample(uint64_t at, uint64_t n_hits)
{
	CHECK(at + 1 < UINT64_C(1) << HINT_SAMPLE_AT_BITS);
	return n_hits << HINT_SAMPLE_AT_BITS | (at + 1);
}

/* Untrusted: any client can write the word. Check the result before it becomes
 * an index. */
static inline uint64_t
hint_sample_at(uint64_t sample)
{
	return (sample & ((UINT64_C(1) << HINT_SAMPLE_AT_BITS) - 1)) - 1;
}

/*
 * Counts one read of a slot. The branch stays, although it is mispredicted when
 * the byte is not yet full. Without it the store would go to one of two places,
 * so its address would not be known until the byte has come; until then the
 * processor holds back every load of the next read whose address has the same
 * low 12 bits. Some processes would then read at half the speed, depending on
 * where their stack lies.
 */
static inline void
hint_raise(struct byte *b)
{
	uint8_t v = byte_load_rlx(b); /* relaxed: a lost update costs a hint */

	if (__builtin_expect(v < HINT_MAX, 0))
		byte_store_rlx(b, v + 1);
}

/* A hint page for more clients than this is not believed. */
#define HINT_CLIENTS_MAX (1u << 20)

/*
 * Maps the hint page that a daemon passed as fd, for a reader of the segment
 * *m. The page must be as large as the segment's table needs it for
 * n_clients_max clients, and sealed so that it can't shrink: else a reader's
 * store would be a SIGBUS. 0: *ret_layout is the page's, *ret_page the mapping,
 * of ret_layout->total_bytes. -EBADMSG: the page is not so. -ENOMEM.
 */
int map_hint_page(const struct map *m, int fd, uint64_t total_bytes, uint64_t n_clients_max,
    bool writable, struct hint_layout *ret_layout, void **ret_page);

#endif
