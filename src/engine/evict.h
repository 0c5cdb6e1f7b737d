/*
 * evict.h: room for what comes: which items go.
 *
 * evict_room is called before a SET takes memory; evict_ahead after it, so that the next one finds room. Both unlink through table.h,
 * so that readers see each item whole or not at all. Work is bounded (I10): see the constants.
 */
#ifndef PEEK_ENGINE_EVICT_H
#define PEEK_ENGINE_EVICT_H

#include "engine/arena.h"
#include "engine/table.h"

#define EVICT_AHEAD_ITEMS 64 /* examined for each SET ahead of need */

struct evict_counts {
	uint64_t evicted, evicted_unfetched, expired, flushed; /* items */
	uint64_t segments_evicted, segments_expired, segments_cleaned;
	uint64_t bytes_copied;
	uint64_t examined; /* items looked at, ever */
	uint64_t payload_dropped; /* key and value bytes of live items that went */
};

struct evict {
	struct arena *arena;
	struct table *table;
	bool enabled;       /* false: only what is dead already may go */
	uint32_t victim;    /* a segment that is being emptied, or ARENA_NONE */
	uint32_t cursor;    /* into it */
	uint64_t cutoff;    /* items at or below are flushed */
	struct evict_counts n;
};

void evict_init(struct evict *e, struct arena *arena, struct table *table, bool enabled);

/* Where a new item goes. */
enum arena_log evict_log_for(struct evict *e, uint64_t hash);

/*
 * Makes room for one record of this log and class and for n_extents whole segments. false: there is none to be had (eviction is off and nothing
 * is dead).
 */
bool evict_room(struct evict *e, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes, uint32_t n_extents,
    uint32_t now_s);

/* A bounded step ahead of need; frees expired segments too. */
void evict_ahead(struct evict *e, uint32_t now_s);

/* Drops one item of a chain that is as long as it may be. */
void evict_from_chain(struct evict *e, uint64_t head);

/* Unlinks one item, whatever the reason, and takes its memory back. */
void evict_unlink(struct evict *e, const struct table_place *place);

#endif
