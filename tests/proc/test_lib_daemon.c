/*
 * test_lib_daemon.c: libpeek and a live daemon: writes and their verdicts,
 * pipelined sets, hints and counts, a daemon that is killed and started anew,
 * children.
 */
#include <sys/resource.h>

#include "lib/handle.h"
#include "proc/test_lib_live.h"

/* ---- writes -------------------------------------------------------------- */

static void
writes_and_their_verdicts(void **state)
{
	struct peek_info info;
	char buf[64];
	uint64_t v = 0;

	(void)state;
	assert_int_equal(peek_set(p, "k", 1, "one", 3, 0), 0);
	check_value("k", "one");
	assert_int_equal(peek_add(p, "k", 1, "two", 3, 0), -EEXIST);
	assert_int_equal(peek_replace(p, "k", 1, "three", 5, 0), 0);
	check_value("k", "three");
	assert_int_equal(peek_append(p, "k", 1, "++", 2), 0);
	assert_int_equal(peek_prepend(p, "k", 1, "--", 2), 0);
	check_value("k", "--three++");
	assert_int_equal(peek_delete(p, "k", 1), 0);
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_delete(p, "k", 1), -ENOENT);
	assert_int_equal(peek_replace(p, "k", 1, "x", 1, 0), -ENOENT);
	assert_int_equal(peek_append(p, "k", 1, "x", 1), -ENOENT);
	assert_int_equal(peek_prepend(p, "k", 1, "x", 1), -ENOENT);
	assert_int_equal(peek_touch(p, "k", 1, 10), -ENOENT);
	assert_int_equal(peek_cas(p, "k", 1, "x", 1, 0, 5), -ENOENT);
	assert_int_equal(peek_incr(p, "k", 1, 5, &v), -ENOENT);
	assert_int_equal(peek_add(p, "k", 1, "v", 1, 0), 0);
	assert_int_equal(peek_get_info(p, "k", 1, buf, sizeof(buf), &info), 1);
	assert_int_equal(peek_cas(p, "k", 1, "w", 1, 0, info.cas), 0);
	assert_int_equal(peek_cas(p, "k", 1, "x", 1, 0, info.cas), -EEXIST);
	check_value("k", "w");
	assert_int_equal(peek_incr(p, "k", 1, 5, &v), -EDOM);
	assert_int_equal(peek_set_flags(p, "k", 1, "41", 2, 100, 0xfffffffe), 0);
	assert_int_equal(peek_incr(p, "k", 1, 1, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(peek_get_u64(p, "k", 1, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(peek_incr(p, "k", 1, 8, NULL), 0);
	assert_int_equal(peek_decr(p, "k", 1, 100, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(peek_get_info(p, "k", 1, buf, sizeof(buf), &info), 1);
	assert_true(info.flags == 0xfffffffe && info.ttl_s > 90 && info.ttl_s <= 100);
	assert_int_equal(peek_touch(p, "k", 1, 0), 0);
	assert_int_equal(peek_get_info(p, "k", 1, buf, sizeof(buf), &info), 1);
	assert_int_equal(info.ttl_s, -1);
	/* A life of 31 days and of 10 years is relative too. */
	for (uint32_t ttl_s = 31 * 86400; ttl_s < 400000000; ttl_s *= 11) {
		assert_int_equal(peek_set(p, "k", 1, "v", 1, ttl_s), 0);
		peek_get_info(p, "k", 1, buf, sizeof(buf), &info);
		assert_in_range(info.ttl_s, ttl_s - 10, ttl_s);
		assert_int_equal(peek_touch(p, "k", 1, ttl_s + 50), 0);
		peek_get_info(p, "k", 1, buf, sizeof(buf), &info);
		assert_in_range(info.ttl_s, ttl_s + 40, ttl_s + 50);
	}
	assert_int_equal(peek_flush(p, 0), 0);
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_set(p, "", 0, "v", 1, 0), -EINVAL);
	assert_int_equal(peek_delete(p, "x", 251), -EINVAL);
}

static void
keys_and_values_of_any_bytes(void **state)
{
	size_t n_max = 1047000;
	unsigned char *value = malloc(n_max + 100000), *got = malloc(n_max), key[250];

	(void)state;
	assert_true(value != NULL && got != NULL);
	for (size_t i = 0; i < n_max; i++)
		value[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t n = 1; n <= 250; n += 3) {
		for (size_t i = 0; i < n; i++)
			key[i] = (unsigned char)(i * 7 + n * 13);
		size_t len = n * n * n % n_max;
		assert_int_equal(peek_set(p, key, n, value + n, len, 0), 0);
		assert_int_equal(peek_get(p, key, n, got, n_max), len);
		assert_memory_equal(got, value + n, len);
		if (n % 2 == 0)
			assert_int_equal(peek_delete(p, key, n), 0);
	}
	assert_int_equal(peek_set(p, "large", 5, value, n_max, 0), 0);
	assert_int_equal(peek_get(p, "large", 5, got, n_max), n_max);
	assert_memory_equal(got, value, n_max);
	assert_int_equal(peek_set(p, "large", 5, value, n_max + 10000, 0), -EMSGSIZE);
	assert_int_equal(
	    peek_set(p, "large", 5, value, (size_t)PEEK_VALUE_MAX_BYTES + 1, 0), -EMSGSIZE);
	assert_int_equal(peek_set(p, "k", 1, "still in step", 13, 0), 0);
	check_value("k", "still in step");
	free(value);
	free(got);
}

struct failures {
	int n, wrong;
};

static void
note_failure(void *arg, const void *key, size_t key_len, int error)
{
	struct failures *f = arg;

	f->n++;
	f->wrong += error != -EMSGSIZE || key_len != 9 || memcmp(key, "too\x01large", 9) != 0;
}

static void
pipelined_sets(void **state)
{
	static char large[1200000], got[1200000];
	struct failures f = {0};
	char key[64];

	(void)state;
	memset(large, 'L', sizeof(large));
	assert_int_equal(peek_set_flush(p), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			int n = snprintf(key, sizeof(key), i % 10 == 0 ? "key %d\n" : "key-%d", i);
			assert_int_equal(
			    peek_set_async(p, key, (size_t)n, key, (size_t)n, 0, note_failure, &f),
			    0);
			if (i % 5000 == 77)
				assert_int_equal(peek_set_async(p, "large", 5, large,
						     500000 + (size_t)i, 0, note_failure, &f),
				    0);
			if (i % 5000 == 78)
				assert_int_equal(peek_set_async(p, "too\x01large", 9, large,
						     sizeof(large), 0, note_failure, &f),
				    0);
			if (i % 5000 == 79)
				assert_int_equal(
				    peek_set_async(p, "mid", 3, large, 60000, 0, NULL, NULL), 0);
		}
		assert_int_equal(peek_set_flush(p), 0);
		assert_int_equal(f.n, 4 * (round + 1));
		assert_int_equal(f.wrong, 0);
		for (int i = 0; i < 20000; i++) {
			int n = snprintf(key, sizeof(key), i % 10 == 0 ? "key %d\n" : "key-%d", i);
			assert_int_equal(peek_get(p, key, (size_t)n, got, sizeof(got)), n);
			assert_memory_equal(got, key, (size_t)n);
		}
		assert_int_equal(peek_get(p, "large", 5, got, sizeof(got)), 515077);
		assert_memory_equal(got, large, 515077);
	}
	/* A daemon that went away between two batches is not noticed; one that
	 * goes in the middle is. */
	end_daemon(SIGTERM);
	start_daemon();
	assert_int_equal(peek_set_async(p, "a", 1, "b", 1, 0, NULL, NULL), 0);
	assert_int_equal(peek_set_flush(p), 0);
	check_value("a", "b");
	end_daemon(SIGTERM);
	assert_int_equal(peek_set_async(p, "a", 1, "c", 1, 0, NULL, NULL), 0);
	assert_int_equal(peek_set_flush(p), -ECONNREFUSED);
	assert_int_equal(peek_set_flush(p), 0);
}

/* ---- hints and counts ---------------------------------------------------- */

static void
the_daemon_sees_what_is_read(void **state)
{
	struct peek_status status;
	struct peek *silent;
	char buf[16];

	(void)state;
	assert_int_equal(peek_set(p, "k", 1, "v", 1, 0), 0);
	assert_int_equal(peek_status(p, &status), 0);
	assert_int_equal(status.hinting, 1);
	assert_int_equal(status.writer_present, 1);
	assert_int_equal(status.writer_pid, daemon_pid);
	assert_string_equal(status.socket_path, sock_path);
	uint64_t hits = stat_of("get_hits"), misses = stat_of("get_misses");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
	for (int i = 0; i < 70; i++)
		assert_int_equal(peek_get(p, "absent", 6, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_open(name, PEEK_NO_HINTS, &silent), 0);
	for (int i = 0; i < 500; i++)
		assert_int_equal(peek_get(silent, "k", 1, buf, sizeof(buf)), 1);
	assert_int_equal(peek_status(silent, &status), 0);
	assert_true(status.hinting == 0 && status.hits == 500);
	peek_close(silent);
	usleep(300000); /* the daemon adds up ten times a second */
	assert_true(stat_of("get_hits") == hits + 1000);
	assert_true(stat_of("get_misses") == misses + 70);
}

static void
read_only_handles_say_nothing(void **state)
{
	struct peek_status status;
	struct peek *quiet;
	char buf[16];

	(void)state;
	assert_int_equal(peek_set(p, "k", 1, "v", 1, 0), 0);
	assert_int_equal(peek_open(name, PEEK_READ_ONLY, &quiet), 0);
	assert_int_equal(peek_get(quiet, "k", 1, buf, sizeof(buf)), 1);
	assert_int_equal(peek_set(quiet, "k", 1, "w", 1, 0), -EACCES);
	assert_int_equal(peek_set_async(quiet, "k", 1, "w", 1, 0, NULL, NULL), -EACCES);
	assert_int_equal(peek_status(quiet, &status), 0);
	assert_int_equal(status.hinting, 0);
	peek_close(quiet);
}

static void
a_killed_daemon_is_survived(void **state)
{
	struct peek_status status;
	char buf[16];
	uint64_t v;

	(void)state;
	assert_int_equal(peek_set(p, "k", 1, "7", 1, 0), 0);
	end_daemon(SIGKILL);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
	assert_int_equal(peek_set(p, "k", 1, "8", 1, 0), -ECONNREFUSED);
	struct peek *late;
	assert_int_equal(peek_open(name, 0, &late), 0); /* works while no daemon runs */
	assert_int_equal(peek_get(late, "k", 1, buf, sizeof(buf)), 1);
	start_daemon();
	assert_int_equal(peek_incr(p, "k", 1, 1, &v), 0);
	assert_int_equal(v, 8);
	assert_int_equal(peek_incr(late, "k", 1, 1, &v), 0);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
		if (i % 1000 == 0)
			usleep(20000); /* for the daemon's answer */
	}
	usleep(300000);
	assert_true(stat_of("get_hits") >= 10000 - 3000); /* attached anew in between, by itself */
	assert_int_equal(peek_status(p, &status), 0);
	assert_int_equal(status.hinting, 1);
	assert_true(status.gets >= 20000 && status.hits >= 20000);
	peek_close(late);
}

static bool
attached_to_this_daemon(void)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	return a->hints != NULL && a->epoch == word_load_rlx(&a->map.header->writer_epoch);
}

static void
no_read_waits_for_a_stopped_successor(void **state)
{
	struct rusage before, after;
	char buf[16];

	(void)state;
	assert_int_equal(peek_set(p, "k", 1, "7", 1, 0), 0);
	end_daemon(SIGKILL);
	start_daemon();
	kill(daemon_pid, SIGSTOP); /* its clock is fresh for a while */
	for (int round = 0; round < 20; round++) {
		getrusage(RUSAGE_SELF, &before);
		for (int i = 0; i < 1000; i++)
			assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
		getrusage(RUSAGE_SELF, &after);
		/* a page may be waited for */
		assert_true(after.ru_nvcsw - before.ru_nvcsw <= after.ru_minflt - before.ru_minflt);
		usleep(10000);
	}
	assert_true(!attached_to_this_daemon());
	kill(daemon_pid, SIGCONT);
	for (int i = 0; i < 500 && !attached_to_this_daemon(); i++) {
		for (int k = 0; k < 1000; k++)
			assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 1);
		usleep(10000);
	}
	/* what was asked before the stop was answered after it */
	assert_true(attached_to_this_daemon());
}

static void
children_write_for_themselves(void **state)
{
	char key[32], buf[32];
	int exited;

	(void)state;
	skip_emulated();
	assert_int_equal(peek_set(p, "parent", 6, "0", 1, 0), 0);
	assert_int_equal(peek_set_async(p, "queued", 6, "q", 1, 0, NULL, NULL), 0);
	pid_t child[4];
	for (int c = 0; c < 4; c++) {
		if ((child[c] = harness_fork()) == 0) {
			struct peek_status status;
			int bad = peek_set_flush(p) != 0; /* nothing is queued here */
			for (int i = 0; i < 300; i++) {
				size_t n = (size_t)snprintf(key, sizeof(key), "child%d-%d", c, i);
				bad += peek_set(p, key, n, key, n, 0) != 0 ||
				    peek_get(p, key, n, buf, sizeof(buf)) != (ssize_t)n;
				bad += peek_incr(p, "parent", 6, 1, NULL) != 0;
			}
			bad += peek_status(p, &status) != 0 || status.hinting != 1 ||
			    status.gets != 300;
			peek_close(p);
			_exit(bad == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < 300; i++)
		assert_int_equal(peek_incr(p, "parent", 6, 1, NULL), 0);
	for (int c = 0; c < 4; c++) {
		assert_int_equal(waitpid(child[c], &exited, 0), child[c]);
		assert_int_equal(exited, 0);
	}
	check_value("parent", "1500");
	assert_int_equal(peek_get(p, "queued", 6, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(peek_set_flush(p), 0);
	check_value("queued", "q");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(writes_and_their_verdicts, setup, teardown),
	    cmocka_unit_test_setup_teardown(keys_and_values_of_any_bytes, setup, teardown),
	    cmocka_unit_test_setup_teardown(pipelined_sets, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_daemon_sees_what_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(read_only_handles_say_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_killed_daemon_is_survived, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_read_waits_for_a_stopped_successor, setup, teardown),
	    cmocka_unit_test_setup_teardown(children_write_for_themselves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
