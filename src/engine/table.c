/*
 * table.c: links, switches, unlinks and splits.
 *
 * A chain is a head bucket and its overflow buckets, each led to by the last slot of the line before. The head's sequence
 * covers all of it. Every mutation stands between seq_enter and seq_exit of the head; a successor that finds the head odd
 * repairs the chain (table_repair). So that nothing is lost then, a slot that moves is stored at its new place before it is
 * cleared at the old one: in between it stands twice, and recovery drops the second.
 *
 * An overflow bucket is filled before it is linked. It may have been in another chain before: whoever still reads it there
 * began before that chain's head was entered to unlink it, and the fence of that entry [S1] precedes this process's stores.
 */
#include "engine/table.h"

#include <errno.h>
#include <string.h>

#include "engine/crash.h"
#include "shm/copy.h"
#include "shm/hash.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "shm/seq.h"

/* Grow when more than 1 of 22 items (4.5 %) is on an overflow line, but not below 2 items a bucket: colliding keys must
 * not drive growth. Always grow above 4.5 items a bucket. */
#define OVERFLOW_SHARE_MAX 22
#define GROW_MIN_ITEMS(n)  ((n) * 2)
#define GROW_MAX_ITEMS(n)  ((n) * 9 / 2)

struct chain {
	uint32_t n_lines;
	uint64_t line[CHAIN_LINES_MAX];
};

void
table_init(struct table *t, struct map *map, struct byte *hints, uint32_t *last_access_s, uint64_t n_refs)
{
	*t = (struct table){.map = map, .hints = hints, .n_hints = n_refs, .last_access_s = last_access_s, .n_refs = n_refs};
	t->n_buckets = word_load_rlx(&map->header->count) & COUNT_MASK; /* relaxed, here and below: own stores */
	uint64_t made = word_load_rlx(&map->header->n_overflow);
	t->n_overflow_made = made < map->n_overflow_max ? made : map->n_overflow_max;
}

/* The lines of a chain. Links are clamped: a damaged one ends the chain. */
static void
chain_of(const struct table *t, uint64_t head, struct chain *ret)
{
	uint64_t line = head;

	ret->n_lines = 0;
	for (;;) {
		ret->line[ret->n_lines++] = line;
		uint64_t last = word_load_rlx(&table_line(t, line)->slot[LINK_SLOT]);
		if (!slot_is_link(last) || ret->n_lines == CHAIN_LINES_MAX || slot_link_idx(last) >= t->n_overflow_made)
			return;
		line = t->map->n_buckets_max + slot_link_idx(last);
	}
}

static inline struct word *
slot_at(const struct table *t, uint64_t line, unsigned slot)
{
	return &table_line(t, line)->slot[slot];
}

/* What is kept aside by slot moves with it. */
static void
move_aside(struct table *t, uint64_t from_ref, uint64_t to_ref)
{
	if (from_ref < t->n_hints && to_ref < t->n_hints) {
		byte_store_rlx(&t->hints[to_ref], byte_load_rlx(&t->hints[from_ref])); /* relaxed: hints order nothing */
		byte_store_rlx(&t->hints[from_ref], 0);
	}
	t->last_access_s[to_ref] = t->last_access_s[from_ref];
}

