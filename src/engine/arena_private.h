/*
 * arena_private.h: queues, levels and the free list, as arena.c and
 * arena_recover.c keep them.
 */
#ifndef PEEK_ENGINE_ARENA_PRIVATE_H
#define PEEK_ENGINE_ARENA_PRIVATE_H

#include "engine/arena.h"

/*
 * The role word, for a successor: what the block was, and when it was opened.
 */
#define ROLE(kind, log, ttl_class, birth) \
	((uint64_t)(birth) << 16 | (uint64_t)(ttl_class) << 8 | (uint64_t)(log) << 4 | (kind))
#define ROLE_KIND(w)  ((unsigned)(w)&0xf)
#define ROLE_LOG(w)   ((unsigned)((w) >> 4) & 0xf)
#define ROLE_CLASS(w) ((unsigned)((w) >> 8) & 0xff)
#define ROLE_BIRTH(w) ((w) >> 16)

/* The block is the newest of its log. */
void arena_queue_push(struct arena *a, enum arena_log log, uint32_t i);

/* A sealed block joins those that are about as live as it is. */
void arena_level_enter(struct arena *a, uint32_t i);

void arena_level_leave(struct arena *a, uint32_t i);
/* What lives in it has changed. */
void arena_level_again(struct arena *a, uint32_t i);

/* The parts that a live record lists are its own from now on. */
void arena_own_parts(struct arena *a, uint64_t item_off, const struct item_shape *shape);

/* Takes a free block, which there must be. */
uint32_t arena_take(struct arena *a, enum arena_kind kind, enum arena_log log, uint32_t ttl_class);

/* The block is free. */
void arena_give_back(struct arena *a, uint32_t i);

#endif
