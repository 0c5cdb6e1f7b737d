/*
 * engine_check.h: every sum that the engine keeps, counted anew from the slots.
 */
#ifndef PEEK_TESTS_ENGINE_CHECK_H
#define PEEK_TESTS_ENGINE_CHECK_H

#include "engine/store.h"
#include "engine/store_private.h"

/* NULL: all is as it should be; else what isn't. */
const char *engine_check(struct store *s);

#endif
