/*
 * test_lib_neighbour.c: I3 and I5 where one bucket is busy all the time. A key
 * is rewritten flat out; a value of 1 MiB lies in the same bucket, and another
 * process reads both. The long copy must not fall to its neighbour: it is
 * pinned by the incarnations of its segments, not by the bucket's sequence.
 * -EAGAIN is for the time that the writer spends off its processor inside a
 * window, and for nothing else.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "shm/table.h"

/* header and key within the item limit of the segment's owner */
#define LARGE_BYTES ((1u << 20) - 100)
/* reads of the large value, with HOT_READS of the other before each */
#define N_LARGE   300
#define HOT_READS 200

struct report {
	volatile int done;
	uint64_t hot, hot_again, large, large_again, large_retries, wrong, other;
};

static uint64_t
bucket_of(const struct harness *h, const char *key)
{
	return table_bucket_idx(store_hash(h->store, key, strlen(key)),
	    word_load_rlx(&h->map.header->count) & COUNT_MASK);
}

/* All bytes are the same, whatever the version. */
static bool
whole(const unsigned char *value, size_t len)
{
	return len > 0 && (len == 1 || memcmp(value, value + 1, len - 1) == 0);
}

static uint64_t
retries(struct peek *p)
{
	struct peek_status status;

	return peek_status(p, &status) == 0 ? status.retries : 0;
}

static void
reader(const char *name, const char *large_key, struct report *r)
{
	static unsigned char value[LARGE_BYTES];
	struct peek *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (peek_open(name, PEEK_NO_HINTS, &p) != 0)
		_exit(1);
	while (r->large < N_LARGE) {
		for (unsigned i = 0; i < HOT_READS; i++) {
			ssize_t n = peek_get(p, "hot", 3, value, sizeof(value));
			r->hot += n > 0;
			r->hot_again += n == -EAGAIN;
			r->other += n <= 0 && n != -EAGAIN;
			r->wrong += n > 0 && !whole(value, (size_t)n);
		}
		uint64_t before = retries(p);
		ssize_t n = peek_get(p, large_key, strlen(large_key), value, sizeof(value));
		r->large_retries += retries(p) - before;
		r->large += n > 0;
		r->large_again += n == -EAGAIN;
		r->other += n <= 0 && n != -EAGAIN;
		r->wrong += n > 0 && (n != LARGE_BYTES || !whole(value, (size_t)n));
	}
	r->done = 1;
	peek_close(p);
	_exit(0);
}

static void
a_busy_neighbour_spoils_no_long_read(void **state)
{
	struct report *r =
	    mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char *large = malloc(LARGE_BYTES), hot[100];
	char large_key[32] = "";
	struct harness h;
	uint64_t n_sets = 0;
	int status;

	(void)state;
	assert_true(r != MAP_FAILED && large != NULL);
	harness_open(&h, "neighbour", 64u << 20, true);
	for (unsigned i = 0;
	     large_key[0] == '\0' || bucket_of(&h, large_key) != bucket_of(&h, "hot"); i++)
		snprintf(large_key, sizeof(large_key), "large-%u", i);
	memset(large, 'L', LARGE_BYTES);
	memset(hot, 0, sizeof(hot));
	assert_int_equal(
	    harness_set(&h, large_key, strlen(large_key), large, LARGE_BYTES), STORE_OK);
	assert_int_equal(harness_set(&h, "hot", 3, hot, sizeof(hot)), STORE_OK);
	pid_t pid = harness_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		reader(h.name, large_key, r);
	/* Without a pause in which the large value could be copied. */
	while (!r->done && (n_sets % 4096 != 0 || waitpid(pid, &status, WNOHANG) == 0)) {
		memset(hot, (int)n_sets, sizeof(hot));
		assert_int_equal(harness_set(&h, "hot", 3, hot, 16 + n_sets++ % 84), STORE_OK);
	}
	if (r->done)
		assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(bucket_of(&h, large_key), bucket_of(&h, "hot"));
	printf("# %llu sets; hot: %llu read, %llu -EAGAIN; large: %llu read, %llu -EAGAIN, %llu "
	       "tries more\n",
	    (unsigned long long)n_sets, (unsigned long long)r->hot,
	    (unsigned long long)r->hot_again, (unsigned long long)r->large,
	    (unsigned long long)r->large_again, (unsigned long long)r->large_retries);
	assert_int_equal(r->wrong, 0);
	assert_int_equal(r->other, 0);
	assert_int_equal(r->large, N_LARGE);
	/*
	 * A try that its neighbour spoils is one while the item is pinned,
	 * which takes no time; one that copies would be spoiled by hundreds of
	 * sets.
	 */
	assert_in_range(r->large_retries, 0, N_LARGE * 5);
	/* Accidents of scheduling. */
	assert_in_range(r->large_again, 0, N_LARGE / 10);
	assert_in_range(r->hot_again, 0, N_LARGE * HOT_READS / 10);
	harness_close(&h);
	free(large);
	munmap(r, sizeof(*r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_busy_neighbour_spoils_no_long_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
