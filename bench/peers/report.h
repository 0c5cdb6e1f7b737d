/*
 * report.h: the figures of all rounds, and what is printed of them.
 */
#ifndef PEEK_BENCH_REPORT_H
#define PEEK_BENCH_REPORT_H

#include <stdio.h>

#include "run.h"

#define PEERS_MAX  16
#define ROUNDS_MAX 101

struct measured {
	struct worker worker;
	const char *id;
	/* by round; 0: not measured. Round 0 is the warm-up */
	double ns[N_WORKLOADS][ROUNDS_MAX + 1];
	uint64_t wrong, missed;
};

struct report {
	struct measured peer[PEERS_MAX];
	unsigned n_peers, n_rounds;
	unsigned n_failed; /* runs that gave a wrong value, missed a key, or broke */
};

extern const char *const workload_names[N_WORKLOADS];

void report_add(struct report *rep, unsigned peer_idx, enum workload w, unsigned round,
    const struct run_reply *r);
void report_markdown(const struct report *rep, FILE *to);
void report_json(const struct report *rep, FILE *to);
void report_data(const struct report *rep, FILE *to);

/* Writes a file by one of these. 0, or -1 and the reason is on the standard
 * error. */
int report_to(
    const struct report *rep, const char *path, void (*print)(const struct report *rep, FILE *to));

#endif
