/*
 * mget.c: many keys at once. A group's buckets are fetched together, then its
 * items, so that the cache misses of its lookups overlap. Compiled twice:
 * cpu.h.
 */
#include <errno.h>

#include "lib/count_lane.h"
#include "lib/cpu.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/hint_client.h"
#include "lib/lookup_fast.h"
#include "lib/slow_read.h"
#include "shm/hash.h"

#define GROUP 16 /* the lines that a core fetches at once, and a few more */

#define PREFETCH(p) __builtin_prefetch((p), 0, 3)

struct group {
	uint64_t hash[GROUP];
	uint64_t bucket_idx[GROUP];
	struct lookup_place at[GROUP];
	const struct word *item[GROUP]; /* NULL: no item, or none for the fast tier */
	bool ended[GROUP];              /* no match up to the chain's end */
};

/* The hint-page index of the operation that was at the sampling point: n_after
 * of the group's n operations came after it. HINT_NONE if it missed. */
static inline uint64_t
mget_hint_at(const struct group *g, const struct peek_op *ops, size_t n, size_t n_after)
{
	size_t i = n_after < n ? n - 1 - n_after : 0;

	return ops[i].result >= 0 && g->item[i] != NULL ? lookup_hint_at(&g->at[i]) : HINT_NONE;
}

/* Reads n <= GROUP operations, whose keys are of allowed lengths. Returns the
 * hits. flatten: as for peek_get. */
__attribute__((flatten)) static size_t
mget_group(struct peek *p, const struct attached *a, unsigned lane, struct peek_op *ops, size_t n)
{
	const struct map *m = &a->map;
	struct hint_cell *cell = lane_cell(a->cells, lane);
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: as in peek_get */
	size_t n_hits = 0, n_unpinned_hits = 0, n_unpinned_misses = 0;
	struct group g;

	bool in_range = count - 1 < m->n_buckets_mapped;
	for (size_t i = 0; in_range && i < n; i++) {
		g.hash[i] = hash_key_with(ops[i].key, ops[i].key_len, m->seed, &a->secret);
		g.bucket_idx[i] = table_bucket_idx(g.hash[i], count);
		PREFETCH(&m->buckets[g.bucket_idx[i]]);
	}
	for (size_t i = 0; in_range && i < n; i++) {
		g.at[i] = lookup_begin(m, g.bucket_idx[i], g.hash[i]);
		g.ended[i] = lookup_follow(m, &g.at[i], g.hash[i]) && g.at[i].match == 0;
		/* lookup_item fetches the lines behind the first */
		if (g.at[i].match != 0 && lookup_item(m, a->item_off_max, &g.at[i], &g.item[i])) {
			PREFETCH(g.item[i]);
			if (a->hints != NULL)
				__builtin_prefetch(&a->hints[lookup_hint_at(&g.at[i])], 1);
		} else {
			g.item[i] = NULL;
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct peek_op *op = &ops[i];
		ssize_t r = LOOKUP_NEXT;
		if (in_range && g.item[i] != NULL)
			r = lookup_fast_or_general(m, &g.at[i], g.item[i], op->key, op->key_len,
			    op->buf, op->buf_cap, &a->shift);
		else if (in_range && g.ended[i] && lookup_confirm_miss(m, &g.at[i], count))
			r = -ENOENT;
		if (LOOKUP_LIKELY(r >= 0)) {
			n_unpinned_hits++;
			if (a->hints != NULL)
				hint_raise(&a->hints[lookup_hint_at(&g.at[i])]);
		} else if (r == -ENOENT) {
			n_unpinned_misses++;
		} else {
			if (r == LOOKUP_TORN)
				lane_add(&cell->retries, 1, lane);
			r = get_slow(p, op->key, op->key_len, op->buf, op->buf_cap);
			n_hits += r >= 0;
		}
		op->result = r;
	}
	uint64_t hits = lane_add(&cell->hits, n_unpinned_hits, lane);
	lane_add(&cell->misses, n_unpinned_misses, lane);
	if (LOOKUP_UNLIKELY(
		lane_pass((unsigned)(n_unpinned_hits + n_unpinned_misses)) && lane_is_due())) {
		lane_sample(cell, hits, mget_hint_at(&g, ops, n, (size_t)lane_past_due()));
		hint_client_look_after(p, a);
	}
	return n_hits + n_unpinned_hits;
}

ssize_t
WIDE(peek_mget)(struct peek *p, struct peek_op *ops, size_t n)
{
	ssize_t n_hits = 0;
	/* a read through the socket got no answer: the reads behind it would
	 * each wait as long */
	bool in_vain = false;

	if ((ops == NULL && n > 0) || n > SSIZE_MAX)
		return -EINVAL;
	for (size_t begin = 0, end; begin < n; begin = end) {
		const struct attached *a =
		    slow_read_ready(p) == 0 ? seq_load_ptr(&p->own.now) : NULL;
		for (end = begin;
		     end < n && end < begin + GROUP && item_key_len_ok(ops[end].key_len); end++)
			;
		if (a != NULL && end > begin) {
			n_hits +=
			    (ssize_t)mget_group(p, a, lane_mine.cell_at, ops + begin, end - begin);
			continue;
		}
		/* The key's length is not allowed, or there is no segment to
		 * read. */
		end = begin + 1;
		if (in_vain && a == NULL && item_key_len_ok(ops[begin].key_len))
			ops[begin].result = -EPROTO;
		else
			ops[begin].result = peek_get(p, ops[begin].key, ops[begin].key_len,
			    ops[begin].buf, ops[begin].buf_cap);
		in_vain = in_vain || (a == NULL && ops[begin].result == -EPROTO);
		n_hits += ops[begin].result >= 0;
	}
	return n_hits;
}
