/*
 * gen.h: generated traces. The same name, seed and number of requests give the
 * same bytes.
 */
#ifndef PEEK_BENCH_GEN_H
#define PEEK_BENCH_GEN_H

#include <stdint.h>

#include "trace.h"

struct gen_profile;

/* The i-th profile's name, for a listing; NULL past the end. */
const struct gen_profile *gen_profile_at(unsigned i);
const struct gen_profile *gen_profile_find(const char *name);
/* "equal:KEYS:BYTES" is a profile too: Zipf 0.9 over KEYS items of one size. It
 * is valid until the next call. */
const char *gen_profile_name(const struct gen_profile *p);
const char *gen_profile_help(const struct gen_profile *p);

/* Returns n_requests records from malloc, or NULL: no memory. n_requests in 1
 * .. 2^31. */
struct trace_record *gen_make(const struct gen_profile *p, uint64_t seed, uint64_t n_requests);

#endif
