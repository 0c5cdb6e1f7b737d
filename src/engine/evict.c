/* evict.c: the choice of victims, and the fate of their items. */
#include "engine/evict_private.h"

#include "engine/crash.h"
#include "engine/record.h"
#include "shm/hint.h"

/* of the arena: the small log's share at the start */
#define TARGET_FIRST(bytes) ((bytes) / 10)
#define TARGET_MIN(bytes)   ((bytes) / 50)     /* 2 % */
#define TARGET_MAX(bytes)   ((bytes) / 10 * 9) /* 90 % */

void
evict_init(struct evict *e, struct arena *arena, struct table *table, uint64_t *stat, bool enabled)
{
	*e = (struct evict){.arena = arena,
	    .table = table,
	    .stat = stat,
	    .enabled = enabled,
	    .usual_bytes = 1,
	    .sweep = SWEEP_DONE,
	    .sweep_step = SWEEP_STEP,
	    .fresh_off = ARENA_NO_ROOM,
	    .dead = {.block = ARENA_NONE},
	    .oldest = {{.block = ARENA_NONE}, {.block = ARENA_NONE}}};
	ghost_init(&e->ghost);
	e->small_target = TARGET_FIRST(arena->map->arena_bytes) << 8;
	/* A successor may find few free blocks and much dead memory: without
	 * credit its first SETs would evict live items. */
	e->clean_credit = CLEAN_CREDIT_MAX(arena->block_bytes);
}

void
evict_fini(struct evict *e)
{
	ghost_fini(&e->ghost);
}

/* ---- the two logs -------------------------------------------------------- */

static uint64_t
log_bytes(const struct evict *e, enum arena_log log)
{
	const struct arena_queue *q = &e->arena->queue[log];

	return ((uint64_t)q->n_blocks << e->arena->block_shift) +
	    ((uint64_t)q->n_extents << (e->arena->block_shift - BLOCK_PARTS_SHIFT));
}

uint64_t
evict_small_target(const struct evict *e)
{
	return (e->small_target >> 8) >> e->arena->block_shift;
}

/* A hit in the small log's ghost says that the small log was too small; one in
 * the main log's ghost, that it was too large. The rarer kind weighs more. */
static void
evict_adapt(struct evict *e, enum arena_log ghost_log)
{
	uint64_t bytes = e->arena->map->arena_bytes;
	uint64_t item = e->table->n_items > 0 ? (e->arena->live_bytes << 8) / e->table->n_items : 0;
	uint64_t small = ghost_alive(&e->ghost, ARENA_SMALL),
		 main = ghost_alive(&e->ghost, ARENA_MAIN);
	uint64_t min = TARGET_MIN(bytes) << 8, max = TARGET_MAX(bytes) << 8;

	if (ghost_log == ARENA_SMALL) {
		uint64_t step = main > small ? item * main / (small + 1) : item;
		e->small_target = e->small_target + step < max ? e->small_target + step : max;
	} else {
		uint64_t step = small > main ? item * small / (main + 1) : item;
		e->small_target = e->small_target > min + step ? e->small_target - step : min;
	}
	CHECK(e->small_target >= min && e->small_target <= max);
}

/* ---- what a hint pays for ------------------------------------------------ */

/*
 * The usual size is the mean of two means: over items, and over bytes (the size
 * of the item that a random byte of the arena belongs to). If all items have
 * one size, both are that size. Under a heavy tail the first is the size of the
 * many small items, and as a yardstick alone it would turn away every large
 * item; the second is the size of the few large items.
 */
static void
measure_usual(struct evict *e)
{
	uint64_t n_items = e->table->n_items, live_units = e->arena->live_bytes / ITEM_UNIT_BYTES;

	if (n_items > 0 && live_units > 0)
		e->usual_bytes = (live_units * ITEM_UNIT_BYTES / n_items +
				     e->arena->live_squares * ITEM_UNIT_BYTES / live_units) /
		    2;
}

