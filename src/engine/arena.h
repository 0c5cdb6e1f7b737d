/*
 * arena.h: memory for items: equal blocks, filled one after another as a log.
 *
 * The arena knows which blocks are free, open (being appended to), sealed, or
 * hold an extent; how full and how live each block is; and in which order the
 * blocks of a log were opened. It does not know keys or buckets. All of this is
 * private to the writer except the incarnation. seq_retire raises it before a
 * block is rewritten: when the block is taken, so that a successor raises it
 * too.
 *
 * An item's place is its byte offset from the arena's start. All sums are exact
 * at any moment.
 */
#ifndef PEEK_ENGINE_ARENA_H
#define PEEK_ENGINE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/index_list.h"
#include "engine/spans.h"
#include "shm/item.h"
#include "shm/map.h"

#define ARENA_NONE        INDEX_NONE
#define ARENA_NO_ROOM     UINT64_MAX
#define ARENA_CLASSES_MAX 16 /* TTL classes: 0 never expires, the others by geometric bounds */
#define ARENA_LEVELS      17
#define ARENA_RESERVE     3 /* blocks that only copying may take */

enum arena_log { ARENA_SMALL, ARENA_MAIN, ARENA_LOGS };

/* A victim is a sealed block that is being emptied. The caller who empties it
 * frees it; it isn't freed when its last record goes. */
enum arena_kind {
	BLOCK_FREE,
	BLOCK_OPEN,
	BLOCK_SEALED,
	BLOCK_VICTIM,
	BLOCK_EXTENT,
	BLOCK_PARTS,
	BLOCK_PARTS_VICTIM
};

/* Several blocks are looked at for each SET. The fields that such a look needs
 * lie on one line, up to spans.due_s. */
struct block {
	_Alignas(64) uint32_t used_bytes; /* appended so far */
	uint32_t live_bytes;              /* of records that a slot leads to */
	uint32_t n_live;
	uint32_t n_extents;       /* parts that its live records own; a whole block counts as 8 */
	uint32_t latest_s;        /* no live item expires later; UINT32_MAX: some never expire */
	uint32_t opened_s;        /* for stats; of a recovered block: when it was recovered */
	struct index_link queued; /* its log's queue, oldest first; free: only next holds */
	struct index_link peer;   /* sealed blocks about as live as this one */
	/* a recovered block's live items at recovery; the rest of its bytes may
	 * be anything and is never walked */
	uint32_t n_listed;
	uint32_t *listed; /* their offsets in it, in units of 8 bytes; freed with the block */
	uint8_t kind, log, ttl_class, level;
	struct spans spans; /* its live records that expire */
};

_Static_assert(offsetof(struct block, spans.due_s) < 64, "looking at a block takes one line");

struct arena_queue {
	struct index_list list; /* oldest block first */
	uint32_t n_blocks;      /* sealed and open of this log */
	uint32_t n_extents;     /* parts owned by its live records */
};

struct arena {
	struct map *map;
	struct block *block;
	uint32_t n_blocks, n_free, free_head;
	uint32_t n_classes;
	unsigned block_shift;
	uint32_t block_bytes;
	uint32_t open[ARENA_LOGS][ARENA_CLASSES_MAX]; /* ARENA_NONE: none */
	struct arena_queue queue[ARENA_LOGS];
	uint32_t n_extent_blocks; /* whole ones, and those that have parts */
	uint32_t open_parts;      /* the block that parts are taken from; ARENA_NONE: none */
	/* by part: the offset of the live record that lists it, plus 1; 0: no
	 * record lists it */
	uint64_t *owner;
	uint64_t live_bytes; /* records and whole extents */
	/* the sum of arena_square over live items: less than 2^60 */
	uint64_t live_squares;
	uint64_t births; /* blocks ever opened */
	uint32_t now_s;  /* the caller's last time; opened_s is taken from it */
	/* sealed blocks by sixteenths of live bytes, as last looked at */
	struct index_list level[ARENA_LEVELS];
};

/* All blocks free. -ENOMEM. */
int arena_init(struct arena *a, struct map *map);
void arena_fini(struct arena *a);

/* The TTL class of an item that expires at expiry_s. */
uint32_t arena_class(const struct arena *a, uint32_t expiry_s, uint32_t now_s);

/* True if record_bytes fit into the open block of this log and class. */
bool arena_open_fits(
    const struct arena *a, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes);

/* Takes record_bytes at the end of the log. If they don't fit, seals the open
 * block and opens another. ARENA_NO_ROOM: no block is free beyond `reserve`.
 * The bytes become live with arena_add_live. */
uint64_t arena_append(struct arena *a, enum arena_log log, uint32_t ttl_class,
    uint64_t record_bytes, uint32_t reserve);

/*
 * Takes record_bytes for a copy. Copying may use the reserve, except the last
 * `reserve` blocks of it. While a block is cleaned this finds a place for each
 * of its records if one block was free at the beginning: the last free block
 * takes all records that are left, whatever their log and class. ARENA_NO_ROOM:
 * no place was found.
 */
uint64_t arena_append_copy(struct arena *a, enum arena_log log, uint32_t ttl_class,
    uint64_t record_bytes, uint32_t reserve);

/* Takes a whole block for an extent. ARENA_NONE: no block is free beyond
 * ARENA_RESERVE. */
uint32_t arena_take_extent(struct arena *a);

/* A live record lists another part in place of this one. This part is dead. */
void arena_part_died(struct arena *a, uint32_t part);

/*
 * Takes a part and returns its number in the arena. Parts are taken one after
 * another from the open block of parts, else from a fresh block. A part is not
 * taken again before all parts of its block are dead. ARENA_NONE: no block is
 * free beyond `reserve`.
 */
