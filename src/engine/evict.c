/*
 * evict.c: victims, and what becomes of their items.
 */
#include "engine/evict.h"

#include "engine/crash.h"
#include "engine/record.h"
#include "shm/hint.h"

#define TARGET_FIRST(bytes) ((bytes) / 10)      /* of the arena: the small log's share at the start */
#define TARGET_MIN(bytes)   ((bytes) / 50)      /* 2 % */
#define TARGET_MAX(bytes)   ((bytes) / 10 * 9)  /* 90 % */
/* A fuller one would give back less than an eighth of what was copied; up to there the credit says how much cleaning is done. */
#define CLEAN_LIVE_MAX(seg) ((seg) / 8 * 7)
#define CLEAN_CREDIT_MAX(seg) ((uint64_t)(seg) * 4)
#define EXPIRY_SCAN_STEP    8                   /* segments looked at for each SET */
#define AHEAD_SEGMENTS      2                   /* free beyond the reserve: below it, work is done ahead */

void
evict_init(struct evict *e, struct arena *arena, struct table *table, bool enabled)
{
	*e = (struct evict){.arena = arena, .table = table, .enabled = enabled, .victim = ARENA_NONE, .usual_bytes = 1};
	ghost_init(&e->ghost);
	e->small_target = TARGET_FIRST(arena->map->arena_bytes) << 8;
	/* A successor may find little free and much that is dead: without credit its first SETs would evict what is live. */
	e->clean_credit = CLEAN_CREDIT_MAX(arena->seg_bytes);
}

void
evict_fini(struct evict *e)
{
	ghost_fini(&e->ghost);
}

/* ---- the two logs --------------------------------------------------------------------------------------------------- */

static uint64_t
log_bytes(const struct evict *e, enum arena_log log)
{
	const struct arena_queue *q = &e->arena->queue[log];

	return (uint64_t)(q->n_segments + q->n_extents) << e->arena->seg_shift;
}

uint64_t
evict_small_target(const struct evict *e)
{
	return (e->small_target >> 8) >> e->arena->seg_shift;
}

/* A ghost of the small log: it was too small. One of the main log: too large. The rarer kind weighs more. */
static void
adapt(struct evict *e, enum arena_log ghost_log)
{
	uint64_t bytes = e->arena->map->arena_bytes;
	uint64_t item = e->table->n_items > 0 ? (e->arena->live_bytes << 8) / e->table->n_items : 0;
	uint64_t small = ghost_alive(&e->ghost, ARENA_SMALL), main = ghost_alive(&e->ghost, ARENA_MAIN);
	uint64_t min = TARGET_MIN(bytes) << 8, max = TARGET_MAX(bytes) << 8;

	if (ghost_log == ARENA_SMALL) {
		uint64_t step = main > small ? item * main / (small + 1) : item;
		e->small_target = e->small_target + step < max ? e->small_target + step : max;
	} else {
		uint64_t step = small > main ? item * small / (main + 1) : item;
		e->small_target = e->small_target > min + step ? e->small_target - step : min;
	}
}

/* ---- what a hint pays for ------------------------------------------------------------------------------------------------ */

/*
 * Sizes are weighed against the mean of two: of the mean over items and of the mean over bytes (the size of the item that a byte of the
 * arena is likely to belong to). Where items are all of one size that is it. Under a heavy tail the first is what the many small ones have, and
 * a yardstick of it alone turns away all that takes room; the second is what the few large ones have.
 */
static void
measure_usual(struct evict *e)
{
	uint64_t n_items = e->table->n_items, live_words = e->arena->live_bytes / 8;

	if (n_items > 0 && live_words > 0)
		e->usual_bytes = (live_words * 8 / n_items + e->arena->live_squares * 8 / live_words) / 2;
}

/*
 * The hints that an item pays to stay. What is best kept are the items with the most hits for each byte, so in the main log the price of a
 * round is proportional to the size: one hint for the usual one. From the small log the usual one pays EVICT_HINT_MIN, and smaller ones
 * less, down to nothing at a ninth of it: what they take, should they never be asked for again, is less than a wrong guess would cost.
 * Prices are whole hints: the fraction is rounded up or down at random, so that over many rounds, or many items, the price is right.
 */