/*
 * The hints that an item pays to stay. The items best kept are those with the
 * most hits for each byte, so in the main log the price of a round is
 * proportional to the size: one hint for an item of the usual size. In the
 * small log an item of the usual size pays EVICT_HINT_MIN, and a smaller one
 * less, down to nothing at a ninth of that size: if it is never asked for
 * again, its memory costs less than a wrong guess would. Prices are whole
 * hints. The fraction is rounded up or down at random, so that over many rounds
 * or items the price is right.
 */
static uint8_t
evict_price(struct evict *e, enum arena_log log, uint64_t bytes)
{
	uint64_t usual = e->usual_bytes, due = bytes;
	uint8_t hints = 0;

	CHECK(usual > 0);
	if (log == ARENA_SMALL)
		due = bytes * 9 > usual ? (bytes * 9 - usual) * EVICT_HINT_MIN / 8 : 0;
	e->dither = e->dither * 1664525 + 1013904223;
	for (due += e->dither * usual >> 32; due >= usual && hints < HINT_MAX; due -= usual)
		hints++;
	return hints;
}

/* The hints that an item keeps when it goes to the main log. Hints above the
 * usual price are not carried on, so that items of one size all begin with
 * none. */
static uint8_t
evict_change(uint8_t hints, uint8_t paid)
{
	uint8_t most = hints < EVICT_HINT_MIN ? hints : EVICT_HINT_MIN;

	return paid < most ? most - paid : 0;
}

/* A key that returns after its eviction starts with the hints that would have
 * kept it. */
enum arena_log
evict_log_for(struct evict *e, uint64_t hash, uint64_t bytes, uint8_t *ret_hint)
{
	enum arena_log log;

	*ret_hint = 0;
	if (!ghost_take(&e->ghost, hash, &log))
		return ARENA_SMALL;
	e->stat[log == ARENA_MAIN ? SHM_STAT_GHOST_HITS_MAIN : SHM_STAT_GHOST_HITS_SMALL]++;
	evict_adapt(e, log);
	*ret_hint = evict_change(EVICT_HINT_MIN, evict_price(e, ARENA_SMALL, bytes));
	return ARENA_MAIN;
}

/* ---- one item ------------------------------------------------------------ */

static uint8_t
hint_of(const struct evict *e, uint64_t ref)
{
	const struct byte *b = table_hint(e->table, ref);

	return b != NULL ? byte_load_rlx(b) & HINT_MAX : 0; /* whatever a client stored */
}

static void
set_hint(const struct evict *e, uint64_t ref, uint8_t hint)
{
	struct byte *b = table_hint(e->table, ref);

	CHECK(hint <= HINT_MAX);
	if (b != NULL)
		byte_store_rlx(b, hint); /* relaxed: hints order nothing */
}

enum fate { KEPT, GOES, NO_PLACE };

/* Decides about a live item of a victim, and copies it if it is kept. NO_PLACE:
 * it may not go, and there is no memory to copy it to. */
static enum fate
evict_keep(struct evict *e, struct victim *v, const struct record *r, struct table_place *place,
    uint32_t now_s)
{
	enum arena_log log = e->arena->block[v->block].log;
	uint32_t ttl_class = arena_class(e->arena, item_expiry_s(r->word0), now_s);
	uint8_t hint = hint_of(e, place->ref), due;
	uint64_t to;

	if (v->kind != VICTIM_EVICT) {
		to = arena_append_copy(e->arena, log, ttl_class, r->shape.record_bytes, 0);
		if (to == ARENA_NO_ROOM)
			return NO_PLACE;
		evict_move_record(e, v, r, place, to);
		return KEPT;
	}
	due = evict_price(e, log, record_memory(e->arena, r));
	if (e->hot_run >= EVICT_HOT_RUN_MAX || e->hot_left == 0 || hint < due)
		return GOES;
	/* The last free block is left to cleaning, which needs it to come to an
	 * end. */
	to = arena_append(e->arena, ARENA_MAIN, ttl_class, r->shape.record_bytes, 1);
	if (to == ARENA_NO_ROOM)
		return GOES;
	evict_move_record(e, v, r, place, to);
	set_hint(e, place->ref, log == ARENA_SMALL ? evict_change(hint, due) : hint - due);
	return KEPT;
}

