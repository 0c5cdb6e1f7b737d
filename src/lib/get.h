/*
 * get.h: the continuations of a read that get.c, mget.c or view.c can't finish.
 * A read that they can finish pays for none of it.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

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

#endif
