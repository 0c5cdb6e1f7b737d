/*
 * test_lib_errors.c: each function of peek.h returns the errors that its row in
 * the header's table has, and no other, whatever the daemon answers and
 * whatever became of the segment (issue 15.30).
 */
#include "shm/seq.h"

#include "proc/test_lib_functions.h"
#include "proc/test_lib_server.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "shm/layout.h"

static void
fill(struct peek *q)
{
	assert_int_equal(peek_set(q, "k", 1, "value", 5, 0), 0);
	assert_int_equal(peek_set(q, "number", 6, "17", 2, 0), 0);
	assert_int_equal(peek_set(q, "large", 5, large, 1000000, 0), 0);
}

/* ---- a live daemon ------------------------------------------------------- */

static void
with_a_daemon(void **state)
{
	struct peek *q;

	(void)state;
	fill(p);
	try_all(p, "a daemon", true);
	assert_int_equal(peek_open(name, PEEK_READ_ONLY, &q), 0);
	try_all(q, "read only", true);
	peek_close(q);
	assert_int_equal(n_wrong, 0);
}

static void
a_sum_that_is_too_large(void **state)
{
	char *value = calloc(1, 700000);
	struct peek_info before;

	(void)state;
	assert_non_null(value);
	assert_int_equal(peek_append(p, "sum", 3, value, 700000), -ENOENT);
	assert_int_equal(peek_set(p, "sum", 3, value, 700000, 0), 0);
	assert_int_equal(peek_append(p, "sum", 3, value, 700000), -EMSGSIZE);
	assert_int_equal(peek_prepend(p, "sum", 3, value, 700000), -EMSGSIZE);
	assert_int_equal(peek_get_info(p, "sum", 3, NULL, 0, &before), -ENOSPC);
	assert_int_equal(before.value_len, 700000); /* it stayed as it was */
	assert_int_equal(peek_append(p, "sum", 3, value, 1000), 0);
	assert_int_equal(peek_delete(p, "sum", 3), 0);
	assert_int_equal(peek_prepend(p, "sum", 3, value, 1000), -ENOENT);
	free(value);
}

static int
visit_value(void *arg, const struct peek_entry *entry)
{
	(void)entry;
	return *(int *)arg;
}

static void
what_a_visitor_returns(void **state)
{
	(void)state;
	fill(p);
	for (size_t i = 0; i < N_ERRORS; i++)
		for (int sign = -1; sign < 2; sign += 2) {
			int value = sign * errors[i].error;
			assert_int_equal(peek_scan(p, visit_value, &value), value);
		}
}

/* ---- whatever a server says ---------------------------------------------- */

static const char *const replies[] = {"HD\r\n", "HD c5 s1\r\n", "VA 2 f0\r\nhi\r\n",
    "VA 1\r\n5\r\n", "VA 1 t5 c7 f9 X\r\n5\r\n", "EN\r\n", "NF\r\n", "NS\r\n", "NS c5\r\n",
    "NS c0\r\n", "EX\r\n", "MN\r\n", "ME k a=b\r\n", "OK\r\n", "STORED\r\n", "NOT_STORED\r\n",
    "EXISTS\r\n", "NOT_FOUND\r\n", "DELETED\r\n", "TOUCHED\r\n", "END\r\n", "VALUE k 0 1\r\nx\r\n",
    "STAT a b\r\n", "RESET\r\n", "VERSION 1\r\n", "12\r\n", "ERROR\r\n",
    "ERROR Too many open connections\r\n", "CLIENT_ERROR permission denied: needs write\r\n",
    "CLIENT_ERROR flush_all not allowed\r\n", "CLIENT_ERROR bad data chunk\r\n",
    "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    "SERVER_ERROR object too large for cache\r\n", "SERVER_ERROR out of memory storing object\r\n",
    "SERVER_ERROR this user may not connect\r\n", "SERVER_ERROR other\r\n", "what\r\n", "\r\n",
    "VA 99999999999\r\n", "VA -1\r\n", "VA x\r\n", "VA 3\r\nabcdef", "no line", "", "silence"};
#define N_REPLIES (sizeof(replies) / sizeof(*replies))

