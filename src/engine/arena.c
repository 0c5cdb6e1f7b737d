/*
 * arena.c: blocks as a log.
 *
 * A block's life is free, open, sealed, free; or free, extent, free. arena_take
 * takes it from the free list and raises its incarnation: from then on no
 * pinned copy of its old contents stands [S3]. Every record in a block was
 * unlinked before the block was freed.
 */
#include "engine/arena_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crash.h"
#include "shm/seq.h"

int
arena_init(struct arena *a, struct map *map)
{
	*a = (struct arena){.map = map,
	    .n_blocks = (uint32_t)map->n_blocks,
	    .block_shift = map->block_shift,
	    .block_bytes = UINT32_C(1) << map->block_shift,
	    .free_head = ARENA_NONE};
	a->open_parts = ARENA_NONE;
	a->owner = calloc((size_t)a->n_blocks << BLOCK_PARTS_SHIFT, sizeof(*a->owner));
	a->block = aligned_alloc(_Alignof(struct block), a->n_blocks * sizeof(*a->block));
	if (a->block == NULL || a->owner == NULL)
		return -ENOMEM;
	memset(a->block, 0, a->n_blocks * sizeof(*a->block));
	a->n_classes = a->n_blocks / 64 < ARENA_CLASSES_MAX ? a->n_blocks / 64 : ARENA_CLASSES_MAX;
	if (a->n_classes == 0)
		a->n_classes = 1;
	for (unsigned log = 0; log < ARENA_LOGS; log++) {
		a->queue[log] = (struct arena_queue){.list = INDEX_LIST_EMPTY};
		for (unsigned c = 0; c < ARENA_CLASSES_MAX; c++)
			a->open[log][c] = ARENA_NONE;
	}
	for (unsigned level = 0; level < ARENA_LEVELS; level++)
		a->level[level] = INDEX_LIST_EMPTY;
	for (uint32_t i = a->n_blocks; i-- > 0;) {
		a->block[i].queued.next = a->free_head;
		a->free_head = i;
	}
	a->n_free = a->n_blocks;
	return 0;
}

void
arena_fini(struct arena *a)
{
	for (uint32_t i = 0; a->block != NULL && i < a->n_blocks; i++)
		free(a->block[i].listed);
	free(a->block);
	free(a->owner);
	a->block = NULL;
	a->owner = NULL;
}

/* Classes above 0 are geometric: 15 of them part 1 s to 2^22 s (48 days), 44
 * half powers of two, at ratios of 2.8. */
#define TTL_HALVES 44
#define TTL_MAX    (UINT32_C(1) << 26) /* seconds that are told apart: two years */

uint32_t
arena_class(const struct arena *a, uint32_t expiry_s, uint32_t now_s)
{
	if (expiry_s == 0 || a->n_classes == 1)
		return 0;
	uint32_t left = expiry_s > now_s ? expiry_s - now_s : 1;
	uint32_t log2 = 31 - (uint32_t)__builtin_clz(left);
	uint32_t halves = log2 * 2 + (log2 > 0 && (left >> (log2 - 1) & 1) != 0);
	uint32_t n = a->n_classes - 1, c = halves * n / TTL_HALVES;
	return 1 + (c < n ? c : n - 1);
}

/*
 * ---- the logs -------------------------------------------------------------
 */

void
arena_seal(struct arena *a, enum arena_log log, uint32_t ttl_class)
{
	uint32_t i = a->open[log][ttl_class];

	if (i == ARENA_NONE)
		return;
	CHECK(a->block[i].kind == BLOCK_OPEN && a->block[i].log == log);
	a->open[log][ttl_class] = ARENA_NONE;
	a->block[i].kind = BLOCK_SEALED;
	arena_level_enter(a, i);
	CRASH_POINT("seal:sealed");
	if (a->block[i].n_live == 0)
		arena_free(a, i);
}

bool
arena_open_fits(
    const struct arena *a, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes)
{
	uint32_t i = a->open[log][ttl_class];

	return i != ARENA_NONE && a->block[i].used_bytes + record_bytes <= a->block_bytes;
}