/* Examines one record of a victim. False: a live item has no place to be copied
 * to. */
static bool
evict_examine(struct evict *e, struct victim *v, uint64_t off, uint32_t now_s)
{
	struct record r = record_load(e->arena, off);
	uint64_t hash = record_hash(e->arena, &r);
	struct table_place place;

	e->examined++;
	if (!table_find_item(e->table, hash, off, &place))
		return true;
	if (!evict_dead_already(e, &r, now_s)) {
		enum fate fate = evict_keep(e, v, &r, &place, now_s);
		if (fate != GOES)
			return fate == KEPT;
		e->stat[SHM_STAT_EVICTIONS]++;
		e->stat[SHM_STAT_EVICTED_UNFETCHED] +=
		    (item_state(r.word1) & ITEM_FETCHED) == 0 && hint_of(e, place.ref) == 0;
		ghost_put(&e->ghost, e->arena->block[v->block].log, hash, e->table->n_items);
	}
	evict_unlink(e, &place);
	return true;
}

/* ---- victims ------------------------------------------------------------- */

static void
take_victim(struct evict *e, struct victim *v, uint32_t block_idx, enum victim_kind kind)
{
	CHECK(v->block == ARENA_NONE);
	arena_take_victim(e->arena, block_idx);
	*v = (struct victim){.block = block_idx, .kind = kind};
	measure_usual(e);
}

bool
evict_choose_expired(struct evict *e, uint32_t n, uint32_t now_s)
{
	for (; n > 0; n--) {
		uint32_t i = e->expiry_scan++ % e->arena->n_blocks;
		const struct block *s = &e->arena->block[i];
		arena_look(e->arena, i, now_s);
		if (s->latest_s > now_s || s->n_live == 0)
			continue;
		if (e->dead.block != ARENA_NONE) {
			e->n_to_scan = e->arena->n_blocks; /* it has to be found again */
			continue;
		}
		if (s->kind == BLOCK_OPEN)
			arena_seal(e->arena, s->log, s->ttl_class);
		if (s->kind == BLOCK_SEALED) {
			take_victim(e, &e->dead, i, VICTIM_EXPIRED);
			return true;
		}
	}
	return false;
}

bool
evict_choose_clean(struct evict *e)
{
	uint32_t i = arena_emptiest(e->arena, e->arena->n_free <= PARTS_RESERVE);

	CHECK(e->clean_credit <= CLEAN_CREDIT_MAX(e->arena->block_bytes));
	if (i == ARENA_NONE || e->arena->n_free == 0)
		return false;
	uint32_t copy_bytes = arena_copy_bytes(&e->arena->block[i]);
	if (e->arena->block[i].kind == BLOCK_PARTS)
		copy_bytes += copy_bytes / 2; /* and the records that list them */
	if (arena_net_bytes(e->arena, &e->arena->block[i]) >= CLEAN_LIVE_MAX(e->arena->block_bytes))
		return false;
	if (copy_bytes <= e->clean_credit)
		e->clean_credit -= copy_bytes;
	else if (e->clean_left > 0)
		e->clean_left--;
	else
		return false;
	take_victim(e, &e->dead, i, VICTIM_CLEAN);
	return true;
}

static uint32_t
oldest_sealed(const struct evict *e, enum arena_log log)
{
	uint32_t i = e->arena->queue[log].list.first;

	while (i != ARENA_NONE && e->arena->block[i].kind != BLOCK_SEALED)
		i = e->arena->block[i].queued.next;
	return i;
}

