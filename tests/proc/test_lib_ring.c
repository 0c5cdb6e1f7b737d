/*
 * test_lib_ring.c: libpeek's writes through a ring, with a live daemon: the
 * same verdicts, deadlines, threads and processes as by the socket; a daemon
 * that is stopped, killed and started anew.
 */
#include "proc/test_lib_live.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "base/now.h"

#define N_BEFORE 20 /* more writes than a connection makes before it asks for a ring */

/* Writes until the handle has a ring. */
static void
get_ring(struct peek *q)
{
	uint64_t before = stat_of("total_rings");

	for (int i = 0; i < N_BEFORE; i++)
		assert_int_equal(peek_set(q, "warm", 4, "1", 1, 0), 0);
	assert_int_equal(stat_of("total_rings"), before + 1);
}

static void
every_write_has_its_verdict(void **state)
{
	size_t n = 900000;
	char *large = malloc(n), *got = malloc(n);
	struct peek_info info;
	uint64_t v = 0;

	(void)state;
	assert_true(large != NULL && got != NULL);
	for (size_t i = 0; i < n; i++)
		large[i] = (char)(i * 7 + i / 251);
	get_ring(p);
	assert_int_equal(peek_add(p, "k", 1, "1", 1, 0), 0);
	assert_int_equal(peek_add(p, "k", 1, "1", 1, 0), -EEXIST);
	assert_int_equal(peek_replace(p, "no", 2, "1", 1, 0), -ENOENT);
	assert_int_equal(peek_append(p, "k", 1, "2", 1), 0);
	assert_int_equal(peek_prepend(p, "k", 1, "0", 1), 0);
	assert_int_equal(peek_incr(p, "k", 1, 5, &v), 0);
	assert_int_equal(v, 17);
	assert_int_equal(peek_decr(p, "k", 1, 100, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(peek_incr(p, "no", 2, 5, NULL), -ENOENT);
	assert_int_equal(peek_set(p, "w", 1, "word", 4, 0), 0);
	assert_int_equal(peek_incr(p, "w", 1, 5, NULL), -EDOM);
	assert_true(peek_get_info(p, "w", 1, got, n, &info) == 4);
	assert_int_equal(peek_cas(p, "w", 1, "x", 1, 0, info.cas + 1), -EEXIST);
	assert_int_equal(peek_cas(p, "w", 1, "x", 1, 0, info.cas), 0);
	assert_int_equal(peek_touch(p, "w", 1, 100), 0);
	assert_int_equal(peek_touch(p, "no", 2, 100), -ENOENT);
	assert_int_equal(peek_delete(p, "w", 1), 0);
	assert_int_equal(peek_delete(p, "w", 1), -ENOENT);
	assert_int_equal(peek_set(p, "big", 3, large, n, 0), 0);
	assert_true(peek_get(p, "big", 3, got, n) == (ssize_t)n && memcmp(got, large, n) == 0);
	assert_int_equal(peek_set(p, "huge", 4, large, 0, 0), 0);
	assert_int_equal(peek_flush(p, 0), 0);
	assert_int_equal(peek_get(p, "k", 1, got, n), -ENOENT);
	char *huge = calloc(1, 2000000);
	assert_non_null(huge);
	assert_int_equal(peek_set(p, "huge", 4, huge, 2000000, 0), -EMSGSIZE);
	assert_int_equal(peek_set(p, "after", 5, "1", 1, 0), 0);
	free(huge);
	free(large);
	free(got);
}

static void
a_flag_keeps_to_the_socket(void **state)
{
	uint64_t before = stat_of("total_rings");
	struct peek *q;

	(void)state;
	assert_int_equal(peek_open(name, PEEK_NO_RING, &q), 0);
	for (int i = 0; i < 3 * N_BEFORE; i++)
		assert_int_equal(peek_set(q, "k", 1, "1", 1, 0), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(peek_set_async(q, "k", 1, "1", 1, 0, NULL, NULL), 0);
	assert_int_equal(peek_set_flush(q), 0);
	assert_int_equal(stat_of("total_rings"), before);
	peek_close(q);
}

static int n_failed;

static void
on_failed(void *arg, const void *key, size_t key_len, int error)
{
	(void)arg;
	assert_true(key_len == 3 && memcmp(key, "big", 3) == 0 && error == -EMSGSIZE);
	n_failed++;
}

static void
the_queue_goes_by_ring(void **state)
{
	uint64_t before = stat_of("total_rings");
	char key[32], buf[64], *big = calloc(1, 2000000);

	(void)state;
	assert_non_null(big);
	for (int i = 0; i < 50000; i++) {
		int len = snprintf(key, sizeof(key), "q%d", i);
		assert_int_equal(
		    peek_set_async(p, key, (size_t)len, key, (size_t)len, 0, on_failed, NULL), 0);
		if (i % 10000 == 5000)
			assert_int_equal(
			    peek_set_async(p, "big", 3, big, 2000000, 0, on_failed, NULL), 0);
	}
	assert_int_equal(peek_set_flush(p), 0);
	assert_int_equal(n_failed, 5);
	assert_int_equal(stat_of("total_rings"), before + 1);
	for (int i = 0; i < 50000; i++) {
		int len = snprintf(key, sizeof(key), "q%d", i);
		assert_int_equal(peek_get(p, key, (size_t)len, buf, sizeof(buf)), len);
		assert_memory_equal(buf, key, (size_t)len);
	}
	free(big);
}

static void
a_stopped_daemon_costs_the_timeout(void **state)
{
	size_t n = 1000000;
	char *large = calloc(1, n), buf[16];

	(void)state;
	assert_non_null(large);
	get_ring(p);
	assert_int_equal(peek_set(p, "n", 1, "1", 1, 0), 0);
	assert_int_equal(peek_set_timeout(p, 200), 0);
	kill(daemon_pid, SIGSTOP);
	int64_t begun_ms = now_monotonic_ms();
	/* the ring doesn't hold it */
	assert_int_equal(peek_set(p, "large", 5, large, n, 0), -ETIMEDOUT);
	assert_in_range(now_monotonic_ms() - begun_ms, 190, 20000);
	kill(daemon_pid, SIGCONT);
	assert_int_equal(peek_set_timeout(p, 60000), 0);
	get_ring(p);
	assert_int_equal(peek_set_timeout(p, 200), 0);
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(peek_incr(p, "n", 1, 1, NULL), -EINPROGRESS);
	kill(daemon_pid, SIGCONT);
	assert_int_equal(peek_set_timeout(p, 60000), 0);
	assert_int_equal(peek_set(p, "k2", 2, "v", 1, 0), 0);
	assert_int_equal(peek_get(p, "large", 5, buf, sizeof(buf)), -ENOENT);
	free(large);
}

/* A daemon that was killed while its ring was idle had nothing of the request,
 * and the next one gets it, whatever it is. */
static void
an_idle_ring_outlives_its_daemon(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(peek_set(p, "n", 1, "10", 2, 0), 0);
	get_ring(p);
	usleep(50000);
	end_daemon(SIGKILL);
	assert_int_equal(peek_set(p, "k", 1, "v", 1, 0), -ECONNREFUSED);
	start_daemon();
	assert_int_equal(peek_incr(p, "n", 1, 1, &v), 0);
	assert_int_equal(v, 11);
	get_ring(p);
	usleep(50000);
	end_daemon(SIGKILL);
	start_daemon();
	/* not -EINPROGRESS */
	assert_int_equal(peek_incr(p, "n", 1, 1, &v), 0);
	assert_int_equal(v, 12);
	get_ring(p);
	end_daemon(SIGTERM);
	start_daemon();
	assert_int_equal(peek_incr(p, "n", 1, 1, &v), 0);
	assert_int_equal(v, 13);
}

/* Killed while writers are at it: what was acknowledged is there. */
static void
a_busy_ring_and_a_killed_daemon(void **state)
{
	uint64_t acknowledged = 0, unknown = 0, v = 0;

	(void)state;
	assert_int_equal(peek_set(p, "c", 1, "0", 1, 0), 0);
	for (int round = 0; round < 6; round++) {
		get_ring(p);
		pid_t pid = harness_fork();
		if (pid == 0) {
			usleep(20000 + (useconds_t)round * 3333);
			kill(daemon_pid, SIGKILL);
			_exit(0);
		}
		for (;;) {
			int r = peek_incr(p, "c", 1, 1, NULL);
			assert_true(r == 0 || r == -EINPROGRESS || r == -ECONNREFUSED);
			acknowledged += r == 0;
			unknown += r == -EINPROGRESS;
			if (r != 0)
				break;
		}
		int status;
		waitpid(pid, &status, 0);
		end_daemon(SIGKILL);
		start_daemon();
	}
	assert_int_equal(peek_incr(p, "c", 1, 0, &v), 0);
	assert_in_range(v, acknowledged, acknowledged + unknown);
}

#define N_THREADS 8
#define N_EACH    3000

static void *
counting_thread(void *arg)
{
	for (int i = 0; i < N_EACH; i++)
		if (peek_incr(p, "c", 1, 1, NULL) != 0)
			return NULL;
	return arg;
}

static void
threads_and_processes_count(void **state)
{
	pthread_t t[N_THREADS];
	uint64_t v;
	void *ret;
	int status;

	(void)state;
	get_ring(p);
	assert_int_equal(peek_set(p, "c", 1, "0", 1, 0), 0);
	pid_t pid = harness_fork();
	if (pid == 0) { /* by a connection and a ring of its own */
		for (int i = 0; i < N_EACH; i++)
			if (peek_incr(p, "c", 1, 1, NULL) != 0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, counting_thread, p), 0);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(t[i], &ret), 0);
		assert_non_null(ret);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(peek_incr(p, "c", 1, 0, &v), 0);
	assert_int_equal(v, (N_THREADS + 1) * N_EACH);
	assert_int_equal(stat_of("curr_rings"), 1);
}

/* True: a mapping of a ring is there. */
static bool
has_mapping(void)
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		found = found || strstr(line, "peekd-ring") != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

static void
a_child_has_no_part_of_it(void **state)
{
	int status;

	(void)state;
	get_ring(p);
	assert_true(has_mapping());
	pid_t pid = harness_fork();
	if (pid == 0) {
		if (has_mapping())
			_exit(1);
		peek_close(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(peek_set(p, "k", 1, "1", 1, 0), 0);
}

/* With one processor a wait that loops would keep the daemon from it. */
static void
one_processor(void **state)
{
	cpu_set_t all, one;
	struct rusage use;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(sched_setaffinity(daemon_pid, sizeof(one), &one), 0);
	get_ring(p);
	assert_int_equal(getrusage(RUSAGE_THREAD, &use), 0);
	int64_t before_us = use.ru_utime.tv_sec * 1000000 + use.ru_utime.tv_usec;
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(peek_set_timeout(p, 500), 0);
	assert_int_equal(peek_incr(p, "k", 1, 1, NULL), -EINPROGRESS);
	kill(daemon_pid, SIGCONT);
	assert_int_equal(getrusage(RUSAGE_THREAD, &use), 0);
	assert_in_range(use.ru_utime.tv_sec * 1000000 + use.ru_utime.tv_usec - before_us, 0, 50000);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(sched_setaffinity(daemon_pid, sizeof(all), &all), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_write_has_its_verdict, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_flag_keeps_to_the_socket, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_queue_goes_by_ring, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_stopped_daemon_costs_the_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_idle_ring_outlives_its_daemon, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_busy_ring_and_a_killed_daemon, setup, teardown),
	    cmocka_unit_test_setup_teardown(threads_and_processes_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_child_has_no_part_of_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_processor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
