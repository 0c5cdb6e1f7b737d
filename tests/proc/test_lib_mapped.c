/*
 * test_lib_mapped.c: what a reader has mapped of a segment, and that nothing it
 * does with it gives the segment memory.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shm/layout.h"

#define N_KEYS 60000

static volatile unsigned sink;

static uint64_t
blocks_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks;
}

/* Loads every byte of every mapping of the object; how many pages there are. */
static unsigned long
touch_all(const char *path)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], mode[8];
	unsigned long from, to, n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, path) == NULL ||
		    sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3)
			continue;
		assert_true(mode[0] == 'r' && mode[1] == '-');
		for (unsigned long at = from; at < to; at++)
			sink += *(const volatile unsigned char *)at;
		n += (to - from) / 4096;
	}
	fclose(f);
	return n;
}

static size_t
key_of(unsigned i, char *key)
{
	return (size_t)sprintf(key, "mapped:%u", i);
}

static void
fill(struct harness *h, unsigned from, unsigned to)
{
	char key[32];

	for (unsigned i = from; i < to; i++) {
		size_t n = key_of(i, key);
		assert_int_equal(harness_set(h, key, n, key, n), STORE_OK);
	}
}

static void
read_all(struct peek *p, unsigned to)
{
	char key[32], got[32];

	for (unsigned i = 0; i < to; i++) {
		size_t n = key_of(i, key);
		assert_int_equal(peek_get(p, key, n, got, sizeof(got)), n);
	}
}

