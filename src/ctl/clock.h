/*
 * clock.h: the clock that peekctl measures by.
 */
#ifndef PEEKCTL_CLOCK_H
#define PEEKCTL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic. */
static inline int64_t
clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#endif
