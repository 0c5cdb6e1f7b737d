/*
 * guard.h: what a call that enters the kernel takes along: a lock with a
 * deadline, and no cancellation of its thread on the way.
 *
 * A thread that was cancelled inside a call would leave a lock taken, a
 * descriptor open and half a request sent. A call is short (its timeout bounds
 * it), so the cancellation waits for its end. No lock is held, and cancellation
 * is as the application had it, while a callback of the application runs.
 */
#ifndef PEEK_LIB_GUARD_H
#define PEEK_LIB_GUARD_H

#include <pthread.h>
#include <stdint.h>

/* Puts cancellation of this thread off. Returns what guard_leave is given. */
static inline int
guard_enter(void)
{
	int before = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void
guard_leave(int before)
{
	pthread_setcancelstate(before, &before);
}

/*
 * Takes the lock before deadline_ms, a time of sock_now_ms(). 0; -ETIMEDOUT: it
 * isn't taken. Who got it after a wait still has time left.
 */
int guard_lock(pthread_mutex_t *lock, int64_t deadline_ms);

#endif
