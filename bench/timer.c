/*
 * timer.c: calibration; percentiles.
 */
#include "timer.h"

#define CALIBRATE_NS 20000000

void
timer_calibrate(struct timer *ret)
{
	uint64_t best = UINT64_MAX, ns = timer_clock_ns(), ticks = timer_now(), end_ns;

	do
		end_ns = timer_clock_ns();
	while (end_ns - ns < CALIBRATE_NS);
	ret->ns_per_tick = (double)(end_ns - ns) / (double)(timer_now() - ticks);
	for (int i = 0; i < 1000; i++) {
		uint64_t a = timer_now(), b = timer_now();
		best = b - a < best ? b - a : best;
	}
	ret->cost_ns = (double)best * ret->ns_per_tick;
#if defined(__x86_64__)
	ret->name = "rdtsc";
#else
	ret->name = "clock_gettime";
#endif
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	into->n += from->n;
	into->max = from->max > into->max ? from->max : into->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->count[i] += from->count[i];
}

static uint64_t
bucket_end(uint32_t i)
{
	if (i < 1u << HIST_SUB)
		return i;
	unsigned shift = (i >> HIST_SUB) - 1;
	uint64_t base = (UINT64_C(1) << HIST_SUB) + (i & ((1u << HIST_SUB) - 1));
	return ((base + 1) << shift) - 1;
}

uint64_t
hist_at(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)((double)h->n * share), sum = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		sum += h->count[i];
		if (sum > want || (sum == h->n && sum > 0))
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return 0;
}
