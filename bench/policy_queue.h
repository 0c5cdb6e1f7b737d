/*
 * policy_queue.h: doubly linked queues of keys, by number; a key is in at most
 * one of them.
 */
#ifndef PEEK_BENCH_POLICY_QUEUE_H
#define PEEK_BENCH_POLICY_QUEUE_H

#include <stdint.h>

#include "trace.h"

#define QUEUE_NONE UINT32_MAX

struct links {
	uint32_t older, newer;
};

struct queue {
	uint32_t oldest, newest;
	uint64_t weight; /* of the keys in it */
};

#define QUEUE_EMPTY \
	{ \
		.oldest = QUEUE_NONE, .newest = QUEUE_NONE \
	}

static inline void
queue_push(struct queue *q, struct links *links, uint32_t key, uint64_t weight)
{
	links[key] = (struct links){.older = q->newest, .newer = QUEUE_NONE};
	if (q->newest != QUEUE_NONE)
		links[q->newest].newer = key;
	else
		q->oldest = key;
	q->newest = key;
	q->weight += weight;
}

static inline void
queue_remove(struct queue *q, struct links *links, uint32_t key, uint64_t weight)
{
	struct links l = links[key];

	if (l.older != QUEUE_NONE)
		links[l.older].newer = l.newer;
	else
		q->oldest = l.newer;
	if (l.newer != QUEUE_NONE)
		links[l.newer].older = l.older;
	else
		q->newest = l.older;
	q->weight -= weight;
}

/* When what is stored by this request expires; UINT64_MAX: never. */
static inline uint64_t
request_expiry(const struct trace_record *r)
{
	return r->ttl_s == 0 ? UINT64_MAX : (uint64_t)r->time_s + r->ttl_s;
}

#endif
