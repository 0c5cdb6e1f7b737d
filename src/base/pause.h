/*
 * pause.h: for a loop that waits for another processor's store.
 */
#ifndef PEEK_BASE_PAUSE_H
#define PEEK_BASE_PAUSE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/now.h"

/* Tells the processor that this is such a loop. */
static inline void
pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * How a wait goes on without sleeping. It begins with PAUSE_US of pauses,
 * within which a side that runs on another processor answers. Then it yields.
 * Two things are learned from that:
 *
 *  - Where both sides have come to run on one processor the other side can't
 *    answer until this one yields, and the pauses are lost time. So a wait that
 *    they didn't end lets the next ones yield at once; one in PAUSE_TRY_EVERY
 *    tries them again.
 *  - Where other processes want the processor a yield gives it to them for
 *    milliseconds. Then the next waits sleep at once: a side that sleeps gets
 *    the processor when it is woken. This holds for PAUSE_REST_US, and twice as
 *    long if a yield is as bad within PAUSE_AGAIN_US after it, up to
 *    PAUSE_REST_MAX_US.
 *
 * All times are those of now_monotonic_us().
 */
#define PAUSE_US          3
#define PAUSE_TRY_EVERY   64
#define PAUSE_BAD_US      100
#define PAUSE_REST_US     100000
#define PAUSE_REST_MAX_US 2000000
#define PAUSE_AGAIN_US    1000000

struct pause {
	bool yields_first;
	bool pauses; /* in this wait */
	unsigned n_waits;
	int64_t rest_us, rests_until_us;
};

/* True: a wait should sleep at once. */
static inline bool
pause_rests(const struct pause *p, int64_t now_us)
{
	return now_us < p->rests_until_us;
}

/* A wait begins. */
static inline void
pause_begin(struct pause *p)
{
	p->pauses = !p->yields_first || ++p->n_waits % PAUSE_TRY_EVERY == 0;
}

/* It began at begun_us, and goes on. */
static inline void
pause_once(struct pause *p, int64_t begun_us, int64_t now_us)
{
	if (p->pauses && now_us - begun_us < PAUSE_US) {
		pause_processor();
		return;
	}
	sched_yield();
	int64_t after_us = now_monotonic_us();
	if (after_us - now_us < PAUSE_BAD_US)
		return;
	bool again = p->rest_us > 0 && now_us - p->rests_until_us < PAUSE_AGAIN_US;
	p->rest_us = !again                      ? PAUSE_REST_US
	    : 2 * p->rest_us < PAUSE_REST_MAX_US ? 2 * p->rest_us
						 : PAUSE_REST_MAX_US;
	p->rests_until_us = after_us + p->rest_us;
}

/* It has ended. */
static inline void
pause_end(struct pause *p, int64_t begun_us, int64_t now_us)
{
	if (p->pauses)
		p->yields_first = now_us - begun_us >= PAUSE_US;
}

/*
 * True: this process may run on one processor only, so that the process it
 * waits for can't run while it loops. False where the kernel doesn't say.
 */
static inline bool
pause_is_alone(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

#endif
