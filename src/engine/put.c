/*
 * put.c: storing: set, add, replace, append, prepend, cas; incr and decr.
 *
 * The way of a put, from top to bottom, with the file that each step is in:
 *
 *   store_put     put_admit       mode and CAS id admit it   store_find (store)
 *                 store_next_cas  the item's id              (store)
 *                 value_plan      the record's shape         (value)
 *                 take_memory     which log                  ghost_take (ghost)
 *                                 room for the record        evict_room (evict)
 *                                   blocks are cleaned       arena_* (arena)
 *                                   old items go             ghost_put (ghost)
 *                                 a slot for a new key       (evict, table)
 *                 table_find      the old item's slot: making room may have
 *                                 moved or dropped it        (table)
 *                 value_begin     memory, header, key        (value, arena)
 *                 value_append    the value                  (value)
 *                 link_record     one slot leads to it       (table)
 *                                 it counts, the old doesn't (arena)
 *                                 growth                     (table_split)
 *                 evict_ahead     room for the next put      (evict)
 */
#include <stdlib.h>

#include "base/number.h"
#include "engine/crash.h"
#include "engine/record.h"
#include "engine/store_private.h"
#include "shm/seq.h"

#define SPLITS_PER_SET 2

/* ---- storing ------------------------------------------------------------- */

/* tags: 0, or ITEM_TAGS. */
static bool
put_fits(
    const struct store *s, uint32_t key_bytes, uint64_t value_bytes, uint32_t flags, uint32_t tags)
{
	uint64_t overhead = ITEM_HEADER_BYTES + (flags != 0 ? 8u : 0u) + key_bytes;

	if (value_bytes > ITEM_VALUE_MAX || overhead + value_bytes > s->conf.item_max_bytes ||
	    value_extents_max(&s->arena, value_bytes) > s->arena.n_blocks / 2 + 1)
		return false;
	/* With small blocks the list of extents may be longer than a block. */
	uint32_t state = ITEM_EXTENTS | tags | (flags != 0 ? ITEM_FLAGS : 0);
	struct item_shape longest =
	    item_shape(state, key_bytes, (uint32_t)value_bytes, s->arena.block_shift);
	return longest.record_bytes <= s->arena.block_bytes;
}

bool
store_fits(const struct store *s, uint32_t key_bytes, uint64_t value_bytes, uint32_t flags)
{
	return put_fits(s, key_bytes, value_bytes, flags, ITEM_TAGS);
}

/* Links a written record: in place of `old`, or as a new key. */
static void
link_record(struct store *s, const struct store_key *key, const struct table_place *old,
    struct value_write *w, uint32_t now_s)
{
	struct table_place place;
	bool had_old = old != NULL;

	if (had_old) {
		struct record gone = record_load(&s->arena, table_item_off(old->slot));
		place = *old;
		table_switch(&s->table, &place, w->item_off);
		s->stat[SHM_STAT_PAYLOAD_BYTES] -=
		    item_key_bytes(gone.word0) + item_value_bytes(gone.word0);
		/* In this order: the old item may have the last live part of a
		 * block that the new item lists parts of. */
		arena_add_live(&s->arena, w->item_off, &w->shape, w->expiry_s);
		arena_drop_live(&s->arena, gone.off, &gone.shape, false);
	} else {
		int r = table_link(&s->table, key->hash, w->item_off, &place);
		CHECK(r == 0); /* take_memory made sure of it */
		(void)r;
		arena_add_live(&s->arena, w->item_off, &w->shape, w->expiry_s);
	}
	s->stat[SHM_STAT_PAYLOAD_BYTES] += w->key_bytes + w->value_bytes;
	s->stat[SHM_STAT_LOG_BYTES_WRITTEN] += arena_memory(&s->arena, &w->shape);
	s->stat[SHM_STAT_TOTAL_ITEMS]++;
	CHECK(place.ref < s->n_refs);
	s->last_access_s[place.ref] = now_s;
	struct byte *hint = table_hint(&s->table, place.ref);
	if (hint != NULL)
		byte_store_rlx(hint, w->hint); /* relaxed: hints order nothing */
	for (unsigned i = 0; i < SPLITS_PER_SET && table_due(&s->table); i++)
		if (!table_split(&s->table))
			break;
}

/* Makes room for a record and for a slot that leads to it. False: there is no
 * room, and nothing was changed. */
