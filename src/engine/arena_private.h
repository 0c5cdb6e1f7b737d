/*
 * arena_private.h: queues, levels and the free list, as arena.c and
 * arena_recover.c keep them.
 */
#ifndef PEEK_ENGINE_ARENA_PRIVATE_H
#define PEEK_ENGINE_ARENA_PRIVATE_H

#include "engine/arena.h"

/* The role word, for a successor: the block's kind, its log, its class, and its
 * number in the order of opening. */
#define ROLE(kind, log, ttl_class, birth) \
	((uint64_t)(birth) << 16 | (uint64_t)(ttl_class) << 8 | (uint64_t)(log) << 4 | (kind))
#define ROLE_KIND(w)  ((unsigned)(w)&0xf)
#define ROLE_LOG(w)   ((unsigned)((w) >> 4) & 0xf)
#define ROLE_CLASS(w) ((unsigned)((w) >> 8) & 0xff)
#define ROLE_BIRTH(w) ((w) >> 16)

/* Makes the block the newest of its log. */
void arena_queue_push(struct arena *a, enum arena_log log, uint32_t i);

/* Puts a sealed block among those that are about as live. */
void arena_level_enter(struct arena *a, uint32_t i);

void arena_level_leave(struct arena *a, uint32_t i);
/* The block's live bytes have changed: moves it to its level. */
void arena_level_again(struct arena *a, uint32_t i);

/* Makes a live record the owner of the parts that it lists. */
void arena_own_parts(struct arena *a, uint64_t item_off, const struct item_shape *shape);

/* Takes a free block. One must be free. */
uint32_t arena_take(struct arena *a, enum arena_kind kind, enum arena_log log, uint32_t ttl_class);

/* Puts the block on the free list. */
void arena_give_back(struct arena *a, uint32_t i);

#endif