static uint8_t
price(struct evict *e, enum arena_log log, uint64_t bytes)
{
	uint64_t usual = e->usual_bytes, due = bytes;
	uint8_t hints = 0;

	if (log == ARENA_SMALL)
		due = bytes * 9 > usual ? (bytes * 9 - usual) * EVICT_HINT_MIN / 8 : 0;
	e->dither = e->dither * 1664525 + 1013904223;
	for (due += e->dither * usual >> 32; due >= usual && hints < HINT_MAX; due -= usual)
		hints++;
	return hints;
}

/* What is left of the hints of one that goes to the main log. More than the usual price isn't carried on: of one size, all begin with none. */
static uint8_t
change(uint8_t hints, uint8_t paid)
{
	uint8_t most = hints < EVICT_HINT_MIN ? hints : EVICT_HINT_MIN;

	return paid < most ? most - paid : 0;
}

/* To have come back is worth as much as the hints that would have kept it. */
enum arena_log
evict_log_for(struct evict *e, uint64_t hash, uint64_t bytes, uint8_t *ret_hint)
{
	enum arena_log log;

	*ret_hint = 0;
	if (!ghost_take(&e->ghost, hash, &log))
		return ARENA_SMALL;
	adapt(e, log);
	*ret_hint = change(EVICT_HINT_MIN, price(e, ARENA_SMALL, bytes));
	return ARENA_MAIN;
}

/* ---- one item --------------------------------------------------------------------------------------------------------- */

void
evict_unlink(struct evict *e, const struct table_place *place)
{
	struct record r = record_load(e->arena, table_item_off(place->slot));

	e->n.payload_dropped += item_key_bytes(r.word0) + item_value_bytes(r.word0);
	table_unlink(e->table, place);
	CRASH_POINT("evict:unlinked");
	arena_drop_live(e->arena, r.off, &r.shape, false);
}

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

	if (b != NULL)
		byte_store_rlx(b, hint); /* relaxed: hints order nothing */
}

/* Copies a record to the end of a log; its extents stay where they are. False: there is no free segment for it. */
static bool
move_record(struct evict *e, const struct record *r, struct table_place *place, enum arena_log log, uint32_t now_s)
{
	struct arena *a = e->arena;
	uint32_t expiry_s = item_expiry_s(r->word0);
	uint64_t to = arena_append(a, log, arena_class(a, expiry_s, now_s), r->shape.record_bytes, 0);

	if (to == ARENA_NO_ROOM)
		return false;
	struct word *src = arena_word(a, r->off), *dst = arena_word(a, to);
	for (uint64_t i = 0; i < r->shape.record_bytes / 8; i++)
		word_store_rlx(&dst[i], word_load_rlx(&src[i])); /* relaxed: the switch that follows guards it */
	CRASH_POINT("clean:copied");
	table_switch(e->table, place, to);
	arena_drop_live(a, r->off, &r->shape, true);
	arena_add_live(a, to, &r->shape, expiry_s);
	e->n.bytes_copied += r->shape.record_bytes;
	e->victim_kept += (uint32_t)r->shape.record_bytes;
	return true;
}

/* What becomes of a live item of a victim. */
static bool
keep(struct evict *e, const struct record *r, struct table_place *place, uint32_t now_s)
{
	enum arena_log log = e->arena->seg[e->victim].log;
	uint8_t hint = hint_of(e, place->ref), due;

	if (e->kind == VICTIM_CLEAN) {
		e->n.bytes_cleaned += r->shape.record_bytes;
		return move_record(e, r, place, log, now_s);
	}
	due = price(e, log, record_memory(e->arena, r));
	if (e->hot_run >= EVICT_HOT_RUN_MAX || e->hot_left == 0 || hint < due || !move_record(e, r, place, ARENA_MAIN, now_s))
		return false;
	set_hint(e, place->ref, log == ARENA_SMALL ? change(hint, due) : hint - due);
	return true;
}

