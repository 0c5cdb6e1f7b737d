/*
 * get.h: the continuations of a read that get.c, mget.c, view.c or place.c
 * can't finish. A read that they can finish pays for none of it.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include <stdbool.h>
#include <sys/types.h>

#include "peek.h"

#define GET_COLD __attribute__((cold, noinline))

/* A read by the pinned tier. It counts the read. */
GET_COLD ssize_t get_slow(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same, after the bucket was found being rewritten. */
GET_COLD ssize_t get_torn(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the fast tier can't begin: nothing is attached yet, or the
 * segment was retired or has grown. The key's length may be one that is not
 * allowed. */
GET_COLD ssize_t get_first(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* A view by the pinned tier. The key's length may be one that is not allowed,
 * and ret_view may be NULL. */
GET_COLD int view_slow(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view);

/* peek_place and peek_same by the pinned tier. The key's length may be one that
 * is not allowed, and the place may be NULL. */
GET_COLD int place_slow(
    struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place);
GET_COLD int same_slow(
    struct peek *p, const void *key, size_t key_len, const struct peek_place *place);

/* Says whether two places are one: the same segment, offset and incarnation. */
static inline bool
place_equal(const struct peek_place *a, const struct peek_place *b)
{
	return a->token[0] == b->token[0] && a->token[1] == b->token[1] &&
	    a->token[2] == b->token[2];
}

#endif
