/*
 * table.c: links, switches and unlinks (splits: table_split.c).
 *
 * A chain is a head bucket and its overflow buckets. The last slot of each line
 * leads to the next. The head's sequence covers the whole chain. Every mutation
 * stands between seq_enter and seq_exit of the head; a successor that finds the
 * head odd repairs the chain (table_repair). So that no item is lost then, a
 * slot that moves is stored at its new place before it is cleared at the old
 * one. In between the item has two slots, and recovery drops the second.
 *
 * An overflow bucket is filled before it is linked. It may have been in another
 * chain before. A reader that still reads it there began before that chain's
 * head was entered to unlink it, and the fence of that entry [S1] precedes this
 * process's stores.
 */
#include <errno.h>

#include "engine/crash.h"
#include "engine/table_private.h"
#include "shm/copy.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "shm/seq.h"

/* The overflow buckets that have memory once n of them have. */
static uint64_t
with_memory(const struct map *map, uint64_t n)
{
	uint64_t all = layout_grown_bytes(n, map->n_overflow_max) / sizeof(struct bucket);

	return all < map->n_overflow_max ? all : map->n_overflow_max;
}

void
table_init(struct table *t, struct map *map, struct byte *hints, uint32_t *last_access_s,
    uint64_t n_refs, uint64_t *stat)
{
	*t = (struct table){.map = map,
	    .hints = hints,
	    .n_hints = n_refs,
	    .last_access_s = last_access_s,
	    .n_refs = n_refs,
	    .stat = stat};
	/* relaxed, here and below: own stores */
	t->n_buckets = word_load_rlx(&map->header->count) & COUNT_MASK;
	uint64_t made = word_load_rlx(&map->header->n_overflow);
	t->n_overflow_made = made < map->n_overflow_max ? made : map->n_overflow_max;
	t->n_overflow_memory = t->n_overflow_made > 0 ? with_memory(map, t->n_overflow_made) : 0;
}

void
table_chain_of(const struct table *t, uint64_t head, struct chain *ret)
{
	uint64_t line = head;

	CHECK(head < t->n_buckets);
	ret->n_lines = 0;
	for (;;) {
		ret->line[ret->n_lines++] = line;
		uint64_t last = word_load_rlx(&table_line(t, line)->slot[LINK_SLOT]);
		if (!slot_is_link(last) || ret->n_lines == CHAIN_LINES_MAX ||
		    slot_link_idx(last) >= t->n_overflow_made)
			return;
		line = t->map->n_buckets_max + slot_link_idx(last);
	}
}

uint64_t
table_link_of(const struct table *t, const struct chain *c, uint32_t l)
{
	uint64_t filter = 0;

	CHECK(l + 1 < c->n_lines && c->line[l + 1] >= t->map->n_buckets_max);
	for (uint32_t behind = l + 1; behind < c->n_lines; behind++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			uint64_t slot = word_load_rlx(slot_at(t, c->line[behind], i));
			filter |= slot_is_item(slot) ? slot_filter_bit(slot_tag_of(slot)) : 0;
		}
	return slot_make_link(c->line[l + 1] - t->map->n_buckets_max, filter);
}

/* Inside the head's window: makes each link tell the items behind it and
 * nothing else. If the chain has got another line, the last of these stores
 * links it. */
static void
tell_links(struct table *t, const struct chain *c)
{
	for (uint32_t l = 0; l + 1 < c->n_lines; l++) {
		word_store_rlx(slot_at(t, c->line[l], LINK_SLOT), table_link_of(t, c, l));
		CRASH_POINT("chain:told");
	}
}

void
table_move_aside(struct table *t, uint64_t from_ref, uint64_t to_ref)
{
	struct byte *from = table_hint(t, from_ref), *to = table_hint(t, to_ref);

	CHECK(from_ref != to_ref && from_ref < t->n_refs && to_ref < t->n_refs);
	if (from != NULL && to != NULL) {
		byte_store_rlx(to, byte_load_rlx(from)); /* relaxed: hints order nothing */
		byte_store_rlx(from, 0);
	}
	t->last_access_s[to_ref] = t->last_access_s[from_ref];
}

