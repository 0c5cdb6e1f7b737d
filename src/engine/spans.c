/*
 * spans.c: sums by expiry.
 */
#include "engine/spans.h"

#include "base/check.h"

void
spans_begin(struct spans *s, uint32_t now_s, uint32_t ttl_min_s, uint32_t ttl_max_s)
{
	CHECK(ttl_min_s <= ttl_max_s);
	s->step_s = (ttl_max_s - ttl_min_s) / (SPANS / 2) + 1;
	s->from_s = now_s + ttl_min_s;
	s->due_s = s->from_s + s->step_s;
}

static uint32_t
span_of(const struct spans *s, uint32_t expiry_s)
{
	CHECK(s->step_s > 0 && s->n_past < SPANS);
	uint32_t i = expiry_s <= s->from_s ? 0 : (expiry_s - s->from_s - 1) / s->step_s;

	return i < SPANS ? i : SPANS - 1;
}

void
spans_add(struct spans *s, uint32_t expiry_s, struct span_sum sum)
{
	uint32_t i = span_of(s, expiry_s);

	s->span[i].bytes += sum.bytes;
	s->span[i].extents += sum.extents;
	if (i < s->n_past) {
		s->expired.bytes += sum.bytes;
		s->expired.extents += sum.extents;
	}
}

void
spans_drop(struct spans *s, uint32_t expiry_s, struct span_sum sum)
{
	uint32_t i = span_of(s, expiry_s);

	CHECK(s->span[i].bytes >= sum.bytes && s->span[i].extents >= sum.extents);
	CHECK(
	    i >= s->n_past || (s->expired.bytes >= sum.bytes && s->expired.extents >= sum.extents));
	s->span[i].bytes -= sum.bytes;
	s->span[i].extents -= sum.extents;
	if (i < s->n_past) {
		s->expired.bytes -= sum.bytes;
		s->expired.extents -= sum.extents;
	}
}

bool
spans_advance(struct spans *s, uint32_t now_s)
{
	uint32_t before = s->n_past;

	if (s->due_s == 0 || s->due_s > now_s) /* the rest lies on other lines */
		return false;
	for (; s->n_past < SPANS - 1 && s->due_s <= now_s; s->due_s += s->step_s, s->n_past++) {
		s->expired.bytes += s->span[s->n_past].bytes;
		s->expired.extents += s->span[s->n_past].extents;
	}
	return s->n_past != before;
}
