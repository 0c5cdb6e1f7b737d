/*
 * test_lib_places.c: peek_place and peek_same on a live daemon: each event that
 * ends a place, each that leaves it, and a cache of decoded values in one
 * process beside a writer in another.
 */
#include "proc/test_lib_live.h"

#include <stdatomic.h>

#include "base/now.h"

static struct peek_place place;

static void
store_and_place(const char *key, const char *value)
{
	assert_int_equal(peek_set(p, key, strlen(key), value, strlen(value), 0), 0);
	assert_int_equal(peek_place(p, key, strlen(key), &place), 0);
	assert_int_equal(peek_same(p, key, strlen(key), &place), 1);
}

static void
ended(const char *key)
{
	assert_int_equal(peek_same(p, key, strlen(key), &place), 0);
}

static void
writes_that_end_a_place(void **state)
{
	uint64_t number;

	(void)state;
	store_and_place("k", "1");
	assert_int_equal(peek_set(p, "k", 1, "1", 1, 0), 0); /* the same bytes */
	ended("k");
	store_and_place("k", "1");
	assert_int_equal(peek_append(p, "k", 1, "2", 1), 0);
	ended("k");
	store_and_place("k", "1");
	assert_int_equal(peek_delete(p, "k", 1), 0);
	ended("k");
	assert_int_equal(peek_place(p, "k", 1, &place), -ENOENT);
	store_and_place("k", "1");
	assert_int_equal(peek_flush(p, 0), 0);
	ended("k");
	/* a number that becomes a counter, which has no place */
	store_and_place("k", "1");
	assert_int_equal(peek_incr(p, "k", 1, 1, &number), 0);
	ended("k");
	struct peek_place before = place;
	assert_int_equal(peek_place(p, "k", 1, &place), -ENOTSUP);
	assert_memory_equal(&before, &place, sizeof(place)); /* untouched */
}

static void
expiry_ends_a_place(void **state)
{
	(void)state;
	assert_int_equal(peek_set(p, "short", 5, "v", 1, 2), 0);
	assert_int_equal(peek_place(p, "short", 5, &place), 0);
	assert_int_equal(peek_same(p, "short", 5, &place), 1);
	for (int i = 0; i < 1000 && peek_get(p, "short", 5, NULL, 0) != -ENOENT; i++)
		usleep(10000);
	ended("short");
}

static void
events_that_leave_a_place(void **state)
{
	struct peek *other;
	uint64_t generation;
	struct peek_status s;

	(void)state;
	store_and_place("k", "value");
	assert_int_equal(peek_set(p, "other", 5, "value", 5, 0), 0);
	assert_int_equal(peek_touch(p, "k", 1, 1000), 0);
	assert_int_equal(peek_same(p, "k", 1, &place), 1);
	/* of another key it is never the same */
	assert_int_equal(peek_same(p, "other", 5, &place), 0);
	/* in another handle, and in a child */
	assert_int_equal(peek_open(name, PEEK_READ_ONLY, &other), 0);
	assert_int_equal(peek_same(other, "k", 1, &place), 1);
	peek_close(other);
	pid_t pid = harness_fork();
	if (pid == 0)
		_exit(peek_same(p, "k", 1, &place) == 1 ? 0 : 1);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(peek_status(p, &s), 0);
	generation = s.generation;
	end_daemon(SIGKILL);
	assert_int_equal(peek_same(p, "k", 1, &place), 1);
	start_daemon();
	assert_int_equal(peek_status(p, &s), 0);
	assert_int_equal(s.generation, generation);
	assert_int_equal(peek_same(p, "k", 1, &place), 1);
}

static void
large_values_and_bad_arguments(void **state)
{
	static char large[300000];
	char long_key[251];

	(void)state;
	memset(large, 'l', sizeof(large));
	memset(long_key, 'k', sizeof(long_key));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(peek_set_flags(p, "large", 5, large, sizeof(large), 0, 7), 0);
		if (i == 1)
			ended("large");
		assert_int_equal(peek_place(p, "large", 5, &place), 0);
		assert_int_equal(peek_same(p, "large", 5, &place), 1);
	}
	assert_int_equal(peek_place(p, "", 0, &place), -EINVAL);
	assert_int_equal(peek_place(p, long_key, 251, &place), -EINVAL);
	assert_int_equal(peek_place(p, "large", 5, NULL), -EINVAL);
	assert_int_equal(peek_same(p, "", 0, &place), 0);
	assert_int_equal(peek_same(p, "large", 5, NULL), 0);
	assert_int_equal(peek_same(p, long_key, 251, &place), 0);
}

/* Items of two segments, at the same offset under the same incarnation. */
static void
another_segment(void **state)
{
	struct harness a, b;
	struct peek *q, *r;

	(void)state;
	harness_open(&a, "first", UINT64_C(4) << 20, false);
	harness_open_generation(&b, "second", UINT64_C(4) << 20, false, 2);
	assert_int_equal(harness_set(&a, "k", 1, "a", 1), STORE_OK);
	assert_int_equal(harness_set(&b, "k", 1, "b", 1), STORE_OK);
	assert_int_equal(peek_open(a.name, PEEK_READ_ONLY, &q), 0);
	assert_int_equal(peek_open(b.name, PEEK_READ_ONLY, &r), 0);
	struct peek_place of_b;
	assert_int_equal(peek_place(q, "k", 1, &place), 0);
	assert_int_equal(peek_place(r, "k", 1, &of_b), 0);
	assert_int_equal(place.token[1], of_b.token[1]);
	assert_int_equal(place.token[2], of_b.token[2]);
	assert_int_equal(peek_same(r, "k", 1, &place), 0);
	assert_int_equal(peek_same(q, "k", 1, &place), 1);
	peek_close(q);
	peek_close(r);
	harness_close(&a);
	harness_close(&b);
}

