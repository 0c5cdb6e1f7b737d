/* evict_room.c: how much is emptied, and when: for a SET, ahead of the next
 * SET, after a flush, and in a chain that is too long. */
#include "engine/evict_private.h"

/* ---- room ---- */

static bool
has_room(const struct evict *e, const struct evict_need *need)
{
	uint32_t n = arena_extents_need(e->arena, need->shape);

	n += !arena_open_fits(e->arena, need->log, need->ttl_class, need->shape->record_bytes);
	return e->arena->n_free >= need->reserve + n;
}

static bool
has_ahead(const struct evict *e)
{
	return e->arena->n_free >= ARENA_RESERVE + AHEAD_BLOCKS;
}

struct evict_sweep {
	struct evict *evict;
	struct table_place place;
};

static void
drop_flushed(void *arg, const struct table_place *place)
{
	struct evict_sweep *w = arg;
	struct record r = record_load(w->evict->arena, table_item_off(place->slot));

	if (record_is_flushed(w->evict->arena, &r, w->evict->cutoff))
		w->place = *place;
}

/* Takes back the flushed items of the next n buckets. False: all buckets were
 * looked at. */
static bool
evict_room_sweep(struct evict *e, uint64_t n)
{
	for (; n > 0 && e->sweep < e->table->n_buckets; n--, e->sweep++)
		for (;;) {
			struct evict_sweep w = {.evict = e, .place = {.slot = 0}};
			table_visit(e->table, e->sweep, drop_flushed, &w);
			if (w.place.slot == 0)
				break;
			struct record r = record_load(e->arena, table_item_off(w.place.slot));
			evict_dead_already(e, &r, 0); /* counts it */
			evict_unlink(e, &w.place);
		}
	if (e->sweep >= e->table->n_buckets) {
		e->sweep = e->sweep_again ? 0 : SWEEP_DONE;
		e->sweep_again = false;
		e->sweep_step = SWEEP_TAGS_STEP;
	}
	return e->sweep != SWEEP_DONE;
}

/* Examines up to EVICT_AHEAD_ITEMS items, those in dead memory first. Live
 * items go only until `need` has room; with need NULL, until enough is free
 * ahead of need. Flushed items are swept for before a live one goes. False: no
 * memory can be had. */
static bool
evict_room_step(struct evict *e, const struct evict_need *need, uint32_t now_s)
{
	struct victim *v = NULL;
	uint32_t n = EVICT_AHEAD_ITEMS;

	if (e->dead.block != ARENA_NONE || evict_choose_expired(e, EXPIRY_SCAN_STEP, now_s) ||
	    evict_choose_clean(e)) {
		while (
		    n-- > 0 && e->dead.block != ARENA_NONE && evict_empty_one(e, &e->dead, now_s))
			;
		return true;
	}
	if (e->sweep != SWEEP_DONE && e->sweep_left > 0) {
		e->sweep_left--;
		evict_room_sweep(e, SWEEP_ROOM_STEP);
		return true;
	}
	if (!e->enabled)
		return false;
	while (n-- > 0 && !(need != NULL ? has_room(e, need) : has_ahead(e))) {
		v = evict_choose_oldest(e, need == NULL);
		if (v == NULL || !evict_empty_one(e, v, now_s))
			break;
	}
	return v != NULL;
}

void
evict_flush(struct evict *e, uint64_t cutoff)
{
	if (cutoff > e->cutoff) {
		e->sweep = 0;
		e->sweep_step = SWEEP_STEP;
		e->sweep_again = false;
	}
	e->cutoff = cutoff;
}

/* A sweep that is under way goes on to its end first: invalidations that come
 * faster than it moves would otherwise keep it among the first buckets. */
void
evict_invalidate(struct evict *e)
{
	if (e->sweep != SWEEP_DONE) {
		e->sweep_again = true;
		return;
	}
	e->sweep = 0;
	e->sweep_step = SWEEP_TAGS_STEP;
}

/* Seals the open blocks that are worth cleaning. False: there are none. */
static bool
seal_for_cleaning(struct evict *e)
{
	uint32_t parts = e->arena->open_parts;
	bool any = parts != ARENA_NONE &&
	    e->arena->block[parts].live_bytes < CLEAN_LIVE_MAX(e->arena->block_bytes);

	if (any)
		arena_seal_parts(e->arena);
	for (unsigned log = 0; log < ARENA_LOGS; log++)
		for (uint32_t c = 0; c < e->arena->n_classes; c++) {
			uint32_t i = e->arena->open[log][c];
			if (i == ARENA_NONE ||
			    e->arena->block[i].live_bytes >= CLEAN_LIVE_MAX(e->arena->block_bytes))
				continue;
			arena_seal(e->arena, (enum arena_log)log, c);
			any = true;
		}
	return any;
}

