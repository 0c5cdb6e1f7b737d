/* loads.c: the loads of writes.h. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../timer.h"
#include "peek.h"
#include "writes.h"

#define N_SYNC   20000
#define N_ASYNC  200000
#define N_MIXED  40000
#define N_SPARSE 200
#define IDLE_S   2
#define BESIDE_S 2

static uint64_t next_id;
static struct hist times;

static uint64_t
some_id(void)
{
	next_id = next_id * 6364136223846793005u + 1442695040888963407u;
	return (next_id >> 33) % WRITES_KEYS;
}

/* Processor time that all threads of the process have used. */
static double
busy_ns(pid_t pid)
{
	double sum_ns = 0;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		unsigned long long ns = 0;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", (int)pid, e->d_name);
		FILE *f = e->d_name[0] != '.' ? fopen(path, "re") : NULL;
		if (f != NULL && fscanf(f, "%llu", &ns) == 1)
			sum_ns += (double)ns;
		if (f != NULL)
			fclose(f);
	}
	if (dir != NULL)
		closedir(dir);
	return sum_ns;
}

struct run {
	uint64_t begun_ns;
	double daemon_ns;
};

static struct run
run_begin(enum way w)
{
	memset(&times, 0, sizeof(times));
	return (struct run){timer_clock_ns(), busy_ns(way_daemon[w])};
}

static void
run_end(enum way w, const struct run *r, uint64_t n, struct sample *ret)
{
	double ns = (double)(timer_clock_ns() - r->begun_ns);

	ret->per_s = (double)n / ns * 1e9;
	ret->daemon_pct = (busy_ns(way_daemon[w]) - r->daemon_ns) / ns * 100;
	ret->p50_us = (double)hist_at(&times, 0.5) / 1e3;
	ret->p99_us = (double)hist_at(&times, 0.99) / 1e3;
}

static void
timed_set(enum way w)
{
	uint64_t begun_ns = timer_clock_ns();

	way_set(w, some_id());
	hist_add(&times, timer_clock_ns() - begun_ns);
}

static void
load_sync(enum way w, struct sample *ret)
{
	struct run r = run_begin(w);

	for (int i = 0; i < N_SYNC; i++)
		timed_set(w);
	run_end(w, &r, N_SYNC, ret);
}