static void
examine(struct evict *e, uint64_t off, uint32_t now_s)
{
	struct record r = record_load(e->arena, off);
	uint64_t hash = record_hash(e->arena, &r);
	struct table_place place;

	e->n.examined++;
	if (!table_find_item(e->table, hash, off, &place))
		return;
	if (item_cas(r.word1) <= e->cutoff) {
		e->n.flushed++;
	} else if (item_expired(item_expiry_s(r.word0), now_s)) {
		e->n.expired++;
	} else {
		if (keep(e, &r, &place, now_s))
			return;
		e->n.evicted++;
		e->n.evicted_unfetched += (item_state(r.word1) & ITEM_FETCHED) == 0 && hint_of(e, place.ref) == 0;
		ghost_put(&e->ghost, e->arena->seg[e->victim].log, hash, e->table->n_items);
	}
	evict_unlink(e, &place);
}

/* ---- victims ------------------------------------------------------------------------------------------------------------ */

static void
take_victim(struct evict *e, uint32_t seg_idx, enum victim_kind kind)
{
	arena_take_victim(e->arena, seg_idx);
	e->victim = seg_idx;
	e->kind = kind;
	e->cursor = 0;
	e->victim_kept = 0;
	measure_usual(e);
}

/* Looks at the next few segments: what of them has expired, and, if there is no victim yet, whether it is all of one. */
static bool
choose_expired(struct evict *e, uint32_t n, uint32_t now_s)
{
	for (; n > 0; n--) {
		uint32_t i = e->expiry_scan++ % e->arena->n_segments;
		const struct segment *s = &e->arena->seg[i];
		arena_look(e->arena, i, now_s);
		if (s->latest_s > now_s || s->n_live == 0)
			continue;
		if (e->victim != ARENA_NONE) {
			e->n_to_scan = e->arena->n_segments; /* it has to be found again */
			continue;
		}
		if (s->kind == SEG_OPEN)
			arena_seal(e->arena, s->log, s->ttl_class);
		if (s->kind == SEG_SEALED) {
			take_victim(e, i, VICTIM_EXPIRED);
			return true;
		}
	}
	return false;
}

static bool
choose_clean(struct evict *e)
{
	uint32_t i = arena_emptiest(e->arena);

	if (i == ARENA_NONE || e->arena->n_free == 0)
		return false;
	uint32_t copy_bytes = arena_copy_bytes(&e->arena->seg[i]);
	if (arena_net_bytes(e->arena, &e->arena->seg[i]) >= CLEAN_LIVE_MAX(e->arena->seg_bytes) || copy_bytes > e->clean_credit)
		return false;
	e->clean_credit -= copy_bytes;
	take_victim(e, i, VICTIM_CLEAN);
	return true;
}

static uint32_t
oldest_sealed(const struct evict *e, enum arena_log log)
{
	uint32_t i = e->arena->queue[log].oldest;

	while (i != ARENA_NONE && e->arena->seg[i].kind != SEG_SEALED)
		i = e->arena->seg[i].next;
	return i;
}

/* The oldest open segment of a log, sealed for want of an older one. ARENA_NONE: there is none, or it was empty and is free now. */
static uint32_t
seal_one(struct evict *e, enum arena_log log, bool *ret_freed)
{
	for (uint32_t c = 0; c < e->arena->n_classes; c++) {
		uint32_t i = e->arena->open[log][c];
		if (i == ARENA_NONE)
			continue;
		arena_seal(e->arena, log, c);
		*ret_freed = e->arena->seg[i].kind != SEG_SEALED;
		return *ret_freed ? ARENA_NONE : i;
	}
	return ARENA_NONE;
}

static bool
choose_evict(struct evict *e)
{
	enum arena_log first = log_bytes(e, ARENA_SMALL) > e->small_target >> 8 ? ARENA_SMALL : ARENA_MAIN;
	enum arena_log second = first == ARENA_SMALL ? ARENA_MAIN : ARENA_SMALL;
	bool freed = false;
	uint32_t i = oldest_sealed(e, first);

	if (i == ARENA_NONE)
		i = oldest_sealed(e, second);
	if (i == ARENA_NONE)
		i = seal_one(e, first, &freed);
	if (i == ARENA_NONE && !freed)
		i = seal_one(e, second, &freed);
	if (i != ARENA_NONE)
		take_victim(e, i, VICTIM_EVICT);
	return i != ARENA_NONE || freed;
}

static bool
choose_victim(struct evict *e, bool may_evict, uint32_t now_s)
{
	return choose_expired(e, EXPIRY_SCAN_STEP, now_s) || choose_clean(e) || (may_evict && e->enabled && choose_evict(e));
}

