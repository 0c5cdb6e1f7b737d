/*
 * clock.h: the segment's clock (layout.h, CLOCK_BASE_S), for the daemon that publishes it and for a reader that goes on without one.
 */
#ifndef PEEK_SHM_CLOCK_H
#define PEEK_SHM_CLOCK_H

#include <stdint.h>

/* What this process must add to its own clocks to have the host's: a time namespace shifts them. Read at open, and in a child. */
struct clock_shift {
	int64_t boottime_ns;
	int64_t monotonic_ns;
};

#define CLOCK_SILENT_MS 2000 /* a heartbeat older than this has stopped; the daemon publishes ten times a second */

/* Reads /proc/self/timens_offsets; zero where there is none. */
void clock_read_shift(struct clock_shift *ret);

/* The clock word for this moment. Two vDSO calls, no kernel. */
uint64_t clock_word_now(const struct clock_shift *shift);

/* The low 32 bits of the host's monotonic milliseconds, from the coarse clock: about 5 ns. */
uint32_t clock_coarse_ms(const struct clock_shift *shift);

static inline uint32_t
clock_word_s(uint64_t clock_word)
{
	return (uint32_t)(clock_word >> 32);
}

static inline uint32_t
clock_word_ms(uint64_t clock_word)
{
	return (uint32_t)clock_word;
}

#endif