/* Answers each piece that is read with the reply of the number in *arg. */
static void
answer_any(int fd, void *arg)
{
	static char buf[LARGE_BYTES];
	const volatile unsigned *which = arg;

	while (read(fd, buf, sizeof(buf)) > 0) {
		const char *reply = replies[*which];
		if (strcmp(reply, "silence") == 0)
			continue;
		if (send(fd, reply, strlen(reply), MSG_NOSIGNAL) <= 0 ||
		    strcmp(reply, "no line") == 0)
			break;
	}
}

static void
with_any_reply(void **state)
{
	unsigned *which =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct server server;
	char path[128];
	struct peek *q;

	(void)state;
	assert_true(which != MAP_FAILED);
	fill(p);
	server_start(&server, answer_any, which);
	for (int foreign = 0; foreign < 2; foreign++) {
		live_set_version(LAYOUT_VERSION + (uint64_t)foreign);
		assert_int_equal(peek_open(name, PEEK_NO_HINTS, &q), 0);
		for (unsigned i = 0; i < N_REPLIES; i++) {
			*which = i;
			assert_int_equal(
			    peek_set_timeout(q, strcmp(replies[i], "silence") == 0 ? 3 : 200), 0);
			try_all(q, replies[i], true);
		}
		peek_close(q);
	}
	live_set_version(LAYOUT_VERSION);
	server_end(&server);
	/* nobody there; no socket; not even a place for one */
	static const char *const places[] = {"/fake", "/none", "/fake/below", ""};
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, places[i]);
		setenv("PEEK_SOCKET", path, 1);
		assert_int_equal(peek_open(name, PEEK_NO_HINTS, &q), 0);
		try_all(q, "nobody listens", true);
		peek_close(q);
	}
	unsetenv("PEEK_SOCKET");
	munmap(which, 4096);
	assert_int_equal(n_wrong, 0);
}

static void
without_descriptors(void **state)
{
	struct rlimit limit, none;
	struct peek *q;

	(void)state;
	skip_emulated();
	assert_int_equal(peek_open(name, PEEK_NO_HINTS, &q), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct peek *r;
	int opened = peek_open(name, 0, &r);
	try_all(q, "no descriptors", true);
	int wrote = peek_set(q, "k", 1, "v", 1, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(opened, -EIO);
	assert_int_equal(wrote, -EIO);
	peek_close(q);
	assert_int_equal(n_wrong, 0);
}

/* ---- whatever becomes of the segment ------------------------------------- */

static void
retire(struct harness *h)
{
	seq_hand_over(&h->map.header->count, word_load_rlx(&h->map.header->count) | COUNT_RETIRED);
}

/* As the daemon does before it gives the memory back. */
static void
leave_odd(struct harness *h)
{
	uint64_t n = word_load_rlx(&h->map.header->count) & COUNT_MASK;

	for (uint64_t i = 0; i < n; i++)
		seq_mark(&h->map.buckets[i].seq);
	seq_marked();
}

static void
a_segment_whose_memory_was_given_back(void **state)
{
	struct harness h;
	struct peek *stay, *busy;

	(void)state;
	harness_open(&h, "gone", UINT64_C(4) << 20, false);
	assert_int_equal(harness_set(&h, "k", 1, "value", 5), STORE_OK);
	assert_int_equal(peek_open(h.name, PEEK_NO_FOLLOW | PEEK_READ_ONLY, &stay), 0);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY, &busy), 0);
	retire(&h);
	assert_int_equal(peek_get(stay, "k", 1, got, sizeof(got)), 5); /* what it held */
	assert_int_equal(peek_view(stay, "k", 1, &view), 0);
	assert_int_equal(peek_scan(stay, visit_nothing, NULL), 0);
	leave_odd(&h);
	struct peek_op op[2] = {{"k", 1, got, sizeof(got), 0}, {"absent", 6, got, sizeof(got), 0}};
	assert_int_equal(peek_get(stay, "k", 1, got, sizeof(got)), -ESTALE);
	assert_int_equal(peek_get(stay, "absent", 6, got, sizeof(got)), -ESTALE);
	assert_int_equal(peek_get_u64(stay, "k", 1, &number), -ESTALE);
	assert_int_equal(peek_get_info(stay, "k", 1, got, sizeof(got), &info), -ESTALE);
	assert_int_equal(peek_view(stay, "k", 1, &view), -ESTALE);
	assert_int_equal(peek_scan(stay, visit_nothing, NULL), -ESTALE);
	assert_int_equal(peek_mget(stay, op, 2), 0);
	assert_true(op[0].result == -ESTALE && op[1].result == -ESTALE);
	try_all(stay, "given back", true);
	/* Without the flag: no successor, no keys. */
	assert_int_equal(peek_get(busy, "k", 1, got, sizeof(got)), -ENOENT);
	assert_int_equal(peek_scan(busy, visit_nothing, NULL), 0);
	try_all(busy, "no successor", true);
	peek_close(stay);
	peek_close(busy);
	harness_close(&h);
	assert_int_equal(n_wrong, 0);
}

