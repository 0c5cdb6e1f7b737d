/*
 * target.h: the segment that a load runs on: a running daemon's, or one that
 * only this process writes.
 */
#ifndef PEEK_BENCH_TARGET_H
#define PEEK_BENCH_TARGET_H

#include "options.h"
#include "segment.h"

struct target {
	const struct options *o;
	bool own; /* segment, and only this process writes it */
	struct own_segment segment;
};

/* A segment of this process has room for n_ids keys. 0; -1: it failed, and
 * printed why on standard error. */
int target_open(const struct options *o, uint64_t n_ids, struct target *ret);
void target_close(struct target *t);

/* A handle for this process, which may be a child. NULL: it failed, and printed
 * why. */
struct peek *target_handle(const struct target *t);

/* Stores key `id` with this version. 0, or a negative errno. Only the process
 * that opened the segment may store in it. */
struct setter {
	struct target *target;
	struct peek *handle;
	bool queued; /* over the socket: many at once; setter_flush ends a batch */
	uint64_t n_refused;
	unsigned char *value;
};
int setter_init(struct setter *s, struct target *t, struct peek *handle, bool queued);
int setter_set(struct setter *s, uint64_t id, uint32_t version);
int setter_flush(struct setter *s);
void setter_fini(struct setter *s);

#endif
