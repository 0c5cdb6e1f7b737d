/*
 * litmus.h: small programs as data, so that the checker and the axioms can both
 * be asked what they may do.
 *
 * Text: threads apart by '|', operations by ';'. Wx1 store, Rx load, Ax1 add,
 * with .rel .acq .ar or relaxed; Frel Facq Fseq fences; Q1: the thread ends
 * here unless its last load gave 1; Px1, px plain store and load.
 */
#ifndef PEEK_MODEL_LITMUS_H
#define PEEK_MODEL_LITMUS_H

#include "model/runtime.h"

#define LIT_OPS_MAX  8
#define LIT_LOCS_MAX 3 /* x y z */
#define LIT_SET_MAX  512

struct lit_op {
	char kind; /* W R A F Q P p */
	enum model_order order;
	uint8_t loc, value;
};

struct lit_prog {
	unsigned n_threads;
	unsigned n_ops[MODEL_THREADS_MAX];
	struct lit_op op[MODEL_THREADS_MAX][LIT_OPS_MAX];
	unsigned finals; /* mask of locations whose last value belongs to the outcome */
};

/* Outcomes: a nibble for each load in order of the text (15: not run), then the
 * finals. Sorted, no doubles. */
struct lit_set {
	unsigned n;
	uint64_t outcome[LIT_SET_MAX];
	uint64_t graphs; /* executions that led there */
};

void lit_set_add(struct lit_set *set, uint64_t outcome);
/* RC11's axioms over every candidate graph. */
void axiom_run(const struct lit_prog *p, struct lit_set *ret);
/* All litmus tests and random programs; the number of failures. */
unsigned litmus_run(bool verbose);

#endif
