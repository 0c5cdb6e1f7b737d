/*
 * test_lib_broken.c: libpeek where the daemon is not what it should be:
 * stopped, gone in the middle of a reply, of a foreign layout.
 */
#include "proc/test_lib_server.h"

/* ---- time and broken connections ----------------------------------------- */

static void
a_stopped_daemon_costs_the_timeout(void **state)
{
	size_t n = 1000000;
	char *large = calloc(1, n), buf[16];

	(void)state;
	assert_non_null(large);
	assert_int_equal(peek_set(p, "k", 1, "1", 1, 0), 0);
	assert_int_equal(peek_set_timeout(p, 0), -EINVAL);
	assert_int_equal(peek_set_timeout(p, 200), 0);
	kill(daemon_pid, SIGSTOP);
	/* it did not all fit the socket */
	assert_int_equal(peek_set(p, "large", 5, large, n, 0), -ETIMEDOUT);
	assert_int_equal(peek_incr(p, "k", 1, 1, NULL), -EINPROGRESS);
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
	kill(daemon_pid, SIGCONT);
	assert_int_equal(peek_set_timeout(p, 5000), 0);
	assert_int_equal(peek_set(p, "k2", 2, "v", 1, 0), 0);
	/* nothing of it was carried out */
	assert_int_equal(peek_get(p, "large", 5, buf, sizeof(buf)), -ENOENT);
	free(large);
}

struct drops {
	uint32_t n_drop;  /* requests that are hung up upon without a word */
	uint32_t counted; /* requests */
};

/* Answers HD to all that it doesn't drop. */
static void
answer_after_drops(int fd, void *arg)
{
	volatile struct drops *d = arg;
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0 && strncmp(buf, "peek_attach", 11) != 0 &&
	    d->counted++ >= d->n_drop)
		if (write(fd, "HD\r\n", 4) != 4)
			break;
}

static void
a_lost_reply_is_told_or_asked_again(void **state)
{
	struct drops *drops =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct server server;
	struct peek *q;

	(void)state;
	assert_true(drops != MAP_FAILED);
	for (int what = 0; what < 10; what++) {
		*drops = (struct drops){.n_drop = what == 9 ? 2 : 1};
		server_start(&server, answer_after_drops, drops);
		assert_int_equal(peek_open(name, PEEK_NO_HINTS, &q), 0);
		/* what is lost is told by the hang-up, not by the time */
		assert_int_equal(peek_set_timeout(q, 20000), 0);
		int r = what == 0 ? peek_set(q, "k", 1, "v", 1, 0)
		    : what == 1   ? peek_delete(q, "k", 1)
		    : what == 2   ? peek_touch(q, "k", 1, 5)
		    : what == 3   ? peek_incr(q, "k", 1, 1, NULL)
		    : what == 4   ? peek_append(q, "k", 1, "v", 1)
		    : what == 5   ? peek_add(q, "k", 1, "v", 1, 0)
		    : what == 6   ? peek_cas(q, "k", 1, "v", 1, 0, 9)
		    : what == 7   ? peek_prepend(q, "k", 1, "v", 1)
		    : what == 8   ? peek_replace(q, "k", 1, "v", 1, 0)
				  : peek_set(q, "k", 1, "v", 1, 0);
		assert_int_equal(r, what < 3 ? 0 : -EINPROGRESS);
		assert_int_equal(drops->counted, what < 3 || what == 9 ? 2 : 1);
		peek_close(q);
		server_end(&server);
	}
	munmap(drops, 4096);
}

/* ---- a foreign layout ---------------------------------------------------- */

