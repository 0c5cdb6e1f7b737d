/*
 * get.h: what batches share with single reads.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include "lib/handle.h"

/* A read by the pinned form, for what the quick one can't end. Counts it. */
ssize_t get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

#endif
