/*
 * generic.h: the primitives of arch.h in C: aligned relaxed words, shifted into
 * place. The model and the sanitizers see these.
 */
#ifndef PEEK_SHM_ARCH_GENERIC_H
#define PEEK_SHM_ARCH_GENERIC_H

#include "shm/arch/words.h"
#include "shm/layout.h"

#define ITEM_PLAIN_KEY_MAX 0u /* nothing tells a plain item by one comparison */

static inline uint64_t
table_bucket_idx(uint64_t hash, uint64_t n_buckets)
{
	uint64_t mask = UINT64_MAX >> __builtin_clzll((n_buckets - 1) | 1);
	uint64_t idx = hash & mask, before_split = hash & (mask >> 1);

	return idx < n_buckets ? idx : before_split;
}

static inline unsigned
bucket_match(const struct bucket *b, uint64_t tag)
{
	unsigned match = 0;

	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		/* relaxed: seq_validate */
		match |= (unsigned)(word_load_rlx(&b->slot[i]) >> SLOT_UNIT_BITS == tag) << i;
	return match;
}

static inline uint64_t
bucket_match_slot(unsigned match)
{
	return (uint64_t)(unsigned)__builtin_ctz(match);
}

static inline void
copy_out(void *dst, const struct word *base, size_t byte_off, size_t n)
{
	unsigned char *out = dst;
	const struct word *w = base + byte_off / 8;
	unsigned shift = (unsigned)(byte_off % 8) * 8;

	if (n == 0)
		return;
	uint64_t low = word_load_rlx(w);
	while (n > 0) {
		uint64_t v = low >> shift;
		size_t here = n < 8 ? n : 8;
		/* these bytes, or the next ones, reach into the next word */
		if (here > 8 - shift / 8 || n > here) {
			low = word_load_rlx(++w);
			v |= shift != 0 ? low << (64 - shift) : 0;
		}
		memcpy(out, &v, here);
		out += here;
		n -= here;
	}
}

static inline bool
copy_key_equal(const struct word *at, const void *key, size_t key_len)
{
	return copy_key_equal_words(at, key, key_len);
}

static inline bool
item_is_plain(const struct word *item, const void *key, size_t key_len)
{
	(void)item, (void)key, (void)key_len;
	return false;
}

/* None: the caller stores word by word. */
static inline size_t
copy_in_bulk(struct word *to, const unsigned char *from, size_t n)
{
	(void)to, (void)from, (void)n;
	return 0;
}

static inline void
count_one(struct word *w)
{
	word_store_rlx(w, word_load_rlx(w) + 1);
}

static inline bool
count_down(int *n_left, unsigned n)
{
	*n_left -= (int)n;
	return *n_left <= 0;
}

#endif
