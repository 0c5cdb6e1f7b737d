/*
 * engine_check.c: the recount, whole and by slices.
 */
#include "engine/engine_check.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/record.h"

struct recount {
	struct store *s;
	uint64_t items, live_bytes, live_squares, overflow_items, payload, n_misplaced, n_untold,
	    n_shared;
	struct span_sum expiring;
	unsigned char *taken; /* by unit of the arena */
};

/* Counts the units that another item has too, or that don't exist. */
static void
count_memory(struct recount *c, uint64_t off, uint64_t n_bytes)
{
	for (uint64_t at = off / ITEM_UNIT_BYTES; at < (off + n_bytes) / ITEM_UNIT_BYTES; at++)
		c->n_shared +=
		    at >= c->s->map->arena_bytes / ITEM_UNIT_BYTES || c->taken[at]++ != 0;
}

static void
recount_one(void *arg, const struct table_place *place)
{
	struct recount *c = arg;
	struct record r = record_load(&c->s->arena, table_item_off(place->slot));
	uint64_t memory = record_memory(&c->s->arena, &r);

	c->items++;
	c->overflow_items += ref_line(place->ref) != place->head;
	c->live_bytes += memory;
	c->live_squares += arena_square(memory);
	c->payload += item_key_bytes(r.word0) + item_value_bytes(r.word0);
	if (item_expiry_s(r.word0) != 0) {
		c->expiring.bytes += (uint32_t)r.shape.record_bytes;
		c->expiring.extents += (uint32_t)item_parts(&r.shape);
	}
	count_memory(c, r.off, r.shape.record_bytes);
	for (uint32_t i = 0; i < r.shape.n_extents; i++)
		count_memory(c,
		    item_extent_off(&r.shape, i, arena_extent(&c->s->arena, r.off, &r.shape, i),
			c->s->arena.block_shift),
		    UINT64_C(1) << item_extent_shift(&r.shape, i, c->s->arena.block_shift));
	c->n_misplaced +=
	    table_bucket_idx(record_hash(&c->s->arena, &r), c->s->table.n_buckets) != place->head;
}

/* Returns the number of overflow lines behind a bucket. Counts the links that
 * tell of more or less than what lies behind them. */
static uint64_t
chain_lines(const struct store *s, const struct bucket *b, uint64_t n_before, struct recount *c,
    uint64_t *ret_filter)
{
	uint64_t last = word_load_rlx(&b->slot[LINK_SLOT]), behind = 0, n = 0;

	if (slot_is_link(last) && n_before < CHAIN_LINES_MAX) {
		n = 1 +
		    chain_lines(
			s, &s->map->overflow[slot_link_idx(last)], n_before + 1, c, &behind);
		c->n_untold += last >> SLOT_UNIT_BITS != behind >> SLOT_UNIT_BITS;
	}
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		uint64_t slot = word_load_rlx(&b->slot[i]);
		behind |= slot_is_item(slot) ? slot_filter_bit(slot_tag_of(slot)) : 0;
	}
	*ret_filter = behind;
	return n;
}

/* Adds up the spans of a block. False: the spans that are past don't add up to
 * what the block says has expired. */
static bool
add_spans(const struct spans *s, uint32_t live_bytes, struct span_sum *sum)
{
	struct span_sum past = {0, 0};

	for (unsigned i = 0; i < SPANS; i++) {
		past.bytes += i < s->n_past ? s->span[i].bytes : 0;
		past.extents += i < s->n_past ? s->span[i].extents : 0;
		sum->bytes += s->span[i].bytes;
		sum->extents += s->span[i].extents;
	}
	return past.bytes == s->expired.bytes && past.extents == s->expired.extents &&
	    past.bytes <= live_bytes;
}

