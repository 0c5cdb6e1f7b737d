/*
 * recover.h: what a successor does before its first request.
 *
 * Everything derives from slots: a record counts if a sound slot leads to it. A
 * record is checked before it is believed. Free lists, live sums and the order
 * of blocks are rebuilt.
 */
#ifndef PEEK_ENGINE_RECOVER_H
#define PEEK_ENGINE_RECOVER_H

#include "engine/arena.h"
#include "engine/store.h"
#include "engine/table.h"

#ifdef PEEK_HOOKS
#define CAS_BATCH UINT64_C(512) /* so that a short life reaches its crash point */
#else
#define CAS_BATCH (UINT64_C(1) << 16) /* ids reserved at a time */
#endif

/*
 * Recovers the segment that arena and table were initialised over. cutoff:
 * items at or below it are flushed. *cas_last: in, the last id that the dead
 * writer may have given; out, raised by those that counters got anew. -ENOMEM;
 * -EBADMSG: the segment can't be trusted.
 */
int recover_all(struct arena *arena, struct table *table, uint64_t cutoff, uint32_t now_s,
    struct store_recovery *ret, uint64_t *cas_last, uint64_t *ret_payload_bytes);

/* The sums that change when a record is dropped after it was counted. */
struct recover_sums {
	struct store_recovery *n;
	uint64_t payload_bytes;
};

/* Lists the live records of each block, once chains are sound. -ENOMEM. */
int recover_list(struct arena *a, const struct table *t);

/* After arena_recovered: drops those of overlapping records whose lengths are
 * wrong. -ENOMEM. */
int recover_apart(struct arena *a, struct table *t, struct recover_sums *sums);

#endif
