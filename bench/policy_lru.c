/*
 * policy_lru.c: exact LRU.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy.h"
#include "policy_queue.h"

int
policy_lru(const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret)
{
	struct index_link *links = malloc(t->n_keys * sizeof(*links));
	uint64_t *expiry = calloc(t->n_keys, sizeof(*expiry)); /* 0: not in the cache */
	struct queue lru = QUEUE_EMPTY;
	struct policy_result res = {0};

	if (links == NULL || expiry == NULL) {
		free(links);
		free(expiry);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < t->n; i++) {
		const struct trace_record *r = &t->rec[i];
		uint64_t weight = by_bytes ? t->size_of[r->key] : 1;
		bool live = expiry[r->key] > r->time_s;

		if (expiry[r->key] != 0)
			queue_remove(&lru, links, r->key, weight);
		if (live) {
			queue_push(&lru, links, r->key, weight);
			continue;
		}
		res.misses++;
		expiry[r->key] = 0;
		if (weight > capacity)
			continue;
		while (lru.weight + weight > capacity) {
			uint32_t victim = lru.list.first;
			queue_remove(&lru, links, victim, by_bytes ? t->size_of[victim] : 1);
			res.evictions += expiry[victim] > r->time_s;
			expiry[victim] = 0;
		}
		queue_push(&lru, links, r->key, weight);
		expiry[r->key] = request_expiry(r);
	}
	free(links);
	free(expiry);
	*ret = res;
	return 0;
}
