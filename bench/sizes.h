/*
 * sizes.h: lengths of keys and values, as published measurements of caches give
 * them. They follow from the key's number alone, so that a key has the same
 * lengths in every run.
 */
#ifndef PEEK_BENCH_SIZES_H
#define PEEK_BENCH_SIZES_H

#include <stdint.h>

struct sizes {
	uint32_t key_bytes; /* 8 .. 250 */
	uint32_t value_bytes;
};

struct size_mix {
	const char *name;
	const char *source;
	void (*of)(uint64_t key_id, struct sizes *ret);
};

extern const struct size_mix size_mixes[];
extern const unsigned n_size_mixes;

/* NULL: no mix has that name. */
const struct size_mix *size_mix_find(const char *name);

#endif
