/*
 * guard.c: see guard.h.
 */
#include "lib/guard.h"

#include <errno.h>
#include <time.h>

#include "lib/sock.h"

/*
 * Waits by the monotonic clock, which nobody sets. If the C library has no such
 * wait, and under ThreadSanitizer, which doesn't know it, the lock is tried
 * once a millisecond.
 */
static int
lock_until(pthread_mutex_t *lock, int64_t deadline_ms)
{
#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
	const struct timespec until = {
	    .tv_sec = (time_t)(deadline_ms / 1000),
	    .tv_nsec = (long)(deadline_ms % 1000) * 1000000,
	};
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until) == 0 ? 0 : -ETIMEDOUT;
#else
	while (pthread_mutex_trylock(lock) != 0) {
		if (sock_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return 0;
#endif
}

int
guard_lock(pthread_mutex_t *lock, int64_t deadline_ms)
{
	if (pthread_mutex_trylock(lock) == 0)
		return 0;
	int r = lock_until(lock, deadline_ms);
	if (r == 0 && sock_now_ms() >= deadline_ms) {
		pthread_mutex_unlock(lock);
		r = -ETIMEDOUT;
	}
	return r;
}
