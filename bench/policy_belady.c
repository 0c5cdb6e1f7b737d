/*
 * policy_belady.c: Belady's optimum: a heap of the cached keys, with the key
 * whose next request is the latest on top.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy.h"
#include "policy_queue.h"

#define NEVER    UINT64_MAX
#define NOT_HELD UINT32_MAX

struct heap {
	uint32_t *key;  /* [n] */
	uint32_t *pos;  /* by key; NOT_HELD */
	uint64_t *next; /* by key: the request that will hit it, or NEVER */
	uint32_t n;
};

static void
policy_belady_place(struct heap *h, uint32_t i, uint32_t key)
{
	h->key[i] = key;
	h->pos[key] = i;
}

/* Moves the key at i to its place in the heap. */
static void
policy_belady_settle(struct heap *h, uint32_t i)
{
	uint32_t key = h->key[i];
	uint64_t next = h->next[key];

	while (i > 0 && h->next[h->key[(i - 1) / 2]] < next) {
		policy_belady_place(h, i, h->key[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (uint32_t child; (child = 2 * i + 1) < h->n; i = child) {
		child += child + 1 < h->n && h->next[h->key[child + 1]] > h->next[h->key[child]];
		if (h->next[h->key[child]] <= next)
			break;
		policy_belady_place(h, i, h->key[child]);
	}
	policy_belady_place(h, i, key);
}

static void
heap_remove(struct heap *h, uint32_t key)
{
	uint32_t i = h->pos[key];

	h->pos[key] = NOT_HELD;
	if (i == --h->n)
		return;
	policy_belady_place(h, i, h->key[h->n]);
	policy_belady_settle(h, i);
}

static void
heap_insert(struct heap *h, uint32_t key)
{
	policy_belady_place(h, h->n, key);
	policy_belady_settle(h, h->n++);
}

/* For each request the next one of its key. */
static uint64_t *
next_requests(const struct trace *t)
{
	uint64_t *next = malloc(t->n * sizeof(*next));
	uint64_t *seen = malloc(t->n_keys * sizeof(*seen));

	if (next == NULL || seen == NULL) {
		free(next);
		free(seen);
		return NULL;
	}
	for (uint32_t k = 0; k < t->n_keys; k++)
		seen[k] = NEVER;
	for (uint64_t i = t->n; i-- > 0;) {
		next[i] = seen[t->rec[i].key];
		seen[t->rec[i].key] = i;
	}
	free(seen);
	return next;
}

static void
policy_belady_run(const struct trace *t, uint64_t capacity, bool by_bytes, const uint64_t *next_of,
    uint64_t *expiry, struct heap *h, struct policy_result *res)
{
	uint64_t used = 0;

	for (uint64_t i = 0; i < t->n; i++) {
		const struct trace_record *r = &t->rec[i];
		uint64_t weight = by_bytes ? t->size_of[r->key] : 1;
		uint64_t next = next_of[i];
		bool held = h->pos[r->key] != NOT_HELD;
		bool live = held && expiry[r->key] > r->time_s;

		if (!live) {
			res->misses++;
			if (weight > capacity)
				continue;
			expiry[r->key] = request_expiry(r);
		}
		if (next != NEVER && t->rec[next].time_s >= expiry[r->key])
			next = NEVER; /* it will have expired */
		h->next[r->key] = next;
		if (held) {
			policy_belady_settle(h, h->pos[r->key]);
			continue;
		}
		heap_insert(h, r->key);
		used += weight;
		while (used > capacity) {
			uint32_t victim = h->key[0];
			res->evictions += expiry[victim] > r->time_s;
			used -= by_bytes ? t->size_of[victim] : 1;
			heap_remove(h, victim);
		}
	}
}

int
policy_belady(const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret)
{
	struct heap h = {0};
	struct policy_result res = {0};
	uint64_t *next_of = next_requests(t);
	uint64_t *expiry = calloc(t->n_keys, sizeof(*expiry));
	int rc = -ENOMEM;

	h.key = malloc(t->n_keys * sizeof(*h.key));
	h.pos = malloc(t->n_keys * sizeof(*h.pos));
	h.next = malloc(t->n_keys * sizeof(*h.next));
	if (next_of != NULL && expiry != NULL && h.key != NULL && h.pos != NULL && h.next != NULL) {
		for (uint32_t k = 0; k < t->n_keys; k++)
			h.pos[k] = NOT_HELD;
		policy_belady_run(t, capacity, by_bytes, next_of, expiry, &h, &res);
		*ret = res;
		rc = 0;
	}
	free(next_of);
	free(expiry);
	free(h.key);
	free(h.pos);
	free(h.next);
	return rc;
}

const struct policy policies[] = {
    [POLICY_LRU] = {"lru", policy_lru},
    {"s3-fifo", policy_s3fifo},
    {"belady", policy_belady},
};
const unsigned n_policies = sizeof(policies) / sizeof(policies[0]);