static void
clear_aside(struct table *t, uint64_t ref)
{
	if (ref < t->n_hints)
		byte_store_rlx(&t->hints[ref], 0);
	t->last_access_s[ref] = 0;
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

static bool
key_is(const struct table *t, uint64_t slot, const void *key, uint32_t key_len)
{
	const struct word *w = t->map->arena + slot_unit(slot);
	uint64_t word0 = word_load_rlx(&w[0]), word1 = word_load_rlx(&w[1]);

	return item_key_bytes(word0) == key_len && copy_key_equal(w + item_key_at(item_state(word1)) / 8, key, key_len);
}

bool
table_find(const struct table *t, uint64_t hash, const void *key, uint32_t key_len, struct table_place *ret)
{
	uint64_t head = table_bucket_idx(hash, t->n_buckets), line = head, tag = slot_tag(hash);

	for (uint32_t n_lines = 0; n_lines < CHAIN_LINES_MAX; n_lines++) {
		const struct bucket *b = table_line(t, line);
		for (unsigned match = bucket_match(b, tag); match != 0; match &= match - 1) {
			unsigned i = (unsigned)__builtin_ctz(match);
			uint64_t slot = word_load_rlx(&b->slot[i]);
			if (key_is(t, slot, key, key_len)) {
				*ret = (struct table_place){head, line << 3 | i, slot};
				return true;
			}
		}
		uint64_t last = word_load_rlx(&b->slot[LINK_SLOT]);
		if (!slot_is_link(last) || slot_link_idx(last) >= t->n_overflow_made)
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

	chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++)
			if (word_load_rlx(slot_at(t, c.line[l], i)) == want) {
				*ret = (struct table_place){head, c.line[l] << 3 | i, want};
				return true;
			}
	return false;
}

void
table_visit(const struct table *t, uint64_t head, table_visit_fn visit, void *arg)
{
	struct chain c;

	chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct table_place p = {head, c.line[l] << 3 | i, word_load_rlx(slot_at(t, c.line[l], i))};
			if (slot_is_item(p.slot))
				visit(arg, &p);
		}
}

/* ---- overflow buckets ---------------------------------------------------------------------------------------------------- */

/* Returns the line, or 0 if there is no memory. */
static uint64_t
overflow_take(struct table *t)
{
	uint64_t idx;

	if (t->overflow_free != 0) {
		idx = t->overflow_free - 1;
		t->overflow_free = word_load_rlx(&t->map->overflow[idx].slot[0]);
	} else {
		idx = t->n_overflow_made;
		if (map_allocate_overflow(t->map, idx + 1) != 0)
			return 0;
		t->n_overflow_made = idx + 1;
		word_store_rlx(&t->map->header->n_overflow, idx + 1); /* relaxed: a successor clamps links by it; see seq_crash_order */
		seq_crash_order();
	}
	t->n_overflow_used++;
	return t->map->n_buckets_max + idx;
}

/* After the chain no longer leads to it, inside or behind that chain's window. */
static void
overflow_give(struct table *t, uint64_t line)
{
	uint64_t idx = line - t->map->n_buckets_max;

	word_store_rlx(&t->map->overflow[idx].slot[0], t->overflow_free); /* relaxed: who still reads it will not validate */
	t->overflow_free = idx + 1;
	t->n_overflow_used--;
}

/* ---- link, switch, unlink ------------------------------------------------------------------------------------------------- */

int
table_link(struct table *t, uint64_t hash, uint64_t item_off, struct table_place *ret)
{
	uint64_t head = table_bucket_idx(hash, t->n_buckets);
	uint64_t slot = slot_make(slot_tag(hash), item_off / ITEM_UNIT_BYTES);
	struct word *seq = &table_line(t, head)->seq;
	struct chain c;

	chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct word *at = slot_at(t, c.line[l], i);
			if (word_load_rlx(at) != 0)
				continue;
			uint64_t ref = c.line[l] << 3 | i;
			clear_aside(t, ref);
			seq_enter(seq);
			CRASH_POINT("link:entered");
			word_store_rlx(at, slot);
			CRASH_POINT("link:stored");
			seq_exit(seq);
			CRASH_POINT("link:left");
			t->n_items++;
			t->n_overflow_items += l > 0;
			*ret = (struct table_place){head, ref, slot};
			return 0;
		}
	if (c.n_lines == CHAIN_LINES_MAX)
		return -ENOSPC;
	uint64_t fresh = overflow_take(t);
	if (fresh == 0)
		return -ENOSPC;
	/* The last slot's item moves to the overflow bucket, and the link takes its place. */
	uint64_t tail = c.line[c.n_lines - 1];
	struct word *link = slot_at(t, tail, LINK_SLOT);
	word_store_rlx(slot_at(t, fresh, 0), word_load_rlx(link));
	word_store_rlx(slot_at(t, fresh, 1), slot);
	for (unsigned i = 2; i < BUCKET_SLOTS; i++)
		word_store_rlx(slot_at(t, fresh, i), 0);
	CRASH_POINT("overflow:filled");
	clear_aside(t, fresh << 3 | 1);
	move_aside(t, tail << 3 | LINK_SLOT, fresh << 3);
	seq_enter(seq);
	CRASH_POINT("overflow:entered");
	word_store_rlx(link, slot_make_link(fresh - t->map->n_buckets_max));
	CRASH_POINT("overflow:linked");
	seq_exit(seq);
	CRASH_POINT("overflow:left");
	t->n_items++;
	t->n_overflow_items += c.n_lines == 1 ? 2 : 1;
	*ret = (struct table_place){head, fresh << 3 | 1, slot};
	return 0;
}

