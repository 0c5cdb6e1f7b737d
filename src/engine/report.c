/* report.c: the engine's counters for stats, and walks over its items. */
#include <string.h>

#include "engine/record.h"
#include "engine/store_private.h"

static uint32_t
oldest_opened(const struct arena *a)
{
	uint32_t oldest_s = UINT32_MAX;

	for (unsigned log = 0; log < ARENA_LOGS; log++) {
		uint32_t i = a->queue[log].list.first;
		if (i != ARENA_NONE && a->block[i].opened_s < oldest_s)
			oldest_s = a->block[i].opened_s;
	}
	return oldest_s != UINT32_MAX ? oldest_s : 0;
}

/*
 * The arena's bytes are live, in free blocks, or dead: left by items that are
 * gone, or at the end of a block that is not full yet.
 */
static void
fill_arena(const struct arena *a, uint32_t now_s, uint64_t *v)
{
	uint32_t oldest_s = oldest_opened(a);

	v[SHM_STAT_LIMIT_MAXBYTES] = a->map->arena_bytes;
	v[SHM_STAT_BYTES] = a->live_bytes;
	v[SHM_STAT_FREE_BYTES] = (uint64_t)a->n_free << a->block_shift;
	v[SHM_STAT_DEAD_BYTES] =
	    v[SHM_STAT_LIMIT_MAXBYTES] - v[SHM_STAT_FREE_BYTES] - v[SHM_STAT_BYTES];
	v[SHM_STAT_N_SEGMENTS] = a->n_blocks;
	v[SHM_STAT_N_SEGMENTS_FREE] = a->n_free;
	v[SHM_STAT_SMALL_SEGMENTS] = a->queue[ARENA_SMALL].n_blocks;
	v[SHM_STAT_MAIN_SEGMENTS] = a->queue[ARENA_MAIN].n_blocks;
	v[SHM_STAT_EXTENT_SEGMENTS] = a->n_extent_blocks;
	v[SHM_STAT_OLDEST_AGE_S] = oldest_s != 0 && now_s > oldest_s ? now_s - oldest_s : 0;
}

void
store_stats(const struct store *s, uint32_t now_s, uint64_t *ret)
{
	memcpy(ret, s->stat, sizeof(s->own_stat));
	fill_arena(&s->arena, now_s, ret);
	ret[SHM_STAT_CURR_ITEMS] = s->table.n_items;
	ret[SHM_STAT_N_BUCKETS] = s->table.n_buckets;
	ret[SHM_STAT_N_OVERFLOW] = s->table.n_overflow_used;
	ret[SHM_STAT_OVERFLOW_ITEMS] = s->table.n_overflow_items;
	ret[SHM_STAT_SMALL_TARGET] = evict_small_target(&s->evict);
	ret[SHM_STAT_CAS_LAST] = s->cas_last;
}

struct expired {
	const struct arena *arena;
	uint32_t now_s;
	uint64_t bytes;
};

static void
add_expired(void *arg, const struct table_place *place)
{
	struct expired *x = arg;
	struct record r = record_load(x->arena, table_item_off(place->slot));

	if (item_expired(item_expiry_s(r.word0), x->now_s))
		x->bytes += record_memory(x->arena, &r);
}

uint64_t
store_expired_bytes(const struct store *s, uint32_t now_s, uint64_t enough)
{
	struct expired x = {&s->arena, now_s, 0};

	for (uint64_t head = 0; head < s->table.n_buckets && x.bytes < enough; head++)
		table_visit(&s->table, head, add_expired, &x);
	return x.bytes;
}

struct walker {
	struct store *s;
	uint32_t now_s;
	store_visit_fn visit;
	void *arg;
};

static void
walk_one(void *arg, const struct table_place *place)
{
	struct walker *w = arg;
	unsigned char key[256];
	struct store_item item;
	struct record r = record_load(&w->s->arena, table_item_off(place->slot));

	store_fill_item(w->s, place, &item);
	if (item_is_place(item.state) || record_is_flushed(&w->s->arena, &r, w->s->evict.cutoff) ||
	    item_expired(item.expiry_s, w->now_s))
		return;
	w->visit(w->arg, &item, key, record_key(&w->s->arena, &r, key));
}

/* A bucket that is split while the walk is under way gives to a bucket behind
 * it, which the walk has yet to pass. */
uint64_t
store_walk(struct store *s, uint64_t cursor, uint32_t now_s, store_visit_fn visit, void *arg)
{
	struct walker w = {s, now_s, visit, arg};

	if (cursor >= s->table.n_buckets)
		return 0;
	table_visit(&s->table, cursor, walk_one, &w);
	return cursor + 1 < s->table.n_buckets ? cursor + 1 : 0;
}
