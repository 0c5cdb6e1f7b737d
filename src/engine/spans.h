/*
 * spans.h: a block's live records by the time at which they expire. A few equal
 * spans of time have a sum each, so that a lower bound of the expired bytes is
 * known at any moment without a look at the records. Only the records of the
 * span that is running out are missing from it.
 */
#ifndef PEEK_ENGINE_SPANS_H
#define PEEK_ENGINE_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#define SPANS 32

/* The memory of some records: bytes in their own block, and extents
 * elsewhere. */
struct span_sum {
	uint32_t bytes, extents;
};

/* All zero: no record expires. Span i is (from + i * step, from + (i + 1) *
 * step]. The first span also has everything earlier, the last everything
 * later. */
struct spans {
	uint32_t due_s; /* when the current span ends; 0: not begun */
	uint32_t from_s, step_s;
	uint32_t n_past;
	struct span_sum expired; /* of the spans that are past */
	struct span_sum span[SPANS];
};

/* Half of the spans cover times to live of ttl_min_s to ttl_max_s, the other
 * half as long a time after that. ttl_max_s is at most 2^28. */
void spans_begin(struct spans *s, uint32_t now_s, uint32_t ttl_min_s, uint32_t ttl_max_s);

static inline bool
spans_begun(const struct spans *s)
{
	return s->due_s != 0;
}

/* A record that expires at expiry_s came, or went. */
void spans_add(struct spans *s, uint32_t expiry_s, struct span_sum sum);
void spans_drop(struct spans *s, uint32_t expiry_s, struct span_sum sum);

/* Moves time to now_s. Returns whether a span has ended since the last call,
 * which happens at most SPANS times. */
bool spans_advance(struct spans *s, uint32_t now_s);

#endif
