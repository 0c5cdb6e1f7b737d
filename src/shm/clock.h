/*
 * clock.h: the segment's clock (layout.h, CLOCK_BASE_S), for the daemon that
 * publishes it and for a reader that goes on without one.
 */
#ifndef PEEK_SHM_CLOCK_H
#define PEEK_SHM_CLOCK_H

#include <stdint.h>

#include "shm/layout.h"

/* The offsets that this process must add to its own clocks to have the host's:
 * a time namespace shifts them. Read at open, and in a child. */
struct clock_shift {
	int64_t boottime_ns;
	int64_t monotonic_ns;
	/* the time that the host had been suspended by then, which its
	 * monotonic clock leaves out */
	int64_t suspended_ns;
};

/* a heartbeat older than this has stopped; the daemon publishes ten times a
 * second */
#define CLOCK_SILENT_MS 2000

/* Reads /proc/self/timens_offsets; zero where there is none. */
void clock_read_shift(struct clock_shift *ret);

/* The clock word for this moment. Two vDSO calls, no kernel. */
uint64_t clock_word_now(const struct clock_shift *shift);

/* The host's monotonic milliseconds, from the coarse clock: about 5 ns. */
uint64_t clock_coarse_ms(const struct clock_shift *shift);

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

/*
 * Milliseconds since a clock word was published; 0 also for a word from a
 * moment ahead, since the clocks are read with different grain. The word's
 * lower half alone would look fresh again every 2^32 ms. Its upper half can't:
 * the host's monotonic time plus the suspended time known at open never runs
 * ahead of the seconds that the word counts. So a silence of more than half of
 * 2^32 ms, measured that way, is at least that long.
 */
static inline uint64_t
clock_silent_ms(uint64_t clock_word, const struct clock_shift *shift)
{
	uint64_t now_ms = clock_coarse_ms(shift);
	int64_t by_seconds = (int64_t)now_ms + shift->suspended_ns / 1000000 +
	    ((int64_t)CLOCK_BASE_S - (int64_t)clock_word_s(clock_word)) * 1000;
	uint32_t by_ms = (uint32_t)now_ms - clock_word_ms(clock_word);

	if (by_seconds > INT32_MAX)
		return (uint64_t)by_seconds;
	return by_ms <= UINT32_MAX - 1000 ? by_ms : 0;
}

#endif