static void
finish_victim(struct evict *e)
{
	if (e->kind == VICTIM_EVICT) {
		e->n.segments_evicted++;
		e->hot_left -= e->hot_left > 0;
		if (e->hot_run >= EVICT_HOT_RUN_MAX || e->victim_kept < e->arena->seg_bytes / 8 * 7)
			e->hot_run = 0;
		else
			e->hot_run++;
	} else if (e->kind == VICTIM_CLEAN) {
		e->n.segments_cleaned++;
	} else {
		e->n.segments_expired++;
	}
	arena_free(e->arena, e->victim);
	CRASH_POINT("evict:freed");
	e->victim = ARENA_NONE;
}

/* Examines up to n items. Returns false when there is no victim to be had. */
static bool
step(struct evict *e, uint32_t n, bool may_evict, uint32_t now_s)
{
	uint64_t off;

	if (e->victim == ARENA_NONE && !choose_victim(e, may_evict, now_s))
		return false;
	for (; n > 0 && e->victim != ARENA_NONE; n--) {
		if (arena_walk(e->arena, e->victim, &e->cursor, &off))
			examine(e, off, now_s);
		else
			finish_victim(e);
	}
	return true;
}

/* ---- room --------------------------------------------------------------------------------------------------------------- */

static bool
has_room(const struct evict *e, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes, uint32_t n_extents)
{
	uint32_t need = n_extents + !arena_open_fits(e->arena, log, ttl_class, record_bytes);

	return e->arena->n_free >= ARENA_RESERVE + need;
}

bool
evict_room(struct evict *e, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes, uint32_t n_extents,
    uint32_t now_s)
{
	bool scanned = false;

	e->arena->now_s = now_s;
	/* What is kept of a victim may take up as much elsewhere, for the waste at segments' ends: hot_run alone doesn't end this. */
	e->hot_left = EVICT_HOT_RUN_MAX * (1 + n_extents);
	while (!has_room(e, log, ttl_class, record_bytes, n_extents)) {
		if (step(e, EVICT_AHEAD_ITEMS, true, now_s))
			continue;
		/* Without eviction, what has expired must be found before a SET is refused. */
		if (scanned || !choose_expired(e, e->arena->n_segments, now_s))
			return false;
		scanned = false;
	}
	return true;
}

void
evict_ahead(struct evict *e, uint64_t written_bytes, uint32_t now_s)
{
	uint64_t credit_max = CLEAN_CREDIT_MAX(e->arena->seg_bytes);

	e->hot_left = EVICT_HOT_RUN_MAX;
	e->clean_credit += written_bytes * EVICT_COPY_PER_BYTE;
	if (e->clean_credit > credit_max)
		e->clean_credit = credit_max;
	/* A second in which all segments were looked at brings nothing new. */
	if (now_s != e->scanned_s) {
		e->scanned_s = now_s;
		e->n_to_scan = e->arena->n_segments;
	}
	if (e->n_to_scan > 0) {
		uint32_t n = e->n_to_scan < EXPIRY_SCAN_STEP ? e->n_to_scan : EXPIRY_SCAN_STEP;
		e->n_to_scan -= n;
		choose_expired(e, n, now_s);
	}
	if (e->victim != ARENA_NONE || e->arena->n_free < ARENA_RESERVE + AHEAD_SEGMENTS)
		step(e, EVICT_AHEAD_ITEMS, e->arena->n_free < ARENA_RESERVE + AHEAD_SEGMENTS, now_s);
}

/* ---- a chain that is too long --------------------------------------------------------------------------------------------- */

struct chain_pick {
	const struct arena *arena;
	struct table_place oldest;
	uint64_t cas;
};

static void
pick_oldest(void *arg, const struct table_place *place)
{
	struct chain_pick *pick = arg;
	uint64_t cas = item_cas(record_load(pick->arena, table_item_off(place->slot)).word1);

	if (cas <= pick->cas) {
		pick->cas = cas;
		pick->oldest = *place;
	}
}

void
evict_from_chain(struct evict *e, uint64_t head)
{
	struct chain_pick pick = {.arena = e->arena, .cas = UINT64_MAX};

	table_visit(e->table, head, pick_oldest, &pick);
	if (pick.cas != UINT64_MAX) {
		e->n.evicted++;
		evict_unlink(e, &pick.oldest);
	}
}