/* A tag of the item is invalidated. */
static void
an_invalidated_tag(void **state)
{
	struct harness h;
	struct peek *q;
	uint64_t cas;

	(void)state;
	harness_open(&h, "tagged", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY, &q), 0);
	struct store_put put = {.key = harness_key(&h, "k", 1),
	    .mode = STORE_SET,
	    .value = "tagged",
	    .value_bytes = 6,
	    .state = ITEM_TAGS,
	    .tags = UINT64_C(0x0005000500060007)};
	assert_int_equal(store_put(h.store, &put, harness_now_s(), &cas), STORE_OK);
	assert_int_equal(peek_place(q, "k", 1, &place), 0);
	assert_int_equal(peek_same(q, "k", 1, &place), 1);
	word_store_rlx(&h.map.tags[6], cas);
	assert_int_equal(peek_same(q, "k", 1, &place), 0);
	peek_close(q);
	harness_close(&h);
}

/* ---- a cache of decoded values beside a writer --------------------------- */

#define N_KEYS  16
#define RUN_MS  1500
#define N_BYTES 40

static _Atomic uint64_t *acknowledged; /* by key: the number that was last stored */

static void
key_of(unsigned k, char key[8])
{
	snprintf(key, 8, "key-%02u", k);
}

/* Stores rising numbers, deletes now and then (0), until it is killed. */
static void
write_numbers(void)
{
	struct peek *q;
	char key[8], value[N_BYTES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (peek_open(name, 0, &q) != 0 || peek_set_timeout(q, 60000) != 0)
		_exit(1);
	for (uint64_t n = 1;; n++) {
		unsigned k = (unsigned)(n * 2654435761u >> 7) % N_KEYS;
		key_of(k, key);
		memset(value, 0, sizeof(value));
		memcpy(value, &n, sizeof(n));
		int r = n % 50 == 0
		    ? peek_delete(q, key, 6)
		    : peek_set(q, key, 6, value, n % N_BYTES < 8 ? 8 : n % N_BYTES, 0);
		if (r != 0 && r != -ENOENT)
			_exit(2);
		atomic_store(&acknowledged[k], n);
	}
}

static void
a_cache_beside_a_writer(void **state)
{
	static struct {
		struct peek_place place;
		uint64_t number;
	} kept[N_KEYS];
	uint64_t n_same = 0, n_other = 0, n_stale = 0;
	char key[8], value[N_BYTES];

	(void)state;
	skip_emulated();
	acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(acknowledged != MAP_FAILED);
	pid_t pid = harness_fork();
	if (pid == 0)
		write_numbers();
	int64_t end_ms = now_monotonic_ms() + RUN_MS;
	for (uint64_t i = 0; i % 256 != 0 || now_monotonic_ms() < end_ms; i++) {
		unsigned k = (unsigned)(i % N_KEYS);
		key_of(k, key);
		uint64_t before = atomic_load(&acknowledged[k]);
		if (peek_same(p, key, 6, &kept[k].place) == 1) {
			n_same++;
			n_stale += kept[k].number < before;
			continue;
		}
		n_other++;
		if (peek_place(p, key, 6, &kept[k].place) != 0 ||
		    peek_get(p, key, 6, value, sizeof(value)) < 8)
			memset(&kept[k], 0, sizeof(kept[k]));
		else
			memcpy(&kept[k].number, value, sizeof(kept[k].number));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it went on to the end */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	munmap((void *)acknowledged, 4096);
	print_message("# same %llu, other %llu, stale %llu\n", (unsigned long long)n_same,
	    (unsigned long long)n_other, (unsigned long long)n_stale);
	assert_int_equal(n_stale, 0);
	assert_true(n_same > 1000 && n_other > 100);
}

/* A restart with other settings hands the items to another segment. */
static void
hand_over_ends_a_place(void **state)
{
	(void)state;
	store_and_place("k", "value");
	end_daemon(SIGTERM);
	live_memory = "96";
	start_daemon();
	live_memory = "64";
	check_value("k", "value");
	ended("k");
	assert_int_equal(peek_place(p, "k", 1, &place), 0);
	assert_int_equal(peek_same(p, "k", 1, &place), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(writes_that_end_a_place, setup, teardown),
	    cmocka_unit_test_setup_teardown(expiry_ends_a_place, setup, teardown),
	    cmocka_unit_test_setup_teardown(events_that_leave_a_place, setup, teardown),
	    cmocka_unit_test_setup_teardown(large_values_and_bad_arguments, setup, teardown),
	    cmocka_unit_test(another_segment),
	    cmocka_unit_test(an_invalidated_tag),
	    cmocka_unit_test_setup_teardown(a_cache_beside_a_writer, setup, teardown),
	    cmocka_unit_test_setup_teardown(hand_over_ends_a_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
