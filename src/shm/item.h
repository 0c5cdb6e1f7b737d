/*
 * item.h: an item in the arena, as bytes and as a shape.
 *
 *   word 0      expiry (32: segment clock, 0 never) | value length (24) | key
 *               length (8)        stored in place by touch
 *   word 1      CAS id (48) | state (16)
 *                 stored in place by marks and counters
 *   [word]      the counter, if ITEM_COUNTER; then value length is 0 and the
 *               value is its decimal form
 *   [word]      client flags (low 32 bits), if ITEM_FLAGS
 *   [word]      four 16-bit numbers of tags, if ITEM_TAGS; an item with fewer
 *               tags repeats some of them. A number is the same in every
 *               segment; its low bits are the index in the tag table
 *   key         8-byte aligned
 *   value       right behind the key; or, if ITEM_EXTENTS:
 *   [words]     at the next word: extents, two 32-bit numbers a word, low half
 *               first
 *   [tail]      the value's rest that fills no part
 *
 * The writer decides whether an item is inline: it is if copies of it fill a
 * block well. Otherwise the value lies in extents. Its whole blocks are
 * extents. Of the rest, each eighth of a block (BLOCK_PARTS_SHIFT) lies in a
 * part, and the bytes that are left stand inline behind the list. A rest of 7
 * parts or more takes a whole block too. The list holds the whole blocks first,
 * by their number, and then the parts, by their number in the arena: 8 times
 * the block's number, plus the part's place in its block. All of this but the
 * writer's decision follows from the lengths and the layout bits: item_shape
 * computes it for writer and reader.
 */
#ifndef PEEK_SHM_ITEM_H
#define PEEK_SHM_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

_Static_assert(ITEM_VALUE_MAX == (UINT32_C(1) << 24) - 1 && ITEM_KEY_MAX < 1 << 8,
    "lengths have their bits of word 0");

#define ITEM_ALIGN(bytes) (((bytes) + 7) & ~(uint64_t)7)

struct item_shape {
	uint32_t key_at;       /* byte offsets from the item's first byte */
	uint32_t value_at;     /* of the inline value, or of the inline tail */
	uint32_t extents_at;   /* of the list; 0 if there is none */
	uint32_t n_extents;    /* whole blocks and parts */
	uint32_t n_whole;      /* of these, whole blocks, which come first */
	uint32_t tail_bytes;   /* the value's bytes that are inline */
	uint64_t record_bytes; /* the item's own bytes in its block, a multiple of 8 */
};

/* True: a key may have this length. One comparison does, since the difference
 * wraps for 0. */
static inline bool
item_key_len_ok(size_t key_len)
{
	return key_len - 1 < ITEM_KEY_MAX;
}

static inline uint64_t
item_word0(uint32_t expiry_s, uint32_t value_bytes, uint32_t key_bytes)
{
	return (uint64_t)expiry_s << 32 | (uint64_t)value_bytes << 8 | key_bytes;
}

static inline uint32_t
item_expiry_s(uint64_t word0)
{
	return (uint32_t)(word0 >> 32);
}

static inline uint32_t
item_value_bytes(uint64_t word0)
{
	return (uint32_t)word0 >> 8;
}

static inline uint32_t
item_key_bytes(uint64_t word0)
{
	return (uint32_t)word0 & 0xff;
}

static inline uint64_t
item_word1(uint64_t cas, uint32_t state)
{
	return cas << 16 | state;
}

static inline uint64_t
item_cas(uint64_t word1)
{
	return word1 >> 16;
}

static inline uint32_t
item_state(uint64_t word1)
{
	return (uint32_t)word1 & 0xffff;
}

static inline uint32_t
item_key_at(uint32_t state)
{
	return ITEM_HEADER_BYTES + ((state & ITEM_COUNTER) != 0) * 8u +
	    ((state & ITEM_FLAGS) != 0) * 8u + ((state & ITEM_TAGS) != 0) * 8u;
}

static inline uint32_t
item_flags_at(uint32_t state)
{
	return ITEM_HEADER_BYTES + ((state & ITEM_COUNTER) != 0) * 8u;
}

#define ITEM_TAGS_MAX 4u

static inline uint32_t
item_tags_at(uint32_t state)
{
	return item_flags_at(state) + ((state & ITEM_FLAGS) != 0) * 8u;
}

/* The number of the i-th tag in the word of tags. */
static inline uint32_t
item_tag(uint64_t tags, unsigned i)
{
	return (uint32_t)(tags >> (16 * i)) & 0xffff;
}

/* The index of a tag in a table of n_tag_slots words, a power of two. Total:
 * the number may come from damaged memory. */
static inline uint64_t
item_tag_idx(uint32_t tag, uint64_t n_tag_slots)
{
	return tag & (n_tag_slots - 1);
}

