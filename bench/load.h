/*
 * load.h: readers, a writer beside them, and their counts.
 */
#ifndef PEEK_BENCH_LOAD_H
#define PEEK_BENCH_LOAD_H

#include <stdatomic.h>

#include "options.h"
#include "target.h"
#include "timer.h"

enum load_kind {
	LOAD_GET,
	LOAD_MGET,
	LOAD_VIEW,
	LOAD_PLACE,
	LOAD_SAME,
	LOAD_MISS,
	LOAD_SET,
	LOAD_MIXED
};

struct load_counts {
	uint64_t ops, hits, misses, again, wrong, failed;
};

/* The counts of one process, in memory that all processes share. */
struct load_result {
	_Atomic uint64_t progress; /* ops so far */
	struct load_counts n;
	uint64_t retries; /* of the handle */
	double seconds;
	struct hist hist;
};

struct load {
	const struct options *o;
	enum load_kind kind;
	const char *name;
	struct target target;
	struct load_result *results; /* [n_workers + 1]: the writer's is the last */
	unsigned n_workers;
	_Atomic uint32_t *gate; /* workers that are ready; all begin when it is n_workers */
	uint64_t end_ns;        /* when a writer in this process stops */
};

/* The loop of one process, which runs for --seconds. 0; -1: it couldn't begin,
 * and printed why. */
int load_worker(struct load *l, unsigned idx);

/* Sends SETs at --writer's rate, or as fast as it can, until done(). */
int load_writer(
    struct load *l, struct load_result *res, bool (*done)(struct load *l), uint64_t rate);

void load_print(const struct load *l, const struct timer *timer);

#endif
