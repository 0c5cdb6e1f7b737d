/*
 * arena.h: memory for items: equal blocks, filled one after another as a log.
 *
 * Knows which blocks are free, open (being appended to), sealed, or hold an
 * extent; how full and how live each is; and in which order the sealed ones
 * were opened. Does not know keys or buckets. Private to the writer but for the
 * incarnation, which seq_retire raises before a block is rewritten: at the
 * moment it is taken, so that a successor raises it too.
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

/* A victim is a sealed block that is being emptied: it is freed by whoever
 * empties it, not when its last record goes. */
enum arena_kind {
	BLOCK_FREE,
	BLOCK_OPEN,
	BLOCK_SEALED,
	BLOCK_VICTIM,
	BLOCK_EXTENT,
	BLOCK_PARTS,
	BLOCK_PARTS_VICTIM
};

/* Several are looked at for each SET: what that needs lies on one line,
 * spans.due_s at its end. */
struct block {
	_Alignas(64) uint32_t used_bytes; /* appended so far */
	uint32_t live_bytes;              /* of records that a slot leads to */
	uint32_t n_live;
	uint32_t n_extents; /* parts that its live records own, a whole block being 8 */
	uint32_t latest_s;  /* no live item outlives it; UINT32_MAX: some never expire */
	uint32_t opened_s;  /* for those who look on; a recovered one: when it was recovered */
	struct index_link queued; /* its log's queue, oldest first; free: only next holds */
	struct index_link peer;   /* sealed blocks about as live as this one */
	/* a recovered block's live items at recovery; its bytes are never
	 * scanned */
	uint32_t n_listed;
	uint32_t *listed; /* their offsets in it, in units of 8 bytes; freed with the block */
	uint8_t kind, log, ttl_class, level;
	struct spans spans; /* its live records that expire */
};

_Static_assert(offsetof(struct block, spans.due_s) < 64, "looking at a segment takes one line");

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
	uint32_t open_parts;      /* the block whose next part is taken; ARENA_NONE: none */
	/*
	 * by part: the offset of the live record that lists it, plus 1; 0:
	 * there is none
	 */
	uint64_t *owner;
	uint64_t live_bytes; /* records and whole extents */
	/* the sum of the squares of what each live item takes, in units of 8
	 * bytes: less than 2^60 */
	uint64_t live_squares;
	uint64_t births; /* blocks ever opened */
	uint32_t now_s;  /* as the caller was last told: what opened_s is taken from */
	/* sealed blocks by sixteenths of live bytes, as last looked at */
	struct index_list level[ARENA_LEVELS];
};

/* All blocks free. -ENOMEM. */
int arena_init(struct arena *a, struct map *map);
void arena_fini(struct arena *a);

/* The TTL class of an item that expires at expiry_s. */
uint32_t arena_class(const struct arena *a, uint32_t expiry_s, uint32_t now_s);

/* Whether record_bytes fit the open block of this log and class. */
bool arena_open_fits(
    const struct arena *a, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes);

/*
 * Takes record_bytes at the end of the log; opens a block (seals the one
 * before) if needed. ARENA_NO_ROOM: no free block beyond `reserve`. The bytes
 * become live with arena_add_live.
 */
uint64_t arena_append(struct arena *a, enum arena_log log, uint32_t ttl_class,
    uint64_t record_bytes, uint32_t reserve);

/*
 * Takes record_bytes for a copy, of the reserve but for `reserve` blocks.
 * While a block is cleaned this finds a place for each of its records if one
 * block was free at the beginning: into the last free one goes all that is
 * left, of whatever log and class. ARENA_NO_ROOM: there was none.
 */
uint64_t arena_append_copy(struct arena *a, enum arena_log log, uint32_t ttl_class,
    uint64_t record_bytes, uint32_t reserve);

/* Takes a whole block for an extent. ARENA_NONE: no free block beyond
 * ARENA_RESERVE. */
uint32_t arena_take_extent(struct arena *a);

/* A live record lists another part in place of this one, which is dead. */
void arena_part_died(struct arena *a, uint32_t part);

/*
 * Takes a part, and its number in the arena: of the block whose parts are
 * taken one after another, or of a fresh one. Parts are not taken twice before
 * all of their block are dead. ARENA_NONE: no free block beyond `reserve`.
 */
uint32_t arena_take_part(struct arena *a, uint32_t reserve);

/*
 * The free blocks that extents of this shape need beyond the parts at hand.
 */
uint32_t arena_extents_need(const struct arena *a, const struct item_shape *shape);

/*
 * The k-th live part of a block of parts and the record that lists it; false:
 * there are no more.
 */
bool arena_walk_parts(
    const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off);

/*
 * The parts that are taken next are of a fresh block; what lives in this one
 * is little enough to be cleaned.
 */
void arena_seal_parts(struct arena *a);

/* A record at item_off was linked, or unlinked. A sealed block whose last
 * record goes is freed, and so are extents. */
void arena_add_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t expiry_s);
void arena_drop_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, bool keep_extents);

/* Frees the parts and whole blocks that a record lists, once no slot leads to
 * the record. */
void arena_free_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape);

/* A touch, before it stores the new expiry: the block's latest is raised
 * first. */
void arena_raise_expiry(struct arena *a, uint64_t item_off, uint32_t expiry_s);

/* Looks at a block again: what has expired meanwhile counts as gone in
 * arena_emptiest. At most SPANS steps in its whole life. */
void arena_look(struct arena *a, uint32_t block_idx, uint32_t now_s);

/* Seals the open block of a log and class, if there is one. */
void arena_seal(struct arena *a, enum arena_log log, uint32_t ttl_class);

/*
 * Of the sealed blocks with the least live bytes, to a sixteenth, the one that
 * has been so for longest: what its bytes were going to lose soon they have
 * lost. ARENA_NONE: none is sealed.
 */
uint32_t arena_emptiest(const struct arena *a, bool logs_only);

/* Begins to empty a sealed block: it is freed by arena_free, not by itself. */
void arena_take_victim(struct arena *a, uint32_t block_idx);

/*
 * Leaves a victim as it is: a sealed block again, or a free one if nothing in
 * it lives.
 */
void arena_leave_victim(struct arena *a, uint32_t block_idx);

/* Frees a block that has no live record, or no live part. */
void arena_free(struct arena *a, uint32_t block_idx);

/*
 * Walks the records of a log block, live or not. *cursor begins at 0. Returns
 * false at the end. The record may be dead: only the table knows.
 */
bool arena_walk(
    const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off);

/* For a successor: a live record was found in a block; then arena_recovered
 * once for all. */
bool arena_recover_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape);
int arena_recovered(struct arena *a);

/* What an item takes: its record and its extents. */
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
 * What copying the block's live records would cost at most; and what it would
 * leave of it, less the extents that it frees. The end of a block into which
 * no further record of its usual size would fit counts as taken: copying
 * doesn't win it back.
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

	/* larger than a sixteenth of a block */
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

/* In a record that nobody can reach yet. */
static inline void
arena_set_extent(const struct arena *a, uint64_t item_off, const struct item_shape *shape,
    uint32_t i, uint32_t n)
{
	struct word *at = arena_word(a, item_off + shape->extents_at + (uint64_t)(i / 2) * 8);
	uint64_t mask = UINT64_C(0xffffffff) << (32 * (i % 2));

	word_store_rlx(at, (word_load_rlx(at) & ~mask) | (uint64_t)n << (32 * (i % 2)));
}

#endif
