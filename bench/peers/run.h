/*
 * run.h: one peer in a process of its own, and the work that it does.
 */
#ifndef PEEK_BENCH_RUN_H
#define PEEK_BENCH_RUN_H

#include "peer.h"

enum workload { GET, ZIPF, MISS, MANY, VIEW, SET, SET_MANY, READ2, N_WORKLOADS };

#define BATCH 64

/* The keys of one workload in the order in which they are asked for; made
 * before the peers' processes, and read as a stream. */
struct sequence {
	unsigned char *keys; /* n_ops * key_bytes */
	uint32_t *ids;       /* [n_ops] */
	uint64_t n_ops;
};

struct run_reply {
	int error;       /* negative errno: the peer couldn't be opened or filled */
	double ns;       /* an operation; of READ2: of two readers together */
	uint64_t wrong;  /* values that were not the key's own */
	uint64_t missed; /* keys that should have been found, or found and should not */
};

struct worker {
	struct peer *peer;
	pid_t pid;
	int to, from; /* pipes */
};

bool run_offers(const struct peer *p, enum workload w);

/* The sequences, by their distribution. */
struct sequences {
	struct sequence uniform, zipf, miss;
};
int sequences_make(struct sequences *s, uint64_t n_ops, double zipf_alpha);

/* Starts a process that opens and fills the peer; -errno. run_ready waits for
 * the outcome. */
int run_start(struct worker *w, struct peer *p, const struct sequences *s);
struct run_reply run_ready(struct worker *w);
struct run_reply run_once(struct worker *w, enum workload what, uint64_t n_ops);
void run_end(struct worker *w);

#endif