static int
count_visit(void *arg, const struct peek_entry *e)
{
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

/* In a process of its own: reads, touches and locks everything, before and
 * after the table has grown under it. */
static void
a_reader(struct harness *h, bool locked, int to_parent, int from_parent)
{
	struct peek *p;
	unsigned n_scanned = 0;
	char c;

	munmap(h->map.header, h->map.total_bytes); /* the writer's, which came with fork */
	if (locked && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		_exit(77);
	if (peek_open(h->name, PEEK_READ_ONLY, &p) != 0)
		_exit(1);
	read_all(p, 100);
	if (!locked)
		touch_all(h->path);
	if (write(to_parent, "a", 1) != 1 || read(from_parent, &c, 1) != 1)
		_exit(2);
	for (int again = 0; again < 2; again++) {
		struct peek_view view;
		struct peek_op op = {"mapped:59999", 12, &c, 0, 0};
		read_all(p, N_KEYS);
		peek_mget(p, &op, 1);
		if (op.result != -ENOSPC || peek_view(p, "mapped:59999", 12, &view) != 0)
			_exit(3);
	}
	if (peek_scan(p, count_visit, &n_scanned) != 0 || n_scanned < N_KEYS)
		_exit(4);
	if (locked && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		_exit(5);
	if (!locked)
		touch_all(h->path);
	peek_close(p);
	_exit(touch_all(h->path) == 0 ? 0 : 6); /* nothing of it is left mapped */
}

static void
nothing_gets_memory(bool locked)
{
	struct harness h;
	int up[2], down[2], status;
	char c;

	harness_open(&h, "mapped", UINT64_C(16) << 20, false);
	fill(&h, 0, 100);
	uint64_t before = blocks_of(h.path);
	assert_true(pipe(up) == 0 && pipe(down) == 0);
	pid_t pid = harness_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		a_reader(&h, locked, up[1], down[0]);
	close(up[1]);
	ssize_t n = read(up[0], &c, 1);
	if (n == 1) {
		assert_int_equal(blocks_of(h.path), before);
		fill(&h, 100, N_KEYS);
		assert_true(word_load_rlx(&h.map.header->count) > 8 * LAYOUT_BUCKETS_MIN);
		before = blocks_of(h.path);
		assert_int_equal(write(down[1], "b", 1), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(up[0]);
	close(down[0]);
	close(down[1]);
	/* no right to lock so much */
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == 77;
	if (!skipped) {
		assert_int_equal(status, 0);
		assert_int_equal(blocks_of(h.path), before);
	}
	harness_close(&h);
	if (skipped)
		skip();
}

static void
touching_gives_no_memory(void **state)
{
	(void)state;
	nothing_gets_memory(false);
}

static void
locking_gives_no_memory(void **state)
{
	(void)state;
	skip_emulated();
	nothing_gets_memory(true);
}

struct racing {
	struct harness *h;
	struct peek *p;
	_Atomic unsigned n_there;
	_Atomic bool stop;
	_Atomic unsigned n_wrong, n_read;
	_Atomic ssize_t wrong; /* one of those results */
};

static void *
race(void *arg)
{
	struct racing *r = arg;
	char key[32], got[32];

	for (unsigned i = 0; !r->stop; i = i * 7 + 3) {
		unsigned there = r->n_there;
		size_t n = key_of(i % there, key);
		ssize_t got_n = peek_get(r->p, key, n, got, sizeof(got));
		/* -EAGAIN: the writer, a thread of this process, was taken off
		 * its processor inside of a bucket */
		if (got_n != -EAGAIN && (got_n != (ssize_t)n || memcmp(got, key, n) != 0)) {
			r->n_wrong++;
			r->wrong = got_n;
		}
		r->n_read++;
	}
	return NULL;
}

/* Threads of one handle meet the same new buckets at once; a child goes on with
 * what its parent had mapped, with every descriptor closed. */
static void
threads_and_children_extend(void **state)
{
	struct harness h;
	struct racing r = {.h = &h, .n_there = 100};
	pthread_t thread[4];
	int status;

	(void)state;
	skip_emulated();
	harness_open(&h, "racing", UINT64_C(16) << 20, false);
	fill(&h, 0, 100);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY, &r.p), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race, &r), 0);
	for (unsigned at = 100; at < N_KEYS / 2; at += 100) {
		fill(&h, at, at + 100);
		r.n_there = at + 100;
	}
	r.stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	if (r.n_wrong != 0)
		print_message("# %u of %u reads are wrong, one of them is %zd\n", r.n_wrong,
		    r.n_read, r.wrong);
	assert_int_equal(r.n_wrong, 0);
	assert_true(r.n_read > 1000);
	fill(&h, N_KEYS / 2, N_KEYS);
	uint64_t before = blocks_of(h.path);
	pid_t pid = harness_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		munmap(h.map.header, h.map.total_bytes);
		read_all(r.p, N_KEYS);
		touch_all(h.path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	read_all(r.p, N_KEYS);
	assert_int_equal(blocks_of(h.path), before);
	peek_close(r.p);
	harness_close(&h);
}

/* A geometry that a read's reach would wrap in: 15.20. And counts that say more
 * than is there, which must not fault. */
static void
what_a_header_may_say(void **state)
{
	struct harness h;
	struct peek *p;
	struct map m;
	char got[32], object[80];

	(void)state;
	harness_open(&h, "header", UINT64_C(4) << 20, false);
	fill(&h, 0, 500);
	snprintf(object, sizeof(object), "peekd.%s", h.name);
	uint64_t n_blocks = h.map.n_blocks, count = word_load_rlx(&h.map.header->count);
	word_store_rlx(&h.map.header->block_shift, 7);
	for (uint64_t n = 0; n < 20; n++) {
		word_store_rlx(&h.map.header->n_blocks, n);
		int r = map_open(object, false, (uid_t)-1, &m);
		assert_int_equal(r, n < 16 ? -EBADMSG : 0);
		if (r == 0)
			map_close(&m);
		if (peek_open(h.name, PEEK_READ_ONLY, &p) == 0) {
			for (unsigned i = 0; i < 500; i++) {
				char key[32];
				size_t len = key_of(i, key);
				peek_get(p, key, len, got, sizeof(got));
			}
			peek_close(p);
		}
	}
	word_store_rlx(&h.map.header->n_blocks, n_blocks);
	word_store_rlx(&h.map.header->block_shift, h.map.block_shift);
	assert_int_equal(peek_open(h.name, PEEK_READ_ONLY, &p), 0);
	word_store_rlx(&h.map.header->count, h.map.n_buckets_max);
	word_store_rlx(&h.map.header->n_overflow, UINT64_MAX);
	for (unsigned i = 0; i < 500; i++) {
		char key[32];
		size_t len = key_of(i, key);
		peek_get(p, key, len, got, sizeof(got));
	}
	word_store_rlx(&h.map.header->count, count);
	read_all(p, 500);
	peek_close(p);
	harness_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(touching_gives_no_memory),
	    cmocka_unit_test(locking_gives_no_memory),
	    cmocka_unit_test(threads_and_children_extend),
	    cmocka_unit_test(what_a_header_may_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