void
table_switch(struct table *t, struct table_place *place, uint64_t item_off)
{
	struct bucket *head = table_line(t, place->head);

	place->slot = slot_make(slot_tag_of(place->slot), item_off / ITEM_UNIT_BYTES);
	seq_enter(&head->seq);
	CRASH_POINT("switch:entered");
	word_store_rlx(slot_at(t, place->ref >> 3, place->ref & 7), place->slot);
	CRASH_POINT("switch:stored");
	seq_exit(&head->seq);
	CRASH_POINT("switch:left");
}

/* The last item of a line and how many it has. The link slot counts only where it holds an item. */
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
find_hole(const struct table *t, const struct chain *c, uint32_t n_lines, uint64_t *ret_line, unsigned *ret_slot)
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

/*
 * Closes up a chain inside its head's window: holes in front are filled from the last line; a last line with one item gives
 * it to the slot that leads there, with none it is cut off. Each step leaves every item in the chain.
 */
static void
close_up(struct table *t, uint64_t head)
{
	struct chain c;

	chain_of(t, head, &c);
	while (c.n_lines > 1) {
		uint64_t tail = c.line[c.n_lines - 1], before = c.line[c.n_lines - 2], hole_line;
		unsigned last = 0, hole, n = line_items(t, tail, &last);
		uint64_t moving = word_load_rlx(slot_at(t, tail, last));

		if (n <= 1) {
			/* One store both keeps the item and cuts the line off. */
			word_store_rlx(slot_at(t, before, LINK_SLOT), n == 1 ? moving : 0);
			CRASH_POINT("close:cut");
			if (n == 1) {
				move_aside(t, tail << 3 | last, before << 3 | LINK_SLOT);
				t->n_overflow_items -= c.n_lines == 2;
			}
			overflow_give(t, tail);
			c.n_lines--;
		} else if (find_hole(t, &c, c.n_lines - 1, &hole_line, &hole)) {
			word_store_rlx(slot_at(t, hole_line, hole), moving);
			seq_crash_order(); /* [C1] first here, then gone there */
			CRASH_POINT("close:copied");
			word_store_rlx(slot_at(t, tail, last), 0);
			CRASH_POINT("close:cleared");
			move_aside(t, tail << 3 | last, hole_line << 3 | hole);
			t->n_overflow_items -= hole_line == head;
		} else {
			return;
		}
	}
}

void
table_unlink(struct table *t, const struct table_place *place)
{
	struct word *seq = &table_line(t, place->head)->seq;

	seq_enter(seq);
	CRASH_POINT("unlink:entered");
	word_store_rlx(slot_at(t, place->ref >> 3, place->ref & 7), 0);
	CRASH_POINT("unlink:stored");
	clear_aside(t, place->ref);
	t->n_items--;
	t->n_overflow_items -= place->ref >> 3 != place->head;
	close_up(t, place->head);
	seq_exit(seq);
	CRASH_POINT("unlink:left");
}

/* ---- growth --------------------------------------------------------------------------------------------------------------- */

bool
table_due(const struct table *t)
{
	if (t->n_buckets >= t->map->n_buckets_max || t->n_items < t->refused_at_items)
		return false;
	return t->n_items > GROW_MAX_ITEMS(t->n_buckets) ||
	    (t->n_items > GROW_MIN_ITEMS(t->n_buckets) && t->n_overflow_items > t->n_items / OVERFLOW_SHARE_MAX);
}

