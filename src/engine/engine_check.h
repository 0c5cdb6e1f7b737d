/*
 * engine_check.h: every sum that the engine keeps, counted anew from the slots
 * and the blocks. Changes nothing.
 *
 * Tests call engine_check after their steps. Builds with checks
 * (base/check.h) also call engine_check_step from each tick: a slice of buckets
 * and blocks, and once a second the whole recount where the table is small.
 */
#ifndef PEEK_ENGINE_ENGINE_CHECK_H
#define PEEK_ENGINE_ENGINE_CHECK_H

#include "base/check.h"
#include "engine/store.h"
#include "engine/store_private.h"

/*
 * NULL: all sums are right; else the name of the one that isn't. Takes as long
 * as the table, and while it runs a byte of heap for each unit of the arena;
 * without that memory it is NULL too.
 */
const char *engine_check(struct store *s);

#if CHECK_RECOUNT
/* Aborts where something is wrong. */
void engine_check_step(struct store *s, uint32_t now_s);
#define ENGINE_CHECK_STEP(s, now_s) engine_check_step(s, now_s)
#else
#define ENGINE_CHECK_STEP(s, now_s) ((void)0)
#endif

#endif
