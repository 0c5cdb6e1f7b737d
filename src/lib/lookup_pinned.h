/*
 * lookup_pinned.h: how a reader finds a key in any case: the pinned tier. Pure:
 * parameters, private memory and the accessors of shm/.
 *
 * One try at everything. The item is pinned while the sequence still stands;
 * from then on only the incarnations of the blocks that it lies in decide, so
 * that a busy neighbour in the bucket can't spoil a long copy.
 *
 * Nothing here loops without bound or waits: a try that found the bucket being
 * rewritten returns LOOKUP_AGAIN, and the caller owns the budget. Offsets and
 * lengths are read once and clamped before they are used: damaged memory gives
 * a wrong answer, never a fault.
 */
#ifndef PEEK_LIB_LOOKUP_PINNED_H
#define PEEK_LIB_LOOKUP_PINNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/lookup_past.h"
#include "shm/clock.h"
#include "shm/copy.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "shm/map.h"
#include "shm/seq.h"
#include "shm/table.h"

/*
 * The tries of one read. The writer leaves a bucket odd for a few stores: a
 * writer that runs ends them in well under a microsecond, and even an interrupt
 * among them is over before this many pauses (some 100 to 200 microseconds).
 */
#ifndef LOOKUP_TRIES
#define LOOKUP_TRIES 4096
#endif

enum lookup_result {
	LOOKUP_HIT,
	LOOKUP_MISS,    /* validated: no such key, or it had expired or was flushed */
	LOOKUP_AGAIN,   /* the bucket is being rewritten, or was rewritten meanwhile */
	LOOKUP_BEYOND,  /* it leads to a part of the table that isn't mapped: segment_extend */
	LOOKUP_DAMAGED, /* validated, and impossible */
};

static inline void
lookup_pause(void)
{
#if defined(PEEK_MODEL)
#elif defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory"); /* yield is no pause on most cores */
#endif
}

struct lookup_pinned {
	const struct word *item;
	uint64_t item_off; /* bytes from the arena's start */
	uint64_t word0, word1;
	struct item_shape shape;
	uint64_t incarnation; /* of the block that holds the record */
	/* the sum of the incarnations of the extents' blocks. They only
	 * grow, so that an equal sum means that all are equal. */
	uint64_t extents_sum;
	uint64_t hint_at;   /* the slot's byte in the hint page */
	uint64_t place_cas; /* of a miss: the CAS id of the key's place; 0: none */
};

static inline uint32_t
lookup_extent(const struct word *item, const struct item_shape *shape, uint32_t i)
{
	/* relaxed: the caller clamps it, and validates */
	return (uint32_t)(word_load_rlx(&item[shape->extents_at / sizeof(struct word) + i / 2]) >>
	    (i % 2 * 32));
}

/* False: the list names a block that doesn't exist. */
static inline bool
lookup_extents_sum(
    const struct map *m, const struct word *item, const struct item_shape *shape, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shape->n_extents; i++) {
		uint32_t segment = item_extent_block(shape, i, lookup_extent(item, shape, i));
		if (segment >= m->n_blocks)
			return false;
		/* relaxed: seq_validate or seq_standing orders it */
		sum += word_load_rlx(&m->blocks[segment].incarnation);
	}
	*ret_sum = sum;
	return true;
}

/* Reads an item's place, and the incarnations that it depends on. False: if the
 * sequence still stands, the item is impossible. */
static inline bool
lookup_shape(const struct map *m, uint64_t slot, struct lookup_pinned *pin)
{
	uint64_t off = slot_unit(slot) * ITEM_UNIT_BYTES;

	if (!item_in_bounds(off, ITEM_HEADER_BYTES, m->arena_bytes, m->block_shift))
		return false;
	pin->item_off = off;
	pin->item = &m->arena[off / sizeof(struct word)];
	pin->word0 = word_load_rlx(&pin->item[0]);
	pin->word1 = seq_counter_cas_state(&pin->item[1]);
	pin->shape = item_shape(item_state(pin->word1), item_key_bytes(pin->word0),
	    item_value_bytes(pin->word0), m->block_shift);
	if (!item_in_bounds(off, pin->shape.record_bytes, m->arena_bytes, m->block_shift))
		return false;
	pin->incarnation = word_load_rlx(&m->blocks[off >> m->block_shift].incarnation);
	return lookup_extents_sum(m, pin->item, &pin->shape, &pin->extents_sum);
}

/*
 * Tries one slot under `begun`. LOOKUP_HIT: the item is pinned, and its key is
 * the one asked for if lookup_stands() confirms it later. LOOKUP_MISS: another
 * key; this counts only if the sequence validates once more, and every path
 * from here does that.
 */
static inline enum lookup_result
lookup_pin_slot(const struct map *m, const struct word *seq, uint64_t begun, uint64_t slot,
    const void *key, size_t key_len, const struct clock_shift *shift, struct lookup_pinned *pin,
    bool *ret_past)
{
	bool possible = lookup_shape(m, slot, pin);

	*ret_past = possible && lookup_is_past(m, pin->item, pin->word0, pin->word1, shift);
	if (!seq_validate(seq, begun)) /* the check in the middle: from here the item is pinned */
		return LOOKUP_AGAIN;
	if (!possible)
		return LOOKUP_DAMAGED;
	if (item_key_bytes(pin->word0) != key_len ||
	    !copy_key_equal(&pin->item[pin->shape.key_at / sizeof(struct word)], key, key_len))
		return LOOKUP_MISS;
	return LOOKUP_HIT;
}

