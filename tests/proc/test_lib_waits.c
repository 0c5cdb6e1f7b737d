/*
 * test_lib_waits.c: threads that share a handle wait no longer than each was
 * told, and a thread that is cancelled, or leaves a callback another way than
 * by returning, leaves no lock behind (issue 15.17).
 */
#include "proc/test_lib_server.h"

#include <pthread.h>

#define LONG_MS  60000 /* of a call that is let go by the test */
#define SHORT_MS 100
#define N_OTHERS 7

/* ---- one waits for a stopped daemon, the others for their time ----------- */

struct call {
	struct peek *p;
	int (*fn)(struct peek *p);
	pthread_t thread;
	int result;
	int done; /* atomic */
};

static void *
call_thread(void *arg)
{
	struct call *c = arg;

	c->result = c->fn(c->p);
	__atomic_store_n(&c->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool
is_done(struct call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_SEQ_CST) != 0;
}

static int
set_first(struct peek *q)
{
	return peek_set(q, "first", 5, "1", 1, 0);
}

static int
set_other(struct peek *q)
{
	return peek_set(q, "other", 5, "1", 1, 0);
}

static int
incr_other(struct peek *q)
{
	return peek_incr(q, "n", 1, 1, NULL);
}

static int
delete_other(struct peek *q)
{
	return peek_delete(q, "n", 1);
}

static int
flush_all(struct peek *q)
{
	return peek_flush(q, 0);
}

static int
read_other(struct peek *q)
{
	char buf[8];

	return (int)peek_get(q, "n", 1, buf, sizeof(buf));
}

static int
queue_other(struct peek *q)
{
	return peek_set_async(q, "other", 5, "1", 1, 0, NULL, NULL);
}

static int
flush_first(struct peek *q)
{
	int r = peek_set_async(q, "first", 5, "1", 1, 0, NULL, NULL);

	return r == 0 ? peek_set_flush(q) : r;
}

/* True: the daemon doesn't read bytes that were sent, so a call waits for
 * the answer. */
static void
wait_until_sent(void)
{
	char line[512], want[160];

	snprintf(want, sizeof(want), "%s", sock_path);
	for (int i = 0; i < 1000; i++) {
		FILE *f = fopen("/proc/net/unix", "re");
		int n_connected = 0;
		assert_non_null(f);
		while (fgets(line, sizeof(line), f) != NULL)
			n_connected += strstr(line, want) != NULL && strstr(line, " 03 ") != NULL;
		fclose(f);
		if (n_connected >= 1)
			break;
		usleep(10000);
	}
	usleep(50000);
}

/* The first call waits for the daemon; others must be back while it still
 * does. */
static void
others_return(struct peek *q, int (*first_fn)(struct peek *),
    int (*const other_fn[])(struct peek *), int n, int want)
{
	struct call first = {.p = q, .fn = first_fn}, other[N_OTHERS];

	assert_true(n <= N_OTHERS);
	assert_int_equal(peek_set_timeout(q, LONG_MS), 0);
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(pthread_create(&first.thread, NULL, call_thread, &first), 0);
	wait_until_sent();
	assert_int_equal(peek_set_timeout(q, SHORT_MS), 0);
	for (int i = 0; i < n; i++) {
		other[i] = (struct call){.p = q, .fn = other_fn[i]};
		assert_int_equal(pthread_create(&other[i].thread, NULL, call_thread, &other[i]), 0);
	}
	for (int i = 0; i < n; i++)
		pthread_join(other[i].thread, NULL);
	bool still_waits = !is_done(&first);
	kill(daemon_pid, SIGCONT);
	pthread_join(first.thread, NULL);
	assert_int_equal(peek_set_timeout(q, LONG_MS), 0);
	assert_true(still_waits);
	assert_int_equal(first.result, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(other[i].result, want);
}

static void
writes_wait_their_own_time(void **state)
{
	static int (*const fns[])(struct peek *) = {
	    set_other, incr_other, delete_other, flush_all, set_other, incr_other, set_other};
	char buf[8];

	(void)state;
	assert_int_equal(peek_set(p, "n", 1, "1", 1, 0), 0);
	peek_delete(p, "other", 5);
	others_return(p, set_first, fns, N_OTHERS, -ETIMEDOUT);
	/* nothing of them was carried out */
	assert_int_equal(peek_get(p, "other", 5, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_get(p, "n", 1, buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], '1');
	assert_int_equal(peek_get(p, "first", 5, buf, sizeof(buf)), 1);
}

static void
the_queue_waits_its_own_time(void **state)
{
	static int (*const fns[])(struct peek *) = {queue_other, peek_set_flush, queue_other};
	char buf[8];

	(void)state;
	peek_delete(p, "other", 5);
	others_return(p, flush_first, fns, 3, -ETIMEDOUT);
	assert_int_equal(peek_set_flush(p), 0);
	assert_int_equal(peek_get(p, "other", 5, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_get(p, "first", 5, buf, sizeof(buf)), 1);
}

static void
reads_through_the_socket_wait_their_own_time(void **state)
{
	static int (*const fns[])(struct peek *) = {read_other, read_other, read_other};
	struct peek *q;

	(void)state;
	assert_int_equal(peek_set(p, "n", 1, "1", 1, 0), 0);
	live_set_version(LAYOUT_VERSION + 1);
	assert_int_equal(peek_open(name, 0, &q), 0);
	others_return(q, set_first, fns, 3, -EPROTO);
	assert_int_equal(read_other(q), 1);
	live_set_version(LAYOUT_VERSION);
	peek_close(q);
}

/* ---- a thread that is cancelled ------------------------------------------ */

static int
open_and_close(struct peek *q)
{
	struct peek *r;

	(void)q;
	assert_int_equal(peek_open(name, 0, &r), 0);
	peek_close(r);
	return 0;
}

static int
ask_status(struct peek *q)
{
	struct peek_status s;

	return peek_status(q, &s);
}

static int
visit_nothing(void *arg, const struct peek_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

static int
scan_all(struct peek *q)
{
	return peek_scan(q, visit_nothing, NULL);
}

/* The cancellation is pending before the call begins, so that the first point
 * that can be cancelled would take it. */
static void *
cancelled_thread(void *arg)
{
	struct call *c = arg;

	pthread_cancel(pthread_self());
	c->result = c->fn(c->p);
	__atomic_store_n(&c->done, 1, __ATOMIC_SEQ_CST);
	pthread_testcancel();
	return NULL;
}

static void
a_cancelled_thread_ends_its_call_first(void **state)
{
	static int (*const fns[])(struct peek *) = {set_first, incr_other, read_other, flush_first,
	    queue_other, peek_set_flush, ask_status, scan_all, open_and_close, flush_all};

	(void)state;
	skip_emulated();
	for (int foreign = 0; foreign < 2; foreign++) {
		struct peek *q;
		live_set_version(LAYOUT_VERSION + (uint64_t)foreign);
		assert_int_equal(peek_open(name, 0, &q), 0);
		for (size_t i = 0; i < sizeof(fns) / sizeof(*fns); i++) {
			struct call c = {.p = q, .fn = fns[i]};
			void *how;
			assert_int_equal(peek_set(q, "n", 1, "1", 1, 0), 0);
			assert_int_equal(pthread_create(&c.thread, NULL, cancelled_thread, &c), 0);
			assert_int_equal(pthread_join(c.thread, &how), 0);
			assert_true(how == PTHREAD_CANCELED);
			assert_true(is_done(&c));
			assert_true(c.result >= 0 || (foreign && fns[i] == scan_all));
			assert_int_equal(set_first(q), 0);
			assert_int_equal(flush_first(q), 0);
			assert_int_equal(ask_status(q), 0);
		}
		peek_close(q);
	}
	live_set_version(LAYOUT_VERSION);
}

/* ---- a callback that doesn't return -------------------------------------- */

#define N_REFUSED 3000 /* more than one half of the queue holds */

/* Refuses *arg stores of a connection and then hangs up. Knows of no rings. */
static void
answer_refused(int fd, void *arg)
{
	static const char answer[] = "SERVER_ERROR out of memory storing object\r\n";
	static char line[1 << 17];
	const int *n_refused = arg;
	FILE *f = fdopen(fd, "r+e");

	for (int lines = 0;
	     f != NULL && fgets(line, sizeof(line), f) != NULL && lines / 2 < *n_refused;) {
		const char *say = strncmp(line, "peek_ring ", 10) == 0 ? "ERROR\r\n" : answer;
		if ((say != answer || ++lines % 2 == 0) &&
		    write(fd, say, strlen(say)) != (ssize_t)strlen(say))
			break;
	}
}

static struct refusals {
	jmp_buf back;
	int how;   /* 1: longjmp; 2: the thread ends; 0: returns */
	int every; /* which of them do so */
	int n;
	unsigned char seen[N_REFUSED];
	int n_refused; /* after so many the server hangs up */
	struct server server;
	struct peek *q;
} refusals;

static void
on_failed(void *arg, const void *key, size_t key_len, int error)
{
	struct refusals *r = arg;
	char digits[16] = "";

	assert_true(error == -ENOSPC && key_len < sizeof(digits));
	memcpy(digits, key, key_len);
	r->seen[atoi(digits)]++;
	if (++r->n % r->every != 0)
		return;
	if (r->how == 1)
		longjmp(r->back, 1);
	if (r->how == 2)
		pthread_exit(NULL);
}

static int
queue_number(struct refusals *r, int i)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", i);
	return peek_set_async(r->q, key, strlen(key), "v", 1, 0, on_failed, r);
}

static void *
flush_thread(void *arg)
{
	struct refusals *r = arg;

	assert_int_equal(peek_set_flush(r->q), 0);
	return r;
}

static void
open_refused(struct refusals *r, int how, int every, int n_refused)
{
	memset(r, 0, sizeof(*r));
	r->how = how;
	r->every = every;
	r->n_refused = n_refused;
	server_start(&r->server, answer_refused, &r->n_refused);
	assert_int_equal(peek_open(name, PEEK_NO_HINTS, &r->q), 0);
	assert_int_equal(peek_set_timeout(r->q, LONG_MS), 0);
}

static void
close_refused(struct refusals *r)
{
	peek_close(r->q);
	server_end(&r->server);
}

static void
a_callback_that_jumps_leaves_no_lock(void **state)
{
	struct refusals *r = &refusals;
	volatile int i = 0;

	(void)state;
	open_refused(r, 1, 100, INT_MAX / 4);
	/* A jump out of peek_set_async: the set that it was called for is not
	 * queued, and is tried again. */
	setjmp(r->back);
	for (; i < N_REFUSED; i++)
		assert_int_equal(queue_number(r, i), 0);
	setjmp(r->back);
	assert_int_equal(peek_set_flush(r->q), 0);
	assert_int_equal(r->n, N_REFUSED);
	for (int k = 0; k < N_REFUSED; k++)
		assert_int_equal(r->seen[k], 1);
	close_refused(r);
}

static void
a_callback_that_ends_its_thread_leaves_no_lock(void **state)
{
	struct refusals *r = &refusals;
	int n_ended = 0;
	void *how;

	(void)state;
	skip_emulated();
	open_refused(r, 2, 10, INT_MAX / 4);
	for (int i = 0; i < 35; i++)
		assert_int_equal(queue_number(r, i), 0);
	do {
		pthread_t t;
		assert_int_equal(pthread_create(&t, NULL, flush_thread, r), 0);
		assert_int_equal(pthread_join(t, &how), 0);
		n_ended += how == NULL;
	} while (how == NULL);
	assert_int_equal(n_ended, 3);
	assert_int_equal(r->n, 35);
	close_refused(r);
}

static void
refusals_before_a_broken_connection_are_told(void **state)
{
	struct refusals *r = &refusals;

	(void)state;
	open_refused(r, 0, 1, 5);
	for (int i = 0; i < 20; i++)
		assert_int_equal(queue_number(r, i), 0);
	assert_int_equal(peek_set_flush(r->q), -EINPROGRESS);
	assert_int_equal(r->n, 5);
	assert_int_equal(peek_set_flush(r->q), 0); /* nothing is left */
	assert_int_equal(r->n, 5);
	close_refused(r);
}

/* The callback may read and write by the handle that it was called from. */
static void
on_failed_use(void *arg, const void *key, size_t key_len, int error)
{
	struct refusals *r = arg;
	char buf[8];

	(void)error;
	peek_get(r->q, key, key_len, buf, sizeof(buf));
	assert_int_equal(peek_set(r->q, key, key_len, "v", 1, 0), -ENOSPC);
	r->n++;
}

static void
a_callback_may_use_the_handle(void **state)
{
	struct refusals *r = &refusals;
	char *large = calloc(1, 100000);

	(void)state;
	assert_non_null(large);
	memset(large, 'x', 100000);
	open_refused(r, 0, 1, INT_MAX / 4);
	assert_int_equal(peek_set_async(r->q, "a", 1, "v", 1, 0, on_failed_use, r), 0);
	/* waits for its answer */
	assert_int_equal(peek_set_async(r->q, "b", 1, large, 100000, 0, on_failed_use, r), 0);
	assert_int_equal(r->n, 2);
	assert_int_equal(peek_set_flush(r->q), 0);
	assert_int_equal(r->n, 2);
	close_refused(r);
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(writes_wait_their_own_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_queue_waits_its_own_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		reads_through_the_socket_wait_their_own_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_cancelled_thread_ends_its_call_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_callback_that_jumps_leaves_no_lock, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_callback_that_ends_its_thread_leaves_no_lock, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		refusals_before_a_broken_connection_are_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_callback_may_use_the_handle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
