/*
 * guard.h: two things that a call which enters the kernel needs: a lock with a
 * deadline, and no cancellation of its thread on the way.
 *
 * A thread that was cancelled inside a call would leave a lock taken, a
 * descriptor open and half a request sent. A call is short (its timeout bounds
 * it), so the cancellation waits for the call's end. While a callback of the
 * application runs, no lock is held, and cancellation is as the application had
 * it.
 */
#ifndef PEEK_LIB_GUARD_H
#define PEEK_LIB_GUARD_H

#include <pthread.h>
#include <stdint.h>

/* Defers cancellation of this thread. The result is for guard_leave. */
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
 * Takes the lock before deadline_ms, a time of sock_now_ms(). 0: the lock is
 * taken, and its new owner still has time left. -ETIMEDOUT: it isn't taken.
 */
int guard_lock(pthread_mutex_t *lock, int64_t deadline_ms);

#endif