uint64_t
arena_append(struct arena *a, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes,
    uint32_t reserve)
{
	if (!arena_open_fits(a, log, ttl_class, record_bytes)) {
		if (a->n_free <= reserve || record_bytes > a->block_bytes)
			return ARENA_NO_ROOM;
		arena_seal(a, log, ttl_class);
		uint32_t fresh = arena_take(a, BLOCK_OPEN, log, ttl_class);
		a->open[log][ttl_class] = fresh;
		arena_queue_push(a, log, fresh);
		a->queue[log].n_blocks++;
	}
	uint32_t i = a->open[log][ttl_class];
	uint64_t off = ((uint64_t)i << a->block_shift) + a->block[i].used_bytes;
	CHECK(record_bytes % ITEM_UNIT_BYTES == 0);
	a->block[i].used_bytes += (uint32_t)record_bytes;
	CHECK(a->block[i].used_bytes <= a->block_bytes);
	return off;
}

uint64_t
arena_append_copy(struct arena *a, enum arena_log log, uint32_t ttl_class, uint64_t record_bytes,
    uint32_t reserve)
{
	if (a->n_free > reserve + 1 || arena_open_fits(a, log, ttl_class, record_bytes))
		return arena_append(a, log, ttl_class, record_bytes, reserve);
	for (unsigned l = 0; l < ARENA_LOGS; l++)
		for (uint32_t c = 0; c < a->n_classes; c++)
			if (arena_open_fits(a, (enum arena_log)l, c, record_bytes))
				return arena_append(a, (enum arena_log)l, c, record_bytes, reserve);
	return arena_append(a, log, ttl_class, record_bytes, reserve);
}

uint32_t
arena_take_extent(struct arena *a)
{
	if (a->n_free <= ARENA_RESERVE)
		return ARENA_NONE;
	a->n_extent_blocks++;
	return arena_take(a, BLOCK_EXTENT, ARENA_SMALL, 0);
}

/* ---- live bytes, and when they expire ------------------------------------ */

static uint32_t
ttl_of_halves(uint32_t halves)
{
	return halves % 2 != 0 ? (UINT32_C(3) << (halves / 2)) / 2 : UINT32_C(1) << (halves / 2);
}

/* Begins the spans of a block with the first record that expires. They cover
 * the block's class; where the class is wide, the times near this record's
 * expiry. */
static void
begin_spans(const struct arena *a, struct block *s, uint32_t expiry_s)
{
	uint32_t left = expiry_s > a->now_s ? expiry_s - a->now_s : 1, n = a->n_classes - 1;
	left = left < TTL_MAX ? left : TTL_MAX;
	uint32_t from = left / 3, to = left * 3;

	if (s->ttl_class != 0) {
		uint32_t lo = ttl_of_halves(((s->ttl_class - 1u) * TTL_HALVES + n - 1) / n);
		uint32_t hi = ttl_of_halves((s->ttl_class * TTL_HALVES + n - 1) / n);
		from = lo > from && lo < left ? lo : from;
		to = hi < to && hi > left ? hi : to;
	}
	spans_begin(&s->spans, a->now_s, from, to);
}

static void
expiry_add(
    const struct arena *a, struct block *s, const struct item_shape *shape, uint32_t expiry_s)
{
	if (expiry_s == 0)
		return;
	if (!spans_begun(&s->spans))
		begin_spans(a, s, expiry_s);
	spans_add(&s->spans, expiry_s,
	    (struct span_sum){(uint32_t)shape->record_bytes, (uint32_t)item_parts(shape)});
}

/* The record's own word says when it expires, so that the spans agree with the
 * records at any moment. */
static void
expiry_drop(
    const struct arena *a, struct block *s, const struct item_shape *shape, uint64_t item_off)
{
	/* relaxed: an own store */
	uint32_t expiry_s = item_expiry_s(word_load_rlx(arena_word(a, item_off)));

	if (expiry_s != 0)
		spans_drop(&s->spans, expiry_s,
		    (struct span_sum){(uint32_t)shape->record_bytes, (uint32_t)item_parts(shape)});
}

/* This process wrote the record, or recover.c checked it: the lengths are
 * trusted. */
static struct item_shape
shape_at(const struct arena *a, uint64_t item_off)
{
	const struct word *w = arena_word(a, item_off);
	/* relaxed: own stores */
	uint64_t word0 = word_load_rlx(&w[0]), word1 = word_load_rlx(&w[1]);

	return item_shape(
	    item_state(word1), item_key_bytes(word0), item_value_bytes(word0), a->block_shift);
}