static void
clear_aside(struct table *t, uint64_t ref)
{
	struct byte *hint = table_hint(t, ref);

	CHECK(ref < t->n_refs);
	if (hint != NULL)
		byte_store_rlx(hint, 0);
	t->last_access_s[ref] = 0;
}

/* ---- finding ------------------------------------------------------------- */

static bool
key_is(const struct table *t, uint64_t slot, const void *key, uint32_t key_len)
{
	const struct word *w = t->map->arena + slot_unit(slot);
	uint64_t word0 = word_load_rlx(&w[0]), word1 = word_load_rlx(&w[1]);

	return item_key_bytes(word0) == key_len &&
	    copy_key_equal(w + item_key_at(item_state(word1)) / sizeof(struct word), key, key_len);
}

bool
table_find(const struct table *t, uint64_t hash, const void *key, uint32_t key_len,
    struct table_place *ret)
{
	uint64_t head = table_bucket_idx(hash, t->n_buckets), line = head, tag = slot_tag(hash);

	for (uint32_t n_lines = 0; n_lines < CHAIN_LINES_MAX; n_lines++) {
		const struct bucket *b = table_line(t, line);
		for (unsigned match = bucket_match(b, tag); match != 0; match &= match - 1) {
			uint64_t i = bucket_match_slot(match), slot = word_load_rlx(&b->slot[i]);
			if (key_is(t, slot, key, key_len)) {
				*ret = (struct table_place){head, slot_ref(line, i), slot};
				return true;
			}
		}
		uint64_t last = word_load_rlx(&b->slot[LINK_SLOT]);
		if (!slot_leads_to(last, tag) || slot_link_idx(last) >= t->n_overflow_made)
			return false;
		line = t->map->n_buckets_max + slot_link_idx(last);
	}
	return false;
}

bool
table_find_item(const struct table *t, uint64_t hash, uint64_t item_off, struct table_place *ret)
{
	uint64_t head = table_bucket_idx(hash, t->n_buckets);
	uint64_t want = slot_make(slot_tag(hash), item_off / ITEM_UNIT_BYTES);
	struct chain c;

	table_chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++)
			if (word_load_rlx(slot_at(t, c.line[l], i)) == want) {
				*ret = (struct table_place){head, slot_ref(c.line[l], i), want};
				return true;
			}
	return false;
}

void
table_visit(const struct table *t, uint64_t head, table_visit_fn visit, void *arg)
{
	struct chain c;

	table_chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct table_place p = {
			    head, slot_ref(c.line[l], i), word_load_rlx(slot_at(t, c.line[l], i))};
			if (slot_is_item(p.slot))
				visit(arg, &p);
		}
}

/* ---- overflow buckets ---------------------------------------------------- */

#define TRIES_WITHOUT 64 /* refusals after the kernel's until it is asked again */

bool
table_overflow_memory(struct table *t, uint64_t n)
{
	while (t->n_overflow_memory < n) {
		if (t->n_without > 0) {
			t->n_without--;
			return false;
		}
		/* One step of the region after another. */
		if (map_allocate_overflow(t->map, t->n_overflow_memory + 1) != 0) {
			t->n_without = TRIES_WITHOUT;
			return false;
		}
		t->n_overflow_memory = with_memory(t->map, t->n_overflow_memory + 1);
	}
	return true;
}

