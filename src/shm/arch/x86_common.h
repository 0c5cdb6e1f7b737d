/*
 * x86_common.h: the parts that both builds for x86-64 share. Loads of shared
 * memory are volatile asm, 16 bytes at a time, and rep movsb from
 * COPY_REP_MIN_BYTES on. x86-64 orders loads among loads, and stores among
 * stores, by itself.
 */
#ifndef PEEK_SHM_ARCH_X86_COMMON_H
#define PEEK_SHM_ARCH_X86_COMMON_H

#include <emmintrin.h>

#include "shm/arch/words.h"
#include "shm/layout.h"

#define COPY_REP_MIN_BYTES 257

/* Copies of 32 and 64 bytes, which each of the two builds makes in its own
 * way. */
static inline void copy_32(unsigned char *out, const char *src);
static inline void copy_64(unsigned char *out, const char *src);

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

/* copy_key_equal, 16 bytes at a time. */
static inline bool
copy_key_equal_x86(const struct word *at, const void *key, size_t key_len)
{
	const unsigned char *p = key;

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
	return copy_key_equal_words(at, key, key_len);
}

static inline size_t
copy_in_bulk(struct word *to, const unsigned char *from, size_t n)
{
	size_t done = 0;

	if (n >= COPY_REP_MIN_BYTES) {
		size_t count = n & ~(size_t)7;
		void *out = to;
		done = count;
		__asm__ volatile("rep movsb" : "+D"(out), "+S"(from), "+c"(count) : : "memory");
		to += done / 8;
	}
	for (; n - done >= 16; done += 16, from += 16, to += 2)
		/* relaxed stores of two words at once */
		__asm__ volatile("movdqu %1, %0"
				 : "=m"(*(char(*)[16])(void *)to)
				 : "x"(_mm_loadu_si128((const __m128i *)(const void *)from)));
	return done;
}

static inline void
count_one(struct word *w)
{
	__asm__ volatile("incq %0" : "+m"(*w) : : "cc");
}

static inline bool
count_down(int *n_left, unsigned n)
{
	bool reached;

	__asm__("subl %2, %1" : "=@ccle"(reached), "+m"(*n_left) : "ri"(n));
	return reached;
}

#endif
