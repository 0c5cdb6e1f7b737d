/* evict_private.h: victims and their items, shared by evict.c, evict_item.c and
 * evict_room.c. */
#ifndef PEEK_ENGINE_EVICT_PRIVATE_H
#define PEEK_ENGINE_EVICT_PRIVATE_H

#include "engine/evict.h"
#include "engine/record.h"

/* Cleaning a block with more live bytes would give back less than an eighth of
 * it. Below this limit the credit decides how much is cleaned. */
#define CLEAN_LIVE_MAX(block) ((block) / 8 * EVICT_CLEAN_EIGHTHS)
/* Victims cleaned at most for n_blocks: each gives back an eighth of a
 * block, and the factor of two allows for levels, which are exact to a
 * sixteenth only. */
#define CLEAN_VICTIMS_MAX(n_blocks) (16 * ((n_blocks) + 2))
#define SWEEP_STEP                  16 /* buckets looked at for each SET after a flush */
/* The same after a tag was invalidated. Tags are invalidated often, and most
 * items that a sweep then looks at live. */
#define SWEEP_TAGS_STEP 2
/* Buckets looked at where there is no room, before a live item is evicted: as
 * many times in a SET as SWEEP_ROOM_STEPS. */
#define SWEEP_ROOM_STEP         256
#define SWEEP_ROOM_STEPS        4
#define CLEAN_CREDIT_MAX(block) ((uint64_t)(block)*4)
#define EXPIRY_SCAN_STEP        8 /* blocks looked at for each SET */
#define AHEAD_BLOCKS            2 /* free beyond the reserve: below it, work is done ahead */

/* Free blocks that the cleaning of parts leaves alone. The cleaning of logs
 * needs one to come to an end. */
#define PARTS_RESERVE 1

/* Copies a record to a place that was taken for it, and leads its slot there.
 * The extents stay where they are. */
void evict_move_record(struct evict *e, struct victim *v, const struct record *r,
    struct table_place *place, uint64_t to);

/* Examines a record that lists a part of the victim. False: the record lives,
 * and there is no memory for a copy. */
bool evict_examine_parts(struct evict *e, struct victim *v, uint64_t off, uint32_t now_s);

/* True if an item has expired or is flushed; it is counted so. False: it
 * lives. */
bool evict_dead_already(struct evict *e, const struct record *r, uint32_t now_s);

/* Looks at the next n blocks for expired items. True: one of them has expired
 * wholly, and is the dead victim now. */
bool evict_choose_expired(struct evict *e, uint32_t n, uint32_t now_s);

/* Takes a block that is worth cleaning as the dead victim, if the credit or the
 * allowance of this SET covers its live bytes. */
bool evict_choose_clean(struct evict *e);

/*
 * Returns the victim that an item is evicted from next, or NULL. Asked anew for
 * each item, since the records of one block may own most of the cache's
 * extents: a log that owns extents gives even when it has no sealed block.
 * ahead: no open block is sealed for it, and the block that was just written is
 * left alone.
 */
struct victim *evict_choose_oldest(struct evict *e, bool ahead);

/* Examines one record of a victim. False: there is no memory for a copy, and
 * the victim is a sealed block again. */
bool evict_empty_one(struct evict *e, struct victim *v, uint32_t now_s);

#endif
