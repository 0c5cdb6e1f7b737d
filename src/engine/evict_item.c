/*
 * evict_item.c: one item goes, or is copied elsewhere.
 */
#include "engine/crash.h"
#include "engine/evict_private.h"

void
evict_unlink(struct evict *e, const struct table_place *place)
{
	struct record r = record_load(e->arena, table_item_off(place->slot));
	uint64_t payload = item_key_bytes(r.word0) + item_value_bytes(r.word0);

	CHECK(e->stat[SHM_STAT_PAYLOAD_BYTES] >= payload);
	e->stat[SHM_STAT_PAYLOAD_BYTES] -= payload;
	table_unlink(e->table, place);
	CRASH_POINT("evict:unlinked");
	arena_drop_live(e->arena, r.off, &r.shape, false);
}

bool
evict_dead_already(struct evict *e, const struct record *r, uint32_t now_s)
{
	bool flushed = record_is_flushed(e->arena, r, e->cutoff),
	     expired = item_expired(item_expiry_s(r->word0), now_s);

	if (flushed && item_cas(r->word1) > e->cutoff)
		e->stat[SHM_STAT_INVALIDATED_ITEMS]++;
	else
		e->stat[SHM_STAT_FLUSHED_ITEMS] += flushed;
	e->stat[SHM_STAT_RECLAIMED] += !flushed && expired;
	return flushed || expired;
}

/* Copies n_bytes of whole words to a place that no slot leads to yet. */
static void
copy_words(struct word *dst, const struct word *src, uint64_t n_bytes)
{
	CHECK(n_bytes % sizeof(struct word) == 0 && dst != src);
	for (uint64_t i = 0; i < n_bytes / sizeof(struct word); i++)
		/* relaxed: the switch that follows guards them */
		word_store_rlx(&dst[i], word_load_rlx(&src[i]));
}

void
evict_move_record(struct evict *e, struct victim *v, const struct record *r,
    struct table_place *place, uint64_t to)
{
	struct arena *a = e->arena;

	copy_words(arena_word(a, to), arena_word(a, r->off), r->shape.record_bytes);
	CRASH_POINT("clean:copied");
	table_switch(e->table, place, to);
	arena_drop_live(a, r->off, &r->shape, true);
	arena_add_live(a, to, &r->shape, item_expiry_s(r->word0));
	e->stat[SHM_STAT_LOG_BYTES_COPIED] += r->shape.record_bytes;
	v->kept += (uint32_t)r->shape.record_bytes;
	if (e->fresh_off == r->off)
		e->fresh_off = to;
}

/*
 * ---- parts ------------------------------------------------------------------
 */

/* Copies the parts of a record that lie in the victim, and the record with a
 * list of the new parts. False: there is no memory. */
static bool
copy_parts(struct evict *e, struct victim *v, const struct record *r, struct table_place *place,
    uint32_t now_s)
{
	struct arena *a = e->arena;
	uint64_t part_bytes = a->block_bytes >> BLOCK_PARTS_SHIFT;
	uint32_t n_moved = 0;
	uint32_t from[1u << BLOCK_PARTS_SHIFT], to[1u << BLOCK_PARTS_SHIFT],
	    expiry_s = item_expiry_s(r->word0);

	for (uint32_t i = r->shape.n_whole; i < r->shape.n_extents; i++) {
		uint32_t part = arena_extent(a, r->off, &r->shape, i);
		if (part >> BLOCK_PARTS_SHIFT != v->block)
			continue;
		CHECK(n_moved < 1u << BLOCK_PARTS_SHIFT);
		from[n_moved] = part;
		to[n_moved] = arena_take_part(a, PARTS_RESERVE);
		if (to[n_moved++] == ARENA_NONE)
			return false;
	}
	uint64_t off = arena_append_copy(a, a->block[arena_block_of(a, r->off)].log,
	    arena_class(a, expiry_s, now_s), r->shape.record_bytes, PARTS_RESERVE);
	if (off == ARENA_NO_ROOM)
		return false;
	copy_words(arena_word(a, off), arena_word(a, r->off), r->shape.record_bytes);
	for (uint32_t k = 0; k < n_moved; k++) {
		copy_words(arena_word(a, to[k] * part_bytes), arena_word(a, from[k] * part_bytes),
		    part_bytes);
		for (uint32_t i = r->shape.n_whole; i < r->shape.n_extents; i++)
			if (arena_extent(a, r->off, &r->shape, i) == from[k])
				arena_set_extent(a, off, &r->shape, i, to[k]);
	}
	CRASH_POINT("parts:copied");
	table_switch(e->table, place, off);
	arena_add_live(a, off, &r->shape, expiry_s);
	for (uint32_t k = 0; k < n_moved; k++)
		arena_part_died(a, from[k]);
	arena_drop_live(a, r->off, &r->shape, true);
	e->stat[SHM_STAT_LOG_BYTES_COPIED] += r->shape.record_bytes + n_moved * part_bytes;
	if (e->fresh_off == r->off)
		e->fresh_off = off;
	return true;
}

bool
evict_examine_parts(struct evict *e, struct victim *v, uint64_t off, uint32_t now_s)
{
	struct record r = record_load(e->arena, off);
	struct table_place place;

	e->examined++;
	if (!table_find_item(e->table, record_hash(e->arena, &r), off, &place))
		return true;
	if (!evict_dead_already(e, &r, now_s))
		return copy_parts(e, v, &r, &place, now_s);
	evict_unlink(e, &place);
	return true;
}