static void
a_foreign_layout_is_read_through_the_socket(void **state)
{
	size_t n = 1000000;
	char *value = malloc(n), *got = malloc(n);
	struct peek_status status;
	struct peek_info info;
	struct peek_view view;
	struct peek *q;

	(void)state;
	assert_true(value != NULL && got != NULL);
	for (size_t i = 0; i < n; i++)
		value[i] = (char)(i * 11 + i / 300);
	assert_int_equal(peek_set_flags(p, "k", 1, "value", 5, 1000, 9), 0);
	assert_int_equal(peek_set(p, "\0\1 \n", 4, value, n, 0), 0);
	live_set_version(LAYOUT_VERSION + 1);
	assert_int_equal(peek_open(name, PEEK_NO_FALLBACK, &q), -EPROTO);
	assert_int_equal(peek_open(name, PEEK_READ_ONLY, &q), -EPROTO);
	assert_int_equal(peek_open(name, 0, &q), 0);
	assert_int_equal(peek_status(q, &status), 0);
	assert_int_equal(status.fallback, 1);
	assert_string_equal(status.socket_path, sock_path);
	assert_int_equal(peek_get_info(q, "k", 1, got, n, &info), 5);
	assert_memory_equal(got, "value", 5);
	assert_true(info.flags == 9 && info.ttl_s > 990 && info.ttl_s <= 1000 && info.cas != 0);
	assert_int_equal(peek_get(q, "k", 1, got, 3), -ENOSPC);
	assert_int_equal(peek_get(q, "none", 4, got, 3), -ENOENT);
	assert_int_equal(peek_get(q, "\0\1 \n", 4, got, n), n);
	assert_memory_equal(got, value, n);
	assert_int_equal(peek_view(q, "k", 1, &view), -ENOTSUP);
	assert_int_equal(peek_scan(q, NULL, NULL), -ENOTSUP);
	assert_int_equal(peek_set(q, "k", 1, "written", 7, 0), 0);
	struct peek_op op[2] = {{"k", 1, got, n, 0}, {"none", 4, got, n, 0}};
	assert_int_equal(peek_mget(q, op, 2), 1);
	assert_true(op[0].result == 7 && op[1].result == -ENOENT);
	live_set_version(LAYOUT_VERSION);
	for (int i = 0; i < 600; i++)
		assert_int_equal(peek_get(q, "k", 1, got, n), 7);
	assert_int_equal(peek_status(q, &status), 0);
	assert_int_equal(status.fallback, 0); /* it came home */
	assert_true(status.gets >= 600);
	assert_int_equal(peek_view(q, "k", 1, &view), 0);
	peek_close(q);
	live_set_version(LAYOUT_VERSION + 1);
	end_daemon(SIGKILL);
	assert_int_equal(peek_open(name, 0, &q), -EPROTO); /* nobody to ask */
	live_set_version(LAYOUT_VERSION);
	free(value);
	free(got);
}

/* Through the socket a batch's operations are asked one by one: one that gets
 * no answer ends the asking. */
static void
a_batch_waits_once(void **state)
{
	enum { N_OPS = 20 };
	struct peek_op op[N_OPS];
	char buf[8];
	struct peek *q;

	(void)state;
	assert_int_equal(peek_set(p, "n", 1, "1", 1, 0), 0);
	for (int i = 0; i < N_OPS; i++)
		op[i] = (struct peek_op){"n", i == 5 ? 0 : 1, buf, sizeof(buf), 0};
	live_set_version(LAYOUT_VERSION + 1);
	assert_int_equal(peek_open(name, PEEK_NO_HINTS, &q), 0);
	assert_int_equal(peek_mget(q, op, N_OPS), N_OPS - 1);
	uint64_t before = stat_of("total_connections");
	assert_int_equal(peek_set_timeout(q, 100), 0);
	kill(daemon_pid, SIGSTOP);
	ssize_t n_hits = peek_mget(q, op, N_OPS);
	kill(daemon_pid, SIGCONT);
	assert_int_equal(n_hits, 0);
	for (int i = 0; i < N_OPS; i++)
		assert_int_equal(op[i].result, i == 5 ? -EINVAL : -EPROTO);
	/* Each that is not answered costs its connection. One is this count's
	 * own. */
	assert_true(stat_of("total_connections") - before <= 3);
	assert_int_equal(peek_set_timeout(q, 60000), 0);
	assert_int_equal(peek_mget(q, op, N_OPS), N_OPS - 1);
	live_set_version(LAYOUT_VERSION);
	peek_close(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_stopped_daemon_costs_the_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_lost_reply_is_told_or_asked_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_foreign_layout_is_read_through_the_socket, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_batch_waits_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
