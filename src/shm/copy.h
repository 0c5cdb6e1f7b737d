/*
 * copy.h: bytes in and out of shared words.
 *
 * Order: none. Every load and store of shared memory here is relaxed; the
 * caller's sequence or incarnation decides whether the copied bytes count.
 * memcpy on shared words would be a data race, and a compiler may read a byte
 * twice.
 *
 * On x86-64 outside the model and the sanitizers the loads are volatile asm: 16
 * bytes at a time, 32 and 64 where the compiler may use AVX-512, and rep movsb
 * from COPY_REP_MIN_BYTES on. Elsewhere they are aligned relaxed 8-byte words,
 * shifted into place.
 */
#ifndef PEEK_SHM_COPY_H
#define PEEK_SHM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/table.h"

#define COPY_REP_MIN_BYTES 257

#ifdef SHM_X86_ASM
/* Relaxed loads of 16 bytes that need not be aligned. volatile: each load is
 * done once, in its place. */
static inline __m128i
copy_load_16(const char *src)
{
	__m128i v;

	__asm__ volatile("movdqu %1, %0" : "=x"(v) : "m"(*(const char(*)[16])src));
	return v;
}

static inline uint64_t
copy_load_8(const char *src)
{
	uint64_t v;

	__asm__ volatile("movq %1, %0" : "=r"(v) : "m"(*(const char(*)[8])src));
	return v;
}

static inline void
copy_16(unsigned char *out, const char *src)
{
	_mm_storeu_si128((__m128i *)(void *)out, copy_load_16(src));
}

#ifdef SHM_X86_WIDE
static inline void
copy_32(unsigned char *out, const char *src)
{
	__asm__ volatile("vmovdqu64 %1, %%ymm16\n\tvmovdqu64 %%ymm16, %0"
			 : "=m"(*(char(*)[32])out)
			 : "m"(*(const char(*)[32])src)
			 : "xmm16");
}

static inline void
copy_64(unsigned char *out, const char *src)
{
	__asm__ volatile("vmovdqu64 %1, %%zmm16\n\tvmovdqu64 %%zmm16, %0"
			 : "=m"(*(char(*)[64])out)
			 : "m"(*(const char(*)[64])src)
			 : "xmm16");
}
#else
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
#endif

/* Halves the range of sizes at each branch. Each case copies a second part that
 * ends where the value ends and may overlap the first part: few branches, and
 * no loop below 129 bytes. */
static inline void
copy_out_x86(unsigned char *out, const char *src, size_t n)
{
	if (n > 64) {
		if (n > 128) {
			if (n >= COPY_REP_MIN_BYTES) {
				__asm__ volatile("rep movsb"
						 : "+D"(out), "+S"(src), "+c"(n)
						 :
						 : "memory");
				return;
			}
			copy_64(out + 64, src + 64);
			if (n > 192)
				copy_64(out + 128, src + 128);
		}
		copy_64(out, src);
		copy_64(out + n - 64, src + n - 64);
	} else if (n > 32) {
		copy_32(out, src);
		copy_32(out + n - 32, src + n - 32);
	} else if (n >= 16) {
		copy_16(out, src);
		copy_16(out + n - 16, src + n - 16);
	} else if (n >= 8) {
		uint64_t a = copy_load_8(src), b = copy_load_8(src + n - 8);
		memcpy(out, &a, 8);
		memcpy(out + n - 8, &b, 8);
	} else {
		for (size_t i = 0; i < n; i++)
			__asm__ volatile("movb %1, %0" : "=q"(out[i]) : "m"(src[i]));
	}
}
#endif

/* Copies bytes [byte_off, byte_off + n) behind base, which must lie inside the
 * mapping, to dst (private memory). */
static inline void
copy_out(void *dst, const struct word *base, size_t byte_off, size_t n)
{
	unsigned char *out = dst;

#ifdef SHM_X86_ASM
	copy_out_x86(out, (const char *)base + byte_off, n);
#else
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
#endif
}

/* The first n < 8 bytes at p as a little-endian word, without reading beyond
 * them. */
static inline uint64_t
copy_tail_word(const unsigned char *p, size_t n)
{
	if (n >= 4) {
		uint32_t a, b;
		memcpy(&a, p, 4);
		memcpy(&b, p + n - 4, 4);
		return a | (uint64_t)b << (8 * (n - 4));
	}
	uint64_t v = 0;
	if (n > 0) {
		v = p[0];
		v |= (uint64_t)p[n / 2] << (8 * (n / 2));
		v |= (uint64_t)p[n - 1] << (8 * (n - 1));
	}
	return v;
}

/* Compares key_len bytes of private memory with the key that begins at the
 * aligned word `at`. */