static uint64_t
slot_hash(const struct table *t, uint64_t slot)
{
	unsigned char key[256];
	const struct word *w = t->map->arena + slot_unit(slot);
	uint64_t word0 = word_load_rlx(&w[0]), word1 = word_load_rlx(&w[1]);
	uint32_t n = item_key_bytes(word0);

	copy_out(key, w, item_key_at(item_state(word1)), n);
	return hash_key(key, n, t->map->seed);
}

struct moving {
	uint32_t n;
	uint64_t ref[CHAIN_LINES_MAX * BUCKET_SLOTS];
	uint64_t slot[CHAIN_LINES_MAX * BUCKET_SLOTS];
};

static void
plan_split(const struct table *t, uint64_t from, struct moving *m)
{
	struct chain c;

	m->n = 0;
	chain_of(t, from, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			uint64_t slot = word_load_rlx(slot_at(t, c.line[l], i));
			if (slot_is_item(slot) && table_bucket_idx(slot_hash(t, slot), t->n_buckets + 1) == t->n_buckets) {
				m->ref[m->n] = c.line[l] << 3 | i;
				m->slot[m->n++] = slot;
			}
		}
}

/* Where the k-th item of a chain of n_lines goes: every line but the last keeps its last slot for the link. */
static uint64_t
chain_ref(const uint64_t *lines, uint32_t n_lines, uint32_t k)
{
	uint32_t l = k / LINK_SLOT < n_lines ? k / LINK_SLOT : n_lines - 1;

	return lines[l] << 3 | (k - l * LINK_SLOT);
}

/* Fills the overflow lines of a chain that no reader can reach yet. Returns the number of its lines, 0: no memory. */
static uint32_t
fill_overflow(struct table *t, uint64_t head, const struct moving *m, uint64_t *lines)
{
	uint32_t n_lines = 1;

	lines[0] = head;
	while (m->n > n_lines * LINK_SLOT + 1) {
		uint64_t fresh = overflow_take(t);
		if (fresh == 0) {
			while (n_lines > 1)
				overflow_give(t, lines[--n_lines]);
			return 0;
		}
		lines[n_lines++] = fresh;
	}
	for (uint32_t l = 1; l < n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			uint32_t k = l * LINK_SLOT + i;
			uint64_t slot = k < m->n ? m->slot[k] : 0;
			if (i == LINK_SLOT && l + 1 < n_lines)
				slot = slot_make_link(lines[l + 1] - t->map->n_buckets_max);
			word_store_rlx(slot_at(t, lines[l], i), slot);
		}
	return n_lines;
}

/*
 * Splits the next bucket b into itself and the new bucket b'. The count is published inside both windows: a reader with
 * the old count finds b rewritten and looks again; one with the new count finds b' odd until it is whole. What a successor
 * finds: count old: b' is not there, b has everything. Count new: b' has everything that is its own, b some of it too.
 */
bool
table_split(struct table *t)
{
	uint64_t from = table_split_idx(t->n_buckets), to = t->n_buckets;
	uint64_t lines[CHAIN_LINES_MAX];
	struct moving m;

	if (map_allocate_buckets(t->map, to + 1) != 0)
		goto refused;
	plan_split(t, from, &m);
	uint32_t n_lines = fill_overflow(t, to, &m, lines);
	if (n_lines == 0)
		goto refused;
	CRASH_POINT("split:planned");
	struct bucket *old = table_line(t, from), *new = table_line(t, to);

	seq_mark(&old->seq);
	CRASH_POINT("split:old marked");
	seq_mark(&new->seq);
	CRASH_POINT("split:new marked");
	seq_marked();
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		uint64_t slot = i < m.n ? m.slot[i] : 0;
		if (i == LINK_SLOT && n_lines > 1)
			slot = slot_make_link(lines[1] - t->map->n_buckets_max);
		word_store_rlx(&new->slot[i], slot);
	}
	CRASH_POINT("split:new filled");
	seq_crash_order(); /* [C1] the new bucket is whole before it counts */
	word_store_rlx(&t->map->header->count, to + 1); /* relaxed: a reader that misses re-reads it after begin [S1][S2] */
	CRASH_POINT("split:count stored");
	seq_crash_order(); /* [C1] it counts before the old one forgets */
	for (uint32_t k = 0; k < m.n; k++)
		word_store_rlx(slot_at(t, m.ref[k] >> 3, m.ref[k] & 7), 0);
	CRASH_POINT("split:old cleared");
	t->n_buckets = to + 1;
	t->n_splits++;
	for (uint32_t k = 0; k < m.n; k++) {
		uint64_t ref = chain_ref(lines, n_lines, k);
		t->n_overflow_items -= m.ref[k] >> 3 != from;
		t->n_overflow_items += ref >> 3 != to;
		move_aside(t, m.ref[k], ref);
	}
	close_up(t, from);
	seq_exit(&old->seq);
	CRASH_POINT("split:old left");
	seq_exit(&new->seq);
	CRASH_POINT("split:new left");
	return true;