/* The steps before a SET is refused, each taken once. True: one found
 * something, and room is looked for again. */
static bool
last_resort(struct evict *e, uint32_t *stage, uint32_t now_s)
{
	if (*stage == 0) {
		if (e->sweep != SWEEP_DONE) {
			evict_room_sweep(e, SWEEP_ROOM_STEP);
			return true;
		}
		*stage = 1;
	}
	if (*stage == 1) {
		*stage = 2;
		if (evict_choose_expired(e, e->arena->n_blocks, now_s))
			return true;
	}
	if (*stage == 2 && e->clean_left > 0) {
		*stage = 3;
		return seal_for_cleaning(e);
	}
	return false;
}

bool
evict_room(struct evict *e, const struct evict_need *need, uint32_t now_s)
{
	uint64_t live_bytes = e->arena->live_bytes;
	uint32_t stage = 0;

	e->arena->now_s = now_s;
	/* The items kept of a victim may take as much memory elsewhere, because
	 * of the waste at blocks' ends: hot_run alone doesn't end this loop. */
	e->hot_left = EVICT_HOT_RUN_MAX * (1 + arena_extents_need(e->arena, need->shape));
	/* Without eviction dead memory must come back even if nothing can be
	 * stored that would pay for it. */
	e->sweep_left = SWEEP_ROOM_STEPS;
	e->clean_left = 0;
	if (!e->enabled &&
	    (now_s != e->futile_s ||
		live_bytes + e->arena->block_bytes / 2 <= e->futile_live_bytes))
		e->clean_left = CLEAN_VICTIMS_MAX(arena_extents_need(e->arena, need->shape));
	while (!has_room(e, need))
		if (!evict_room_step(e, need, now_s) && !last_resort(e, &stage, now_s)) {
			e->futile_s = now_s;
			e->futile_live_bytes = live_bytes;
			e->clean_left = 0;
			return false;
		}
	CHECK(has_room(e, need));
	e->clean_left = 0;
	return true;
}

void
evict_ahead(struct evict *e, uint64_t item_off, uint64_t written_bytes, uint32_t now_s)
{
	uint64_t credit_max = CLEAN_CREDIT_MAX(e->arena->block_bytes);

	e->sweep_left = 1;
	e->hot_left = EVICT_HOT_RUN_MAX;
	e->fresh_off = item_off;
	e->clean_credit += written_bytes * EVICT_COPY_PER_BYTE;
	if (e->clean_credit > credit_max)
		e->clean_credit = credit_max;
	/* A second look at all blocks in the same second would find nothing
	 * new. */
	if (now_s != e->scanned_s) {
		e->scanned_s = now_s;
		e->n_to_scan = e->arena->n_blocks;
	}
	if (e->n_to_scan > 0) {
		uint32_t n = e->n_to_scan < EXPIRY_SCAN_STEP ? e->n_to_scan : EXPIRY_SCAN_STEP;
		e->n_to_scan -= n;
		evict_choose_expired(e, n, now_s);
	}
	if (e->sweep != SWEEP_DONE)
		evict_room_sweep(e, e->sweep_step);
	if (e->dead.block != ARENA_NONE || !has_ahead(e))
		evict_room_step(e, NULL, now_s);
}

/* ---- a chain that is too long ---- */

struct chain_pick {
	const struct evict *evict;
	struct table_place oldest;
	uint64_t cas;
	uint32_t now_s;
	bool dead;
};

static void
pick_oldest(void *arg, const struct table_place *place)
{
	struct chain_pick *pick = arg;
	struct record r = record_load(pick->evict->arena, table_item_off(place->slot));
	uint64_t cas = item_cas(r.word1);
	bool dead = record_is_flushed(pick->evict->arena, &r, pick->evict->cutoff) ||
	    item_expired(item_expiry_s(r.word0), pick->now_s);

	if (dead > pick->dead || (dead == pick->dead && cas <= pick->cas)) {
		pick->dead = dead;
		pick->cas = cas;
		pick->oldest = *place;
	}
}

bool
evict_chain_room(struct evict *e, uint64_t hash, uint32_t now_s)
{
	while (!table_can_link(e->table, hash)) {
		struct chain_pick pick = {.evict = e, .cas = UINT64_MAX, .now_s = now_s};
		table_visit(
		    e->table, table_bucket_idx(hash, e->table->n_buckets), pick_oldest, &pick);
		CHECK(slot_is_item(pick.oldest.slot));
		struct record r = record_load(e->arena, table_item_off(pick.oldest.slot));
		if (!evict_dead_already(e, &r, now_s)) {
			if (!e->enabled)
				return false;
			e->stat[SHM_STAT_EVICTIONS]++;
			e->stat[SHM_STAT_CHAIN_EVICTIONS]++;
		}
		evict_unlink(e, &pick.oldest);
	}
	return true;
}
