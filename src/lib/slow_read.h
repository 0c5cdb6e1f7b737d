/*
 * slow_read.h: the state of a pinned read: its budget of tries, following to a
 * new segment, counting.
 */
#ifndef PEEK_LIB_SLOW_READ_H
#define PEEK_LIB_SLOW_READ_H

#include <errno.h>
#include <sys/types.h>

#include "lib/count_lane.h"
#include "lib/handle.h"
#include "lib/lookup_pinned.h"
#include "shm/hash.h"

struct slow_read {
	struct peek *p;
	const struct attached *a; /* may change with each slow_read_pin */
	struct hint_cell *cell;
	unsigned lane;
	unsigned n_tries;
	const void *key;
	size_t key_len;
	uint64_t hash;
	struct lookup_pinned pin;
};

/*
 * Makes what this thread of this process still lacks for reading: a lane, and
 * an attachment (at the first read of a thread, or of a child after fork()).
 * Returns 0 (p->own.now is not NULL), or -EPROTO: only the socket can be asked.
 */
int slow_read_ready(struct peek *p);

/* Begins a pinned read, and counts it. Returns as slow_read_ready. */
int slow_read_begin(struct slow_read *rd, struct peek *p, const void *key, size_t key_len);

/*
 * Finds and pins the item, within the rest of the budget of tries. 0: read from
 * rd->pin, then confirm it by lookup_stands(&rd->a->map, &rd->pin); if that
 * fails, call again. -ENOENT (counted as a miss), -EAGAIN, -ESTALE, -EBADMSG;
 * -EPROTO as slow_read_ready; or, when the segment was replaced and the new one
 * can't be attached, the reason.
 */
int slow_read_pin(struct slow_read *rd);

#endif
