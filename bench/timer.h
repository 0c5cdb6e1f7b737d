/*
 * timer.h: measures short times, by the processor's counter if it ticks evenly,
 * else by the monotonic clock; and a histogram of such times.
 */
#ifndef PEEK_BENCH_TIMER_H
#define PEEK_BENCH_TIMER_H

#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/now.h"

static inline uint64_t
timer_clock_ns(void)
{
	return (uint64_t)now_monotonic_ns();
}

/* Ticks. All instructions before the call have ended, and none after it has
 * begun. */
static inline uint64_t
timer_now(void)
{
#if defined(__x86_64__)
	_mm_lfence();
	uint64_t t = __rdtsc();
	_mm_lfence();
	return t;
#else
	return timer_clock_ns();
#endif
}

struct timer {
	double ns_per_tick;
	/* the time between two readings of the counter, which every sample
	 * contains */
	double cost_ns;
	const char *name;
};

/* Takes 20 ms. */
void timer_calibrate(struct timer *ret);

/* Ticks in buckets of 1/32 of their power of two: a percentile is at most 3 %
 * high. */
#define HIST_SUB     5
#define HIST_BUCKETS ((64 - HIST_SUB + 1) << HIST_SUB)

struct hist {
	uint64_t n;
	uint64_t max;
	uint64_t count[HIST_BUCKETS];
};

static inline uint32_t
hist_bucket(uint64_t ticks)
{
	if (ticks < 1u << HIST_SUB)
		return (uint32_t)ticks;
	unsigned top = 63 - (unsigned)__builtin_clzll(ticks);
	return ((top - HIST_SUB + 1) << HIST_SUB) +
	    ((uint32_t)(ticks >> (top - HIST_SUB)) & ((1u << HIST_SUB) - 1));
}

static inline void
hist_add(struct hist *h, uint64_t ticks)
{
	h->n++;
	h->max = ticks > h->max ? ticks : h->max;
	h->count[hist_bucket(ticks)]++;
}

void hist_merge(struct hist *into, const struct hist *from);

/* The highest value of the bucket in which the share (0 .. 1) of all samples is
 * reached. 0: no samples. */
uint64_t hist_at(const struct hist *h, double share);

#endif
