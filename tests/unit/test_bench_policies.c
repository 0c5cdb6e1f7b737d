/*
 * The simulated policies against sequences small enough to follow by hand,
 * against each other, and the generator against itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../bench/gen.h"
#include "../bench/payload.h"
#include "../bench/policy.h"
#include "../bench/rng.h"

static struct trace
trace_of(const struct trace_record *rec, size_t n)
{
	struct trace t;
	struct trace_record *own = malloc(n * sizeof(*own));

	assert_non_null(own);
	memcpy(own, rec, n * sizeof(*own));
	assert_int_equal(trace_from_records(own, n, &t), 0);
	return t;
}

static struct trace
trace_of_keys(const char *keys)
{
	struct trace_record rec[64] = {{0}};
	size_t n = strlen(keys);

	for (size_t i = 0; i < n; i++)
		rec[i].key = (uint32_t)(keys[i] - 'a');
	return trace_of(rec, n);
}

static void
expect(const char *keys, uint64_t capacity, uint64_t lru, uint64_t s3fifo, uint64_t belady)
{
	struct trace t = trace_of_keys(keys);
	struct policy_result r;

	assert_int_equal(policy_lru(&t, capacity, false, &r), 0);
	assert_int_equal(r.misses, lru);
	assert_int_equal(policy_s3fifo(&t, capacity, false, &r), 0);
	assert_int_equal(r.misses, s3fifo);
	assert_int_equal(policy_belady(&t, capacity, false, &r), 0);
	assert_int_equal(r.misses, belady);
	trace_free(&t);
}

static void
test_by_hand(void **state)
{
	(void)state;
	/* a loop one longer than the cache: LRU never hits; the optimum keeps
	 * two and lets the others pass; S3-FIFO, with a ghost of three, comes
	 * to keep c and d */
	expect("abcdabcdabcd", 3, 12, 10, 6);
	/* the textbooks' reference string with three frames */
	expect("abcdbebfdebedcdbcabc", 3, 12, 13, 8);
	/* room for all */
	expect("abcadaebfcab", 12, 6, 6, 6);
	/* a, read twice while in small, is promoted and outlives the run of
	 * others */
	expect("aaabcdea", 3, 6, 5, 5);
}

/* The fewest misses of all ways to keep at most 2 of 4 keys, from request i on;
 * held is a bit for each key. */
static uint64_t
fewest_misses(const struct trace *t, uint64_t i, unsigned held)
{
	uint64_t best = UINT64_MAX;

	if (i == t->n)
		return 0;
	unsigned with = held | 1u << t->rec[i].key;
	for (unsigned keep = 0; keep < 16; keep++) {
		if ((keep & ~with) != 0 || __builtin_popcount(keep) > 2)
			continue;
		uint64_t m = (with != held) + fewest_misses(t, i + 1, keep);
		best = m < best ? m : best;
	}
	return best;
}

static void
test_optimum(void **state)
{
	struct rng r = {5};

	(void)state;
	for (int round = 0; round < 60; round++) {
		char keys[9] = "abcd";
		for (int i = 4; i < 8; i++)
			keys[i] = (char)('a' + rng_below(&r, 4));
		struct trace t = trace_of_keys(keys);
		struct policy_result best;
		assert_int_equal(policy_belady(&t, 2, false, &best), 0);
		assert_int_equal(best.misses, fewest_misses(&t, 0, 0));
		trace_free(&t);
	}
}

static void
test_bytes(void **state)
{
	static const struct trace_record rec[] = {
	    {.key = 0, .size = 60},
	    {.key = 1, .size = 40},
	    {.key = 2, .size = 50},
	    {.key = 1, .size = 40},
	    {.key = 0, .size = 60},
	    {.key = 3, .size = 101},
	    {.key = 0, .size = 60},
	    {.key = 1, .size = 40},
	};
	struct trace t = trace_of(rec, sizeof(rec) / sizeof(rec[0]));
	struct policy_result r;

	(void)state;
	/* c drops a; a drops c (b was read since); d is too large to be kept */
	assert_int_equal(policy_lru(&t, 100, true, &r), 0);
	assert_int_equal(r.misses, 5);
	assert_int_equal(r.evictions, 2);
	assert_int_equal(policy_belady(&t, 100, true, &r), 0);
	assert_int_equal(r.misses, 4);
	trace_free(&t);
}

static void
test_ttl(void **state)
{
	static const struct trace_record rec[] = {
	    {.key = 0, .time_s = 0, .ttl_s = 5},
	    {.key = 0, .time_s = 4, .ttl_s = 5},
	    {.key = 0, .time_s = 5, .ttl_s = 5},
	    {.key = 0, .time_s = 9, .ttl_s = 5},
	    {.key = 1, .time_s = 9},
	    {.key = 1, .time_s = 1000},
	};
	struct trace t = trace_of(rec, sizeof(rec) / sizeof(rec[0]));

	(void)state;
	for (unsigned i = 0; i < n_policies; i++) {
		struct policy_result r;
		assert_int_equal(policies[i].run(&t, 10, false, &r), 0);
		assert_int_equal(r.misses, 3);
		assert_int_equal(r.evictions, 0);
	}
	trace_free(&t);

	/* a is asked for first, but will have expired by then: the optimum
	 * keeps b */
	static const struct trace_record short_lived[] = {
	    {.key = 0, .time_s = 0, .ttl_s = 2},
	    {.key = 1, .time_s = 0},
	    {.key = 0, .time_s = 5},
	    {.key = 1, .time_s = 6},
	};
	struct policy_result best;
	t = trace_of(short_lived, 4);
	assert_int_equal(policy_belady(&t, 1, false, &best), 0);
	assert_int_equal(best.misses, 3);
	trace_free(&t);
}