uint64_t
table_overflow_take(struct table *t)
{
	uint64_t idx;

	if (t->overflow_free != 0) {
		idx = t->overflow_free - 1;
		t->overflow_free = word_load_rlx(&t->map->overflow[idx].slot[0]);
	} else {
		idx = t->n_overflow_made;
		if (!table_overflow_memory(t, idx + 1))
			return 0;
		t->n_overflow_made = idx + 1;
		/* relaxed: a successor clamps links by it; see
		 * seq_crash_order */
		word_store_rlx(&t->map->header->n_overflow, idx + 1);
		seq_crash_order();
	}
	CHECK(idx < t->n_overflow_made && t->n_overflow_made <= t->map->n_overflow_max);
	t->n_overflow_used++;
	CHECK(t->n_overflow_used <= t->n_overflow_made);
	return t->map->n_buckets_max + idx;
}

void
table_overflow_give(struct table *t, uint64_t line)
{
	uint64_t idx = line - t->map->n_buckets_max;

	CHECK(line >= t->map->n_buckets_max && idx < t->n_overflow_made);
	CHECK(t->n_overflow_used > 0);
	/* relaxed: who still reads it will not validate */
	word_store_rlx(&t->map->overflow[idx].slot[0], t->overflow_free);
	t->overflow_free = idx + 1;
	t->n_overflow_used--;
}

bool
table_can_link(struct table *t, uint64_t hash)
{
	struct chain c;

	table_chain_of(t, table_bucket_idx(hash, t->n_buckets), &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++)
			if (word_load_rlx(slot_at(t, c.line[l], i)) == 0)
				return true;
	return c.n_lines < CHAIN_LINES_MAX &&
	    (t->overflow_free != 0 || table_overflow_memory(t, t->n_overflow_made + 1));
}

/* ---- link, switch, unlink ------------------------------------------------ */

int
table_link(struct table *t, uint64_t hash, uint64_t item_off, struct table_place *ret)
{
	uint64_t head = table_bucket_idx(hash, t->n_buckets);
	uint64_t slot = slot_make(slot_tag(hash), item_off / ITEM_UNIT_BYTES);
	struct word *seq = &table_line(t, head)->seq;
	struct chain c;

	CHECK(item_off % ITEM_UNIT_BYTES == 0 && item_off < t->map->arena_bytes);
	table_chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct word *at = slot_at(t, c.line[l], i);
			if (word_load_rlx(at) != 0)
				continue;
			uint64_t ref = slot_ref(c.line[l], i);
			clear_aside(t, ref);
			seq_enter(seq);
			CRASH_POINT("link:entered");
			word_store_rlx(at, slot);
			CRASH_POINT("link:stored");
			tell_links(t, &c);
			seq_exit(seq);
			CRASH_POINT("link:left");
			t->n_items++;
			t->n_overflow_items += l > 0;
			*ret = (struct table_place){head, ref, slot};
			return 0;
		}
	if (c.n_lines == CHAIN_LINES_MAX)
		return -ENOSPC;
	uint64_t fresh = table_overflow_take(t);
	if (fresh == 0)
		return -ENOSPC;
	/* The last slot's item moves to the overflow bucket, and the link takes
	 * its place. */
	uint64_t tail = c.line[c.n_lines - 1];
	word_store_rlx(slot_at(t, fresh, 0), word_load_rlx(slot_at(t, tail, LINK_SLOT)));
	word_store_rlx(slot_at(t, fresh, 1), slot);
	for (unsigned i = 2; i < BUCKET_SLOTS; i++)
		word_store_rlx(slot_at(t, fresh, i), 0);
	CRASH_POINT("overflow:filled");
	clear_aside(t, slot_ref(fresh, 1));
	table_move_aside(t, slot_ref(tail, LINK_SLOT), slot_ref(fresh, 0));
	seq_enter(seq);
	CRASH_POINT("overflow:entered");
	c.line[c.n_lines++] = fresh;
	tell_links(t, &c);
	CRASH_POINT("overflow:linked");
	seq_exit(seq);
	CRASH_POINT("overflow:left");
	t->n_items++;
	t->n_overflow_items += c.n_lines == 2 ? 2 : 1;
	*ret = (struct table_place){head, slot_ref(fresh, 1), slot};
	return 0;
}