static bool
take_memory(struct store *s, const struct store_key *key, struct value_write *w, uint32_t reserve,
    uint32_t now_s)
{
	struct table_place place;

	w->log = evict_log_for(&s->evict, key->hash, arena_memory(&s->arena, &w->shape), &w->hint);
	w->ttl_class = arena_class(&s->arena, w->expiry_s, now_s);
	struct evict_need need = {w->log, w->ttl_class, &w->shape, reserve};
	if (!evict_room(&s->evict, &need, now_s))
		return false;
	if (!table_find(&s->table, key->hash, key->bytes, key->len, &place) &&
	    !evict_chain_room(&s->evict, key->hash, now_s)) {
		s->stat[SHM_STAT_TABLE_REFUSED]++;
		return false;
	}
	return true;
}

/* The work of eviction and cleaning until now. */
struct put_work {
	uint64_t items, copied;
};

static struct put_work
work_done(const struct store *s)
{
	return (struct put_work){s->evict.examined, s->stat[SHM_STAT_LOG_BYTES_COPIED]};
}

static void
note_work(struct store *s, struct put_work before)
{
	struct put_work now = work_done(s);

	if (now.items - before.items > s->stat[SHM_STAT_LONGEST_SET_ITEMS])
		s->stat[SHM_STAT_LONGEST_SET_ITEMS] = now.items - before.items;
	if (now.copied - before.copied > s->stat[SHM_STAT_LONGEST_SET_COPIED])
		s->stat[SHM_STAT_LONGEST_SET_COPIED] = now.copied - before.copied;
}

/* True if a value is a number written as a counter shows it. With eviction off
 * such a value is stored as a counter from the beginning, so that an incr needs
 * no memory when there is none. */
static bool
is_counter_text(const struct store *s, const struct store_put *put, uint64_t *ret)
{
	const char *text = put->value;

	if (s->conf.evict || put->value_bytes == 0 || put->value_bytes > NUMBER_DIGITS_MAX ||
	    text[0] == '+' || (text[0] == '0' && put->value_bytes > 1))
		return false;
	return number_word(text, put->value_bytes, ret);
}

/* True if the mode and the CAS id admit the store. Also takes over from the old
 * item the fields that the new one keeps. */
static enum store_result
put_admit(struct store *s, const struct store_put *put, const struct store_item *old,
    uint32_t now_s, struct value_write *w, uint32_t *state)
{
	if (old != NULL && put->mode == STORE_ADD) {
		store_keep(s, old, now_s);
		return STORE_NOT_STORED;
	}
	if (old == NULL && put->mode != STORE_ADD && put->has_compare)
		return put->mode == STORE_APPEND || put->mode == STORE_PREPEND ? STORE_NOT_STORED
									       : STORE_NOT_FOUND;
	if (old == NULL && put->mode != STORE_SET && put->mode != STORE_ADD)
		return STORE_NOT_STORED;
	if (old == NULL)
		return STORE_OK;
	if (put->has_compare && put->compare_cas != old->cas) {
		if (!put->invalidate || put->compare_cas > old->cas)
			return STORE_EXISTS;
		*state |= ITEM_STALE | (old->state & ITEM_WON);
		w->expiry_s = old->expiry_s;
	}
	if (put->mode == STORE_APPEND || put->mode == STORE_PREPEND) {
		w->flags = old->flags;
		w->expiry_s = old->expiry_s;
		*state &= ~ITEM_TAGS;
		*state |= old->state & (ITEM_KEY_B64 | ITEM_TAGS);
		w->tags = old->tags;
	}
	return STORE_OK;
}

