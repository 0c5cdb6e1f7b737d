/*
 * wait.c: waits for a change of a key's item. It looks into shared memory, and
 * sleeps longer between two looks as the wait goes on.
 */
#include <errno.h>
#include <time.h>

#include "lib/guard.h"
#include "lib/sock.h"

#define WAIT_LEAST_US 50
#define WAIT_MOST_US  5000

/* The CAS id of the key's item or place; 0: there is neither. */
static int
wait_look(struct peek *p, const void *key, size_t key_len, uint64_t *ret_cas)
{
	struct peek_info info = {0};
	ssize_t n = peek_get_info(p, key, key_len, NULL, 0, &info);

	if (n < 0 && n != -ENOENT && n != -ENOSPC)
		return (int)n;
	*ret_cas = info.cas;
	return 0;
}

int
peek_wait(struct peek *p, const void *key, size_t key_len, uint64_t seen_cas, unsigned timeout_ms)
{
	int64_t deadline_ms = sock_now_ms() + timeout_ms;
	int cancel = guard_enter(), r;
	uint64_t cas = 0;

	for (long us = WAIT_LEAST_US;; us = us < WAIT_MOST_US / 2 ? us * 2 : WAIT_MOST_US) {
		r = wait_look(p, key, key_len, &cas);
		if (r != 0 || cas != seen_cas)
			break;
		if (sock_now_ms() >= deadline_ms) {
			r = -ETIMEDOUT;
			break;
		}
		nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
	}
	guard_leave(cancel);
	return r;
}