static void
load_sparse(enum way w, struct sample *ret)
{
	struct run r = run_begin(w);

	for (int i = 0; i < N_SPARSE; i++) {
		timed_set(w);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	run_end(w, &r, N_SPARSE, ret);
}

/* p50 and p99 are the caller's cost of 100 calls, divided by 100: a clock for
 * each would be most of it. */
static void
load_async(enum way w, struct sample *ret)
{
	struct run r = run_begin(w);

	for (int i = 0; i < N_ASYNC; i += 100) {
		uint64_t begun_ns = timer_clock_ns();
		for (int k = 0; k < 100; k++)
			way_set_async(w, some_id());
		hist_add(&times, (timer_clock_ns() - begun_ns) / 100);
	}
	way_flush(w);
	run_end(w, &r, N_ASYNC, ret);
}

static void
load_mixed(enum way w, struct sample *ret)
{
	struct run r = run_begin(w);

	for (int i = 0; i < N_MIXED; i++) {
		if (i % 20 == 0)
			way_set(w, some_id());
		else
			way_get(some_id());
	}
	run_end(w, &r, N_MIXED, ret);
}

/* ---- a host that has no processor to spare ------------------------------- */

static pid_t
child_begin(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		writes_die("no process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static void
child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
load_busy_host(enum way w, struct sample *ret)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pid[64];

	n = n < 64 ? n : 64;
	for (long i = 0; i < n; i++)
		if ((pid[i] = child_begin()) == 0)
			for (volatile unsigned k = 0;; k++)
				continue;
	struct run r = run_begin(w);
	int n_sets = 0;
	for (; n_sets < N_SYNC && timer_clock_ns() - r.begun_ns < 1000000000; n_sets++)
		timed_set(w);
	run_end(w, &r, (uint64_t)n_sets, ret);
	for (long i = 0; i < n; i++)
		child_end(pid[i]);
}

/* Both on the processor where the calling thread runs. The handles' rings were
 * made before, for more processors: new ones are made in a child. */
static void
load_one_processor(enum way w, struct sample *ret)
{
	struct sample *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t all, one;

	if (shared == MAP_FAILED || sched_getaffinity(0, sizeof(all), &all) != 0)
		writes_die("no processor");
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(way_daemon[w], sizeof(one), &one);
	kill(way_daemon[w], w == WAY_MEMCACHED ? 0 : SIGHUP); /* it looks how many it has */
	pid_t pid = child_begin();
	if (pid == 0) {
		sched_setaffinity(0, sizeof(one), &one);
		for (int i = 0; i < 100; i++) /* the child's own connection and ring */
			way_set(w, some_id());
		struct run r = run_begin(w);
		for (int i = 0; i < N_SYNC / 4; i++)
			timed_set(w);
		run_end(w, &r, N_SYNC / 4, shared);
		_exit(0);
	}
	int status;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		writes_die("a child failed");
	sched_setaffinity(way_daemon[w], sizeof(all), &all);
	kill(way_daemon[w], w == WAY_MEMCACHED ? 0 : SIGHUP);
	*ret = *shared;
	munmap(shared, sizeof(*shared));
}

const struct writes_load writes_loads[] = {
    {"set, one client", "p50 10 times, throughput 5 times", load_sync, true},
    {"set, one a millisecond", "never slower than the socket", load_sparse, true},
    {"set, all processors busy", "never slower than the socket", load_busy_host, true},
    {"set_async, one client", "150 ns a call; 2.5 M/s, 1.5 and 3 times", load_async, true},
    {"95 % get, 5 % set", "4 times the socket's", load_mixed, false},
    {"set, one processor", "never slower than the socket", load_one_processor, false},
};
const unsigned n_writes_loads = sizeof(writes_loads) / sizeof(writes_loads[0]);

/* ---- neighbours ---------------------------------------------------------- */

static double
socket_p99_us(void)
{
	uint64_t end_ns = timer_clock_ns() + BESIDE_S * UINT64_C(1000000000);

	memset(&times, 0, sizeof(times));
	while (timer_clock_ns() < end_ns)
		timed_set(WAY_SOCKET);
	return (double)hist_at(&times, 0.99) / 1e3;
}

void
writes_beside(double *ret_alone_us, double *ret_beside_us)
{
	pid_t pid[2];

	*ret_alone_us = socket_p99_us();
	for (unsigned i = 0; i < 2; i++)
		if ((pid[i] = child_begin()) == 0)
			for (;;)
				way_set(WAY_RING, some_id());
	usleep(100000);
	*ret_beside_us = socket_p99_us();
	for (unsigned i = 0; i < 2; i++)
		child_end(pid[i]);
}

double
writes_idle_pct(unsigned n_rings)
{
	struct peek **p = calloc(n_rings + 1, sizeof(struct peek *));

	if (p == NULL)
		writes_die("no memory");
	for (unsigned i = 0; i < n_rings; i++) {
		int r = peek_open(writes_instance, PEEK_NO_HINTS, &p[i]);
		for (int k = 0; r == 0 && k < 20; k++)
			r = peek_set(p[i], "idle", 4, "1", 1, 0);
		if (r != 0)
			writes_die(peek_strerror(r));
	}
	usleep(200000);
	double before_ns = busy_ns(way_daemon[WAY_RING]);
	sleep(IDLE_S);
	double pct = (busy_ns(way_daemon[WAY_RING]) - before_ns) / (IDLE_S * 1e9) * 100;
	for (unsigned i = 0; i < n_rings; i++)
		peek_close(p[i]);
	free(p);
	return pct;
}
