/*
 * slow_read.c: see slow_read.h.
 */
#include "lib/slow_read.h"

#include <errno.h>

#include "lib/hint_client.h"
#include "lib/read_count.h"
#include "lib/segment.h"

int
slow_read_ready(struct peek *p)
{
	if (lane_mine.cell_at == LANE_NONE)
		lane_take();
	if (seq_load_ptr(&p->own.now) != NULL)
		return 0;
	return segment_ready(p);
}

/* Sets the fields that depend on the segment. */
static void
slow_read_use(struct slow_read *rd)
{
	rd->a = seq_load_ptr(&rd->p->own.now);
	if (rd->a == NULL)
		return;
	rd->cell = lane_cell(rd->a->cells, rd->lane);
	rd->hash = hash_key_with(rd->key, rd->key_len, rd->a->map.seed, &rd->a->secret);
}

int
slow_read_begin(struct slow_read *rd, struct peek *p, const void *key, size_t key_len)
{
	int r = slow_read_ready(p);

	if (r != 0)
		return r;
	rd->p = p;
	rd->key = key;
	rd->key_len = key_len;
	rd->n_tries = 0;
	rd->pin.place_cas = 0;
	rd->lane = lane_mine.cell_at;
	slow_read_use(rd);
	if (rd->a == NULL)
		return -EPROTO;
	lane_add(&rd->cell->slow, 1, rd->lane);
	return 0;
}

int
slow_read_pin(struct slow_read *rd)
{
	while (rd->n_tries++ < LOOKUP_TRIES) {
		const struct map *m = &rd->a->map;
		int r;

		if (rd->n_tries > 1) {
			lane_add(&rd->cell->retries, 1, rd->lane);
			lookup_pause();
		}
		/* relaxed: a miss loads it again; segment_follow has the
		 * fence */
		uint64_t count = word_load_rlx(&m->header->count);
		if ((count & COUNT_RETIRED) != 0 && !rd->a->stay) {
			r = segment_follow(rd->p, rd->a);
			if (r == 0)
				slow_read_use(rd);
			if (r == 0 && rd->a == NULL)
				r = -EPROTO;
			if (r != 0)
				return r == -ENOENT ? (int)read_count_miss(rd->a) : r;
			continue;
		}
		switch (
		    lookup_pin(m, count, rd->hash, rd->key, rd->key_len, &rd->a->shift, &rd->pin)) {
		case LOOKUP_HIT:
			return 0;
		case LOOKUP_MISS:
			return (int)read_count_miss(rd->a);
		case LOOKUP_BEYOND:
			r = segment_extend(rd->p, rd->a);
			if (r != 0)
				return r;
			slow_read_use(rd);
			if (rd->a == NULL)
				return -EPROTO;
			break;
		case LOOKUP_DAMAGED:
			return -EBADMSG;
		case LOOKUP_AGAIN:
			break;
		}
	}
	/* relaxed: a retired segment stays retired. Its memory was given back,
	 * and its buckets are left odd for ever. */
	bool gone = (word_load_rlx(&rd->a->map.header->count) & COUNT_RETIRED) != 0 && rd->a->stay;
	return gone ? -ESTALE : -EAGAIN;
}
