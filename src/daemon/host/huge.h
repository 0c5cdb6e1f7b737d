/*
 * huge.h: turns the segment and the hint page into 2 MiB pages, one in each
 * call, in the background.
 *
 * On such pages a random read of 1 GiB takes 144 ns in place of 202, and a
 * reader's first faults take a tenth of the time. MADV_COLLAPSE on the mapping
 * of one process serves all processes, also where shmem_enabled says never. It
 * takes 1 to 1.5 ms a page, so a request waits for one page at the most. The
 * pages of the arena come first, then those of the table and its hints as they
 * grow.
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
	uint64_t huge_bytes; /* bytes that are on 2 MiB pages now */
	int error;           /* of the last page that was tried: a negative errno */
	unsigned refusals;   /* in a row; after HUGE_REFUSALS_MAX nothing more is tried */
};

#define HUGE_REFUSALS_MAX 8

/*
 * Tries nothing yet. map NULL: nothing will ever be tried (huge_pages = off).
 * hints: the hint page, which begins with the bytes of the head buckets; NULL:
 * there is none.
 */
void huge_init(struct huge *h, const struct map *map, const void *hints);

/* Tries one page. False: there is nothing to do now; growth of the table may
 * change that. */
bool huge_step(struct huge *h);

#endif