static void
test_not_dense(void **state)
{
	struct trace_record *rec = calloc(2, sizeof(*rec));
	struct trace t;

	(void)state;
	assert_non_null(rec);
	rec[1].key = 2;
	assert_int_equal(trace_from_records(rec, 2, &t), -74); /* -EBADMSG */
}

/* No policy beats the optimum, none misses a key that it has room for, and more
 * room never makes LRU worse. */
static void
test_against_each_other(void **state)
{
	(void)state;
	for (unsigned i = 0; gen_profile_at(i) != NULL; i++) {
		struct trace_record *rec = gen_make(gen_profile_at(i), 7, 40000);
		struct trace t;
		uint64_t lru_before = UINT64_MAX;

		assert_non_null(rec);
		assert_int_equal(trace_from_records(rec, 40000, &t), 0);
		for (uint64_t capacity = 16; capacity < 2 * t.n_keys; capacity *= 4) {
			struct policy_result best, r;
			assert_int_equal(policy_belady(&t, capacity, false, &best), 0);
			assert_true(best.misses >= t.n_keys);
			for (unsigned j = 0; j < n_policies; j++) {
				assert_int_equal(policies[j].run(&t, capacity, false, &r), 0);
				assert_true(r.misses >= best.misses);
				assert_true(r.misses <= t.n);
				if (j == POLICY_LRU) {
					assert_true(r.misses <= lru_before);
					lru_before = r.misses;
				}
				if (capacity >= 2 * t.n_keys && !t.has_ttls)
					assert_int_equal(r.misses, t.n_keys);
			}
		}
		trace_free(&t);
	}
}

static void
test_gen_repeats(void **state)
{
	(void)state;
	for (unsigned i = 0; gen_profile_at(i) != NULL; i++) {
		struct trace_record *a = gen_make(gen_profile_at(i), 1, 5000);
		struct trace_record *b = gen_make(gen_profile_at(i), 1, 5000);
		struct trace_record *c = gen_make(gen_profile_at(i), 2, 5000);

		assert_non_null(a);
		assert_non_null(b);
		assert_non_null(c);
		assert_memory_equal(a, b, 5000 * sizeof(*a));
		assert_true(memcmp(a, c, 5000 * sizeof(*a)) != 0);
		free(a);
		free(b);
		free(c);
	}
}

/* The ranks' frequencies against the law: within 5 % for the first ten of a
 * million draws. */
static void
test_zipf(void **state)
{
	static const double alphas[] = {0.7, 0.99, 1.0, 1.3};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct zipf z;
		struct rng r = {42};
		double norm = 0, seen[10] = {0};
		for (int k = 1; k <= 1000; k++)
			norm += pow(k, -alphas[i]);
		zipf_init(&z, 1000, alphas[i]);
		for (int k = 0; k < 1000000; k++) {
			uint32_t rank = zipf_next(&z, &r);
			assert_true(rank < 1000);
			if (rank < 10)
				seen[rank]++;
		}
		for (int k = 0; k < 10; k++) {
			double want = 1e6 * pow(k + 1, -alphas[i]) / norm;
			assert_true(fabs(seen[k] - want) < 0.05 * want);
		}
	}
}

/* A value is its key's own and of one version, or it doesn't pass: a mixture of
 * two is refused wherever it is cut. */
static void
test_payload(void **state)
{
	unsigned char a[300], b[300], mixed[300];

	(void)state;
	for (uint32_t len = 0; len < 200; len++) {
		payload_value(a, len, 77, 1);
		payload_value(b, len, 77, 2);
		assert_true(payload_ok(a, len, 77));
		assert_true(payload_ok(b, len, 77));
		if (len > 4)
			assert_false(payload_ok(a, len, 78));
		for (uint32_t cut = 8; cut + 8 <= len; cut++) {
			memcpy(mixed, a, cut);
			memcpy(mixed + cut, b + cut, len - cut);
			assert_false(payload_ok(mixed, len, 77));
		}
	}
	for (uint32_t len = 8; len <= 250; len += 11) {
		payload_key(a, len, 1000);
		payload_key(b, len, 1001);
		assert_true(memcmp(a, b, len) != 0);
		assert_null(memchr(a, ' ', len));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_hand),
	    cmocka_unit_test(test_optimum),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_ttl),
	    cmocka_unit_test(test_not_dense),
	    cmocka_unit_test(test_against_each_other),
	    cmocka_unit_test(test_gen_repeats),
	    cmocka_unit_test(test_zipf),
	    cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
