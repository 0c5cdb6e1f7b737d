/*
 * arena_parts.c: blocks that hold pieces of values, in parts of equal length.
 *
 * The parts of a block are taken one after another. All of them become free at
 * once: when the last live part dies, or when the live parts were copied
 * elsewhere. So the block's incarnation covers each of its parts. A part is
 * alive while a live record lists it; `owner` names that record.
 */
#include "engine/arena_private.h"

static uint32_t
part_bytes(const struct arena *a)
{
	return a->block_bytes >> BLOCK_PARTS_SHIFT;
}

/* The block isn't freed here even if no part of it lives: a record that isn't
 * linked yet may list parts of it. */
static void
seal_open(struct arena *a)
{
	uint32_t i = a->open_parts;

	if (i == ARENA_NONE)
		return;
	a->open_parts = ARENA_NONE;
	arena_level_enter(a, i);
}

uint32_t
arena_take_part(struct arena *a, uint32_t reserve)
{
	uint32_t i = a->open_parts;

	if (i == ARENA_NONE || a->block[i].used_bytes == a->block_bytes) {
		if (a->n_free <= reserve)
			return ARENA_NONE;
		seal_open(a);
		i = a->open_parts = arena_take(a, BLOCK_PARTS, ARENA_SMALL, 0);
		a->block[i].latest_s = UINT32_MAX;
		a->n_extent_blocks++;
	}
	uint32_t part = (i << BLOCK_PARTS_SHIFT) + a->block[i].used_bytes / part_bytes(a);
	CHECK(a->block[i].kind == BLOCK_PARTS);
	a->block[i].used_bytes += part_bytes(a);
	CHECK(a->block[i].used_bytes <= a->block_bytes && a->owner[part] == 0);
	return part;
}

uint32_t
arena_extents_need(const struct arena *a, const struct item_shape *shape)
{
	uint32_t n_parts = shape->n_extents - shape->n_whole, at_hand = 0;

	if (a->open_parts != ARENA_NONE)
		at_hand = (a->block_bytes - a->block[a->open_parts].used_bytes) / part_bytes(a);
	n_parts = n_parts > at_hand ? n_parts - at_hand : 0;
	return shape->n_whole + ((n_parts + (1u << BLOCK_PARTS_SHIFT) - 1) >> BLOCK_PARTS_SHIFT);
}

void
arena_own_parts(struct arena *a, uint64_t item_off, const struct item_shape *shape)
{
	for (uint32_t k = shape->n_whole; k < shape->n_extents; k++) {
		uint32_t part = arena_extent(a, item_off, shape, k), i = part >> BLOCK_PARTS_SHIFT;
		CHECK(i < a->n_blocks &&
		    (a->block[i].kind == BLOCK_PARTS || a->block[i].kind == BLOCK_PARTS_VICTIM));
		if (a->owner[part] == 0) {
			a->block[i].n_live++;
			a->block[i].live_bytes += part_bytes(a);
			if (a->block[i].kind == BLOCK_PARTS && i != a->open_parts)
				arena_level_again(a, i);
		}
		a->owner[part] = item_off + 1;
	}
}

void
arena_part_died(struct arena *a, uint32_t part)
{
	uint32_t i = part >> BLOCK_PARTS_SHIFT;
	struct block *s = &a->block[i];

	if (a->owner[part] == 0)
		return;
	CHECK(s->n_live > 0 && s->live_bytes >= part_bytes(a));
	a->owner[part] = 0;
	s->n_live--;
	s->live_bytes -= part_bytes(a);
	if (s->kind != BLOCK_PARTS || i == a->open_parts)
		return;
	if (s->n_live == 0)
		arena_free(a, i);
	else
		arena_level_again(a, i);
}

bool
arena_walk_parts(
    const struct arena *a, uint32_t block_idx, uint32_t *cursor, uint64_t *ret_item_off)
{
	while (*cursor < 1u << BLOCK_PARTS_SHIFT) {
		uint64_t owner = a->owner[(block_idx << BLOCK_PARTS_SHIFT) + (*cursor)++];
		if (owner != 0) {
			*ret_item_off = owner - 1;
			return true;
		}
	}
	return false;
}

void
arena_seal_parts(struct arena *a)
{
	uint32_t i = a->open_parts;

	if (i == ARENA_NONE)
		return;
	seal_open(a);
	if (a->block[i].n_live == 0)
		arena_free(a, i);
}