const char *
engine_check(struct store *s)
{
	struct recount c = {.s = s, .taken = calloc(1, s->map->arena_bytes / ITEM_UNIT_BYTES)};
	uint64_t st[SHM_STAT_N];
	uint64_t n_lines = 0, n_free_lines = 0, filter, block_live = 0,
		 kinds[BLOCK_PARTS_VICTIM + 1] = {0}, queued = 0;
	struct span_sum spans = {0, 0};
	bool odd = false, past = true;

	if (c.taken == NULL)
		return NULL;
	for (uint64_t head = 0; head < s->table.n_buckets; head++) {
		odd |= (word_load_rlx(&s->map->buckets[head].seq) & 1) != 0;
		table_visit(&s->table, head, recount_one, &c);
		n_lines += chain_lines(s, &s->map->buckets[head], 0, &c, &filter);
	}
	for (uint64_t i = s->table.overflow_free;
	     i != 0 && n_free_lines <= s->table.n_overflow_made; n_free_lines++)
		i = word_load_rlx(&s->map->overflow[i - 1].slot[0]);
	free(c.taken);
	store_stats(s, 0, st);
	for (uint32_t i = 0; i < s->arena.n_blocks; i++) {
		kinds[s->arena.block[i].kind]++;
		block_live += s->arena.block[i].live_bytes;
		past &= add_spans(&s->arena.block[i].spans, s->arena.block[i].live_bytes, &spans);
	}
	for (unsigned log = 0; log < ARENA_LOGS; log++)
		queued += s->arena.queue[log].n_blocks;
	return odd                                    ? "a sequence is odd"
	    : c.n_shared != 0                         ? "two items have the same memory"
	    : c.n_misplaced != 0                      ? "an item is in a bucket that isn't its own"
	    : st[SHM_STAT_CURR_ITEMS] != c.items      ? "the number of items is wrong"
	    : st[SHM_STAT_BYTES] != c.live_bytes      ? "the sum of live bytes is wrong"
	    : s->arena.live_squares != c.live_squares ? "the sum of squares is wrong"
	    : st[SHM_STAT_OVERFLOW_ITEMS] != c.overflow_items
	    ? "the number of items on overflow lines is wrong"
	    : n_lines != st[SHM_STAT_N_OVERFLOW] ? "the number of overflow lines is wrong"
	    : c.n_untold != 0                    ? "a link doesn't tell what lies behind it"
	    : n_lines + n_free_lines != s->table.n_overflow_made
	    ? "an overflow line is lost, or free twice"
	    : st[SHM_STAT_PAYLOAD_BYTES] != c.payload ? "the sum of payload is wrong"
	    : kinds[BLOCK_FREE] != s->arena.n_free    ? "the number of free blocks is wrong"
	    : kinds[BLOCK_EXTENT] + kinds[BLOCK_PARTS] + kinds[BLOCK_PARTS_VICTIM] !=
		s->arena.n_extent_blocks
	    ? "the number of extents is wrong"
	    : kinds[BLOCK_OPEN] + kinds[BLOCK_SEALED] + kinds[BLOCK_VICTIM] != queued
	    ? "a block is in no queue"
	    : block_live + (kinds[BLOCK_EXTENT] << s->arena.block_shift) != c.live_bytes
	    ? "live bytes of blocks don't add up"
	    : spans.bytes != c.expiring.bytes || spans.extents != c.expiring.extents
	    ? "live bytes by expiry don't add up"
	    : !past ? "what has expired isn't the sum of the spans that are past"
		    : NULL;
}

/* ---- slices -------------------------------------------------------------- */

#if CHECK_RECOUNT

#define STEP_BUCKETS      16
#define STEP_BLOCKS       8
#define WHOLE_BUCKETS_MAX 1024 /* the whole recount takes about a millisecond */
#define WHOLE_ARENA_MAX   (UINT64_C(64) << 20)

static void
check_item(void *arg, const struct table_place *place)
{
	const struct store *s = arg;
	struct record r = record_load(&s->arena, table_item_off(place->slot));
	const struct block *b = &s->arena.block[arena_block_of(&s->arena, r.off)];
	uint64_t begin = r.off & (s->arena.block_bytes - 1);

	CHECK(arena_is_log(b) && b->n_live > 0);
	CHECK(begin + r.shape.record_bytes <= b->used_bytes);
	CHECK(item_key_len_ok(item_key_bytes(r.word0)));
	CHECK(item_cas(r.word1) <= s->cas_last);
	CHECK(table_bucket_idx(record_hash(&s->arena, &r), s->table.n_buckets) == place->head);
}

static void
check_bucket(struct store *s, uint64_t head)
{
	const struct bucket *b = &s->map->buckets[head];
	struct recount c = {.s = s};
	uint64_t filter;

	CHECK((word_load_rlx(&b->seq) & 1) == 0);
	CHECK(chain_lines(s, b, 0, &c, &filter) < CHAIN_LINES_MAX && c.n_untold == 0);
	table_visit(&s->table, head, check_item, s);
}

static void
check_block(const struct arena *a, uint32_t i)
{
	const struct block *b = &a->block[i];
	struct span_sum sum = {0, 0};

	CHECK(b->live_bytes <= a->block_bytes && b->used_bytes <= a->block_bytes);
	CHECK(b->n_live > 0 || b->live_bytes == 0);
	CHECK(add_spans(&b->spans, b->live_bytes, &sum) && sum.bytes <= b->live_bytes);
	CHECK((b->kind == BLOCK_OPEN) == (a->open[b->log][b->ttl_class] == i));
	if (!arena_is_log(b))
		return;
	CHECK(index_list_holds(&a->queue[b->log].list, &a->block->queued, sizeof(*a->block), i));
}

void
engine_check_step(struct store *s, uint32_t now_s)
{
	for (uint32_t k = 0; k < STEP_BUCKETS; k++)
		check_bucket(s, s->check_at++ % s->table.n_buckets);
	for (uint32_t k = 0; k < STEP_BLOCKS; k++)
		check_block(&s->arena, s->check_block++ % s->arena.n_blocks);
	if (now_s == s->checked_s || s->table.n_buckets > WHOLE_BUCKETS_MAX ||
	    s->map->arena_bytes > WHOLE_ARENA_MAX)
		return;
	s->checked_s = now_s;
	const char *wrong = engine_check(s);
	if (wrong != NULL)
		check_failed(__FILE__, __LINE__, wrong);
}

#endif
