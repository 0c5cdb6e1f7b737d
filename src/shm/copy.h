/*
 * copy.h: bytes in and out of shared words.
 *
 * Order: none. Every load and store of shared memory here is relaxed; the
 * caller's sequence or incarnation decides whether the copied bytes count.
 * memcpy on shared words would be a data race, and a compiler may read a byte
 * twice.
 *
 * The copies out and the comparisons differ by machine: arch/arch.h.
 */
#ifndef PEEK_SHM_COPY_H
#define PEEK_SHM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/arch/arch.h"

/*
 * Writes runs of bytes one after another into consecutive words that no reader
 * can reach yet. copy_in_end stores the last partial word, zero-padded.
 */
struct copy_in {
	struct word *at;
	uint64_t pending; /* bytes that do not fill a word yet */
	unsigned n_pending;
};

static inline void
copy_in_word(struct copy_in *c, uint64_t v)
{
	/* relaxed: the link that follows is guarded by the bucket's sequence */
	word_store_rlx(c->at++, v);
}

static inline void
copy_in_bytes(struct copy_in *c, const void *src, size_t n)
{
	const unsigned char *p = src;

	if (c->n_pending > 0) {
		size_t here = 8 - c->n_pending < n ? 8 - c->n_pending : n;
		uint64_t v = 0;
		memcpy(&v, p, here);
		c->pending |= v << (8 * c->n_pending);
		c->n_pending += (unsigned)here;
		p += here;
		n -= here;
		if (c->n_pending < 8)
			return;
		copy_in_word(c, c->pending);
		c->pending = 0;
		c->n_pending = 0;
	}
	size_t done = copy_in_bulk(c->at, p, n);
	c->at += done / 8;
	p += done;
	n -= done;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;
		memcpy(&v, p, 8);
		copy_in_word(c, v);
	}
	if (n > 0) {
		c->pending = copy_tail_word(p, n);
		c->n_pending = (unsigned)n;
	}
}

static inline void
copy_in_end(struct copy_in *c)
{
	if (c->n_pending > 0)
		copy_in_word(c, c->pending);
	c->pending = 0;
	c->n_pending = 0;
}

#endif
