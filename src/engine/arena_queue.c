/* arena_queue.c: the free list, the queue of each log in the order in which its
 * blocks were opened, and the levels of sealed blocks by how live they are. */
#include <stdlib.h>

#include "engine/arena_private.h"
#include "engine/crash.h"
#include "shm/seq.h"

/* ---- queues ---- */

void
arena_queue_push(struct arena *a, enum arena_log log, uint32_t i)
{
	index_list_append(&a->queue[log].list, &a->block->queued, sizeof(*a->block), i);
}

/* ---- sealed blocks by how live they are ---- */

static uint8_t
level_of(const struct arena *a, const struct block *s)
{
	return (uint8_t)(((uint64_t)arena_net_bytes(a, s) * (ARENA_LEVELS - 1)) >> a->block_shift);
}

void
arena_level_enter(struct arena *a, uint32_t i)
{
	struct block *s = &a->block[i];

	s->level = level_of(a, s);
	CHECK(s->level < ARENA_LEVELS && (s->kind == BLOCK_SEALED || s->kind == BLOCK_PARTS));
	index_list_append(&a->level[s->level], &a->block->peer, sizeof(*a->block), i);
}

void
arena_level_leave(struct arena *a, uint32_t i)
{
	index_list_remove(&a->level[a->block[i].level], &a->block->peer, sizeof(*a->block), i);
}

void
arena_level_again(struct arena *a, uint32_t i)
{
	if (a->block[i].level == level_of(a, &a->block[i]))
		return;
	arena_level_leave(a, i);
	arena_level_enter(a, i);
}

uint32_t
arena_emptiest(const struct arena *a, bool logs_only)
{
	for (unsigned level = 0; level < ARENA_LEVELS; level++)
		for (uint32_t i = a->level[level].first; i != ARENA_NONE; i = a->block[i].peer.next)
			if (!logs_only || a->block[i].kind == BLOCK_SEALED)
				return i;
	return ARENA_NONE;
}

void
arena_take_victim(struct arena *a, uint32_t block_idx)
{
	CHECK(a->block[block_idx].kind == BLOCK_SEALED || a->block[block_idx].kind == BLOCK_PARTS);
	arena_level_leave(a, block_idx);
	a->block[block_idx].kind =
	    a->block[block_idx].kind == BLOCK_PARTS ? BLOCK_PARTS_VICTIM : BLOCK_VICTIM;
}

void
arena_leave_victim(struct arena *a, uint32_t block_idx)
{
	struct block *s = &a->block[block_idx];

	CHECK(s->kind == BLOCK_VICTIM || s->kind == BLOCK_PARTS_VICTIM);
	s->kind = s->kind == BLOCK_PARTS_VICTIM ? BLOCK_PARTS : BLOCK_SEALED;
	arena_level_enter(a, block_idx);
	if (s->n_live == 0)
		arena_free(a, block_idx);
}

uint32_t
arena_take(struct arena *a, enum arena_kind kind, enum arena_log log, uint32_t ttl_class)
{
	uint32_t i = a->free_head;
	struct block *s = &a->block[i];

	CHECK(a->n_free > 0 && i < a->n_blocks && s->kind == BLOCK_FREE);
	a->free_head = s->queued.next;
	a->n_free--;
	a->births++;
	*s = (struct block){.kind = (uint8_t)kind,
	    .log = (uint8_t)log,
	    .ttl_class = (uint8_t)ttl_class,
	    .opened_s = a->now_s};
	/* relaxed: only order hangs on it */
	word_store_rlx(&a->map->blocks[i].role, ROLE(kind, log, ttl_class, a->births));
	CRASH_POINT("append:role stored");
	seq_retire(&a->map->blocks[i].incarnation);
	CRASH_POINT("append:incarnation raised");
	return i;
}

void
arena_give_back(struct arena *a, uint32_t i)
{
	struct block *s = &a->block[i];

	CHECK(a->n_free < a->n_blocks && s->n_live == 0);
	free(s->listed);
	*s = (struct block){.kind = BLOCK_FREE, .queued.next = a->free_head};
	a->free_head = i;
	a->n_free++;
}

void
arena_free(struct arena *a, uint32_t block_idx)
{
	const struct block *s = &a->block[block_idx];

	CHECK(s->kind != BLOCK_FREE && s->n_live == 0 && s->live_bytes == 0);
	CHECK(!arena_is_log(s) ? a->n_extent_blocks > 0 : a->queue[s->log].n_blocks > 0);
	if (s->kind == BLOCK_SEALED || s->kind == BLOCK_PARTS)
		arena_level_leave(a, block_idx);
	if (arena_is_log(s)) {
		index_list_remove(
		    &a->queue[s->log].list, &a->block->queued, sizeof(*a->block), block_idx);
		a->queue[s->log].n_blocks--;
	} else {
		a->n_extent_blocks--;
	}
	arena_give_back(a, block_idx);
}
