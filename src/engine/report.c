/*
 * report.c: what the engine holds, for stats and for a walk.
 */
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

void
store_stats(const struct store *s, struct store_stats *ret)
{
	const struct arena *a = &s->arena;
	const struct evict_counts *n = &s->evict.n;

	*ret = (struct store_stats){
	    .curr_items = s->table.n_items,
	    .total_items = s->total_items,
	    .bytes = a->live_bytes,
	    .payload_bytes = s->payload_bytes - n->payload_dropped,
	    .evictions = n->evicted,
	    .evicted_unfetched = n->evicted_unfetched,
	    .expired = n->expired,
	    .flushed = n->flushed,
	    .n_buckets = s->table.n_buckets,
	    .n_overflow_used = s->table.n_overflow_used,
	    .n_blocks = a->n_blocks,
	    .n_blocks_free = a->n_free,
	    .overflow_items = s->table.n_overflow_items,
	    .splits = s->table.n_splits,
	    .growth_refused = s->table.n_refused,
	    .chain_evictions = s->chain_evictions,
	    .table_refused = s->table_refused,
	    .bytes_written = s->bytes_written,
	    .bytes_copied = n->bytes_copied,
	    .small_blocks = a->queue[ARENA_SMALL].n_blocks,
	    .main_blocks = a->queue[ARENA_MAIN].n_blocks,
	    .extent_blocks = a->n_extent_blocks,
	    .small_target_blocks = evict_small_target(&s->evict),
	    .ghost_hits_small = s->evict.ghost.hits[ARENA_SMALL],
	    .ghost_hits_main = s->evict.ghost.hits[ARENA_MAIN],
	    .blocks_evicted = n->blocks_evicted,
	    .blocks_expired = n->blocks_expired,
	    .blocks_cleaned = n->blocks_cleaned,
	    .longest_set_items = s->longest_set_items,
	    .longest_set_copied_bytes = s->longest_set_copied_bytes,
	    .cas_last = s->cas_last,
	    .cutoff = s->evict.cutoff,
	    .oldest_opened_s = oldest_opened(a),
	};
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
	if (record_is_flushed(&w->s->arena, &r, w->s->evict.cutoff) ||
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
