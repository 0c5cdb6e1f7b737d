/*
 * policy.h: what other ways of evicting would have missed on a trace: exact
 * LRU, S3-FIFO with fixed queues, Belady.
 *
 * A request is a GET; a miss is followed by a SET. An item whose time to live
 * has passed is a miss and is dropped when it is asked for. With by_bytes an
 * item weighs its key and value bytes, else 1; one that is larger than the
 * capacity is not kept. -ENOMEM.
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
 * Drops what is asked for last, the new item included. By entries no policy
 * misses less; by bytes it is the usual approximation.
 */
int policy_belady(
    const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);

struct policy {
	const char *name;
	int (*run)(
	    const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret);
};

#define POLICY_LRU 0 /* what the others are compared with */
extern const struct policy policies[];
extern const unsigned n_policies;

#endif