/* Ends a try that found nothing. */
static inline enum lookup_result
lookup_miss(const struct map *m, const struct bucket *head, uint64_t begun, uint64_t hash,
    uint64_t count, uint64_t idx)
{
	if (!seq_validate(&head->seq, begun))
		return LOOKUP_AGAIN;
	/* relaxed: the validation's fence orders it after begin */
	uint64_t now = word_load_rlx(&m->header->count);
	if (LOOKUP_LIKELY(now == count))
		return LOOKUP_MISS;
	if (((now ^ count) & COUNT_RETIRED) != 0 || (now & COUNT_MASK) == 0 ||
	    table_bucket_idx(hash, now & COUNT_MASK) != idx)
		return LOOKUP_AGAIN;
	return LOOKUP_MISS;
}

/*
 * Makes one try. `count` is the header's count as the caller just loaded it;
 * the caller handles a retired segment. A hit counts when lookup_stands()
 * confirms it after the copy.
 */
static inline enum lookup_result
lookup_pin(const struct map *m, uint64_t count, uint64_t hash, const void *key, size_t key_len,
    const struct clock_shift *shift, struct lookup_pinned *pin)
{
	uint64_t n_buckets = count & COUNT_MASK, line_idx;

	pin->place_cas = 0;
	if (n_buckets - 1 >= m->n_buckets_mapped)
		return n_buckets - 1 < m->n_buckets_max ? LOOKUP_BEYOND : LOOKUP_DAMAGED;
	uint64_t idx = table_bucket_idx(hash, n_buckets);
	const struct bucket *head = &m->buckets[idx], *line = head;
	uint64_t begun = seq_begin(&head->seq);
	if ((begun & 1) != 0)
		return LOOKUP_AGAIN;
	line_idx = idx;
	for (unsigned n_lines = 1;; n_lines++) {
		for (unsigned match = bucket_match(line, slot_tag(hash)); match != 0;
		     match &= match - 1) {
			uint64_t i = bucket_match_slot(match);
			bool past;
			/* relaxed: validated by lookup_pin_slot */
			uint64_t slot = word_load_rlx(&line->slot[i]);
			enum lookup_result r = lookup_pin_slot(
			    m, &head->seq, begun, slot, key, key_len, shift, pin, &past);
			pin->hint_at = line_idx * HINT_BYTES_PER_BUCKET + i;
			if (r == LOOKUP_HIT && past && item_is_place(item_state(pin->word1)) &&
			    !lookup_past(m, pin->word0, pin->word1, shift))
				pin->place_cas = item_cas(pin->word1);
			if (r == LOOKUP_HIT && past)
				return lookup_miss(m, head, begun, hash, count, idx);
			if (r != LOOKUP_MISS)
				return r;
		}
		/* relaxed: validated before it counts */
		uint64_t link = word_load_rlx(&line->slot[LINK_SLOT]);
		if (!slot_leads_to(link, slot_tag(hash)))
			return lookup_miss(m, head, begun, hash, count, idx);
		uint64_t next = slot_link_idx(link);
		if (next >= m->n_overflow_mapped || n_lines == CHAIN_LINES_MAX) {
			if (!seq_validate(&head->seq, begun))
				return LOOKUP_AGAIN;
			return next < m->n_overflow_max && n_lines < CHAIN_LINES_MAX
			    ? LOOKUP_BEYOND
			    : LOOKUP_DAMAGED;
		}
		line = &m->overflow[next];
		/* the hint page holds the overflow's bytes behind the heads' */
		line_idx = m->n_buckets_max + next;
	}
}

/*
 * Call it after reading from a pinned item: says whether the bytes were the
 * item's, whole. The list of extents is read again before the record's own
 * incarnation, which comes last: it says whether that list was the item's.
 */
static inline bool
lookup_stands(const struct map *m, const struct lookup_pinned *pin)
{
	uint64_t sum;

	seq_standing();
	if (pin->shape.n_extents > 0) {
		if (!lookup_extents_sum(m, pin->item, &pin->shape, &sum) || sum != pin->extents_sum)
			return false;
		seq_standing();
	}
	/* relaxed: the fence above orders it after everything that was read */
	return word_load_rlx(&m->blocks[pin->item_off >> m->block_shift].incarnation) ==
	    pin->incarnation;
}

/* Copies a pinned item's value. The item must not be a counter. False: the list
 * of extents was overwritten meanwhile. */
static inline bool
lookup_copy(const struct map *m, const struct lookup_pinned *pin, void *buf)
{
	const struct item_shape *shape = &pin->shape;
	unsigned char *out = buf;
	size_t left = item_value_bytes(pin->word0) - shape->tail_bytes;

	for (uint32_t i = 0; i < shape->n_extents; i++) {
		uint32_t extent = lookup_extent(pin->item, shape, i);
		unsigned shift = item_extent_shift(shape, i, m->block_shift);
		size_t here = left >> shift != 0 ? (size_t)1 << shift : left;
		if (item_extent_block(shape, i, extent) >= m->n_blocks)
			return false;
		copy_out(
		    out, m->arena, (size_t)item_extent_off(shape, i, extent, m->block_shift), here);
		out += here;
		left -= here;
	}
	copy_out(out, pin->item, shape->value_at, shape->tail_bytes);
	return true;
}

#endif