static void
a_bucket_whose_writer_is_dead(void **state)
{
	struct harness h;
	struct peek *q;

	(void)state;
	harness_open(&h, "odd", UINT64_C(4) << 20, false);
	assert_int_equal(harness_set(&h, "k", 1, "value", 5), STORE_OK);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY | PEEK_NO_FOLLOW, &q), 0);
	leave_odd(&h);
	/* another daemon may mend it */
	assert_int_equal(peek_get(q, "k", 1, got, sizeof(got)), -EAGAIN);
	assert_int_equal(peek_scan(q, visit_nothing, NULL), -EAGAIN);
	try_all(q, "odd buckets", true);
	peek_close(q);
	harness_close(&h);
	assert_int_equal(n_wrong, 0);
}

/* A successor of each kind that can't be attached. */
static void
a_successor_that_is_none(void **state)
{
	(void)state;
	for (int what = 0; what < 5; what++) {
		struct harness old, new;
		struct peek *q;
		harness_open(&old, "old", UINT64_C(4) << 20, false);
		assert_int_equal(harness_set(&old, "k", 1, "value", 5), STORE_OK);
		assert_int_equal(peek_open(old.name, PEEK_READ_ONLY, &q), 0);
		unlink(old.path);
		harness_open_generation(&new, "old", UINT64_C(4) << 20, false, 2);
		if (what == 0)
			word_store_rlx(&new.map.header->version, LAYOUT_VERSION + 1);
		else if (what == 1)
			word_store_rlx(&new.map.header->arena_off, 1);
		else if (what == 2)
			assert_int_equal(chmod(new.path, 0666), 0);
		else if (what == 3)
			/* which root may read nevertheless */
			assert_int_equal(chmod(new.path, 0), 0);
		else
			assert_true(unlink(new.path) == 0 && symlink("/dev/null", new.path) == 0);
		retire(&old);
		static const int want[] = {-EPROTO, -EBADMSG, -EPERM, -EACCES, -EPERM};
		ssize_t r = peek_get(q, "k", 1, got, sizeof(got));
		assert_int_equal(r, what == 3 && geteuid() == 0 ? -ENOENT : want[what]);
		try_all(q, "a successor that is none", true);
		peek_close(q);
		harness_close(&old);
		unlink(new.path);
		store_close(new.store);
		map_close(&new.map);
	}
	assert_int_equal(n_wrong, 0);
}

static void
what_peek_open_says(void **state)
{
	struct peek *q;
	char long_name[80];

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	static const char *const names[] = {"", ".", "a/b", "a b", "\xff"};
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(peek_open(names[i], 0, &q), -EINVAL);
	assert_int_equal(peek_open(long_name, 0, &q), -EINVAL);
	assert_int_equal(peek_open(name, 0x80000000u, &q), -EINVAL);
	assert_int_equal(peek_open("no-such-instance-of-a-test", PEEK_READ_ONLY, &q), -ENOENT);
	setenv("PEEK_OWNER", "x", 1);
	assert_int_equal(peek_open(name, 0, &q), -EINVAL);
	unsetenv("PEEK_OWNER");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_peek_open_says),
	    cmocka_unit_test_setup_teardown(with_a_daemon, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_sum_that_is_too_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_a_visitor_returns, setup, teardown),
	    cmocka_unit_test_setup_teardown(with_any_reply, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_descriptors, setup, teardown),
	    cmocka_unit_test(a_segment_whose_memory_was_given_back),
	    cmocka_unit_test(a_bucket_whose_writer_is_dead),
	    cmocka_unit_test(a_successor_that_is_none),
	};

	return cmocka_run_group_tests(tests, read_table, group_teardown);
}
