/*
 * value.h: writing and reading an item's bytes, in one piece or in extents.
 *
 * A write has four steps: value_plan decides its shape; value_begin takes
 * memory and writes header, key and list, once there is room; value_append
 * writes the value in any number of runs; value_end completes the last word. No
 * reader reaches the item before it is linked.
 */
#ifndef PEEK_ENGINE_VALUE_H
#define PEEK_ENGINE_VALUE_H

#include "engine/arena.h"
#include "engine/record.h"
#include "shm/copy.h"

struct value_write {
	/* the caller's */
	const void *key;
	uint32_t key_bytes;
	uint32_t value_bytes; /* 0 for a counter */
	uint32_t flags;
	uint32_t expiry_s;
	uint64_t counter; /* with ITEM_COUNTER */
	uint64_t tags;    /* with ITEM_TAGS */
	enum arena_log log;
	uint32_t ttl_class;
	uint8_t hint; /* what its slot begins with */
	/* value_plan's */
	uint32_t state;
	struct item_shape shape;
	/* value_begin's */
	uint64_t item_off;
	struct copy_in to;
	uint32_t piece;      /* extent that is being filled; n_extents: the tail */
	uint64_t piece_room; /* bytes that it still takes */
};

/* state: ITEM_COUNTER, ITEM_TAGS, and the bits that say nothing about the
 * layout. */
void value_plan(const struct arena *a, struct value_write *w, uint32_t state);

/* Room must be there (evict_room). */
void value_begin(struct arena *a, struct value_write *w, uint64_t cas);
void value_append(struct arena *a, struct value_write *w, const void *src, uint64_t n);
void value_end(struct value_write *w);

/* Appends bytes of another record's value. */
void value_append_record(struct arena *a, struct value_write *w, const struct record *from);

/* Copies [from, from + n) of a value that is not a counter. */
void value_read(
    const struct arena *a, const struct record *r, uint64_t from, uint64_t n, void *buf);

/* Extents that a value of this length takes at most. */
uint64_t value_extents_max(const struct arena *a, uint64_t value_bytes);

#endif
