/*
 * table.h: arithmetic of buckets and slots. The parts that differ by machine,
 * the head bucket of a hash and the match of a tag, are in arch/arch.h.
 */
#ifndef PEEK_SHM_TABLE_H
#define PEEK_SHM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arch/arch.h"
#include "shm/layout.h"

/* The bucket whose split makes bucket n_buckets, for n_buckets >= 1. */
static inline uint64_t
table_split_idx(uint64_t n_buckets)
{
	return n_buckets - (UINT64_C(1) << (63 - __builtin_clzll(n_buckets)));
}

/* The topmost bit tells items from empty slots and links. */
static inline uint64_t
slot_tag(uint64_t hash)
{
	return hash >> SLOT_UNIT_BITS | UINT64_C(1) << (SLOT_TAG_BITS - 1);
}

static inline uint64_t
slot_make(uint64_t tag, uint64_t item_unit)
{
	return tag << SLOT_UNIT_BITS | item_unit;
}

static inline uint64_t
slot_tag_of(uint64_t slot)
{
	return slot >> SLOT_UNIT_BITS;
}

static inline uint64_t
slot_unit(uint64_t slot)
{
	return slot & ((UINT64_C(1) << SLOT_UNIT_BITS) - 1);
}

/* Bytes from the arena's start. */
static inline uint64_t
slot_item_off(uint64_t slot)
{
	/* the unit, times 8 */
	return slot << (64 - SLOT_UNIT_BITS) >> (64 - SLOT_UNIT_BITS - 3);
}

static inline bool
slot_is_item(uint64_t slot)
{
	return slot >> 63 != 0;
}

static inline bool
slot_is_link(uint64_t slot)
{
	return slot != 0 && !slot_is_item(slot);
}

/* The bit of a link's filter that stands for a tag: the 16th to 31st below the
 * topmost, since a tag begins with a 1. */
static inline uint64_t
slot_filter_bit(uint64_t tag)
{
	return UINT64_C(1) << 63 >> (tag >> (SLOT_TAG_BITS - 5));
}

/* filter: slot_filter_bit of every item behind the link. */
static inline uint64_t
slot_make_link(uint64_t overflow_idx, uint64_t filter)
{
	return filter | (overflow_idx + 1);
}

/* The slot must be a link. The result comes from shared memory: clamp it before
 * use. */
static inline uint64_t
slot_link_idx(uint64_t slot)
{
	return (slot & ((UINT64_C(1) << LINK_IDX_BITS) - 1)) - 1;
}

/*
 * Says whether a last slot is a link behind which an item with this tag may
 * lie. Whether a bucket has a link is unpredictable, and each misprediction
 * restarts the cache miss that is under way. The filter makes it rare that a
 * link has to be followed.
 */
static inline bool
slot_leads_to(uint64_t slot, uint64_t tag)
{
	return (slot << (tag >> (SLOT_TAG_BITS - 5)) & ~slot) >> 63 != 0;
}

#endif
