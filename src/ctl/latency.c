/*
 * latency.c: see latency.h.
 */
#include "ctl/latency.h"

#include <stdlib.h>

#include "base/now.h"

#define VALUE_MAX 4096
#define DRAWS_MAX \
	(LATENCY_KEYS * 16) /* as a rule half of the slots hold an item, fewer in a small table */
#define CLOCK_PAIRS 32

/* splitmix64; every state is good */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* The median time between two readings of the clock. */
static uint64_t
clock_cost_ns(void)
{
	uint64_t t[CLOCK_PAIRS];

	for (unsigned i = 0; i < CLOCK_PAIRS; i++) {
		int64_t begun = now_monotonic_ns();
		t[i] = (uint64_t)(now_monotonic_ns() - begun);
	}
	qsort(t, CLOCK_PAIRS, sizeof(t[0]), compare_u64);
	return t[CLOCK_PAIRS / 2];
}

void
latency_draw(struct latency *y, struct look *l, struct peek *peek)
{
	uint64_t n_buckets = look_buckets(l), slot;
	char value[VALUE_MAX];

	if (y->random == 0)
		y->random = (uint64_t)now_monotonic_ns();
	y->n = 0;
	for (unsigned i = 0; n_buckets > 0 && i < DRAWS_MAX && y->n < LATENCY_KEYS; i++) {
		uint64_t r = next_random(&y->random);
		size_t len = look_key(l, (r >> 8) % n_buckets, (unsigned)(r & 0xff) % BUCKET_SLOTS,
		    y->key[y->n], &slot);
		if (len == 0 || peek_get(peek, y->key[y->n], len, value, sizeof(value)) < 0)
			continue;
		y->key_len[y->n++] = (uint8_t)len;
	}
}

void
latency_time(const struct latency *y, struct peek *peek, struct latency_result *ret)
{
	uint64_t t[LATENCY_KEYS], clock_ns = clock_cost_ns();
	char value[VALUE_MAX];
	unsigned n = 0;

	*ret = (struct latency_result){.clock_ns = clock_ns};
	for (unsigned i = 0; i < y->n; i++) {
		int64_t begun = now_monotonic_ns();
		ssize_t r = peek_get(peek, y->key[i], y->key_len[i], value, sizeof(value));
		uint64_t took = (uint64_t)(now_monotonic_ns() - begun);
		if (r >= 0)
			t[n++] = took > clock_ns ? took - clock_ns : 0;
	}
	if (n == 0)
		return;
	qsort(t, n, sizeof(t[0]), compare_u64);
	ret->n = n;
	ret->least_ns = t[0];
	ret->median_ns = t[n / 2];
	ret->p99_ns = t[(n - 1) * 99 / 100];
}
