/*
 * report.c: medians and ratios.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

const char *const workload_names[N_WORKLOADS] = {
    [GET] = "get",
    [ZIPF] = "zipf get",
    [MISS] = "miss",
    [MANY] = "batch of 64",
    [VIEW] = "view",
    [SET] = "set",
    [SET_MANY] = "64 sets",
    [READ2] = "2 readers",
};

void
report_add(struct report *rep, unsigned peer_idx, enum workload w, unsigned round,
    const struct run_reply *r)
{
	struct measured *m = &rep->peer[peer_idx];

	if (r->error != 0 || r->wrong != 0 || r->missed != 0) {
		fprintf(stderr,
		    "\n%s, %s: error %d, %llu wrong values, %llu wrong misses or hits\n",
		    m->worker.peer->name, workload_names[w], r->error, (unsigned long long)r->wrong,
		    (unsigned long long)r->missed);
		rep->n_failed++;
	}
	m->wrong += r->wrong;
	m->missed += r->missed;
	if (round <= ROUNDS_MAX && r->error == 0)
		m->ns[w][round] = r->ns;
}

static int
report_ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
report_median(double *v, unsigned n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), report_ascending);
	return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* The median over the rounds; of base's time over this one's in the same round,
 * if base is not NULL. 0: not measured. */
static double
report_figure(const struct report *rep, const struct measured *m, enum workload w,
    const struct measured *base)
{
	double v[ROUNDS_MAX];
	unsigned n = 0;

	for (unsigned round = 1; round <= rep->n_rounds; round++) {
		if (m->ns[w][round] > 0 && (base == NULL || base->ns[w][round] > 0))
			v[n++] =
			    base == NULL ? m->ns[w][round] : m->ns[w][round] / base->ns[w][round];
	}
	return report_median(v, n);
}

static const struct measured *
report_find(const struct report *rep, const char *id)
{
	for (unsigned i = 0; i < rep->n_peers; i++)
		if (strcmp(rep->peer[i].id, id) == 0)
			return &rep->peer[i];
	return NULL;
}

static void
report_cell(FILE *to, double v, int places)
{
	if (v > 0)
		fprintf(to, " %.*f |", places, v);
	else
		fputs(" - |", to);
}

static void
report_head(FILE *to, const char *corner)
{
	fprintf(to, "| %s |", corner);
	for (unsigned w = 0; w < N_WORKLOADS; w++)
		fprintf(to, " %s |", workload_names[w]);
	fputs("\n|---|", to);
	for (unsigned w = 0; w < N_WORKLOADS; w++)
		fputs("---|", to);
	fputs("\n", to);
}

static void
report_ratios(const struct report *rep, const char *base_id, FILE *to)
{
	const struct measured *base = report_find(rep, base_id);

	if (base == NULL)
		return;
	fprintf(to,
	    "\nTime against %s (above 1: slower than it), median of the rounds' ratios:\n\n",
	    base->worker.peer->name);
	report_head(to, "");
	for (unsigned i = 0; i < rep->n_peers; i++) {
		const struct measured *m = &rep->peer[i];
		if (m == base)
			continue;
		fprintf(to, "| %s |", m->worker.peer->name);
		for (unsigned w = 0; w < N_WORKLOADS; w++)
			report_cell(to, report_figure(rep, m, (enum workload)w, base), 2);
		fputs("\n", to);
	}
}

static void
report_machine(FILE *to)
{
	char line[256], model[200] = "unknown processor";
	struct utsname u;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "model name : %199[^\n]", model) == 1)
			break;
	if (f != NULL)
		fclose(f);
	uname(&u);
	fprintf(to, "%s, %ld processors, %s %s, %s\n", model, sysconf(_SC_NPROCESSORS_ONLN),
	    u.sysname, u.release, u.machine);
}

void
report_markdown(const struct report *rep, FILE *to)
{
	report_machine(to);
	fprintf(to,
	    "%llu keys of %u bytes, values of %u bytes; nanoseconds an operation, median of %u "
	    "interleaved rounds\n\n",
	    (unsigned long long)peer_conf.n_keys, peer_conf.key_bytes, peer_conf.value_bytes,
	    rep->n_rounds);
	report_head(to, "");
	for (unsigned i = 0; i < rep->n_peers; i++) {
		const struct measured *m = &rep->peer[i];
		fprintf(to, "| %s |", m->worker.peer->name);
		for (unsigned w = 0; w < N_WORKLOADS; w++) {
			double ns = report_figure(rep, m, (enum workload)w, NULL);
			report_cell(to, ns, ns < 100 ? 1 : 0);
		}
		fputs("\n", to);
	}
	report_ratios(rep, "peekd", to);
	report_ratios(rep, "ideal", to);
	fputs("\n", to);
	for (unsigned i = 0; i < rep->n_peers; i++)
		fprintf(to, "- %s: %s\n", rep->peer[i].worker.peer->name,
		    rep->peer[i].worker.peer->about);
	fputs("- 2 readers: two processes at once, time of both for one get\n", to);
}

/* Prints, beside the time, the median of its ratios to ideal's time in the same
 * round: a noisy machine changes both alike. */
void
report_json(const struct report *rep, FILE *to)
{
	const struct measured *ideal = report_find(rep, "ideal");

	fprintf(to,
	    "{\"keys\":%llu,\"key_bytes\":%u,\"value_bytes\":%u,\"rounds\":%u,\"unit\":\"ns\","
	    "\"peers\":[",
	    (unsigned long long)peer_conf.n_keys, peer_conf.key_bytes, peer_conf.value_bytes,
	    rep->n_rounds);
	for (unsigned i = 0; i < rep->n_peers; i++) {
		const struct measured *m = &rep->peer[i];
		fprintf(to, "%s{\"id\":\"%s\",\"name\":\"%s\",\"wrong\":%llu,\"missed\":%llu",
		    i > 0 ? "," : "", m->id, m->worker.peer->name, (unsigned long long)m->wrong,
		    (unsigned long long)m->missed);
		for (unsigned w = 0; w < N_WORKLOADS; w++) {
			double ns = report_figure(rep, m, (enum workload)w, NULL),
			       ratio = ideal != NULL
			    ? report_figure(rep, m, (enum workload)w, ideal)
			    : 0;
			if (ns > 0)
				fprintf(to, ",\"%s\":%.2f", workload_names[w], ns);
			if (ratio > 0)
				fprintf(to, ",\"%s/ideal\":%.3f", workload_names[w], ratio);
		}
		fputs("}", to);
	}
	fputs("]}\n", to);
}

/* A line for each peer: its name, then a column for each workload. */
void
report_data(const struct report *rep, FILE *to)
{
	fputs("peer", to);
	for (unsigned w = 0; w < N_WORKLOADS; w++)
		fprintf(to, "\t%s", workload_names[w]);
	fputs("\n", to);
	for (unsigned i = 0; i < rep->n_peers; i++) {
		fprintf(to, "%s", rep->peer[i].worker.peer->name);
		for (unsigned w = 0; w < N_WORKLOADS; w++) {
			double ns = report_figure(rep, &rep->peer[i], (enum workload)w, NULL);
			if (ns > 0)
				fprintf(to, "\t%.2f", ns);
			else
				fputs("\t?", to);
		}
		fputs("\n", to);
	}
}

int
report_to(
    const struct report *rep, const char *path, void (*print)(const struct report *rep, FILE *to))
{
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		perror(path);
		return -1;
	}
	print(rep, f);
	if (fclose(f) != 0) {
		perror(path);
		return -1;
	}
	return 0;
}
