/*
 * load_worker.c: the loops of one process.
 *
 * The keys are made before the loop begins and are read as a stream, so that
 * only the table's memory is accessed at random. Every byte of every value is
 * checked. Each SAMPLE-th operation is timed alone; the rate counts all
 * operations.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "payload.h"

#define SAMPLE      16
#define CHUNK       256 /* operations between two looks at the clock */
#define RING_MIN    (UINT64_C(1) << 16)
#define RING_MAX    (UINT64_C(1) << 22)
#define SET_PERCENT 5

struct stream {
	struct load *l;
	struct load_result *res;
	struct peek *p;
	struct setter setter;
	struct rng rng;
	uint32_t key_bytes, version;
	uint64_t n_ring, at;
	uint32_t *ids;
	unsigned char *keys;
	unsigned char *values; /* a batch of them */
	struct peek_op *ops;
	struct peek_place *places; /* of LOAD_SAME: by id */
};

static int
stream_make(struct stream *s, unsigned idx)
{
	const struct options *o = s->l->o;
	struct zipf z = {.n = 1};

	s->n_ring = o->keys * 2 < RING_MIN ? RING_MIN
	    : o->keys * 2 > RING_MAX       ? RING_MAX
					   : o->keys * 2;
	s->n_ring -= s->n_ring % o->batch;
	s->key_bytes = (uint32_t)o->key_bytes;
	s->rng.state = rng_mix(o->seed * 1000 + idx);
	s->ids = malloc(s->n_ring * sizeof(*s->ids));
	s->keys = malloc(s->n_ring * s->key_bytes);
	s->values = malloc(o->batch * o->value_bytes + 8);
	s->ops = calloc(o->batch, sizeof(*s->ops));
	if (s->ids == NULL || s->keys == NULL || s->values == NULL || s->ops == NULL)
		return -1;
	if (o->zipf > 0)
		zipf_init(&z, (uint32_t)o->keys, o->zipf);
	for (uint64_t i = 0; i < s->n_ring; i++) {
		uint64_t id = o->zipf > 0 ? rng_mix(zipf_next(&z, &s->rng) + 1) % o->keys
					  : rng_below(&s->rng, (uint32_t)o->keys);
		if (s->l->kind == LOAD_MISS)
			id += o->keys * 2;
		s->ids[i] = (uint32_t)id;
		payload_key(s->keys + i * s->key_bytes, s->key_bytes, id);
	}
	return 0;
}

static void
load_worker_count(struct stream *s, ssize_t n, const void *value, uint32_t id)
{
	struct load_counts *c = &s->res->n;

	c->ops++;
	if (n >= 0) {
		c->hits++;
		c->wrong +=
		    (uint64_t)n != s->l->o->value_bytes || !payload_ok(value, (size_t)n, id);
	} else if (n == -ENOENT) {
		c->misses++;
	} else if (n == -EAGAIN) {
		c->again++;
	} else {
		c->failed++;
	}
}

static void
one_set(struct stream *s, uint32_t id)
{
	int rc = setter_set(&s->setter, id, ++s->version);

	if (rc == 0 && s->setter.queued && s->version % s->l->o->batch == 0)
		rc = setter_flush(&s->setter);
	s->res->n.ops++;
	s->res->n.failed += rc != 0;
}

static void
one_view(struct stream *s, const unsigned char *key, uint32_t id)
{
	struct peek_view v;
	int rc = peek_view(s->p, key, s->key_bytes, &v);

	if (rc != 0) {
		load_worker_count(s, rc, NULL, id);
		return;
	}
	bool right = v.len == s->l->o->value_bytes && payload_ok(v.data, v.len, id);
	if (peek_view_valid(s->p, &v) != 1) {
		load_worker_count(s, -EAGAIN, NULL, id);
		return;
	}
	s->res->n.ops++;
	s->res->n.hits++;
	s->res->n.wrong += !right;
}

/* The place of each key, for LOAD_SAME. -1: no memory. A key that has none is
 * never found to be the same. */
static int
find_places(struct stream *s)
{
	unsigned char key[256];

	if (s->l->kind != LOAD_SAME)
		return 0;
	s->places = calloc(s->l->o->keys, sizeof(*s->places));
	for (uint64_t id = 0; s->places != NULL && id < s->l->o->keys; id++) {
		payload_key(key, s->key_bytes, id);
		peek_place(s->p, key, s->key_bytes, &s->places[id]);
	}
	return s->places != NULL ? 0 : -1;
}

/* A load of places reads nothing that could be wrong: a key whose place is not
 * the same counts as a failure of the load. */
static void
one_place(struct stream *s, const unsigned char *key, uint32_t id)
{
	struct peek_place place;
	struct load_counts *c = &s->res->n;
	bool found = s->l->kind == LOAD_SAME
	    ? peek_same(s->p, key, s->key_bytes, &s->places[id]) == 1
	    : peek_place(s->p, key, s->key_bytes, &place) == 0;

	c->ops++;
	c->hits += found;
	c->failed += !found;
}

