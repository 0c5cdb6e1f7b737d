/*
 * get.h: how a read that get.c, mget.c or view.c can't end goes on. None of it
 * is in the way of one that they can.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include <sys/types.h>

#include "peek.h"

#define GET_COLD __attribute__((cold, noinline))

/* A read by the pinned form. Counts it. */
GET_COLD ssize_t get_slow(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the bucket was found in a rewrite. */
GET_COLD ssize_t get_torn(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the hot path can't begin: nothing is attached yet, or the
 * segment was retired. The key may be of no allowed length. */
GET_COLD ssize_t get_first(
    struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* A view by the pinned form. The key may be of no allowed length, and ret_view
 * NULL. */
GET_COLD int view_slow(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view);

#endif
