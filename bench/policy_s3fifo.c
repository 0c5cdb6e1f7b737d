/*
 * policy_s3fifo.c: S3-FIFO (Yang et al., 2023) with fixed queues.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy.h"
#include "policy_queue.h"

#define SMALL_PERCENT 10
#define PROMOTE_HITS  2
#define HITS_MAX      3

enum place { NOWHERE, SMALL, MAIN, GHOST };

struct entry {
	uint64_t expiry;
	uint8_t place;
	uint8_t hits;
};

struct s3fifo {
	const struct trace *t;
	bool by_bytes;
	struct index_link *links;
	struct entry *entry;
	struct queue queue[GHOST + 1]; /* by place */
	uint64_t small_target, ghost_max;
	uint64_t evictions;
};

static uint64_t
weight_of(const struct s3fifo *s, uint32_t key)
{
	return s->by_bytes ? s->t->size_of[key] : 1;
}

static void
policy_s3fifo_move(struct s3fifo *s, uint32_t key, enum place to)
{
	struct entry *e = &s->entry[key];
	uint64_t weight = weight_of(s, key);

	if (e->place != NOWHERE)
		queue_remove(&s->queue[e->place], s->links, key, weight);
	e->place = (uint8_t)to;
	if (to != NOWHERE)
		queue_push(&s->queue[to], s->links, key, weight);
}

static void
evict_from_small(struct s3fifo *s, uint32_t now_s)
{
	uint32_t key = s->queue[SMALL].list.first;
	struct entry *e = &s->entry[key];

	if (e->hits >= PROMOTE_HITS) {
		e->hits = 0;
		policy_s3fifo_move(s, key, MAIN);
		return;
	}
	s->evictions += e->expiry > now_s;
	policy_s3fifo_move(s, key, GHOST);
	while (s->queue[GHOST].weight > s->ghost_max)
		policy_s3fifo_move(s, s->queue[GHOST].list.first, NOWHERE);
}

static void
evict_from_main(struct s3fifo *s, uint32_t now_s)
{
	uint32_t key = s->queue[MAIN].list.first;
	struct entry *e = &s->entry[key];

	if (e->hits > 0) {
		e->hits--;
		policy_s3fifo_move(s, key, MAIN);
		return;
	}
	s->evictions += e->expiry > now_s;
	policy_s3fifo_move(s, key, NOWHERE);
}

static bool
policy_s3fifo_request(struct s3fifo *s, const struct trace_record *r, uint64_t capacity)
{
	struct entry *e = &s->entry[r->key];
	uint64_t weight = weight_of(s, r->key);
	bool remembered = e->place == GHOST;

	if ((e->place == SMALL || e->place == MAIN) && e->expiry > r->time_s) {
		e->hits = (uint8_t)(e->hits < HITS_MAX ? e->hits + 1 : HITS_MAX);
		return true;
	}
	policy_s3fifo_move(s, r->key, NOWHERE);
	if (weight > capacity)
		return false;
	while (s->queue[SMALL].weight + s->queue[MAIN].weight + weight > capacity) {
		if (s->queue[SMALL].weight > s->small_target || s->queue[MAIN].weight == 0)
			evict_from_small(s, r->time_s);
		else
			evict_from_main(s, r->time_s);
	}
	e->hits = 0;
	e->expiry = request_expiry(r);
	policy_s3fifo_move(s, r->key, remembered ? MAIN : SMALL);
	return false;
}

int
policy_s3fifo(const struct trace *t, uint64_t capacity, bool by_bytes, struct policy_result *ret)
{
	struct s3fifo s = {.t = t, .by_bytes = by_bytes};
	uint64_t misses = 0;

	for (unsigned i = 0; i <= GHOST; i++)
		s.queue[i] = QUEUE_EMPTY;
	s.small_target = capacity * SMALL_PERCENT / 100;
	s.ghost_max = capacity - s.small_target;
	s.links = malloc(t->n_keys * sizeof(*s.links));
	s.entry = calloc(t->n_keys, sizeof(*s.entry));
	if (s.links == NULL || s.entry == NULL) {
		free(s.links);
		free(s.entry);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < t->n; i++)
		misses += !policy_s3fifo_request(&s, &t->rec[i], capacity);
	free(s.links);
	free(s.entry);
	*ret = (struct policy_result){.misses = misses, .evictions = s.evictions};
	return 0;
}
