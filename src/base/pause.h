/*
 * pause.h: for a loop that waits for another processor's store.
 */
#ifndef PEEK_BASE_PAUSE_H
#define PEEK_BASE_PAUSE_H

#include <sched.h>
#include <stdbool.h>

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
 * Whether this process may run on one processor only: then whoever it waits for
 * can't run while it loops. False where the kernel doesn't say.
 */
static inline bool
pause_is_alone(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

#endif
