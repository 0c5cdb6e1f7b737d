/*
 * test_lib_bounds.c: I3 and I4. A writer that is stopped inside an odd window
 * costs a bounded wait for its one bucket; reads enter the kernel not once;
 * children of a fork and threads count for themselves.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/lookup_pinned.h"

#define N_KEYS 1000

static size_t
key_of(uint64_t i, char *buf)
{
	return (size_t)snprintf(buf, 32, "key%llu", (unsigned long long)i);
}

static void
open_filled(struct harness *h, const char *what)
{
	char key[32];

	harness_open(h, what, UINT64_C(16) << 20, false);
	for (uint64_t i = 0; i < N_KEYS; i++) {
		size_t n = key_of(i, key);
		uint32_t expiry_s = i % 10 == 0 ? harness_now_s() + 1000 : 0;
		assert_int_equal(
		    harness_set_expiring(h, key, n, key, n, i % 7 == 0 ? 5 : 0, expiry_s),
		    STORE_OK);
	}
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int
visit_none(void *arg, const struct peek_entry *e)
{
	(void)arg;
	(void)e;
	return 0;
}

/* ---- a writer that was stopped in the middle ----------------------------- */

static void
a_stopped_writer_costs_a_bounded_wait(void **state)
{
	struct peek_status before, after;
	struct peek_view view;
	struct harness h;
	struct peek *p;
	char key[32], buf[64];

	(void)state;
	open_filled(&h, "stuck");
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	uint64_t n_buckets = word_load_rlx(&h.map.header->count);
	uint64_t stuck = table_bucket_idx(store_hash(h.store, "key7", 4), n_buckets);
	pid_t writer = harness_fork();
	if (writer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		seq_enter(&h.map.buckets[stuck].seq);
		raise(SIGSTOP);
		seq_exit(&h.map.buckets[stuck].seq);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(writer, &status, WUNTRACED), writer);
	assert_true(WIFSTOPPED(status));

	assert_int_equal(peek_status(p, &before), 0);
	double begin = seconds();
	assert_int_equal(peek_get(p, "key7", 4, buf, sizeof(buf)), -EAGAIN);
	double one = seconds() - begin;
	assert_int_equal(peek_status(p, &after), 0);
	assert_in_range(after.retries - before.retries, 1, LOOKUP_TRIES);
	assert_true(after.gets == before.gets && after.hits == before.hits &&
	    after.misses == before.misses);
	assert_int_equal(peek_view(p, "key7", 4, &view), -EAGAIN);
	assert_int_equal(peek_scan(p, visit_none, NULL), -EAGAIN);
	int absent = 0; /* a key that is not there: nobody knows */
	do
		snprintf(key, sizeof(key), "absent%d", absent++);
	while (table_bucket_idx(store_hash(h.store, key, strlen(key)), n_buckets) != stuck);
	assert_int_equal(peek_get(p, key, strlen(key), buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(peek_view(p, key, strlen(key), &view), -EAGAIN);
	uint64_t n_again = 0;
	for (uint64_t i = 0; i < N_KEYS; i++) {
		size_t n = key_of(i, key);
		bool here = table_bucket_idx(store_hash(h.store, key, n), n_buckets) == stuck;
		ssize_t r = peek_get(p, key, n, buf, sizeof(buf));
		assert_int_equal(r, here ? -EAGAIN : (ssize_t)n);
		n_again += here;
	}
	assert_true(n_again >= 1 && n_again < 20);
	print_message("# a read of a stuck bucket takes %.0f microseconds\n", one * 1e6);
	assert_true(one < 0.5); /* 0.2 ms, but the host may be busy */
	kill(writer, SIGCONT);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(peek_get(p, "key7", 4, buf, sizeof(buf)), 4);
	assert_int_equal(peek_scan(p, visit_none, NULL), 0);
	peek_close(p);
	harness_close(&h);
}

/* ---- no system call ------------------------------------------------------ */

/* From here every system call kills this process, but the one that ends it. */
static void
forbid_system_calls(void)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		_exit(8);
}

static void
reads_without_kernel(const struct harness *h)
{
	static char buf[32][64], key[32][32];
	struct peek_op op[32];
	struct peek_info info;
	struct peek_view view;
	struct peek *p;

	if (peek_open(h->name, 0, &p) != 0)
		_exit(9);
	peek_get(p, "key1", 4, buf[0], 64); /* the first read of a thread takes its lane */
	forbid_system_calls();
	uint64_t n_hits = 0, n_wrong = 0;
	for (uint64_t i = 0; i < 1000000; i++) {
		size_t n = key_of(i % (N_KEYS + 100), key[0]);
		ssize_t r = peek_get(p, key[0], n, buf[0], 64);
		n_hits += r == (ssize_t)n;
		n_wrong += r != (ssize_t)n && r != -ENOENT;
	}
	for (uint64_t i = 0; i < 1000; i++) {
		for (int j = 0; j < 32; j++)
			op[j] = (struct peek_op){
			    key[j], key_of(i + (uint64_t)j, key[j]), buf[j], 64, 0};
		peek_mget(p, op, 32);
		peek_get_info(p, key[0], op[0].key_len, buf[0], 64, &info);
		if (peek_view(p, key[0], op[0].key_len, &view) == 0)
			n_wrong += peek_view_valid(p, &view) != 1;
	}
	n_wrong += peek_scan(p, visit_none, NULL) != 0;
	_exit(n_wrong == 0 && n_hits > 900000 ? 0 : 7);
}

static void
a_million_reads_enter_the_kernel_not_once(void **state)
{
	struct harness h;
	int status;

	(void)state;
	skip_emulated();
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	skip(); /* the sanitizer's own */
#endif
	open_filled(&h, "nokernel");
	pid_t child = harness_fork();
	if (child == 0)
		reads_without_kernel(&h);
	assert_int_equal(waitpid(child, &status, 0), child);
	harness_close(&h);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- fork and threads ---------------------------------------------------- */

static void
read_keys(struct peek *p, uint64_t n_reads, uint64_t *ret_bad)
{
	char key[32], buf[64];

	for (uint64_t i = 0; i < n_reads; i++) {
		size_t n = key_of(i % N_KEYS, key);
		*ret_bad +=
		    peek_get(p, key, n, buf, sizeof(buf)) != (ssize_t)n || memcmp(buf, key, n) != 0;
	}
}

static void
children_go_on_with_the_parents_handle(void **state)
{
	struct peek_status status;
	struct harness h;
	struct peek *p;
	uint64_t bad = 0;
	int exited;

	(void)state;
	skip_emulated();
	open_filled(&h, "fork");
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	read_keys(p, 5000, &bad);
	for (int i = 0; i < 3; i++) {
		pid_t child = harness_fork();
		if (child == 0) {
			pid_t grandchild = harness_fork();
			read_keys(p, 1000, &bad);
			int r = peek_status(p, &status);
			if (grandchild > 0)
				waitpid(grandchild, &exited, 0);
			else
				exited = 0;
			peek_close(p);
			_exit(bad == 0 && r == 0 && status.gets == 1000 && status.hits == 1000 &&
				    exited == 0
				? 0
				: 1);
		}
		assert_int_equal(waitpid(child, &exited, 0), child);
		assert_int_equal(exited, 0);
	}
	read_keys(p, 1000, &bad);
	assert_int_equal(bad, 0);
	assert_int_equal(peek_status(p, &status), 0);
	assert_true(status.gets == 6000 && status.hits == 6000);
	peek_close(p);
	harness_close(&h);
}

struct team {
	struct peek *p;
	uint64_t bad[40];
	int stop;
};

struct member {
	struct team *team;
	int who;
};

static void *
member_main(void *arg)
{
	struct member *m = arg;

	read_keys(m->team->p, 3000, &m->team->bad[m->who]);
	return NULL;
}

/* More threads than lanes, and again, so that lanes change hands. Every read is
 * counted, none twice. */
static void
threads_share_a_handle(void **state)
{
	static struct member member[40];
	struct team team = {0};
	struct peek_status status;
	struct harness h;
	pthread_t thread[40];

	(void)state;
	open_filled(&h, "threads");
	assert_int_equal(peek_open(h.name, 0, &team.p), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++) {
			member[i] = (struct member){&team, i};
			assert_int_equal(
			    pthread_create(&thread[i], NULL, member_main, &member[i]), 0);
		}
		for (int i = 0; i < 40; i++)
			assert_int_equal(pthread_join(thread[i], NULL), 0);
	}
	for (int i = 0; i < 40; i++)
		assert_int_equal(team.bad[i], 0);
	assert_int_equal(peek_status(team.p, &status), 0);
	assert_int_equal(status.gets, 3 * 40 * 3000);
	assert_int_equal(status.hits, 3 * 40 * 3000);
	peek_close(team.p);
	harness_close(&h);
}

static void *
follower_main(void *arg)
{
	struct member *m = arg;
	char buf[64];

	while (!__atomic_load_n(&m->team->stop, __ATOMIC_RELAXED)) {
		ssize_t n = peek_get(m->team->p, "key5", 4, buf, sizeof(buf));
		m->team->bad[m->who] += n != 4 || memcmp(buf, "key5", 4) != 0;
	}
	return NULL;
}

/* The segment is replaced again and again under threads that read, and that
 * fork: a lock that another thread holds at a fork binds no child. */
static void
threads_follow_and_fork(void **state)
{
	struct member member[3];
	struct team team = {0};
	struct harness h[2];
	pthread_t thread[3];
	uint64_t generation = 1;
	int exited;

	(void)state;
	skip_emulated();
	open_filled(&h[0], "refollow");
	assert_int_equal(peek_open(h[0].name, 0, &team.p), 0);
	for (int i = 0; i < 3; i++) {
		member[i] = (struct member){&team, i};
		assert_int_equal(pthread_create(&thread[i], NULL, follower_main, &member[i]), 0);
	}
	for (int round = 0; round < 30; round++) {
		struct harness *old = &h[round % 2], *new = &h[(round + 1) % 2];
		harness_open_generation(
		    new, "refollow-new", UINT64_C(4) << 20, false, ++generation);
		assert_int_equal(harness_set(new, "key5", 4, "key5", 4), STORE_OK);
		/* As the daemon does it: the new one takes the old one's name
		 * in one step; then the old one is retired. */
		assert_int_equal(
		    renameat2(AT_FDCWD, new->path, AT_FDCWD, old->path, RENAME_EXCHANGE), 0);
		unlink(new->path);
		memcpy(new->path, old->path, sizeof(new->path));
		seq_hand_over(&old->map.header->count,
		    word_load_rlx(&old->map.header->count) | COUNT_RETIRED);
		pid_t child = harness_fork();
		if (child == 0) {
			char buf[64];
			alarm(20);
			for (int i = 0; i < 100; i++) {
				if (peek_get(team.p, "key5", 4, buf, sizeof(buf)) != 4)
					_exit(1);
			}
			_exit(0);
		}
		assert_int_equal(waitpid(child, &exited, 0), child);
		assert_int_equal(exited, 0);
		store_close(old->store);
		map_close(&old->map);
	}
	__atomic_store_n(&team.stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(team.bad[i], 0);
	}
	struct peek_status status;
	assert_int_equal(peek_status(team.p, &status), 0);
	assert_true(status.generation > 1);
	peek_close(team.p);
	harness_close(&h[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stopped_writer_costs_a_bounded_wait),
	    cmocka_unit_test(a_million_reads_enter_the_kernel_not_once),
	    cmocka_unit_test(children_go_on_with_the_parents_handle),
	    cmocka_unit_test(threads_share_a_handle),
	    cmocka_unit_test(threads_follow_and_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