void
table_switch(struct table *t, struct table_place *place, uint64_t item_off)
{
	struct bucket *head = table_line(t, place->head);

	CHECK(slot_is_item(place->slot));
	CHECK(item_off % ITEM_UNIT_BYTES == 0 && item_off < t->map->arena_bytes);
	place->slot = slot_make(slot_tag_of(place->slot), item_off / ITEM_UNIT_BYTES);
	seq_enter(&head->seq);
	CRASH_POINT("switch:entered");
	word_store_rlx(slot_at(t, ref_line(place->ref), ref_slot(place->ref)), place->slot);
	CRASH_POINT("switch:stored");
	seq_exit(&head->seq);
	CRASH_POINT("switch:left");
}

/* Counts the items of a line and finds the last. The link slot counts only if
 * it holds an item. */
static unsigned
line_items(const struct table *t, uint64_t line, unsigned *ret_last)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_is_item(word_load_rlx(slot_at(t, line, i)))) {
			n++;
			*ret_last = i;
		}
	return n;
}

static bool
find_hole(const struct table *t, const struct chain *c, uint32_t n_lines, uint64_t *ret_line,
    unsigned *ret_slot)
{
	for (uint32_t l = 0; l < n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++)
			if (word_load_rlx(slot_at(t, c->line[l], i)) == 0) {
				*ret_line = c->line[l];
				*ret_slot = i;
				return true;
			}
	return false;
}

void
table_close_up(struct table *t, uint64_t head)
{
	struct chain c;

	table_chain_of(t, head, &c);
	while (c.n_lines > 1) {
		uint64_t tail = c.line[c.n_lines - 1], before = c.line[c.n_lines - 2], hole_line;
		unsigned last = 0, hole, n = line_items(t, tail, &last);
		uint64_t moving = word_load_rlx(slot_at(t, tail, last));

		if (n <= 1) {
			/* One store both keeps the item and cuts the line
			 * off. */
			word_store_rlx(slot_at(t, before, LINK_SLOT), n == 1 ? moving : 0);
			seq_crash_order(); /* [C1] cut off, then written over */
			CRASH_POINT("close:cut");
			if (n == 1) {
				CHECK(slot_is_item(moving));
				table_move_aside(
				    t, slot_ref(tail, last), slot_ref(before, LINK_SLOT));
				t->n_overflow_items -= c.n_lines == 2;
			}
			table_overflow_give(t, tail);
			c.n_lines--;
		} else if (find_hole(t, &c, c.n_lines - 1, &hole_line, &hole)) {
			word_store_rlx(slot_at(t, hole_line, hole), moving);
			seq_crash_order(); /* [C1] first here, then gone there */
			CRASH_POINT("close:copied");
			word_store_rlx(slot_at(t, tail, last), 0);
			CRASH_POINT("close:cleared");
			table_move_aside(t, slot_ref(tail, last), slot_ref(hole_line, hole));
			t->n_overflow_items -= hole_line == head;
		} else {
			break;
		}
	}
	tell_links(t, &c);
}

void
table_unlink(struct table *t, const struct table_place *place)
{
	struct word *seq = &table_line(t, place->head)->seq;

	CHECK(slot_is_item(place->slot) && t->n_items > 0);
	CHECK(ref_line(place->ref) == place->head || t->n_overflow_items > 0);
	seq_enter(seq);
	CRASH_POINT("unlink:entered");
	word_store_rlx(slot_at(t, ref_line(place->ref), ref_slot(place->ref)), 0);
	CRASH_POINT("unlink:stored");
	clear_aside(t, place->ref);
	t->n_items--;
	t->n_overflow_items -= ref_line(place->ref) != place->head;
	table_close_up(t, place->head);
	seq_exit(seq);
	CHECK(t->n_overflow_items <= t->n_items);
	CRASH_POINT("unlink:left");
}
