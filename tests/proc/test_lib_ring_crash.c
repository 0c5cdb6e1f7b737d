/*
 * test_lib_ring_crash.c: the daemon is killed at each labelled step of a ring
 * (needs a build with PEEK_HOOKS), while a client counts through one: the next
 * daemon has every count that was acknowledged, and at most those besides whose
 * fate was said to be unknown.
 */
#include "proc/test_lib_live.h"

#include <sched.h>

#define N_TRIES 20000 /* counts within which the daemon passes the label */

static const char *const labels[] = {
    "ring:made", "ring:taken", "ring:put", "ring:published", "ring:flag cleared"};

/* Counts until the daemon is gone. */
static void
count_until_killed(struct peek *q, uint64_t *acknowledged, uint64_t *unknown)
{
	for (int i = 0; i < N_TRIES; i++) {
		int r = peek_incr(q, "c", 1, 1, NULL);
		*acknowledged += r == 0;
		*unknown += r == -EINPROGRESS;
		if (r != 0) {
			assert_true(r == -EINPROGRESS || r == -ECONNREFUSED);
			return;
		}
	}
	fail_msg("the daemon didn't come to the label");
}

static void
killed_at_each_step(void **state)
{
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		for (int n = 1; n <= 40; n = n * 3 + 1) {
			uint64_t acknowledged = 0, unknown = 0;
			char at[64];
			if (i == 0 && n > 1)
				break; /* a handle makes one */
			snprintf(at, sizeof(at), "%s:%d", labels[i], n);
			end_daemon(SIGTERM);
			setenv("PEEK_CRASH_AT", at, 1);
			start_daemon();
			unsetenv("PEEK_CRASH_AT");
			assert_int_equal(peek_set(p, "c", 1, "0", 1, 0), 0);
			count_until_killed(p, &acknowledged, &unknown);
			end_daemon(SIGKILL);
			start_daemon();
			assert_int_equal(peek_incr(p, "c", 1, 0, &v), 0);
			if (v < acknowledged || v > acknowledged + unknown)
				fail_msg("%s: %llu of %llu, %llu unknown", at,
				    (unsigned long long)v, (unsigned long long)acknowledged,
				    (unsigned long long)unknown);
		}
}

/* On one processor no side waits awake, so that flags are set and cleared. */
static int
group_setup_alone(void **state)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return -1;
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0 ? group_setup(state) : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(killed_at_each_step, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup_alone, group_teardown);
}
