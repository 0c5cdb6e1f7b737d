/*
 * get.h: how a read that get.c or mget.c can't end goes on. None of it is in the way of one that they can.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include "lib/handle.h"

#define GET_COLD __attribute__((cold, noinline))

/* A read by the pinned form. Counts it. */
GET_COLD ssize_t get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the bucket was found in a rewrite. */
GET_COLD ssize_t get_torn(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the key may be of no allowed length, and nothing may be attached yet. */
GET_COLD ssize_t get_first(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* Returns result. For a thread without a lane of its own; or it is time to look after the daemon, and the read is counted. */
GET_COLD ssize_t get_counted_rarely(struct peek *p, const struct attached *a, uint64_t n_hits, ssize_t result);

#endif
