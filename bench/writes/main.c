/*
 * main.c: writes by a ring, by peekd's own socket and to memcached on a Unix
 * socket: the same keys and values, one client, memcached with one worker
 * thread. Rounds are interleaved; the tables have medians, and the processor
 * time of the daemon beside them.
 *
 * usage: peekbench-writes PEEKD [ROUNDS [LOAD]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../peers/peer.h"
#include "writes.h"

static struct sample samples[16][N_WAYS][WRITES_ROUNDS_MAX];

_Noreturn void
writes_die(const char *what)
{
	fprintf(stderr, "peekbench-writes: %s\n", what);
	exit(1);
}

static int
by_value(const void *x, const void *y)
{
	const double *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

/* The median over the rounds of one of a sample's numbers. */
static double
median_of(const struct sample *s, size_t at, unsigned n)
{
	double v[WRITES_ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		memcpy(&v[i], (const char *)&s[i] + at, sizeof(v[i]));
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

#define MEDIAN(l, w, field) median_of(samples[l][w], offsetof(struct sample, field), n_rounds)

static void
print_load(unsigned l, unsigned n_rounds)
{
	const struct writes_load *load = &writes_loads[l];

	printf("\n%s (bar: %s)\n", load->name, load->bar);
	printf("| way | p50 us | p99 us | a second | ring: p50, throughput | daemon's processor "
	       "|\n|---|---|---|---|---|---|\n");
	for (unsigned w = 0; w < N_WAYS; w++) {
		if (w == WAY_MEMCACHED && !load->has_memcached)
			continue;
		printf("| %s | %.2f | %.2f | %.0f | %.1f, %.1f times | %.0f %% |\n", way_names[w],
		    MEDIAN(l, w, p50_us), MEDIAN(l, w, p99_us), MEDIAN(l, w, per_s),
		    MEDIAN(l, w, p50_us) / MEDIAN(l, WAY_RING, p50_us),
		    MEDIAN(l, WAY_RING, per_s) / MEDIAN(l, w, per_s), MEDIAN(l, w, daemon_pct));
	}
	fflush(stdout);
}

static void
print_neighbours(unsigned n_rounds)
{
	double none_pct, idle_pct;
	struct sample s[WRITES_ROUNDS_MAX];

	for (unsigned r = 0; r < n_rounds; r++)
		writes_beside(&s[r].p50_us, &s[r].p99_us);
	double alone_us = median_of(s, offsetof(struct sample, p50_us), n_rounds),
	       beside_us = median_of(s, offsetof(struct sample, p99_us), n_rounds);
	printf("\na socket client's set, p99: alone %.1f us, beside two rings flat out %.1f us: "
	       "%.1f times (bar: 3)\n",
	    alone_us, beside_us, beside_us / alone_us);
	none_pct = writes_idle_pct(0);
	idle_pct = writes_idle_pct(1000);
	printf("the daemon's processor: %.2f %% idle, %.2f %% with 1000 idle rings (bar: under 1 "
	       "%%)\n",
	    none_pct, idle_pct);
}

int
main(int argc, char **argv)
{
	unsigned n_rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
	const char *only = argc > 3 ? argv[3] : "";
	char dir[] = "/tmp/peekbench-XXXXXX", peekd_path[64], memcached_path[64], name[64];
	int fd;

	if (argc < 2 || n_rounds == 0 || n_rounds > WRITES_ROUNDS_MAX)
		writes_die("usage: peekbench-writes PEEKD [ROUNDS [LOAD]]");
	if (mkdtemp(dir) == NULL)
		writes_die("no private folder");
	snprintf(peekd_path, sizeof(peekd_path), "%s/p", dir);
	snprintf(memcached_path, sizeof(memcached_path), "%s/m", dir);
	snprintf(name, sizeof(name), "bench-writes-%d", (int)getpid());
	const char *peekd[] = {argv[1], "-n", name, "-s", peekd_path, "-m", "64", "-c", "4096",
	    "--ring-max", "2000", "--unlink", "--log-level", "error", NULL};
	const char *memcached[] = {"memcached", "-s", memcached_path, "-m", "64", "-t", "1",
	    geteuid() == 0 ? "-u" : NULL, "root", NULL};
	pid_t p = server_start(peekd, peekd_path, &fd), m;
	if (p < 0)
		writes_die("peekd doesn't start");
	m = server_start(memcached, memcached_path, &fd);
	way_daemon[WAY_RING] = way_daemon[WAY_SOCKET] = p;
	way_daemon[WAY_MEMCACHED] = m;
	if (m < 0)
		printf("memcached doesn't start (Debian: memcached): left out\n");
	writes_instance = name;
	ways_open(m < 0 ? NULL : memcached_path);
	for (unsigned l = 0; l < n_writes_loads; l++) {
		if (strstr(writes_loads[l].name, only) == NULL)
			continue;
		for (unsigned r = 0; r < n_rounds; r++)
			for (unsigned k = 0; k < N_WAYS; k++) { /* they begin in turn */
				enum way w = (enum way)((k + r) % N_WAYS);
				if (w != WAY_MEMCACHED || (m >= 0 && writes_loads[l].has_memcached))
					writes_loads[l].run(w, &samples[l][w][r]);
			}
		print_load(l, n_rounds);
	}
	if (*only == '\0')
		print_neighbours(n_rounds < 5 ? n_rounds : 5);
	ways_close();
	server_end(p);
	server_end(m);
	unlink(memcached_path);
	rmdir(dir);
	return 0;
}
