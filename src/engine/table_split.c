/*
 * table_split.c: growth, one bucket at a time (linear hashing), with readers
 * attached.
 */
#include "engine/crash.h"
#include "engine/table_private.h"
#include "shm/copy.h"
#include "shm/hash.h"
#include "shm/item.h"
#include "shm/seq.h"

/* Grow when more than 4.9 % of the items are on an overflow line, but not below
 * 2 items a bucket: colliding keys must not drive growth. Always grow above 4.5
 * items a bucket. */
#define OVERFLOW_MAX(items) ((items)*49 / 1000)
#define GROW_MIN_ITEMS(n)   ((n)*2)
#define GROW_MAX_ITEMS(n)   ((n)*9 / 2)
/* Overflow buckets that have memory beyond those ever handed out. Growth takes
 * care of them first: if shared memory ends, its last part is theirs, and
 * chains can still get longer while growth is refused. */
#define OVERFLOW_SPARE(n) ((n) / 16)

bool
table_due(const struct table *t)
{
	if (t->n_buckets >= t->map->n_buckets_max || t->n_items < t->refused_at_items)
		return false;
	return t->n_items > GROW_MAX_ITEMS(t->n_buckets) ||
	    (t->n_items > GROW_MIN_ITEMS(t->n_buckets) &&
		t->n_overflow_items > OVERFLOW_MAX(t->n_items));
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
	table_chain_of(t, from, &c);
	for (uint32_t l = 0; l < c.n_lines; l++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			uint64_t slot = word_load_rlx(slot_at(t, c.line[l], i));
			if (slot_is_item(slot) &&
			    table_bucket_idx(slot_hash(t, slot), t->n_buckets + 1) ==
				t->n_buckets) {
				CHECK(m->n < CHAIN_LINES_MAX * BUCKET_SLOTS);
				m->ref[m->n] = slot_ref(c.line[l], i);
				m->slot[m->n++] = slot;
			}
		}
}

/* The slot_ref of the k-th item of a chain. Every line but the last keeps its
 * last slot for the link. */
static uint64_t
chain_ref(const struct chain *c, uint32_t k)
{
	uint32_t l = k / LINK_SLOT < c->n_lines ? k / LINK_SLOT : c->n_lines - 1;

	return slot_ref(c->line[l], k - l * LINK_SLOT);
}

/* The word for a slot of the l-th line. The lines behind it are filled
 * already. */
static uint64_t
chain_slot(
    const struct table *t, const struct chain *c, const struct moving *m, uint32_t l, unsigned i)
{
	uint32_t k = l * LINK_SLOT + i;

	if (i == LINK_SLOT && l + 1 < c->n_lines)
		return table_link_of(t, c, l);
	return k < m->n ? m->slot[k] : 0;
}

/* Fills the overflow lines of a chain that no reader can reach yet, the last
 * line first. False: there is no memory. */
static bool
fill_overflow(struct table *t, uint64_t head, const struct moving *m, struct chain *ret)
{
	*ret = (struct chain){.n_lines = 1, .line = {head}};
	while (m->n > ret->n_lines * LINK_SLOT + 1) {
		uint64_t fresh = table_overflow_take(t);
		if (fresh == 0) {
			while (ret->n_lines > 1)
				table_overflow_give(t, ret->line[--ret->n_lines]);
			return false;
		}
		CHECK(ret->n_lines < CHAIN_LINES_MAX);
		ret->line[ret->n_lines++] = fresh;
	}
	for (uint32_t l = ret->n_lines - 1; l > 0; l--)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++)
			word_store_rlx(slot_at(t, ret->line[l], i), chain_slot(t, ret, m, l, i));
	return true;
}

static bool
spare_overflow(struct table *t)
{
	uint64_t want = t->n_overflow_made + OVERFLOW_SPARE(t->n_buckets);

	want = want < t->map->n_overflow_max ? want : t->map->n_overflow_max;
	return table_overflow_memory(t, want);
}

/*
 * Splits the next bucket b into itself and the new bucket b'. The count is
 * published inside both windows: a reader with the old count finds b rewritten
 * and looks again; a reader with the new count finds b' odd until it is whole.
 * A successor that finds the old count finds everything in b. With the new
 * count it finds everything that belongs to b' there, and some of it in b too.
 */
bool
table_split(struct table *t)
{
	uint64_t from = table_split_idx(t->n_buckets), to = t->n_buckets;
	struct chain c;
	struct moving m;

	CHECK(from < to && to < t->map->n_buckets_max);
	if (!spare_overflow(t) || map_allocate_buckets(t->map, to + 1) != 0)
		goto refused;
	plan_split(t, from, &m);
	if (!fill_overflow(t, to, &m, &c))
		goto refused;
	CRASH_POINT("split:planned");
	struct bucket *old = table_line(t, from), *new = table_line(t, to);

	seq_mark(&old->seq);
	CRASH_POINT("split:old marked");
	seq_mark_unborn(&new->seq);
	CRASH_POINT("split:new marked");
	seq_marked();
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		word_store_rlx(&new->slot[i], chain_slot(t, &c, &m, 0, i));
	CRASH_POINT("split:new filled");
	seq_crash_order(); /* [C1] the new bucket is whole before it counts */
	/* relaxed: a reader that misses re-reads it after begin [S1][S2] */
	word_store_rlx(&t->map->header->count, to + 1);
	CRASH_POINT("split:count stored");
	seq_crash_order(); /* [C1] it counts before the old one forgets */
	for (uint32_t k = 0; k < m.n; k++)
		word_store_rlx(slot_at(t, ref_line(m.ref[k]), ref_slot(m.ref[k])), 0);
	CRASH_POINT("split:old cleared");
	t->n_buckets = to + 1;
	t->stat[SHM_STAT_SPLITS]++;
	for (uint32_t k = 0; k < m.n; k++) {
		uint64_t ref = chain_ref(&c, k);
		t->n_overflow_items -= ref_line(m.ref[k]) != from;
		t->n_overflow_items += ref_line(ref) != to;
		table_move_aside(t, m.ref[k], ref);
	}
	CHECK(t->n_overflow_items <= t->n_items);
	table_close_up(t, from);
	seq_exit(&old->seq);
	CRASH_POINT("split:old left");
	seq_exit(&new->seq);
	CRASH_POINT("split:new left");
	return true;
refused:
	t->stat[SHM_STAT_GROWTH_REFUSED]++;
	t->refused_at_items = t->n_items + t->n_items / 16 + 1;
	return false;
}