/* Seals the oldest open block of a log, for want of a sealed one, and returns
 * it. ARENA_NONE: no block is open. An open block without items is free once it
 * is sealed; then the next one is tried. */
static uint32_t
seal_oldest(struct evict *e, enum arena_log log)
{
	uint32_t i, next;

	for (i = e->arena->queue[log].list.first; i != ARENA_NONE; i = next) {
		next = e->arena->block[i].queued.next;
		if (e->arena->block[i].kind != BLOCK_OPEN)
			continue;
		arena_seal(e->arena, log, e->arena->block[i].ttl_class);
		if (e->arena->block[i].kind == BLOCK_SEALED)
			return i;
	}
	return ARENA_NONE;
}

/* Continues with the log's victim, or makes its oldest block the victim.
 * ahead: no open block is sealed, and the block that was just written is
 * left alone. */
static bool
choose_oldest(struct evict *e, enum arena_log log, bool may_seal, bool ahead)
{
	struct victim *v = &e->oldest[log];

	if (v->block != ARENA_NONE)
		return true;
	uint32_t i = oldest_sealed(e, log);
	if (i == ARENA_NONE && may_seal && !ahead)
		i = seal_oldest(e, log);
	if (i == ARENA_NONE ||
	    (ahead && e->fresh_off != ARENA_NO_ROOM && i == arena_block_of(e->arena, e->fresh_off)))
		return false;
	take_victim(e, v, i, VICTIM_EVICT);
	return true;
}

struct victim *
evict_choose_oldest(struct evict *e, bool ahead)
{
	enum arena_log first =
	    log_bytes(e, ARENA_SMALL) > e->small_target >> 8 ? ARENA_SMALL : ARENA_MAIN;
	enum arena_log second = first == ARENA_SMALL ? ARENA_MAIN : ARENA_SMALL;

	if (choose_oldest(e, first, e->arena->queue[first].n_extents > 0, ahead))
		return &e->oldest[first];
	if (choose_oldest(e, second, e->arena->queue[second].n_extents > 0, ahead))
		return &e->oldest[second];
	if (choose_oldest(e, first, true, ahead))
		return &e->oldest[first];
	return choose_oldest(e, second, true, ahead) ? &e->oldest[second] : NULL;
}

static void
finish_victim(struct evict *e, struct victim *v)
{
	if (v->kind == VICTIM_EVICT) {
		e->stat[SHM_STAT_SEGMENTS_EVICTED]++;
		e->hot_left -= e->hot_left > 0;
		if (e->hot_run >= EVICT_HOT_RUN_MAX || v->kept < e->arena->block_bytes / 8 * 7)
			e->hot_run = 0;
		else
			e->hot_run++;
	} else if (v->kind == VICTIM_CLEAN) {
		e->stat[SHM_STAT_SEGMENTS_CLEANED]++;
	} else {
		e->stat[SHM_STAT_SEGMENTS_EXPIRED]++;
	}
	CHECK(e->hot_run <= EVICT_HOT_RUN_MAX);
	arena_free(e->arena, v->block);
	CRASH_POINT("evict:freed");
	v->block = ARENA_NONE;
}

bool
evict_empty_one(struct evict *e, struct victim *v, uint32_t now_s)
{
	uint64_t off = 0;
	bool more, done;

	CHECK(v->block < e->arena->n_blocks);
	if (e->arena->block[v->block].kind == BLOCK_PARTS_VICTIM) {
		more = arena_walk_parts(e->arena, v->block, &v->cursor, &off);
		done = !more || evict_examine_parts(e, v, off, now_s);
	} else {
		more = arena_walk(e->arena, v->block, &v->cursor, &off);
		done = !more || evict_examine(e, v, off, now_s);
	}
	if (!more)
		finish_victim(e, v);
	if (done)
		return true;
	arena_leave_victim(e->arena, v->block);
	v->block = ARENA_NONE;
	e->clean_credit = 0; /* nor for any other, until something was written */
	e->clean_left = 0;
	return false;
}