static inline bool
copy_key_equal(const struct word *at, const void *key, size_t key_len)
{
	const unsigned char *p = key;

#ifdef SHM_X86_WIDE
	if (__builtin_expect(key_len <= 64, 1)) {
		/* The mask follows from the length: there is no branch on the
		 * length and none on the tail, and no byte beyond the key is
		 * read. */
		uint64_t which = _bzhi_u64(~UINT64_C(0), (unsigned)key_len);
		bool equal;

		__asm__ volatile("kmovq %3, %%k1\n\tvmovdqu8 %1, %%zmm16%{%%k1%}%{z%}\n\tvpcmpneqb "
				 "%2, %%zmm16, %%k2%{%%k1%}\n\tkortestq %%k2, %%k2"
				 : "=@ccz"(equal)
				 : "m"(*(const char(*)[64])(const void *)at),
				 "m"(*(const char(*)[64])key), "r"(which)
				 : "xmm16", "k1", "k2");
		return equal;
	}
#endif
#ifdef SHM_X86_ASM
	if (key_len >= 16) {
		const char *shared = (const char *)at;
		__m128i differ = _mm_setzero_si128();
		for (size_t i = 0; i + 16 < key_len; i += 16)
			differ = _mm_or_si128(differ,
			    _mm_xor_si128(copy_load_16(shared + i),
				_mm_loadu_si128((const __m128i *)(const void *)(p + i))));
		size_t last = key_len - 16; /* may overlap bytes that were compared already */
		differ = _mm_or_si128(differ,
		    _mm_xor_si128(copy_load_16(shared + last),
			_mm_loadu_si128((const __m128i *)(const void *)(p + last))));
		return _mm_movemask_epi8(_mm_cmpeq_epi8(differ, _mm_setzero_si128())) == 0xffff;
	}
#endif
	uint64_t differ = 0;
	size_t i = 0;

	for (; i + 8 <= key_len; i += 8) {
		uint64_t k;
		memcpy(&k, p + i, 8);
		differ |= word_load_rlx(&at[i / 8]) ^ k; /* relaxed: seq_validate decides */
	}
	size_t rest = key_len - i;
	if (rest > 0) {
		uint64_t k = copy_tail_word(p + i, rest);
		differ |= (word_load_rlx(&at[i / 8]) ^ k) << (64 - 8 * rest);
	}
	return differ == 0;
}

#ifdef SHM_X86_WIDE
#define COPY_PLAIN_KEY_MAX 48u /* header and key in one register */

#define COPY_PLAIN_ROW(f, n) \
	f(n), f((n) + 1), f((n) + 2), f((n) + 3), f((n) + 4), f((n) + 5), f((n) + 6), f((n) + 7)
#define COPY_PLAIN_ROWS(f) \
	{ \
		COPY_PLAIN_ROW(f, 0), COPY_PLAIN_ROW(f, 8), COPY_PLAIN_ROW(f, 16), \
		    COPY_PLAIN_ROW(f, 24), COPY_PLAIN_ROW(f, 32), COPY_PLAIN_ROW(f, 40), f(48) \
	}
#define COPY_PLAIN_KEY(n) (((UINT64_C(1) << (n)) - 1) << ITEM_HEADER_BYTES)
#define COPY_PLAIN_ITEM(n) \
	(COPY_PLAIN_KEY(n) | 0x1 /* the key's length */ | 0xf0 /* the expiry */ | \
	    0x100 /* the state's low byte */)

/* Masks by a key's length: the bytes of an item's first 64 that are the key's,
 * and the bytes that show whether the item is plain. */
static const struct copy_plain_masks {
	uint64_t key[COPY_PLAIN_KEY_MAX + 1], item[COPY_PLAIN_KEY_MAX + 1];
} copy_plain_masks
    __attribute__((unused)) = {COPY_PLAIN_ROWS(COPY_PLAIN_KEY), COPY_PLAIN_ROWS(COPY_PLAIN_ITEM)};

/*
 * Says whether the item has this key and is plain: no expiry, and a state whose
 * low byte is 0 (no counter, extents or flags). Header and key are compared at
 * once: the fewer instructions wait for the item's line, the more lookups
 * overlap. key_len <= COPY_PLAIN_KEY_MAX. No byte of private memory beyond the
 * key is read.
 */
static inline bool
copy_is_plain(const struct word *item, const void *key, size_t key_len)
{
	bool equal;

	__asm__ volatile("kmovq %3, %%k1\n\tkmovq %4, %%k2\n\tvmovd %5, %%xmm16\n\tvmovdqu8 %2, "
			 "%%zmm16%{%%k1%}\n\t"
			 "vpcmpneqb %1, %%zmm16, %%k1%{%%k2%}\n\tkortestq %%k1, %%k1"
			 : "=@ccz"(equal)
			 : "m"(*(const char(*)[64])(const void *)item),
			 "m"(*(const char(*)[64])((const char *)key - ITEM_HEADER_BYTES)),
			 "m"(copy_plain_masks.key[key_len]), "m"(copy_plain_masks.item[key_len]),
			 "r"((unsigned)key_len)
			 : "xmm16", "k1", "k2");
	return equal;
}
#endif

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
#ifdef SHM_X86_ASM
	if (n >= COPY_REP_MIN_BYTES) {
		size_t whole = n & ~(size_t)7, count = whole;
		void *to = c->at;
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(p), "+c"(count) : : "memory");
		c->at += whole / 8;
		n -= whole;
	}
	for (; n >= 16; n -= 16, p += 16, c->at += 2) /* relaxed stores of two words at once */
		__asm__ volatile("movdqu %1, %0"
				 : "=m"(*(char(*)[16])(void *)c->at)
				 : "x"(_mm_loadu_si128((const __m128i *)(const void *)p)));
#endif
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
