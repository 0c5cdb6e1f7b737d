/*
 * now.h: this moment by a clock of the host, as one number.
 *
 * No call enters the kernel where the vDSO has the clock. A clock of this list
 * that Linux has can't fail, so there is no error to return.
 */
#ifndef PEEK_BASE_NOW_H
#define PEEK_BASE_NOW_H

#include <stdint.h>
#include <time.h>

/* clock: CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME or
 * CLOCK_REALTIME. */
static inline int64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * The clock for durations and deadlines: nobody sets it, and it stands still
 * while the host is suspended.
 */
static inline int64_t
now_monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

static inline int64_t
now_monotonic_us(void)
{
	return now_monotonic_ns() / 1000;
}

static inline int64_t
now_monotonic_ms(void)
{
	return now_monotonic_ns() / 1000000;
}

#endif
