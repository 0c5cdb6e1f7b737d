/*
 * table.h: the sole mutator of buckets.
 *
 * Every function leaves all sequences even. The comments in table.c and
 * table_split.c argue what readers may see in between, and what a successor
 * finds if the writer is killed in between. Nothing here allocates heap, knows
 * items' contents beyond their keys, or reads a clock.
 *
 * A slot_ref is a line and a slot of it in one number. The line is the head
 * bucket's index, or n_buckets_max plus the overflow bucket's. The array of
 * last accesses is indexed by slot_ref. The hint page has seven bytes a line
 * (table_hint).
 */
#ifndef PEEK_ENGINE_TABLE_H
#define PEEK_ENGINE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "shm/hint.h"
#include "shm/map.h"
#include "shm/stats.h"
#include "shm/table.h"

struct table {
	struct map *map;
	/* see table_hint; the page that readers raise, or private memory */
	struct byte *hints;
	uint64_t n_hints;
	uint32_t *last_access_s; /* by slot_ref; private */
	uint64_t n_refs;
	uint64_t n_buckets;
	uint64_t n_items;
	uint64_t n_overflow_items; /* on a second or later line */
	uint64_t n_overflow_used;  /* overflow buckets in chains */
	uint64_t n_overflow_made;  /* overflow buckets ever handed out: [0, n) have memory */
	/* list through slot[0] of free overflow buckets; index + 1, 0: none */
	uint64_t overflow_free;
	uint64_t n_overflow_memory; /* overflow buckets that have memory */
	uint64_t *stat;             /* the store's counters (shm/stats.h) */
	uint32_t n_without;         /* tries to come until memory is asked for again */
	uint64_t refused_at_items;  /* growth is tried again when there are more */
};

struct table_place {
	uint64_t head; /* bucket index */
	uint64_t ref;  /* slot_ref */
	uint64_t slot; /* the slot's word */
};

/* Over a map that the caller has. hints and last_access_s are the caller's
 * memory, zeroed, n_refs long. */
void table_init(struct table *t, struct map *map, struct byte *hints, uint32_t *last_access_s,
    uint64_t n_refs, uint64_t *stat);

/* Finds a key. */
bool table_find(const struct table *t, uint64_t hash, const void *key, uint32_t key_len,
    struct table_place *ret);

/* Finds the slot that leads to this very item. A record without such a slot is
 * dead. */
bool table_find_item(
    const struct table *t, uint64_t hash, uint64_t item_off, struct table_place *ret);

/* True if a key that isn't in the table can be linked: its chain has an empty
 * slot, or may have one line more and there is memory for it. The answer stands
 * until the next mutation of the table. */
bool table_can_link(struct table *t, uint64_t hash);

/* Links a key that is not there. -ENOSPC: its chain is as long as it may be, or
 * there is no memory for an overflow bucket. */
int table_link(struct table *t, uint64_t hash, uint64_t item_off, struct table_place *ret);

/* Leads a slot to another item of the same key. */
void table_switch(struct table *t, struct table_place *place, uint64_t item_off);

/* Unlinks an item and closes up its chain, so that no hole is left in front of
 * an item. Places of the same chain become invalid. */
void table_unlink(struct table *t, const struct table_place *place);

/* table_due: whether the table is due to grow. table_split: splits one bucket;
 * false: refused for lack of memory (counted). */
bool table_due(const struct table *t);
bool table_split(struct table *t);

/* Visits every item of one chain. */
typedef void (*table_visit_fn)(void *arg, const struct table_place *place);
void table_visit(const struct table *t, uint64_t head, table_visit_fn visit, void *arg);

/* ---- recovery (recover.c) ---- */

/* Repairs one bucket that was left odd, holds slots that `keep` refuses, or has
 * a wrong link: clears those slots, drops doubles, closes up the chain. */
typedef bool (*table_keep_fn)(void *arg, uint64_t head, uint64_t slot);
struct table_repair {
	/* odd: 1 also for links that didn't tell what lies behind them */
	uint32_t dropped, doubles, odd;
};
/* used: n_overflow_made bits, one for each overflow bucket that a chain has. A
 * link to such a bucket is cut. */
struct table_repair table_repair(
    struct table *t, uint64_t head, uint64_t *used, table_keep_fn keep, void *arg);

/* Once all chains are sound: finds the overflow buckets that chains use, and
 * makes the free list of all others. used: n_overflow_made bits, zeroed. */
void table_recover_free(struct table *t, uint64_t *used);

static inline struct bucket *
table_line(const struct table *t, uint64_t line)
{
	CHECK(line < t->map->n_buckets_max + t->n_overflow_made);
	return line < t->map->n_buckets_max ? &t->map->buckets[line]
					    : &t->map->overflow[line - t->map->n_buckets_max];
}

/* A line has 8 slot_refs, of which BUCKET_SLOTS are used. */
#define REF_SLOT_BITS 3u

static inline uint64_t
slot_ref(uint64_t line, uint64_t slot)
{
	CHECK(slot < BUCKET_SLOTS);
	return line << REF_SLOT_BITS | slot;
}

static inline uint64_t
ref_line(uint64_t ref)
{
	return ref >> REF_SLOT_BITS;
}

static inline unsigned
ref_slot(uint64_t ref)
{
	return (unsigned)(ref & ((1u << REF_SLOT_BITS) - 1));
}

/* The slot's byte in the hint page. The page is as long as a client of the
 * daemon may have made it; NULL: it ends before the slot. */
static inline struct byte *
table_hint(const struct table *t, uint64_t ref)
{
	uint64_t i = ref_line(ref) * HINT_BYTES_PER_BUCKET + ref_slot(ref);

	return i < t->n_hints ? &t->hints[i] : NULL;
}

static inline uint64_t
table_item_off(uint64_t slot)
{
	return slot_unit(slot) * ITEM_UNIT_BYTES;
}

#endif
