/*
 * evict.h: allocation, eviction, expiry and compaction as one mechanism on two
 * FIFO logs.
 *
 * A new key goes to the small log, a key that a ghost remembers to the main
 * log. The victim is the oldest sealed block of one of them. Each item of the
 * victim is dropped (it is dead), kept (the readers' hints pay for its size: it
 * is copied to the main log's open block), or evicted and remembered. The small
 * log's share moves as ARC moves p. Blocks that are mostly dead are cleaned
 * before a live item is evicted. Expired items count as dead there (spans.h),
 * and a block whose items have all expired is freed whole.
 *
 * After: Yang et al., SOSP '23 (S3-FIFO); Megiddo and Modha, FAST '03 (ARC);
 * Cao and Irani, USITS '97 (cost by size); Rumble et al., FAST '14 (cleaning a
 * log); Yang et al., NSDI '21 (Segcache: blocks by TTL).
 *
 * All unlinking goes through table.h, so that readers see each item whole or
 * not at all. The constants bound the work for one SET (I10), whatever the
 * hints say. evict_room is called before a SET takes memory; evict_ahead after
 * it, so that the next SET finds room.
 */
#ifndef PEEK_ENGINE_EVICT_H
#define PEEK_ENGINE_EVICT_H

#include "engine/arena.h"
#include "engine/ghost.h"
#include "engine/table.h"

#define EVICT_AHEAD_ITEMS 64 /* examined for each SET ahead of need */
/* victims of which most was kept, in a row; the next victim is dropped without
 * a look at its hints */
#define EVICT_HOT_RUN_MAX 8
/* hints that move an item of the usual size from the small log to the main
 * log */
#define EVICT_HINT_MIN      2
#define EVICT_COPY_PER_BYTE 2 /* bytes that cleaning may copy for each byte that a client writes */
/* Without eviction a SET is refused only when every block outside the reserve
 * is so live that cleaning it would give back less than an eighth of it. */
#define EVICT_CLEAN_EIGHTHS 7

#define SWEEP_DONE UINT64_MAX /* evict.sweep: no bucket is left to look at */

enum victim_kind { VICTIM_EVICT, VICTIM_CLEAN, VICTIM_EXPIRED };

/* A block that is being emptied. */
struct victim {
	uint32_t block;  /* ARENA_NONE: there is none */
	uint32_t cursor; /* into it */
	enum victim_kind kind;
	uint32_t kept; /* bytes of it that were copied */
};

struct evict {
	struct arena *arena;
	struct table *table;
	struct ghost ghost;
	bool enabled;       /* false: only dead items may go */
	struct victim dead; /* is being cleaned, or all of it has expired */
	/* one for each log; evicted item by item, and left as soon as there is
	 * room */
	struct victim oldest[ARENA_LOGS];
	/* the item that this request has written: evict_ahead doesn't evict
	 * it */
	uint64_t fresh_off;
	/* without eviction: victims that this SET may have cleaned beyond the
	 * credit */
	uint32_t clean_left;
	/* the second in which cleaning brought nothing, and the live bytes at
	 * that time */
	uint32_t futile_s;
	uint64_t futile_live_bytes;
	/* the next bucket to look at for flushed items, or SWEEP_DONE */
	uint64_t sweep;
	uint32_t sweep_step; /* buckets looked at for each SET */
	uint32_t sweep_left; /* further looks that this SET may have, for room */
	bool sweep_again;    /* a tag was invalidated since the sweep began */
	uint32_t hot_run;
	/* victims of which items may still be kept for this SET; later victims
	 * are dropped without a look at their hints */
	uint32_t hot_left;
	uint32_t expiry_scan; /* the next block to look at for expiry */
	uint32_t n_to_scan;   /* blocks still to be looked at in the second scanned_s */
	uint32_t scanned_s;
	/* one hint pays a round of the main log for an item of this size; at
	 * least 1 */
	uint64_t usual_bytes;
	uint32_t dither;       /* a sequence of pseudo-random numbers */
	uint64_t small_target; /* bytes of the small log, in 1/256 */
	uint64_t clean_credit; /* bytes that cleaning may still copy */
	uint64_t cutoff;       /* items at or below are flushed */
	uint64_t examined;     /* items looked at, ever */
	uint64_t *stat;        /* the store's counters (shm/stats.h) */
};

void evict_init(
    struct evict *e, struct arena *arena, struct table *table, uint64_t *stat, bool enabled);
void evict_fini(struct evict *e);

/* Returns the log for a new item of this many bytes, and the hint that its slot
 * begins with. A key that a ghost remembers moves the small log's target: call
 * it once for each insertion. */
enum arena_log evict_log_for(struct evict *e, uint64_t hash, uint64_t bytes, uint8_t *ret_hint);

/* The memory that a SET needs: a record at the end of a log, and its
 * extents. */
struct evict_need {
	enum arena_log log;
	uint32_t ttl_class;
	const struct item_shape *shape;
	uint32_t reserve; /* blocks that stay free for copying: ARENA_RESERVE, or 1 */
};

/* Makes room for `need` and for no more: an item is evicted only while there is
 * no room. With eviction off no live item goes. False: eviction is off and
 * nothing more is dead. */
bool evict_room(struct evict *e, const struct evict_need *need, uint32_t now_s);

/*
 * A bounded step ahead of need, after a client wrote written_bytes at item_off.
 */
void evict_ahead(struct evict *e, uint64_t item_off, uint64_t written_bytes, uint32_t now_s);

/* Everything stored until now is flushed. Its memory is taken back step by
 * step. */
void evict_flush(struct evict *e, uint64_t cutoff);

/* A tag was invalidated: the same for the items that it covers. */
void evict_invalidate(struct evict *e);

/* Makes sure that a key that isn't in the table can be linked. Dead items of
 * its chain go first; then, with eviction on, the chain's oldest item (counted
 * in *n_evicted). False: the key can't be linked and eviction is off. */
bool evict_chain_room(struct evict *e, uint64_t hash, uint32_t now_s);

/* Unlinks one item and takes its memory back. */
void evict_unlink(struct evict *e, const struct table_place *place);

/* The small log's target in blocks. */
uint64_t evict_small_target(const struct evict *e);

#endif
