/*
 * spans.h: what of a block expires when: a sum for each of a few equal spans of
 * time, so that at any moment a lower bound of what has expired is known
 * without a look at the records: all but those of the span that is running out.
 */
#ifndef PEEK_ENGINE_SPANS_H
#define PEEK_ENGINE_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#define SPANS 32

/* What records hold: in their block, and in blocks of their own. */
struct span_sum {
	uint32_t bytes, extents;
};

/* All zero: no record that expires. Span i is (from + i * step, from + (i + 1)
 * * step]; the first has also what is earlier, the last all later. */
struct spans {
	uint32_t due_s; /* when the first span that isn't past will be; 0: not begun */
	uint32_t from_s, step_s;
	uint32_t n_past;
	struct span_sum expired; /* of the spans that are past */
	struct span_sum span[SPANS];
};

/* Half of the spans cover times to live of ttl_min_s to ttl_max_s, as many what
 * comes later. ttl_max_s at most 2^28. */
void spans_begin(struct spans *s, uint32_t now_s, uint32_t ttl_min_s, uint32_t ttl_max_s);

static inline bool
spans_begun(const struct spans *s)
{
	return s->due_s != 0;
}

/* A record that expires at expiry_s came, or went. */
void spans_add(struct spans *s, uint32_t expiry_s, struct span_sum sum);
void spans_drop(struct spans *s, uint32_t expiry_s, struct span_sum sum);

/* Time has come to now_s. Whether a span is past that wasn't; that is so at
 * most SPANS times. */
bool spans_advance(struct spans *s, uint32_t now_s);

#endif
