/*
 * main.c: `make model`: the litmus suite, every scenario, the designs that must
 * fail, and each ordered line of the sources weakened in turn. Two processes
 * share the work. Exit status 0: all held, and every mutation was caught.
 *
 * main [-v] [-s PART] [-w SITE] [-u] [-j N]
 *   -v       names each litmus test
 *   -s PART  only scenarios whose name has PART, with the trace of the
 *            execution that fails; no mutations
 *   -w SITE  "file:line" weakened meanwhile
 *   -u       instead: weakens each line at each place that calls it alone, and
 *            tells which scenarios show that
 *   -j N     processes
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model/litmus.h"
#include "model/scan.h"
#include "model/scenarios.h"

#define SCENARIOS_MAX  128
#define EXECUTIONS_MAX UINT64_C(20000000)

void *__real_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off);

static const struct model_scenario *all[SCENARIOS_MAX];
static unsigned n_all, n_sites;
static const struct model_site *sites;

/* Shared by the processes. */
static struct shared {
	atomic_uint next;
	struct model_result run[SCENARIOS_MAX];
	double run_s[SCENARIOS_MAX];
	struct {
		int scenario; /* that caught it; -1: none */
		struct model_result result;
	} mutation[MODEL_SITES_MAX];
} * shared;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_scenario(unsigned i)
{
	double from = now_s();

	model_explore(all[i], false, EXECUTIONS_MAX, &shared->run[i]);
	shared->run_s[i] = now_s() - from;
}

/* Scenarios in their order, until one fails for another reason than that
 * something never came up. */
static void
run_mutation(unsigned site)
{
	shared->mutation[site].scenario = -1;
	for (unsigned i = 0; i < n_all; i++) {
		if (all[i]->must_fail || (shared->run[i].sites >> site & 1) == 0)
			continue;
		struct model_scenario s = *all[i];
		s.goals = 0;
		model_weaken((int)site);
		model_explore(&s, false, EXECUTIONS_MAX, &shared->mutation[site].result);
		model_weaken(-1);
		if (shared->mutation[site].result.failed) {
			shared->mutation[site].scenario = (int)i;
			return;
		}
	}
}

/* Tasks 0 .. n - 1, by n_processes. False: one of these died. */
static bool
share(unsigned n, void (*task)(unsigned), unsigned n_processes)
{
	bool good = true;

	atomic_store(&shared->next, 0);
	fflush(stdout);
	for (unsigned p = 0; p < n_processes; p++) {
		pid_t pid = fork();
		if (pid < 0) {
			perror("fork");
			exit(2);
		}
		if (pid == 0) {
			for (unsigned i; (i = atomic_fetch_add(&shared->next, 1)) < n;)
				task(i);
			_exit(0);
		}
	}
	for (int status; wait(&status) > 0;)
		good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return good;
}

static unsigned
report_scenarios(void)
{
	uint64_t executions = 0;
	unsigned failures = 0, wrong = 0;

	for (unsigned i = 0; i < n_all; i++) {
		const struct model_result *r = &shared->run[i];
		bool good = r->failed == all[i]->must_fail;
		wrong += all[i]->must_fail;
		executions += r->executions;
		failures += !good;
		printf("%s %3u - %-40s %8" PRIu64 " executions %7" PRIu64 " given up %6.2f s%s%s\n",
		    good ? "ok" : "not ok", i + 1, all[i]->name, r->executions, r->blocked,
		    shared->run_s[i], r->failed ? "  found: " : "", r->why);
	}
	printf("# scenarios: %u (of these %u designs that must fail), %" PRIu64
	       " executions, %u failed\n\n",
	    n_all, wrong, executions, failures);
	return failures;
}

static unsigned
report_mutations(unsigned n_found)
{
	uint64_t reached = 0;
	unsigned failures = 0, survivors = 0;

	for (unsigned i = 0; i < n_all; i++)
		reached |= shared->run[i].sites;
	printf("# %-22s %-14s %-9s %s\n", "line", "what", "becomes", "caught by");
	for (unsigned m = 0; m < n_found; m++) {
		char line[80];
		int by = shared->mutation[m].scenario;
		const struct model_result *r = &shared->mutation[m].result;
		bool fence = strstr(sites[m].kind, "fence") != NULL;
		snprintf(line, sizeof(line), "%s:%d", sites[m].file, sites[m].line);
		printf("# %-22s %-14s %-9s ", line, sites[m].kind,
		    strstr(sites[m].kind, "seq_cst") != NULL ? "acq_rel"
			: fence                              ? "nothing"
							     : "relaxed");
		if ((reached >> m & 1) == 0) {
			printf("NEVER RAN\n");
			failures++;
		} else if (by < 0) {
			printf("SURVIVES\n");
			survivors++;
		} else {
			printf("%s, after %" PRIu64 " (%.60s)\n", all[by]->name, r->executions,
			    r->why);
		}
	}
	printf("# mutations: %u, survivors: %u\n", n_found, survivors);
	return failures + survivors;
}