uint32_t arena_take_part(struct arena *a, uint32_t reserve);

/* The free blocks that the extents of this shape need, beyond the parts that
 * the open block of parts still has. */
uint32_t arena_extents_need(const struct arena *a, const struct item_shape *shape);

/* Finds the next live part of a block of parts and returns the record that
 * lists it. *cursor begins at 0. False: no live part is left. */
bool arena_walk_parts(
    const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off);

/* Closes the open block of parts, so that it can be cleaned. The next part
 * comes from a fresh block. */
void arena_seal_parts(struct arena *a);

/* A record at item_off was linked, or unlinked. A sealed block is freed when
 * its last record goes, and the record's extents with it; keep_extents: a copy
 * of the record lists them now. */
void arena_add_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t expiry_s);
void arena_drop_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, bool keep_extents);

/* Frees the parts and whole blocks that a record lists, once no slot leads to
 * the record. */
void arena_free_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape);

/* For a touch, before it stores the new expiry: the block's latest_s is raised
 * first, so that the block outlives the item. */
void arena_raise_expiry(struct arena *a, uint64_t item_off, uint32_t expiry_s);

/* Looks at a block again: items that have expired since count as gone in
 * arena_emptiest. At most SPANS steps in the block's whole life. */
void arena_look(struct arena *a, uint32_t block_idx, uint32_t now_s);

/* Seals the open block of a log and class, if there is one. */
void arena_seal(struct arena *a, enum arena_log log, uint32_t ttl_class);

/* Returns the sealed block with the least live data, in sixteenths of a block.
 * Among equals it is the block that reached that level first: its remaining
 * items are the least likely to die soon. ARENA_NONE: no block is sealed. */
uint32_t arena_emptiest(const struct arena *a, bool logs_only);

/* Begins to empty a sealed block. From now on arena_free frees it, not the
 * death of its last record. */
void arena_take_victim(struct arena *a, uint32_t block_idx);

/* Stops emptying a victim. It is a sealed block again, or free if nothing in it
 * lives. */
void arena_leave_victim(struct arena *a, uint32_t block_idx);

/* Frees a block that has no live record, or no live part. */
void arena_free(struct arena *a, uint32_t block_idx);

/* Walks the records of a log block, live or dead: only the table knows which.
 * *cursor begins at 0. False: no record is left. */
bool arena_walk(
    const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off);

/* For a successor: arena_recover_extents for each live record found, then
 * arena_recovered once for all. */
bool arena_recover_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape);
int arena_recovered(struct arena *a);

/* The memory of an item: its record and its extents. */
static inline uint64_t
arena_memory(const struct arena *a, const struct item_shape *shape)
{
	return shape->record_bytes + (item_parts(shape) << (a->block_shift - BLOCK_PARTS_SHIFT));
}

/* The square of an item's memory in units: what live_squares adds up. */
static inline uint64_t
arena_square(uint64_t memory_bytes)
{
	return (memory_bytes / ITEM_UNIT_BYTES) * (memory_bytes / ITEM_UNIT_BYTES);
}

static inline bool
arena_is_log(const struct block *s)
{
	return s->kind == BLOCK_OPEN || s->kind == BLOCK_SEALED || s->kind == BLOCK_VICTIM;
}

/*
 * arena_copy_bytes: the most that copying the block's live records would cost.
 * arena_net_bytes: the bytes that the copies would take elsewhere, less the
 * extents that are freed with expired records. The end of a block where no
 * record of its usual size fits counts as taken, since copying doesn't win it
 * back.
 */
static inline uint32_t
arena_copy_bytes(const struct block *s)
{
	CHECK(s->spans.expired.bytes <= s->live_bytes);
	return s->live_bytes - s->spans.expired.bytes;
}

static inline uint32_t
arena_net_bytes(const struct arena *a, const struct block *s)
{
	uint64_t freed = (uint64_t)s->spans.expired.extents << (a->block_shift - BLOCK_PARTS_SHIFT),
		 copied = arena_copy_bytes(s);

	/* the records are larger than a sixteenth of a block */
	if (arena_is_log(s) && s->live_bytes / 16 > (uint64_t)s->n_live << a->block_shift >> 8) {
		uint32_t each = s->live_bytes / s->n_live;
		copied += a->block_bytes % each;
	}
	return (uint32_t)(copied > freed ? copied - freed : 0);
}

static inline uint32_t
arena_block_of(const struct arena *a, uint64_t item_off)
{
	return (uint32_t)(item_off >> a->block_shift);
}

static inline struct word *
arena_word(const struct arena *a, uint64_t byte_off)
{
	CHECK(byte_off < a->map->arena_bytes);
	return a->map->arena + byte_off / sizeof(struct word);
}

/* The i-th extent that a record lists: two to a word. */
static inline uint32_t
arena_extent(const struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t i)
{
	uint64_t w =
	    word_load_rlx(arena_word(a, item_off + shape->extents_at + (uint64_t)(i / 2) * 8));

	return (uint32_t)(w >> (32 * (i % 2)));
}

/* Only in a record that no slot leads to yet. */
static inline void
arena_set_extent(const struct arena *a, uint64_t item_off, const struct item_shape *shape,
    uint32_t i, uint32_t n)
{
	struct word *at = arena_word(a, item_off + shape->extents_at + (uint64_t)(i / 2) * 8);
	uint64_t mask = UINT64_C(0xffffffff) << (32 * (i % 2));

	word_store_rlx(at, (word_load_rlx(at) & ~mask) | (uint64_t)n << (32 * (i % 2)));
}

#endif
