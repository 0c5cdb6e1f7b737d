/*
 * policy.h: counts the misses of other eviction policies on a trace: exact LRU,
 * S3-FIFO with fixed queues, Belady.
 *
 * A request is a GET; a SET follows a miss. An expired item is a miss, and is
 * dropped when it is requested. With by_bytes an item weighs its key and value
 * bytes, else 1. An item that is larger than the capacity is not kept. -ENOMEM.
 */
#ifndef PEEK_BENCH_POLICY_H
#define PEEK_BENCH_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "trace.h"

struct policy_result {
	uint64_t misses, evictions;
};

int policy_lru(const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);

/* Small queue 10 % of the capacity, ghost as large as the main queue, promotion
 * at 2 hits, counts to 3. */
int policy_s3fifo(
    const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);

/*
 * Drops the item whose next request is the latest, the new item included. By
 * entries no policy has fewer misses; by bytes it is the usual approximation.
 */
int policy_belady(
    const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);

struct policy {
	const char *name;
	int (*run)(
	    const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);
};

#define POLICY_LRU 0 /* the others are compared with it */
extern const struct policy policies[];
extern const unsigned n_policies;

#endif
