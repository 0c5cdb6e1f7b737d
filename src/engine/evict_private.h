/*
 * evict_private.h: victims, as evict_room.c asks evict.c for them.
 */
#ifndef PEEK_ENGINE_EVICT_PRIVATE_H
#define PEEK_ENGINE_EVICT_PRIVATE_H

#include "engine/evict.h"
#include "engine/record.h"

/*
 * A fuller one would give back less than an eighth of what was copied; up to
 * there the credit says how much cleaning is done.
 */
#define CLEAN_LIVE_MAX(block) ((block) / 8 * EVICT_CLEAN_EIGHTHS)
/*
 * Victims that give back an eighth each: so many are cleaned for one segment.
 * Twice that, since what they are is known to a sixteenth.
 */
#define CLEAN_VICTIMS_MAX(n_blocks) (16 * ((n_blocks) + 2))
#define SWEEP_STEP                  16 /* buckets looked at for each SET after a flush */
#define CLEAN_CREDIT_MAX(block)     ((uint64_t)(block)*4)
#define EXPIRY_SCAN_STEP            8 /* blocks looked at for each SET */
#define AHEAD_BLOCKS                2 /* free beyond the reserve: below it, work is done ahead */

/*
 * Free blocks that cleaning parts leaves to the cleaning of logs, which comes
 * to an end with one.
 */
#define PARTS_RESERVE 1

/*
 * Copies a record to a place that was taken for it; its extents stay where they
 * are.
 */
void evict_move_record(struct evict *e, struct victim *v, const struct record *r,
    struct table_place *place, uint64_t to);

/*
 * What becomes of a record that lists a part of a victim. False: it lives, and
 * there is no memory for a copy.
 */
bool evict_examine_parts(struct evict *e, struct victim *v, uint64_t off, uint32_t now_s);

/*
 * Whether an item's memory may be taken back, counted as expired or flushed;
 * false: it lives.
 */
bool evict_dead_already(struct evict *e, const struct record *r, uint32_t now_s);

/*
 * Looks at the next n blocks: what of them has expired. True: one has expired
 * wholly, and is the dead victim now.
 */
bool evict_choose_expired(struct evict *e, uint32_t n, uint32_t now_s);

/*
 * Takes a block as the dead victim that is worth cleaning, if the allowance
 * covers what lives in it.
 */
bool evict_choose_clean(struct evict *e);

/*
 * Returns the victim that an item is evicted from next, or NULL. Asked anew for
 * each item, since the records of one block may own most of the cache's
 * extents: a log that owns extents gives even when it has no sealed block.
 * ahead: no open block is sealed for it, and the block that was just written is
 * left alone.
 */
struct victim *evict_choose_oldest(struct evict *e, bool ahead);

/*
 * One step with a victim. False: there is no memory to copy it to, and it is a
 * sealed block as before.
 */
bool evict_empty_one(struct evict *e, struct victim *v, uint32_t now_s);

#endif
