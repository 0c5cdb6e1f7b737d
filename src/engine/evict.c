/*
 * evict.c: the oldest segment goes.
 */
#include "engine/evict.h"

#include "engine/crash.h"
#include "engine/record.h"

void
evict_init(struct evict *e, struct arena *arena, struct table *table, bool enabled)
{
	*e = (struct evict){.arena = arena, .table = table, .enabled = enabled, .victim = ARENA_NONE};
}

enum arena_log
evict_log_for(struct evict *e, uint64_t hash)
{
	(void)e;
	(void)hash;
	return ARENA_SMALL;
}

void
evict_unlink(struct evict *e, const struct table_place *place)
{
	struct record r = record_load(e->arena, table_item_off(place->slot));

	e->n.payload_dropped += item_key_bytes(r.word0) + item_value_bytes(r.word0);
	table_unlink(e->table, place);
	CRASH_POINT("evict:unlinked");
	arena_drop_live(e->arena, r.off, &r.shape, false);
}

/* Unlinks the item at off if it is live, and counts why it went. */
static void
drop(struct evict *e, uint64_t off, uint32_t now_s)
{
	struct record r = record_load(e->arena, off);
	struct table_place place;

	e->n.examined++;
	if (!table_find_item(e->table, record_hash(e->arena, &r), off, &place))
		return;
	if (item_cas(r.word1) <= e->cutoff)
		e->n.flushed++;
	else if (item_expired(item_expiry_s(r.word0), now_s))
		e->n.expired++;
	else {
		e->n.evicted++;
		e->n.evicted_unfetched += (item_state(r.word1) & ITEM_FETCHED) == 0;
	}
	evict_unlink(e, &place);
}

static bool
choose_victim(struct evict *e)
{
	uint32_t i = e->arena->queue[ARENA_SMALL].oldest;

	while (i != ARENA_NONE && e->arena->seg[i].kind != SEG_SEALED)
		i = e->arena->seg[i].next;
	if (i == ARENA_NONE) /* all that is left is open: seal it */
		for (uint32_t c = 0; c < e->arena->n_classes && i == ARENA_NONE; c++)
			if ((i = e->arena->open[ARENA_SMALL][c]) != ARENA_NONE)
				arena_seal(e->arena, ARENA_SMALL, c);
	if (i == ARENA_NONE || e->arena->seg[i].kind != SEG_SEALED)
		return i != ARENA_NONE; /* it was empty, and was freed as it was sealed */
	e->arena->seg[i].kind = SEG_VICTIM;
	e->victim = i;
	e->cursor = 0;
	return true;
}

/* Examines up to n items. Returns false when there is nothing to evict. */
static bool
step(struct evict *e, uint32_t n, uint32_t now_s)
{
	uint64_t off;

	if (e->victim == ARENA_NONE && !choose_victim(e))
		return false;
	for (; n > 0 && e->victim != ARENA_NONE; n--) {
		if (arena_walk(e->arena, e->victim, &e->cursor, &off)) {
			drop(e, off, now_s);
			continue;
		}
		arena_free(e->arena, e->victim);
		CRASH_POINT("evict:freed");
		e->victim = ARENA_NONE;
		e->n.segments_evicted++;
	}
	return true;
}

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
	while (!has_room(e, log, ttl_class, record_bytes, n_extents))
		if (!e->enabled || !step(e, EVICT_AHEAD_ITEMS, now_s))
			return false;
	return true;
}

void
evict_ahead(struct evict *e, uint32_t now_s)
{
	if (e->enabled && e->arena->n_free < ARENA_RESERVE + 2)
		step(e, EVICT_AHEAD_ITEMS, now_s);
}

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
