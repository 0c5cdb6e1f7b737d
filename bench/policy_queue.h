/*
 * policy_queue.h: queues of keys, by number; a key is in at most one of them.
 */
#ifndef PEEK_BENCH_POLICY_QUEUE_H
#define PEEK_BENCH_POLICY_QUEUE_H

#include <stdint.h>

#include "base/index_list.h"
#include "trace.h"

struct queue {
	struct index_list list; /* oldest key first */
	uint64_t weight;        /* of the keys in it */
};

#define QUEUE_EMPTY ((struct queue){.list = INDEX_LIST_EMPTY})

static inline void
queue_push(struct queue *q, struct index_link *links, uint32_t key, uint64_t weight)
{
	index_list_append(&q->list, links, sizeof(*links), key);
	q->weight += weight;
}

static inline void
queue_remove(struct queue *q, struct index_link *links, uint32_t key, uint64_t weight)
{
	index_list_remove(&q->list, links, sizeof(*links), key);
	q->weight -= weight;
}

/* The moment when an item that this request stores expires; UINT64_MAX:
 * never. */
static inline uint64_t
request_expiry(const struct trace_record *r)
{
	return r->ttl_s == 0 ? UINT64_MAX : (uint64_t)r->time_s + r->ttl_s;
}

#endif