/*
 * Says whether an item with these tags was stored before one of them was
 * invalidated. relaxed: as the flush cut-off, coherent with every acknowledged
 * write.
 */
static inline bool
item_is_cut_off(uint64_t tags, uint64_t cas, const struct word *tag_slots, uint64_t n_tag_slots)
{
	for (unsigned i = 0; i < ITEM_TAGS_MAX; i++) {
		uint64_t idx = item_tag_idx(item_tag(tags, i), n_tag_slots);
		if (cas <= word_load_rlx(&tag_slots[idx]))
			return true;
	}
	return false;
}

/*
 * Says whether a value of this length is better kept in extents: inline, it
 * would leave more than 15 % of a block of such items unused. Records of at
 * most an eighth of a block never do.
 */
static inline bool
item_wants_extents(uint32_t state, uint32_t key_bytes, uint32_t value_bytes, uint64_t block_bytes)
{
	uint64_t record_bytes = ITEM_ALIGN((uint64_t)item_key_at(state) + key_bytes + value_bytes);

	if (record_bytes <= block_bytes / 8)
		return false;
	return record_bytes > block_bytes / 2 || block_bytes % record_bytes * 20 > block_bytes * 3;
}

/* Defined for every input: lengths that come out of damaged memory give a shape
 * that item_in_bounds then refuses. */
static inline struct item_shape
item_shape(uint32_t state, uint32_t key_bytes, uint32_t value_bytes, unsigned block_shift)
{
	struct item_shape s = {.key_at = item_key_at(state)};
	uint64_t block_bytes = UINT64_C(1) << block_shift;

	if ((state & ITEM_EXTENTS) == 0) {
		s.value_at = s.key_at + key_bytes;
		s.tail_bytes = value_bytes;
		s.record_bytes = ITEM_ALIGN((uint64_t)s.value_at + value_bytes);
		return s;
	}
	s.extents_at = (uint32_t)ITEM_ALIGN((uint64_t)s.key_at + key_bytes);
	unsigned part_shift = block_shift - BLOCK_PARTS_SHIFT;
	uint32_t rest = value_bytes & (uint32_t)(block_bytes - 1), n_parts = rest >> part_shift;
	s.n_whole = value_bytes >> block_shift;
	s.tail_bytes = rest & (uint32_t)((UINT64_C(1) << part_shift) - 1);
	if (n_parts == (1u << BLOCK_PARTS_SHIFT) - 1) {
		s.n_whole++;
		n_parts = 0;
		s.tail_bytes = 0;
	}
	s.n_extents = s.n_whole + n_parts;
	s.record_bytes = s.extents_at + ITEM_ALIGN(s.n_extents * UINT64_C(4)) +
	    ITEM_ALIGN((uint64_t)s.tail_bytes);
	s.value_at = s.extents_at + (uint32_t)ITEM_ALIGN(s.n_extents * UINT64_C(4));
	return s;
}

/* The room of the item's extents, in parts. */
static inline uint64_t
item_parts(const struct item_shape *s)
{
	return ((uint64_t)s->n_whole << BLOCK_PARTS_SHIFT) + (s->n_extents - s->n_whole);
}

/*
 * The i-th extent, whose number in the list is n, lies in a block, and has a
 * length, of which this gives the logarithm, and an offset in the arena. The
 * offset is valid only if there is such a block.
 */
static inline uint32_t
item_extent_block(const struct item_shape *s, uint32_t i, uint32_t n)
{
	return i < s->n_whole ? n : n >> BLOCK_PARTS_SHIFT;
}

static inline unsigned
item_extent_shift(const struct item_shape *s, uint32_t i, unsigned block_shift)
{
	return i < s->n_whole ? block_shift : block_shift - BLOCK_PARTS_SHIFT;
}

static inline uint64_t
item_extent_off(const struct item_shape *s, uint32_t i, uint32_t n, unsigned block_shift)
{
	return (uint64_t)n << item_extent_shift(s, i, block_shift);
}

/* A record never crosses its block's end. item_byte_off is from the arena's
 * start. */
static inline bool
item_in_bounds(
    uint64_t item_byte_off, uint64_t record_bytes, uint64_t arena_bytes, unsigned block_shift)
{
	uint64_t block_bytes = UINT64_C(1) << block_shift;

	return item_byte_off < arena_bytes &&
	    (item_byte_off & (block_bytes - 1)) + record_bytes <= block_bytes;
}

/* Says whether an item is the place of a value that a client is making. */
static inline bool
item_is_place(uint32_t state)
{
	return (state & (ITEM_ORIGIN | ITEM_ABSENT)) == ITEM_ABSENT;
}

/* now_s: the segment clock. */
static inline bool
item_expired(uint32_t expiry_s, uint32_t now_s)
{
	return expiry_s != 0 && expiry_s <= now_s;
}

#endif
