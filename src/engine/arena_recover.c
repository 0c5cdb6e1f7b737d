/* arena_recover.c: finds the blocks that a dead writer's live records lie in,
 * and the order in which they were opened. */
#include <errno.h>
#include <stdlib.h>

#include "engine/arena_private.h"

/* Takes one extent of a live record. False: its number is impossible, or
 * another record has it. */
static bool
recover_extent(struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t k)
{
	uint32_t e = arena_extent(a, item_off, shape, k), i = item_extent_block(shape, k, e);
	struct block *s = &a->block[i];

	if (i >= a->n_blocks || i == arena_block_of(a, item_off))
		return false;
	bool fresh = s->kind == BLOCK_FREE && s->n_live == 0;
	if (k < shape->n_whole) {
		if (fresh)
			s->kind = BLOCK_EXTENT;
		return fresh;
	}
	if ((!fresh && s->kind != BLOCK_PARTS) || a->owner[e] != 0)
		return false;
	s->kind = BLOCK_PARTS;
	s->n_live++;
	s->live_bytes += a->block_bytes >> BLOCK_PARTS_SHIFT;
	a->owner[e] = item_off + 1;
	return true;
}

static void
give_up_extent(struct arena *a, uint64_t item_off, const struct item_shape *shape, uint32_t k)
{
	uint32_t e = arena_extent(a, item_off, shape, k);
	struct block *s = &a->block[item_extent_block(shape, k, e)];

	CHECK(s->kind == BLOCK_EXTENT || (s->kind == BLOCK_PARTS && s->n_live > 0));
	if (k >= shape->n_whole) {
		s->n_live--;
		s->live_bytes -= a->block_bytes >> BLOCK_PARTS_SHIFT;
		a->owner[e] = 0;
	}
	if (s->n_live == 0)
		s->kind = BLOCK_FREE;
}

bool
arena_recover_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape)
{
	uint32_t k = 0;

	while (k < shape->n_extents && recover_extent(a, item_off, shape, k))
		k++;
	if (k == shape->n_extents)
		return true;
	while (k-- > 0)
		give_up_extent(a, item_off, shape, k);
	return false;
}

struct aged {
	uint64_t birth;
	uint32_t block_idx;
};

static int
by_birth(const void *x, const void *y)
{
	const struct aged *a = x, *b = y;

	return (a->birth > b->birth) - (a->birth < b->birth);
}

int
arena_recovered(struct arena *a)
{
	struct aged *order = calloc(a->n_blocks, sizeof(*order));
	uint32_t n = 0;

	if (order == NULL)
		return -ENOMEM;
	a->free_head = ARENA_NONE;
	a->n_free = 0;
	a->n_extent_blocks = 0;
	for (uint32_t i = a->n_blocks; i-- > 0;) {
		/* relaxed: wrong values cost order only */
		uint64_t role = word_load_rlx(&a->map->blocks[i].role);
		struct block *s = &a->block[i];
		if (ROLE_BIRTH(role) > a->births)
			a->births = ROLE_BIRTH(role);
		if (s->kind == BLOCK_PARTS) {
			s->used_bytes = a->block_bytes;
			s->latest_s = UINT32_MAX;
			arena_level_enter(a, i);
			a->n_extent_blocks++;
		} else if (s->n_live > 0) {
			s->kind = BLOCK_SEALED;
			arena_level_enter(a, i);
			s->ttl_class =
			    (uint8_t)(ROLE_CLASS(role) < a->n_classes ? ROLE_CLASS(role) : 0);
			order[n++] = (struct aged){ROLE_BIRTH(role), i};
		} else if (s->kind == BLOCK_EXTENT) {
			a->n_extent_blocks++;
		} else {
			arena_give_back(a, i);
		}
	}
	qsort(order, n, sizeof(*order), by_birth);
	a->queue[ARENA_SMALL].n_extents = a->queue[ARENA_MAIN].n_extents = 0;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = order[k].block_idx;
		unsigned log = ROLE_LOG(word_load_rlx(&a->map->blocks[i].role)) == ARENA_SMALL
		    ? ARENA_SMALL
		    : ARENA_MAIN;
		a->block[i].log = (uint8_t)log;
		a->block[i].used_bytes = a->block_bytes;
		a->block[i].opened_s = a->now_s;
		arena_queue_push(a, log, i);
		a->queue[log].n_blocks++;
		a->queue[log].n_extents += a->block[i].n_extents;
	}
	free(order);
	return 0;
}
