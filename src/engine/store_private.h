/* store_private.h: struct store, the engine's parts in one, for store.c, put.c,
 * report.c and engine_check.c. */
#ifndef PEEK_ENGINE_STORE_PRIVATE_H
#define PEEK_ENGINE_STORE_PRIVATE_H

#include "engine/evict.h"
#include "engine/store.h"
#include "engine/value.h"

struct store {
	struct map *map;
	struct arena arena;
	struct table table;
	struct evict evict;
	struct store_conf conf;
	struct byte *own_hints; /* used until the hint page is there */
	uint32_t *last_access_s;
	uint64_t n_refs;
	uint64_t cas_last, cas_reserved;
	uint32_t flush_at_s;
	/* one bit for each tag: set while an item may live that was stored with
	 * it since it was last invalidated */
	uint64_t tag_used[LAYOUT_TAG_SLOTS_MAX / 64];
	uint64_t *stat; /* conf.stat, or own_stat */
	uint64_t own_stat[SHM_STAT_N];
	/* engine_check_step's: where its slices go on, when it counted all */
	uint64_t check_at;
	uint32_t check_block, checked_s;
};

/* An item is stored with these tags. */
void store_note_tags(struct store *s, uint64_t tags);

/* The item that a place leads to. */
void store_fill_item(
    const struct store *s, const struct table_place *place, struct store_item *ret);

#endif
