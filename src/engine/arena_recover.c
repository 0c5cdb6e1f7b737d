/*
 * arena_recover.c: which segments a dead writer's live records lie in, and in
 * which order they were opened.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/arena_private.h"

bool
arena_recover_extents(struct arena *a, uint64_t item_off, const struct item_shape *shape)
{
	uint32_t self = arena_seg_of(a, item_off), i;

	for (i = 0; i < shape->n_extents; i++) {
		uint32_t e = arena_extent(a, item_off, shape, i);
		if (e >= a->n_segments || e == self || a->seg[e].kind != SEG_FREE ||
		    a->seg[e].n_live != 0)
			break;
		a->seg[e].kind = SEG_EXTENT;
	}
	if (i == shape->n_extents)
		return true;
	while (i-- > 0)
		a->seg[arena_extent(a, item_off, shape, i)].kind = SEG_FREE;
	return false;
}

struct aged {
	uint64_t birth;
	uint32_t seg_idx;
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
	struct aged *order = calloc(a->n_segments, sizeof(*order));
	uint32_t n = 0;

	if (order == NULL)
		return -ENOMEM;
	a->free_head = ARENA_NONE;
	a->n_free = 0;
	a->n_extent_segments = 0;
	for (uint32_t i = a->n_segments; i-- > 0;) {
		/* relaxed: wrong values cost order only */
		uint64_t role = word_load_rlx(&a->map->segments[i].role);
		struct segment *s = &a->seg[i];
		if (ROLE_BIRTH(role) > a->births)
			a->births = ROLE_BIRTH(role);
		if (s->n_live > 0) {
			s->kind = SEG_SEALED;
			arena_level_enter(a, i);
			s->ttl_class =
			    (uint8_t)(ROLE_CLASS(role) < a->n_classes ? ROLE_CLASS(role) : 0);
			order[n++] = (struct aged){ROLE_BIRTH(role), i};
		} else if (s->kind == SEG_EXTENT) {
			a->n_extent_segments++;
		} else {
			arena_give_back(a, i);
		}
	}
	qsort(order, n, sizeof(*order), by_birth);
	a->queue[ARENA_SMALL].n_extents = a->queue[ARENA_MAIN].n_extents = 0;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = order[k].seg_idx;
		unsigned log = ROLE_LOG(word_load_rlx(&a->map->segments[i].role)) == ARENA_SMALL
				   ? ARENA_SMALL
				   : ARENA_MAIN;
		a->seg[i].log = (uint8_t)log;
		a->seg[i].used_bytes = a->seg_bytes;
		a->seg[i].opened_s = a->now_s;
		arena_queue_push(a, log, i);
		a->queue[log].n_segments++;
		a->queue[log].n_extents += a->seg[i].n_extents;
	}
	free(order);
	return 0;
}