enum store_result
store_put(struct store *s, const struct store_put *put, uint32_t now_s, uint64_t *ret_cas)
{
	struct put_work before = work_done(s);
	struct store_item found,
	    *old = store_find(s, &put->key, now_s, &found, NULL) ? &found : NULL;
	struct value_write w = {.key = put->key.bytes,
	    .key_bytes = put->key.len,
	    .flags = put->flags,
	    .expiry_s = put->expiry_s,
	    .tags = put->tags};
	uint32_t state = put->state, joined = 0;
	bool join = put->mode == STORE_APPEND || put->mode == STORE_PREPEND;
	struct table_place place;

	enum store_result r = put_admit(s, put, old, now_s, &w, &state);
	if (r != STORE_OK)
		return r;
	if (join)
		joined = old->value_bytes;
	if (!put_fits(
		s, put->key.len, (uint64_t)joined + put->value_bytes, w.flags, state & ITEM_TAGS)) {
		if (old != NULL && put->mode == STORE_SET && !put->has_compare)
			store_delete(s, old);
		return STORE_TOO_LARGE;
	}
	uint64_t cas = store_next_cas(s, put->explicit_cas, state, w.tags);
	if (cas == 0)
		return STORE_BAD_CAS;
	w.value_bytes = joined + put->value_bytes;
	if (!join && is_counter_text(s, put, &w.counter)) {
		state |= ITEM_COUNTER;
		w.value_bytes = 0;
	}
	value_plan(&s->arena, &w, state);
	if (!take_memory(s, &put->key, &w, ARENA_RESERVE, now_s))
		return STORE_NO_MEMORY;
	/* Making room may have moved or dropped the old item. From here on
	 * nothing does. */
	struct record joined_record = {0};
	bool linked = table_find(&s->table, put->key.hash, put->key.bytes, put->key.len, &place);
	if (old != NULL && !store_find(s, &put->key, now_s, &found, NULL)) {
		if (put->mode != STORE_SET || put->has_compare)
			return join || put->mode == STORE_REPLACE ? STORE_NOT_STORED
								  : STORE_NOT_FOUND;
		old = NULL;
	}
	if (join)
		joined_record = record_load(&s->arena, found.item_off);
	value_begin(&s->arena, &w, cas);
	if (put->mode == STORE_APPEND)
		value_append_record(&s->arena, &w, &joined_record);
	if ((w.state & ITEM_COUNTER) == 0)
		value_append(&s->arena, &w, put->value, put->value_bytes);
	if (put->mode == STORE_PREPEND)
		value_append_record(&s->arena, &w, &joined_record);
	value_end(&w);
	CRASH_POINT("append:written");
	link_record(s, &put->key, linked ? &place : NULL, &w, now_s);
	evict_ahead(&s->evict, w.item_off, arena_memory(&s->arena, &w.shape), now_s);
	note_work(s, before);
	if ((w.state & ITEM_TAGS) != 0)
		store_note_tags(s, w.tags);
	*ret_cas = cas;
	return STORE_OK;
}

/* ---- counters ------------------------------------------------------------ */

/* Reads a value as a decimal number, however long its padding. */
static bool
read_decimal(const struct store *s, const struct store_item *item, uint64_t *ret)
{
	char piece[64];
	struct number n = {0};

	for (uint32_t at = 0; at < item->value_bytes; at += sizeof(piece)) {
		uint32_t here =
		    item->value_bytes - at < sizeof(piece) ? item->value_bytes - at : sizeof(piece);
		store_read(s, item, at, here, piece);
		if (!number_piece(&n, piece, here))
			break;
	}
	return number_unsigned(&n, ret);
}

/* Replaces a decimal by a counter item. */
static enum store_result
become_counter(struct store *s, const struct store_key *key, const struct store_item *item,
    uint64_t value, uint64_t cas, uint32_t now_s)
{
	struct put_work before = work_done(s);
	struct value_write w = {.key = key->bytes,
	    .key_bytes = key->len,
	    .flags = item->flags,
	    .expiry_s = item->expiry_s,
	    .counter = value,
	    .tags = item->tags};
	struct table_place place;

	value_plan(&s->arena, &w,
	    (item->state & (ITEM_KEY_B64 | ITEM_FETCHED | ITEM_STALE | ITEM_WON | ITEM_TAGS)) |
		ITEM_COUNTER);
	if (!take_memory(s, key, &w, ARENA_RESERVE - 1, now_s))
		return STORE_NO_MEMORY;
	bool linked = table_find(&s->table, key->hash, key->bytes, key->len, &place);
	value_begin(&s->arena, &w, cas);
	value_end(&w);
	link_record(s, key, linked ? &place : NULL, &w, now_s);
	evict_ahead(&s->evict, w.item_off, arena_memory(&s->arena, &w.shape), now_s);
	note_work(s, before);
	return STORE_OK;
}

enum store_result
store_arith(struct store *s, const struct store_key *key, const struct store_item *item, bool decr,
    uint64_t delta, uint64_t explicit_cas, uint32_t now_s, uint64_t *ret_value, uint64_t *ret_cas)
{
	uint64_t value = item->counter;

	if ((item->state & ITEM_COUNTER) == 0 && !read_decimal(s, item, &value))
		return STORE_NON_NUMERIC;
	uint64_t cas = store_next_cas(s, explicit_cas, item->state, item->tags);
	if (cas == 0)
		return STORE_BAD_CAS;
	value = !decr ? value + delta : value > delta ? value - delta : 0;
	if ((item->state & ITEM_COUNTER) != 0) {
		struct word *w = arena_word(&s->arena, item->item_off);
		seq_counter_store(&w[ITEM_HEADER_BYTES / sizeof(struct word)], value, &w[1],
		    item_word1(cas, item_state(word_load_rlx(&w[1]))));
		CRASH_POINT("counter:stored");
	} else {
		enum store_result r = become_counter(s, key, item, value, cas, now_s);
		if (r != STORE_OK)
			return r;
	}
	*ret_value = value;
	*ret_cas = cas;
	return STORE_OK;
}
