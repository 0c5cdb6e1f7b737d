/*
 * huge.h: turns the segment and the hint page into 2 MiB pages, one a call, in
 * the background.
 *
 * A random read of 1 GiB falls from 202 to 144 ns on such pages, and a reader's
 * first faults to a tenth. MADV_COLLAPSE does it on the mapping of one process
 * for all, also where shmem_enabled says never. It takes 1 to 1.5 ms a page, so
 * a request waits for one at the most. Pages of the arena first, then of the
 * table and its hints as they grow.
 */
#ifndef PEEKD_HUGE_H
#define PEEKD_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/map.h"

struct huge {
	const struct map *map;
	uint64_t n_arena;   /* pages of the arena that were tried */
	uint64_t n_buckets; /* pages of the head buckets that were tried */
	const char *hints;
	uint64_t n_hints;    /* pages of their hints that were tried */
	uint64_t huge_bytes; /* that are on 2 MiB pages now */
	int error;           /* a negative errno: of the last page that was tried */
	unsigned refusals;   /* in a row; after HUGE_REFUSALS_MAX it gives up */
};

#define HUGE_REFUSALS_MAX 8

/* Nothing is tried yet. map NULL: never (huge_pages = off). hints (NULL: none):
 * the hint page, which begins with the bytes of the head buckets. */
void huge_init(struct huge *h, const struct map *map, const void *hints);

/* One page. False: there is nothing to do now; growth of the table may change
 * that. */
bool huge_step(struct huge *h);

#endif
