/*
 * test_lib_tags.c: libpeek's tags and a live daemon: what an acknowledged
 * invalidation covers is found by no later read of any process, by any way,
 * also after kill -9, and with another process that stores meanwhile.
 */
#include <time.h>

#include "proc/test_lib_live.h"

#define N_KEYS 64

static const char *const one[] = {"one"};
static const char *const two[] = {"two", "one", "user:\xc3\xa4", "four"};

static int
count_tagged(void *arg, const struct peek_entry *entry)
{
	*(unsigned *)arg += entry->key_len > 1 && memcmp(entry->key, "t-", 2) == 0;
	return 0;
}

/* How many of the tagged keys a handle finds, by each way that it has; all ways
 * agree. */
static unsigned
found_by(struct peek *q)
{
	static char buf[N_KEYS][64];
	static char key[N_KEYS][16];
	struct peek_op op[N_KEYS];
	struct peek_view view;
	unsigned n_get = 0, n_view = 0, n_mget = 0, n_scan = 0;

	for (unsigned i = 0; i < N_KEYS; i++) {
		size_t len = (size_t)snprintf(key[i], sizeof(key[i]), "t-%u", i);
		n_get += peek_get(q, key[i], len, buf[i], sizeof(buf[i])) > 0;
		n_view += peek_view(q, key[i], len, &view) == 0;
		op[i] = (struct peek_op){key[i], len, buf[i], sizeof(buf[i]), 0};
	}
	n_mget = (unsigned)peek_mget(q, op, N_KEYS);
	assert_int_equal(peek_scan(q, count_tagged, &n_scan), 0);
	assert_true(n_view == n_get && n_mget == n_get && n_scan == n_get);
	return n_get;
}

/* The same over the socket. */
static unsigned
found_by_socket(void)
{
	char line[N_KEYS * 8] = "get", text[8192];
	size_t len = 0, n = 3;
	unsigned found = 0;
	int fd = raw_connect(sock_path);

	for (unsigned i = 0; i < N_KEYS; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " t-%u", i);
	n += (size_t)snprintf(line + n, sizeof(line) - n, "\r\n");
	assert_true(fd >= 0 && write(fd, line, n) == (ssize_t)n);
	while (len < 5 || memcmp(text + len - 5, "END\r\n", 5) != 0) {
		ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(got > 0);
		len += (size_t)got;
	}
	close(fd);
	text[len] = '\0';
	for (const char *at = text; (at = strstr(at, "VALUE t-")) != NULL; at++)
		found++;
	return found;
}

static void
store_all(const char *const *tags, size_t n_tags)
{
	char key[16];

	for (unsigned i = 0; i < N_KEYS; i++) {
		int len = snprintf(key, sizeof(key), "t-%u", i);
		assert_int_equal(
		    peek_set_tagged(p, key, (size_t)len, "value", 5, 0, tags, n_tags), 0);
	}
}

static void
acknowledged_is_gone(void **state)
{
	struct peek *q;

	(void)state;
	assert_int_equal(peek_open(name, PEEK_READ_ONLY, &q), 0);
	for (unsigned round = 0; round < 6; round++) {
		store_all(round % 2 == 0 ? one : two, round % 2 == 0 ? 1 : 4);
		assert_int_equal(peek_invalidate(p, (const char *const[]){"another"}, 1), 0);
		assert_true(
		    found_by(p) == N_KEYS && found_by(q) == N_KEYS && found_by_socket() == N_KEYS);
		assert_int_equal(peek_set(p, "t-5", 3, "plain", 5, 0), 0);
		assert_int_equal(peek_invalidate(p, one, 1), 0);
		if (round >= 2) { /* and what was acknowledged stays so */
			end_daemon(SIGKILL);
			assert_true(found_by(q) == 1);
			start_daemon();
		}
		assert_true(found_by(p) == 1 && found_by(q) == 1 && found_by_socket() == 1);
		check_value("t-5", "plain");
	}
	/* A successor keeps the tags of what lives. */
	store_all(two, 4);
	end_daemon(SIGKILL);
	start_daemon();
	assert_true(found_by(p) == N_KEYS && found_by_socket() == N_KEYS);
	assert_int_equal(peek_invalidate(p, &two[2], 1), 0);
	assert_true(found_by(p) == 0 && found_by(q) == 0 && found_by_socket() == 0);
	peek_close(q);
}