static void
load_worker_op(struct stream *s)
{
	const unsigned char *key = s->keys + s->at * s->key_bytes;
	uint32_t id = s->ids[s->at];

	s->at = s->at + 1 == s->n_ring ? 0 : s->at + 1;
	if (s->l->kind == LOAD_SET ||
	    (s->l->kind == LOAD_MIXED && rng_below(&s->rng, 100) < SET_PERCENT))
		one_set(s, id);
	else if (s->l->kind == LOAD_VIEW)
		one_view(s, key, id);
	else if (s->l->kind == LOAD_PLACE || s->l->kind == LOAD_SAME)
		one_place(s, key, id);
	else
		load_worker_count(s,
		    peek_get(s->p, key, s->key_bytes, s->values, s->l->o->value_bytes), s->values,
		    id);
}

static void
one_batch(struct stream *s)
{
	uint64_t n = s->l->o->batch, vb = s->l->o->value_bytes;

	for (uint64_t i = 0; i < n; i++)
		s->ops[i] = (struct peek_op){.key = s->keys + (s->at + i) * s->key_bytes,
		    .key_len = s->key_bytes,
		    .buf = s->values + i * vb,
		    .buf_cap = vb};
	peek_mget(s->p, s->ops, n);
	for (uint64_t i = 0; i < n; i++)
		load_worker_count(s, s->ops[i].result, s->ops[i].buf, s->ids[s->at + i]);
	s->at = s->at + n == s->n_ring ? 0 : s->at + n;
}

/* Runs until the clock reaches the end. */
static void
load_worker_loop(struct stream *s, uint64_t end_ns)
{
	void (*step)(struct stream *) = s->l->kind == LOAD_MGET ? one_batch : load_worker_op;
	uint64_t now_ns;

	do {
		for (unsigned i = 0; i < CHUNK / SAMPLE; i++) {
			uint64_t begin = timer_now();
			step(s);
			hist_add(&s->res->hist, timer_now() - begin);
			for (unsigned j = 1; j < SAMPLE; j++)
				step(s);
		}
		atomic_store_explicit(&s->res->progress, s->res->n.ops, memory_order_relaxed);
		now_ns = timer_clock_ns();
		if (s->l->target.own && s->l->kind >= LOAD_SET)
			own_segment_tick(&s->l->target.segment);
	} while (now_ns < end_ns);
}

int
load_worker(struct load *l, unsigned idx)
{
	struct stream s = {.l = l, .res = &l->results[idx], .p = target_handle(&l->target)};
	struct peek_status st;
	int rc = -1;

	if (s.p != NULL &&
	    (stream_make(&s, idx) != 0 || find_places(&s) != 0 ||
		setter_init(&s.setter, &l->target, s.p, l->o->batch > 1 && l->kind == LOAD_SET) !=
		    0))
		fprintf(stderr, "peekbench: no memory\n");
	else if (s.p != NULL)
		rc = 0;
	atomic_fetch_add(l->gate, 1); /* also if it failed, so that nobody waits for it */
	while (atomic_load(l->gate) < l->n_workers)
		sched_yield();
	if (rc == 0) {
		uint64_t begin_ns = timer_clock_ns();
		load_worker_loop(&s, begin_ns + (uint64_t)(l->o->seconds * 1e9));
		if (s.setter.queued && setter_flush(&s.setter) != 0)
			s.res->n.failed++;
		s.res->seconds = (double)(timer_clock_ns() - begin_ns) / 1e9;
		if (peek_status(s.p, &st) == 0)
			s.res->retries = st.retries;
		setter_fini(&s.setter);
	}
	peek_close(s.p);
	free(s.ids);
	free(s.keys);
	free(s.values);
	free(s.places);
	free(s.ops);
	return rc;
}

int
load_writer(struct load *l, struct load_result *res, bool (*done)(struct load *l), uint64_t rate)
{
	struct peek *p = l->target.own ? NULL : target_handle(&l->target);
	struct rng rng = {l->o->seed ^ UINT64_C(0x77726974)};
	uint64_t base = l->o->same_keys ? 0 : l->o->keys, begin_ns, n = 0;
	struct setter s;

	if ((!l->target.own && p == NULL) ||
	    setter_init(&s, &l->target, p, rate == UINT64_MAX) != 0) {
		while (!done(l))
			usleep(10000);
		return -1;
	}
	begin_ns = timer_clock_ns();
	while (!done(l)) {
		uint64_t due = rate == UINT64_MAX
		    ? n + 1024
		    : (uint64_t)((double)(timer_clock_ns() - begin_ns) / 1e9 * (double)rate);
		for (; n < due; n++) {
			int rc = setter_set(
			    &s, base + rng_below(&rng, (uint32_t)l->o->keys), (uint32_t)n + 1);
			res->n.failed += rc != 0;
		}
		res->n.failed += setter_flush(&s) != 0;
		if (l->target.own)
			own_segment_tick(&l->target.segment);
		if (rate != UINT64_MAX) {
			struct timespec nap = {.tv_nsec = 200000};
			nanosleep(&nap, NULL);
		}
	}
	res->n.ops = n;
	res->seconds = (double)(timer_clock_ns() - begin_ns) / 1e9;
	setter_fini(&s);
	peek_close(p);
	return 0;
}
