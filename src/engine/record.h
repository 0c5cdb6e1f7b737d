/* record.h: an item as the writer reads it back. The writer wrote it, or
 * recover.c checked it: its lengths are trusted. */
#ifndef PEEK_ENGINE_RECORD_H
#define PEEK_ENGINE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/arena.h"
#include "shm/copy.h"
#include "shm/hash.h"

struct record {
	uint64_t off;
	uint64_t word0, word1;
	struct item_shape shape;
};

static inline struct record
record_load(const struct arena *a, uint64_t off)
{
	const struct word *w = arena_word(a, off);
	/* relaxed: own stores */
	struct record r = {
	    .off = off, .word0 = word_load_rlx(&w[0]), .word1 = word_load_rlx(&w[1])};

	r.shape = item_shape(item_state(r.word1), item_key_bytes(r.word0),
	    item_value_bytes(r.word0), a->block_shift);
	return r;
}

/* key: 256 bytes. Returns the key's length. */
static inline uint32_t
record_key(const struct arena *a, const struct record *r, void *key)
{
	uint32_t n = item_key_bytes(r->word0);

	copy_out(key, arena_word(a, r->off), r->shape.key_at, n);
	return n;
}

static inline uint64_t
record_hash(const struct arena *a, const struct record *r)
{
	unsigned char key[256];

	return hash_key(key, record_key(a, r, key), a->map->seed);
}

static inline uint32_t
record_flags(const struct arena *a, const struct record *r)
{
	uint32_t state = item_state(r->word1);

	return (state & ITEM_FLAGS) != 0
	    ? (uint32_t)word_load_rlx(arena_word(a, r->off + item_flags_at(state)))
	    : 0;
}

/* The numbers of the record's tags; 0 if it has none. */
static inline uint64_t
record_tags(const struct arena *a, const struct record *r)
{
	uint32_t state = item_state(r->word1);

	return (state & ITEM_TAGS) != 0 ? word_load_rlx(arena_word(a, r->off + item_tags_at(state)))
					: 0;
}

/* True if the state of an item says that it is gone: one of its tags was
 * invalidated, or it came from an origin, whose lease this program can't
 * judge. A place of a value that is being made is there. */
static inline bool
record_is_cut_off(const struct arena *a, uint32_t state, uint64_t tags, uint64_t cas)
{
	return (state & ITEM_ORIGIN) != 0 ||
	    ((state & ITEM_TAGS) != 0 &&
		item_is_cut_off(tags, cas, a->map->tags, a->map->n_tag_slots));
}

/* True if an item is flushed: by the cut-off of all items, or by one of its
 * tags. */
static inline bool
record_is_flushed(const struct arena *a, const struct record *r, uint64_t cutoff)
{
	return item_cas(r->word1) <= cutoff ||
	    record_is_cut_off(a, item_state(r->word1), record_tags(a, r), item_cas(r->word1));
}

static inline uint64_t
record_counter(const struct arena *a, const struct record *r)
{
	return word_load_rlx(arena_word(a, r->off + ITEM_HEADER_BYTES));
}

/* The record's own bytes and its extents. */
static inline uint64_t
record_memory(const struct arena *a, const struct record *r)
{
	return arena_memory(a, &r->shape);
}

#endif
