/*
 * x86.h: the primitives of arch.h for every x86-64: 16 bytes at a time.
 */
#ifndef PEEK_SHM_ARCH_X86_H
#define PEEK_SHM_ARCH_X86_H

#include "shm/arch/x86_common.h"

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
	__m128i w01, w23, w45, w67;
	const __m128i want = _mm_set1_epi32((int)tag);

	/* Relaxed loads of eight words, two at a time: each aligned half is one
	 * word. A C compiler has no such load. */
	const char(*half)[16] = (const char(*)[16])(const void *)b;
	__asm__ volatile("movdqa %4, %0\n\tmovdqa %5, %1\n\tmovdqa %6, %2\n\tmovdqa %7, %3"
			 : "=&x"(w01), "=&x"(w23), "=&x"(w45), "=x"(w67)
			 : "m"(half[0]), "m"(half[1]), "m"(half[2]), "m"(half[3]));
	__m128i lo =
	    _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(w01), _mm_castsi128_ps(w23), 0xdd));
	__m128i hi =
	    _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(w45), _mm_castsi128_ps(w67), 0xdd));
	lo = _mm_cmpeq_epi32(_mm_srli_epi32(lo, SLOT_UNIT_BITS - 32), want);
	hi = _mm_cmpeq_epi32(_mm_srli_epi32(hi, SLOT_UNIT_BITS - 32), want);
	__m128i both = _mm_packs_epi32(lo, hi);
	return ((unsigned)_mm_movemask_epi8(_mm_packs_epi16(both, both)) &
		   ((1u << (BUCKET_SLOTS + 1)) - 1)) >>
	    1;
}

static inline uint64_t
bucket_match_slot(unsigned match)
{
	return (uint64_t)(unsigned)__builtin_ctz(match);
}

static inline void
copy_32(unsigned char *out, const char *src)
{
	__m128i a = copy_load_16(src), b = copy_load_16(src + 16);

	_mm_storeu_si128((__m128i *)(void *)out, a);
	_mm_storeu_si128((__m128i *)(void *)(out + 16), b);
}

/* All four loads come before the first store, so that their misses overlap. */
static inline void
copy_64(unsigned char *out, const char *src)
{
	__m128i a = copy_load_16(src), b = copy_load_16(src + 16), c = copy_load_16(src + 32),
		d = copy_load_16(src + 48);

	_mm_storeu_si128((__m128i *)(void *)out, a);
	_mm_storeu_si128((__m128i *)(void *)(out + 16), b);
	_mm_storeu_si128((__m128i *)(void *)(out + 32), c);
	_mm_storeu_si128((__m128i *)(void *)(out + 48), d);
}

static inline void
copy_out(void *dst, const struct word *base, size_t byte_off, size_t n)
{
	copy_out_x86(dst, (const char *)base + byte_off, n);
}

static inline bool
copy_key_equal(const struct word *at, const void *key, size_t key_len)
{
	return copy_key_equal_x86(at, key, key_len);
}

static inline bool
item_is_plain(const struct word *item, const void *key, size_t key_len)
{
	(void)item, (void)key, (void)key_len;
	return false;
}

#endif
