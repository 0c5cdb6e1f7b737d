/*
 * evict.h: room, age and order: allocation, eviction, expiry and compaction as one mechanism on two FIFO logs.
 *
 * A new key goes to the small log, one that a ghost remembers to the main log. A victim is the oldest sealed segment of
 * one of them; each of its items is dropped (dead already), kept (the readers' hints pay for its size: copied to the main log's open
 * segment), or evicted and remembered. The share of the small log moves as ARC moves p. Segments that are mostly dead are cleaned before anything
 * live is evicted; of partly expired ones what has expired counts as dead (spans.h); wholly expired ones are freed whole.
 * After: Yang et al., SOSP '23 (S3-FIFO); Megiddo and Modha, FAST '03 (ARC);
 * Cao and Irani, USITS '97 (cost by size); Rumble et al., FAST '14 (cleaning a log); Yang et al., NSDI '21 (Segcache: segments by TTL).
 *
 * All unlinking goes through table.h, so that readers see each item whole or not at all. Work is bounded (I10) whatever the hints say: see
 * the constants. evict_room is called before a SET takes memory, evict_ahead after it, so that the next one finds room.
 */
#ifndef PEEK_ENGINE_EVICT_H
#define PEEK_ENGINE_EVICT_H

#include "engine/arena.h"
#include "engine/ghost.h"
#include "engine/table.h"

#define EVICT_AHEAD_ITEMS   64 /* examined for each SET ahead of need */
#define EVICT_HOT_RUN_MAX   8  /* victims kept for the most part in a row; the next one is dropped without a look at its hints */
#define EVICT_HINT_MIN      2  /* hints that take an item of usual size from the small log to the main log */
#define EVICT_COPY_PER_BYTE 2  /* bytes that cleaning may copy for each byte that a client writes */

struct evict_counts {
	uint64_t evicted, evicted_unfetched, expired, flushed; /* items */
	uint64_t segments_evicted, segments_expired, segments_cleaned;
	uint64_t bytes_copied;    /* by cleaning and by keeping what is hot */
	uint64_t bytes_cleaned;   /* by cleaning alone: what its bound is about */
	uint64_t examined;        /* items looked at, ever */
	uint64_t payload_dropped; /* key and value bytes of live items that went */
};

enum victim_kind { VICTIM_EVICT, VICTIM_CLEAN, VICTIM_EXPIRED };

struct evict {
	struct arena *arena;
	struct table *table;
	struct ghost ghost;
	bool enabled;             /* false: only what is dead already may go */
	uint32_t victim;          /* a segment that is being emptied, or ARENA_NONE */
	uint32_t cursor;          /* into it */
	enum victim_kind kind;
	uint32_t victim_kept;     /* bytes of it that were copied */
	uint32_t hot_run;
	uint32_t hot_left;        /* victims that may still be kept from for this SET; then they are dropped without a look at hints */
	uint32_t expiry_scan;     /* the next segment to look at for expiry */
	uint32_t n_to_scan;       /* segments still to be looked at in the second scanned_s */
	uint32_t scanned_s;
	uint64_t usual_bytes;     /* the size of which one hint pays a round of the main log; 1 or more */
	uint32_t dither;          /* a sequence of pseudo-random numbers */
	uint64_t small_target;    /* bytes of the small log, in 1/256 */
	uint64_t clean_credit;    /* bytes that cleaning may still copy */
	uint64_t cutoff;          /* items at or below are flushed */
	struct evict_counts n;
};

void evict_init(struct evict *e, struct arena *arena, struct table *table, bool enabled);
void evict_fini(struct evict *e);

/*
 * Where a new item that takes so many bytes goes, and the hint that its slot begins with. A key that a ghost remembers moves the target: call
 * it once for each insertion.
 */
enum arena_log evict_log_for(struct evict *e, uint64_t hash, uint64_t bytes, uint8_t *ret_hint);

/*
 * Makes room for one record of this log and class and for n_extents whole segments. false: there is none to be had (eviction is off
 * and nothing is dead).
 */
bool evict_room(struct evict *e, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes, uint32_t n_extents,
    uint32_t now_s);

/* A bounded step ahead of need, after a client wrote written_bytes. */
void evict_ahead(struct evict *e, uint64_t written_bytes, uint32_t now_s);

/* Drops one item of a chain that is as long as it may be. */
void evict_from_chain(struct evict *e, uint64_t head);

/* Unlinks one item, whatever the reason, and takes its memory back. */
void evict_unlink(struct evict *e, const struct table_place *place);

/* The small log's target in segments. */
uint64_t evict_small_target(const struct evict *e);

#endif