void
arena_look(struct arena *a, uint32_t block_idx, uint32_t now_s)
{
	if (spans_advance(&a->block[block_idx].spans, now_s) &&
	    a->block[block_idx].kind == BLOCK_SEALED)
		arena_level_again(a, block_idx);
}

static void
raise_latest(struct block *s, uint32_t expiry_s)
{
	uint32_t until = expiry_s == 0 ? UINT32_MAX : expiry_s;

	if (until > s->latest_s)
		s->latest_s = until;
}

void
arena_add_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t expiry_s)
{
	struct block *s = &a->block[arena_block_of(a, item_off)];
	uint64_t memory = arena_memory(a, shape);

	s->live_bytes += (uint32_t)shape->record_bytes;
	s->n_live++;
	s->n_extents += (uint32_t)item_parts(shape);
	a->queue[s->log].n_extents += (uint32_t)item_parts(shape);
	arena_own_parts(a, item_off, shape);
	a->live_bytes += memory;
	a->live_squares += arena_square(memory);
	expiry_add(a, s, shape, expiry_s);
	raise_latest(s, expiry_s);
	CHECK(s->kind != BLOCK_EXTENT && s->live_bytes <= a->block_bytes);
}

void
arena_drop_live(
    struct arena *a, uint64_t item_off, const struct item_shape *shape, bool keep_extents)
{
	uint32_t i = arena_block_of(a, item_off);
	struct block *s = &a->block[i];
	uint64_t memory = arena_memory(a, shape);

	CHECK(s->n_live > 0 && s->live_bytes >= shape->record_bytes);
	CHECK(s->n_extents >= item_parts(shape));
	CHECK(a->queue[s->log].n_extents >= item_parts(shape));
	CHECK(a->live_bytes >= memory && a->live_squares >= arena_square(memory));
	s->live_bytes -= (uint32_t)shape->record_bytes;
	s->n_live--;
	s->n_extents -= (uint32_t)item_parts(shape);
	a->queue[s->log].n_extents -= (uint32_t)item_parts(shape);
	a->live_bytes -= memory;
	a->live_squares -= arena_square(memory);
	CHECK(s->n_live > 0 || (s->live_bytes == 0 && s->n_extents == 0));
	/* between add and drop a copy's extents count twice: here they don't */
	CHECK(a->live_bytes <= a->map->arena_bytes);
	expiry_drop(a, s, shape, item_off);
	if (!keep_extents)
		arena_free_extents(a, item_off, shape);
	if (s->kind != BLOCK_SEALED)
		return;
	if (s->n_live == 0)
		arena_free(a, i);
	else
		arena_level_again(a, i);
}

void
arena_free_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape)
{
	for (uint32_t i = 0; i < shape->n_extents; i++) {
		uint32_t e = arena_extent(a, item_off, shape, i);
		if (item_extent_block(shape, i, e) >= a->n_blocks)
			continue;
		if (i >= shape->n_whole)
			arena_part_died(a, e);
		else if (a->block[e].kind == BLOCK_EXTENT)
			arena_free(a, e);
	}
}

void
arena_raise_expiry(struct arena *a, uint64_t item_off, uint32_t expiry_s)
{
	uint32_t i = arena_block_of(a, item_off);
	struct item_shape shape = shape_at(a, item_off);

	expiry_drop(a, &a->block[i], &shape, item_off);
	expiry_add(a, &a->block[i], &shape, expiry_s);
	raise_latest(&a->block[i], expiry_s);
	if (a->block[i].kind == BLOCK_SEALED)
		arena_level_again(a, i);
}

/* ---- walking a block ----------------------------------------------------- */

bool
arena_walk(const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off)
{
	const struct block *s = &a->block[block_idx];
	uint64_t base = (uint64_t)block_idx << a->block_shift;

	if (s->listed != NULL) {
		if (*cursor >= s->n_listed)
			return false;
		*ret_item_off = base + (uint64_t)s->listed[(*cursor)++] * ITEM_UNIT_BYTES;
		return true;
	}
	/* This process wrote every byte up to used_bytes. */
	if (*cursor >= s->used_bytes)
		return false;
	*ret_item_off = base + *cursor;
	*cursor += (uint32_t)shape_at(a, *ret_item_off).record_bytes;
	CHECK(*cursor <= s->used_bytes);
	return true;
}