refused:
	t->n_refused++;
	t->refused_at_items = t->n_items + t->n_items / 16 + 1;
	return false;
}

/* ---- recovery --------------------------------------------------------------------------------------------------------------- */

struct table_repair
table_repair(struct table *t, uint64_t head, table_keep_fn keep, void *arg)
{
	struct table_repair r = {0};
	struct bucket *b = table_line(t, head);
	uint64_t seen[CHAIN_LINES_MAX * BUCKET_SLOTS];
	uint32_t n_seen = 0;
	struct chain c;
	bool odd = (word_load_rlx(&b->seq) & 1) != 0, entered = odd;

	chain_of(t, head, &c);
	for (uint32_t l = 0; l < c.n_lines; l++) {
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct word *at = slot_at(t, c.line[l], i);
			uint64_t slot = word_load_rlx(at);
			bool twice = false, is_chain = i == LINK_SLOT && slot_is_link(slot) && l + 1 < c.n_lines;
			if (slot == 0 || is_chain)
				continue;
			for (uint32_t k = 0; k < n_seen && !twice; k++)
				twice = seen[k] == slot;
			if (!twice && slot_is_item(slot) && keep(arg, head, slot)) {
				seen[n_seen++] = slot;
				t->n_items++;
				t->n_overflow_items += l > 0;
				continue;
			}
			if (!entered) {
				seq_enter(&b->seq);
				entered = true;
			}
			word_store_rlx(at, 0);
			CRASH_POINT("repair:cleared");
			r.doubles += twice;
			r.dropped += !twice;
		}
	}
	if (!entered)
		return r;
	r.odd = odd;
	close_up(t, head);
	seq_repaired(&b->seq);
	CRASH_POINT("repair:left");
	return r;
}

void
table_repair_unborn(struct table *t)
{
	uint64_t idx = t->n_buckets;

	/* Its memory may not be there: what was never allocated was never marked. */
	if (idx >= t->map->n_buckets_max || map_allocate_buckets(t->map, idx + 1) != 0)
		return;
	struct bucket *b = &t->map->buckets[idx];
	if ((word_load_rlx(&b->seq) & 1) == 0)
		return;
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		word_store_rlx(&b->slot[i], 0);
	seq_repaired(&b->seq);
}

void
table_recover_free(struct table *t, uint64_t *used)
{
	struct chain c;

	for (uint64_t head = 0; head < t->n_buckets; head++) {
		uint64_t last = word_load_rlx(&t->map->buckets[head].slot[LINK_SLOT]);
		if (!slot_is_link(last))
			continue;
		chain_of(t, head, &c);
		for (uint32_t l = 1; l < c.n_lines; l++) {
			uint64_t idx = c.line[l] - t->map->n_buckets_max;
			used[idx / 64] |= UINT64_C(1) << (idx % 64);
			t->n_overflow_used++;
		}
	}
	for (uint64_t idx = t->n_overflow_made; idx-- > 0;)
		if ((used[idx / 64] >> (idx % 64) & 1) == 0) {
			word_store_rlx(&t->map->overflow[idx].slot[0], t->overflow_free); /* relaxed: seq_recover came before [S7] */
			t->overflow_free = idx + 1;
		}
}
