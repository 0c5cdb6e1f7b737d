/*
 * get.h: how a read that get.c or mget.c can't end goes on. None of it is in the way of one that they can.
 */
#ifndef PEEK_LIB_GET_H
#define PEEK_LIB_GET_H

#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/read.h"

#define GET_COLD __attribute__((cold, noinline))

/* A read by the pinned form. Counts it. */
GET_COLD ssize_t get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the bucket was found in a rewrite. */
GET_COLD ssize_t get_torn(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* The same where the key may be of no allowed length, and nothing may be attached yet. */
GET_COLD ssize_t get_first(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

#define GET_MISS UINT64_MAX /* in place of where a hint is */

/*
 * Returns result. For a thread without a lane of its own; or the read is counted, and it is time for a sample or to look after the daemon.
 * hint_at: GET_MISS for a miss.
 */
GET_COLD ssize_t get_counted_rarely(struct peek *p, const struct attached *a, uint64_t hint_at, ssize_t result);

/* Whether it is time, by the sum of the lane's hits or misses. */
static inline bool
get_is_due(bool hit, uint64_t sum)
{
	return hit ? lane_sample_due(sum) : sum % READ_CADENCE == 0;
}

#endif