static void
collect(const char *part)
{
	const struct scenario_table *tables[] = {&scen_read, &scen_table, &scen_kill, &scen_attach,
	    &scen_handover, &scen_ring, &scen_place, &scen_wrong};

	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (unsigned i = 0; i < tables[t]->n && n_all < SCENARIOS_MAX; i++)
			if (part == NULL || strstr(tables[t]->first[i].name, part) != NULL)
				all[n_all++] = &tables[t]->first[i];
}

static int
run_some(const char *weaken)
{
	struct model_result r;
	unsigned failures = 0;

	for (unsigned i = 0; i < n_sites && weaken != NULL; i++) {
		char name[80];
		snprintf(name, sizeof(name), "%s:%d", sites[i].file, sites[i].line);
		if (strstr(name, weaken) != NULL)
			model_weaken((int)i);
	}
	for (unsigned i = 0; i < n_all; i++) {
		model_explore(all[i], true, EXECUTIONS_MAX, &r);
		failures += r.failed != all[i]->must_fail;
		printf("%s: %" PRIu64 " executions, goals 0x%" PRIx64 " %s%s\n", all[i]->name,
		    r.executions, r.goals, r.failed ? "found: " : "held", r.why);
	}
	return failures != 0;
}

/* An order that no scenario needs at one place may still be needed there: this
 * finds what to look at, and judges nothing. */
static int
run_uses(void)
{
	const struct model_use *uses;
	struct model_result r;
	unsigned n, n_places = 0, survivors = 0;

	for (unsigned i = 0; i < n_all; i++)
		model_explore(all[i], false, EXECUTIONS_MAX, &r);
	n = model_uses(&uses);
	for (unsigned u = 0; u < n; u++) {
		unsigned n_caught = 0, first = 0;
		if (strncmp(uses[u].file, "src/", 4) != 0 || uses[u].site >= n_sites)
			continue;
		n_places++;
		model_weaken_use((int)u);
		for (unsigned i = 0; i < n_all && n_caught == 0; i++) {
			struct model_scenario s = *all[i];
			s.goals = 0;
			model_explore(&s, false, EXECUTIONS_MAX, &r);
			if (r.failed && !s.must_fail && n_caught++ == 0)
				first = i;
		}
		model_weaken_use(-1);
		survivors += n_caught == 0;
		printf("%s:%d: %s of line %d: %s\n", uses[u].file, uses[u].line,
		    sites[uses[u].site].kind, sites[uses[u].site].line,
		    n_caught > 0 ? all[first]->name : "no scenario needs it here");
		fflush(stdout);
	}
	printf(
	    "# %u places, %u without a scenario that needs the order there\n", n_places, survivors);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *part = NULL, *weaken = NULL;
	unsigned n_processes = 2, failures = 0;
	bool verbose = false, by_use = false;

	for (int c; (c = getopt(argc, argv, "vs:w:uj:")) != -1;) {
		if (c == 'v')
			verbose = true;
		else if (c == 's')
			part = optarg;
		else if (c == 'w')
			weaken = optarg;
		else if (c == 'u')
			by_use = true;
		else if (c == 'j' && atoi(optarg) > 0)
			n_processes = (unsigned)atoi(optarg);
		else
			return 2;
	}
	collect(part);
	failures += scan_sources("src");
	unsigned n_found = model_sites(&sites);
	n_sites = n_found;
	if (by_use)
		return run_uses();
	if (part != NULL || weaken != NULL)
		return run_some(weaken);
	shared = __real_mmap(
	    NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	double from = now_s();
	failures += litmus_run(verbose);
	if (!share(n_all, run_scenario, n_processes)) {
		printf("not ok - a process died\n");
		failures++;
	}
	failures += report_scenarios();
	if (!share(n_found, run_mutation, n_processes)) {
		printf("not ok - a process died\n");
		failures++;
	}
	failures += report_mutations(n_found);
	printf("# %.1f s\n%s\n", now_s() - from, failures == 0 ? "all held" : "FAILED");
	return failures != 0;
}
