/*
 * arena_queue.c: which segments are free, in which order those of a log were
 * opened, and how live the sealed ones are.
 */
#include <stdlib.h>

#include "engine/arena_private.h"
#include "engine/crash.h"
#include "shm/seq.h"

/*
 * ---- queues
 * ----------------------------------------------------------------------------------------------------------
 */

void
arena_queue_push(struct arena *a, enum arena_log log, uint32_t i)
{
	struct arena_queue *q = &a->queue[log];

	a->seg[i].prev = q->newest;
	a->seg[i].next = ARENA_NONE;
	if (q->newest != ARENA_NONE)
		a->seg[q->newest].next = i;
	else
		q->oldest = i;
	q->newest = i;
}

static void
queue_remove(struct arena *a, enum arena_log log, uint32_t i)
{
	struct arena_queue *q = &a->queue[log];
	struct segment *s = &a->seg[i];

	if (s->prev != ARENA_NONE)
		a->seg[s->prev].next = s->next;
	else
		q->oldest = s->next;
	if (s->next != ARENA_NONE)
		a->seg[s->next].prev = s->prev;
	else
		q->newest = s->prev;
}

/*
 * ---- sealed segments by how live they are
 * ------------------------------------------------------------------------------
 */

static uint8_t
level_of(const struct arena *a, const struct segment *s)
{
	return (uint8_t)(((uint64_t)arena_net_bytes(a, s) * (ARENA_LEVELS - 1)) >> a->seg_shift);
}

void
arena_level_enter(struct arena *a, uint32_t i)
{
	struct segment *s = &a->seg[i];

	s->level = level_of(a, s);
	s->peer_next = ARENA_NONE;
	s->peer_prev = a->level_tail[s->level];
	if (s->peer_prev != ARENA_NONE)
		a->seg[s->peer_prev].peer_next = i;
	else
		a->level_head[s->level] = i;
	a->level_tail[s->level] = i;
}

void
arena_level_leave(struct arena *a, uint32_t i)
{
	struct segment *s = &a->seg[i];

	if (s->peer_next != ARENA_NONE)
		a->seg[s->peer_next].peer_prev = s->peer_prev;
	else
		a->level_tail[s->level] = s->peer_prev;
	if (s->peer_prev != ARENA_NONE)
		a->seg[s->peer_prev].peer_next = s->peer_next;
	else
		a->level_head[s->level] = s->peer_next;
}

void
arena_level_again(struct arena *a, uint32_t i)
{
	if (a->seg[i].level == level_of(a, &a->seg[i]))
		return;
	arena_level_leave(a, i);
	arena_level_enter(a, i);
}

uint32_t
arena_emptiest(const struct arena *a, bool logs_only)
{
	for (unsigned level = 0; level < ARENA_LEVELS; level++)
		for (uint32_t i = a->level_head[level]; i != ARENA_NONE; i = a->seg[i].peer_next)
			if (!logs_only || a->seg[i].kind == SEG_SEALED)
				return i;
	return ARENA_NONE;
}

void
arena_take_victim(struct arena *a, uint32_t seg_idx)
{
	arena_level_leave(a, seg_idx);
	a->seg[seg_idx].kind = a->seg[seg_idx].kind == SEG_PARTS ? SEG_PARTS_VICTIM : SEG_VICTIM;
}

void
arena_leave_victim(struct arena *a, uint32_t seg_idx)
{
	struct segment *s = &a->seg[seg_idx];

	s->kind = s->kind == SEG_PARTS_VICTIM ? SEG_PARTS : SEG_SEALED;
	arena_level_enter(a, seg_idx);
	if (s->n_live == 0)
		arena_free(a, seg_idx);
}

uint32_t
arena_take(struct arena *a, enum arena_kind kind, enum arena_log log, uint32_t ttl_class)
{
	uint32_t i = a->free_head;
	struct segment *s = &a->seg[i];

	a->free_head = s->next;
	a->n_free--;
	a->births++;
	*s = (struct segment){.kind = (uint8_t)kind, .log = (uint8_t)log, .ttl_class = (uint8_t)ttl_class, .opened_s = a->now_s};
	/* relaxed: only order hangs on it */
	word_store_rlx(&a->map->segments[i].role, ROLE(kind, log, ttl_class, a->births));
	CRASH_POINT("append:role stored");
	seq_retire(&a->map->segments[i].incarnation);
	CRASH_POINT("append:incarnation raised");
	return i;
}

void
arena_give_back(struct arena *a, uint32_t i)
{
	struct segment *s = &a->seg[i];

	free(s->listed);
	*s = (struct segment){.kind = SEG_FREE, .next = a->free_head};
	a->free_head = i;
	a->n_free++;
}

void
arena_free(struct arena *a, uint32_t seg_idx)
{
	const struct segment *s = &a->seg[seg_idx];

	if (s->kind == SEG_SEALED || s->kind == SEG_PARTS)
		arena_level_leave(a, seg_idx);
	if (arena_is_log(s)) {
		queue_remove(a, s->log, seg_idx);
		a->queue[s->log].n_segments--;
	} else {
		a->n_extent_segments--;
	}
	arena_give_back(a, seg_idx);
}