static void
arguments(void **state)
{
	char longest[PEEK_TAG_MAX_BYTES + 2];
	const char *many[300], *bad[] = {"", "a,b", "a b", "a\tb", "a\x7f", longest};
	const char *const five[] = {"1", "2", "3", "4", "5"};

	(void)state;
	memset(longest, 't', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(peek_set_tagged(p, "k", 1, "v", 1, 0, &bad[i], 1), -EINVAL);
		assert_int_equal(peek_invalidate(p, &bad[i], 1), -EINVAL);
	}
	assert_int_equal(peek_set_tagged(p, "k", 1, "v", 1, 0, five, 5), -EINVAL);
	assert_int_equal(peek_set_tagged(p, "", 0, "v", 1, 0, one, 1), -EINVAL);
	assert_int_equal(peek_invalidate(p, one, 0), -EINVAL);
	assert_int_equal(peek_set_tagged(p, "k", 1, "v", 1, 0, NULL, 0), 0);
	check_value("k", "v");
	/* Names of full length, and more than a line has room for. */
	longest[PEEK_TAG_MAX_BYTES] = '\0';
	const char *const full[] = {longest, longest, longest, longest};
	assert_int_equal(peek_set_tagged(p, "k", 1, "v", 1, 4000000000u, full, 4), 0);
	check_value("k", "v");
	for (unsigned i = 0; i < 300; i++)
		many[i] = i == 299 ? "last" : longest;
	assert_int_equal(peek_set_tagged(p, "l", 1, "v", 1, 0, &many[299], 1), 0);
	assert_int_equal(peek_invalidate(p, many, 300), 0);
	char buf[8];
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_get(p, "l", 1, buf, sizeof(buf)), -ENOENT);
}

/* One process stores versions and invalidates; another reads. A version at or
 * below the last one that was covered never comes back. */
static void
beside_sets(void **state)
{
	_Atomic uint32_t *covered =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	(void)state;
	assert_true(covered != MAP_FAILED);
	pid_t child = harness_fork();
	if (child == 0) {
		unsigned n_wrong = 0, n_hits = 0;
		while (*covered != UINT32_MAX) {
			uint32_t before = *covered, version;
			if (peek_get(p, "v", 1, &version, sizeof(version)) == sizeof(version)) {
				n_hits++;
				n_wrong += version <= before && before != UINT32_MAX;
			}
		}
		_exit(n_wrong > 0 ? 1 : n_hits == 0 ? 2 : 0);
	}
	for (uint32_t version = 1; version < 6000; version++) {
		assert_int_equal(
		    peek_set_tagged(p, "v", 1, &version, sizeof(version), 0, two, 4), 0);
		if (version % 3 == 0) {
			assert_int_equal(peek_invalidate(p, one, 1), 0);
			*covered = version;
		}
	}
	*covered = UINT32_MAX;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	munmap((void *)(uintptr_t)covered, 4096);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* The whole call, by the ring or the socket: the fastest of a few, since others
 * use the processor too. */
static void
time_of_a_call(void **state)
{
	int64_t best = INT64_MAX;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(peek_set_tagged(p, "k", 1, "v", 1, 0, one, 1), 0);
		int64_t from = now_ns();
		assert_int_equal(peek_invalidate(p, one, 1), 0);
		int64_t took = now_ns() - from;
		best = took < best ? took : best;
	}
	printf("# peek_invalidate: %u ns at best\n", (unsigned)best);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(acknowledged_is_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(arguments, setup, teardown),
	    cmocka_unit_test_setup_teardown(beside_sets, setup, teardown),
	    cmocka_unit_test_setup_teardown(time_of_a_call, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
