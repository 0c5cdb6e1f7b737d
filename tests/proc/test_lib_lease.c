/*
 * test_lib_lease.c: one process makes a value, the others wait for it.
 */
#include "proc/test_lib_live.h"

#define LONG_MS 60000
#define N_PROCS 64

/* Gets the key, or makes it. Returns 1: this process has made it; 0: it has the
 * value that another made; -1: a failure. */
static int
get_or_make(const char *key, unsigned make_ms)
{
	size_t n = strlen(key);
	char buf[64];
	uint64_t token;

	for (;;) {
		struct peek_info info = {0};
		ssize_t len = peek_get_info(p, key, n, buf, sizeof(buf), &info);
		if (len >= 0)
			return len == 4 && memcmp(buf, "made", 4) == 0 ? 0 : -1;
		if (len != -ENOENT)
			return -1;
		int r = peek_lease(p, key, n, LONG_MS, &token);
		if (r < 0)
			return -1;
		if (r == 1) {
			usleep(make_ms * 1000);
			return peek_fill(p, key, n, "made", 4, 0, 0, token) == 0 ? 1 : -1;
		}
		if (peek_get_info(p, key, n, NULL, 0, &info) == -ENOENT && info.cas != 0)
			peek_wait(p, key, n, info.cas, LONG_MS);
	}
}

static void
one_of_many_makes_it(void **state)
{
	pid_t child[N_PROCS];
	int made = 0;

	(void)state;
	for (int i = 0; i < N_PROCS; i++)
		if ((child[i] = harness_fork()) == 0)
			_exit(get_or_make("cold", 100) + 1);
	for (int i = 0; i < N_PROCS; i++) {
		int status;
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) >= 1);
		made += WEXITSTATUS(status) - 1;
	}
	assert_int_equal(made, 1);
	assert_int_equal(stat_of("leases_won"), 1);
	assert_int_equal(stat_of("leases_ended"), 0);
}

/* The waiters of a killed maker go on long before its lease would end. */
static void
a_killed_maker_is_followed(void **state)
{
	int won[2], status;
	char byte;

	(void)state;
	assert_int_equal(pipe(won), 0);
	pid_t maker = harness_fork();
	if (maker == 0) {
		uint64_t token;
		if (peek_lease(p, "dead", 4, 86400000, &token) == 1)
			(void)!write(won[1], "", 1);
		pause();
	}
	assert_int_equal(read(won[0], &byte, 1), 1);
	pid_t next = harness_fork();
	if (next == 0)
		_exit(get_or_make("dead", 0) + 1);
	usleep(50000);
	assert_int_equal(waitpid(next, &status, WNOHANG), 0);
	kill(maker, SIGKILL);
	waitpid(maker, &status, 0);
	assert_int_equal(waitpid(next, &status, 0), next);
	assert_int_equal(WEXITSTATUS(status), 2);
	check_value("dead", "made");
	close(won[0]);
	close(won[1]);
}

/* A read misses a place, and its description says that it is one. */
static void
a_place_is_a_miss(void **state)
{
	struct peek_info info = {0};
	struct peek_view view;
	uint64_t token, other;
	char buf[8];
	struct peek_op op = {"place", 5, buf, sizeof(buf), 0};

	(void)state;
	assert_int_equal(peek_lease(p, "place", 5, LONG_MS, &token), 1);
	assert_int_equal(peek_lease(p, "place", 5, LONG_MS, &other), 0);
	assert_int_equal(peek_get(p, "place", 5, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_view(p, "place", 5, &view), -ENOENT);
	assert_int_equal(peek_mget(p, &op, 1), 0);
	assert_int_equal(op.result, -ENOENT);
	assert_int_equal(peek_get_info(p, "place", 5, buf, sizeof(buf), &info), -ENOENT);
	assert_int_equal(info.stale, PEEK_BEING_MADE);
	assert_int_equal(info.cas, token);
	assert_int_equal(peek_wait(p, "place", 5, token, 1), -ETIMEDOUT);
	assert_int_equal(peek_fill(p, "place", 5, "v", 1, 0, 0, token + 1), -EEXIST);
	assert_int_equal(peek_fill(p, "place", 5, "v", 1, 100, 7, token), 0);
	assert_int_equal(peek_wait(p, "place", 5, token, 0), 0);
	assert_int_equal(peek_get_info(p, "place", 5, buf, sizeof(buf), &info), 1);
	assert_int_equal(info.flags, 7);
	assert_int_equal(info.stale, 0);
	/* a delete ends a lease: what is made from old data isn't stored */
	assert_int_equal(peek_lease(p, "gone", 4, LONG_MS, &token), 1);
	assert_int_equal(peek_delete(p, "gone", 4), 0);
	assert_int_equal(peek_fill(p, "gone", 4, "v", 1, 0, 0, token), -ENOENT);
}

/* Others read the old value while one makes it anew. */
static void
an_old_value_is_renewed_by_one(void **state)
{
	struct peek_info info;
	uint64_t token, other;

	(void)state;
	assert_int_equal(peek_set(p, "old", 3, "1", 1, 50), 0);
	assert_int_equal(peek_lease(p, "old", 3, LONG_MS, &token), 0);
	assert_int_equal(peek_lease_early(p, "old", 3, LONG_MS, 20, &token), 0);
	assert_int_equal(peek_lease_early(p, "old", 3, LONG_MS, 100, &token), 1);
	assert_int_equal(peek_lease_early(p, "old", 3, LONG_MS, 100, &other), 0);
	assert_int_equal(peek_get_info(p, "old", 3, NULL, 0, &info), -ENOSPC);
	assert_int_equal(info.stale, PEEK_BEING_MADE);
	check_value("old", "1");
	assert_int_equal(peek_unlease(p, "old", 3, token), 0);
	check_value("old", "1");
	assert_int_equal(peek_lease_early(p, "old", 3, LONG_MS, 100, &token), 1);
	assert_int_equal(peek_fill(p, "old", 3, "2", 1, 500, 0, token), 0);
	check_value("old", "2");
}

/* A successor knows no lease, and a maker's value finds no place. */
static void
a_killed_daemon_has_no_leases(void **state)
{
	uint64_t token;
	char buf[8];

	(void)state;
	assert_int_equal(peek_lease(p, "lost", 4, LONG_MS, &token), 1);
	end_daemon(SIGKILL);
	assert_int_equal(peek_get(p, "lost", 4, buf, sizeof(buf)), -ENOENT);
	start_daemon();
	assert_int_equal(peek_fill(p, "lost", 4, "v", 1, 0, 0, token), -ENOENT);
	assert_int_equal(peek_lease(p, "lost", 4, LONG_MS, &token), 1);
	assert_int_equal(peek_fill(p, "lost", 4, "v", 1, 0, 0, token), 0);
	check_value("lost", "v");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_of_many_makes_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_killed_maker_is_followed, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_place_is_a_miss, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_old_value_is_renewed_by_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_killed_daemon_has_no_leases, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
