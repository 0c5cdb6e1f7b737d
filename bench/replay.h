/*
 * replay.h: a trace through the engine and libpeek.
 */
#ifndef PEEK_BENCH_REPLAY_H
#define PEEK_BENCH_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "trace.h"

enum hinting { HINTS_ON, HINTS_OFF, HINTS_LOSSY, HINTS_HOSTILE };

struct replay_conf {
	uint64_t capacity; /* entries of one size, or bytes of arena */
	bool by_bytes;
	enum hinting hinting;
	uint64_t seed;
};

struct replay_result {
	uint64_t misses, evictions;
	uint64_t wrong;   /* values that were not the key's own */
	uint64_t refused; /* SETs that failed; of items too large for the arena: not counted */
	uint64_t too_large;
	uint64_t longest_set_items, longest_set_copied_bytes;
	/* the geometry; value_bytes 0: of many sizes */
	uint64_t n_blocks, block_bytes, value_bytes;
	uint64_t memory_bytes; /* of a server's slabs; 0: not known */
	double seconds;
};

/* Errors of own_segment_create; -EINVAL: a capacity that no geometry fits. */
int replay_run(const struct trace *t, const struct replay_conf *conf, struct replay_result *ret);

/* The same requests to a memcached on a Unix socket: misses and seconds.
 * -errno. */
int replay_socket(const struct trace *t, const char *path, struct replay_result *ret);

#endif
