/*
 * x86_wide.h: the primitives of arch.h for x86-64 with AVX-512 and BMI2: a
 * bucket, a key or 64 bytes of a value in one register.
 */
#ifndef PEEK_SHM_ARCH_X86_WIDE_H
#define PEEK_SHM_ARCH_X86_WIDE_H

#include <immintrin.h>

#include "shm/arch/x86_common.h"

static inline uint64_t
table_bucket_idx(uint64_t hash, uint64_t n_buckets)
{
	uint64_t k = (n_buckets - 1) | 1, idx;

	__asm__("bsrq %0, %0\n\tbzhiq %0, %2, %1\n\tincl %k0\n\tbzhiq %0, %2, %0\n\tcmpq %3, "
		"%0\n\tcmovbq %0, %1"
		: "+&r"(k), "=&r"(idx)
		: "r"(hash), "r"(n_buckets)
		: "cc");
	return idx;
}

static inline unsigned
bucket_match(const struct bucket *b, uint64_t tag)
{
	unsigned match;

	/* Relaxed loads of eight words at once: each aligned eighth is one
	 * word. Registers above 15 need no vzeroupper. */
	__asm__ volatile("vpsrlq %3, %1, %%zmm16\n\tvpbroadcastq %2, %%zmm17\n\tvpcmpeqq %%zmm17, "
			 "%%zmm16, %%k1\n\tkmovw %%k1, %0"
			 : "=r"(match)
			 : "m"(*(const char(*)[64])(const void *)b), "r"(tag), "i"(SLOT_UNIT_BITS)
			 : "xmm16", "xmm17", "k1");
	return match >> 1; /* the first word is the sequence */
}

static inline uint64_t
bucket_match_slot(unsigned match)
{
	uint64_t i;

	/* the builtin would clear the register first */
	__asm__("tzcntl %1, %k0" : "=r"(i) : "r"(match) : "cc");
	return i;
}

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

static inline void
copy_out(void *dst, const struct word *base, size_t byte_off, size_t n)
{
	copy_out_x86(dst, (const char *)base + byte_off, n);
}

static inline bool
copy_key_equal(const struct word *at, const void *key, size_t key_len)
{
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
	return copy_key_equal_x86(at, key, key_len);
}

#define ITEM_PLAIN_KEY_MAX 48u /* header and key in one register */

#define ITEM_PLAIN_ROW(f, n) \
	f(n), f((n) + 1), f((n) + 2), f((n) + 3), f((n) + 4), f((n) + 5), f((n) + 6), f((n) + 7)
#define ITEM_PLAIN_ROWS(f) \
	{ \
		ITEM_PLAIN_ROW(f, 0), ITEM_PLAIN_ROW(f, 8), ITEM_PLAIN_ROW(f, 16), \
		    ITEM_PLAIN_ROW(f, 24), ITEM_PLAIN_ROW(f, 32), ITEM_PLAIN_ROW(f, 40), f(48) \
	}
#define ITEM_PLAIN_KEY(n) (((UINT64_C(1) << (n)) - 1) << ITEM_HEADER_BYTES)
#define ITEM_PLAIN_ITEM(n) \
	(ITEM_PLAIN_KEY(n) | 0x1 /* the key's length */ | 0xf0 /* the expiry */ | \
	    0x100 /* the state's low byte */)

/* Masks by a key's length: the bytes of an item's first 64 that are the key's,
 * and the bytes that show whether the item is plain. */
static const struct item_plain_masks {
	uint64_t key[ITEM_PLAIN_KEY_MAX + 1], item[ITEM_PLAIN_KEY_MAX + 1];
} item_plain_masks
    __attribute__((unused)) = {ITEM_PLAIN_ROWS(ITEM_PLAIN_KEY), ITEM_PLAIN_ROWS(ITEM_PLAIN_ITEM)};

static inline bool
item_is_plain(const struct word *item, const void *key, size_t key_len)
{
	bool equal;

	__asm__ volatile("kmovq %3, %%k1\n\tkmovq %4, %%k2\n\tvmovd %5, %%xmm16\n\tvmovdqu8 %2, "
			 "%%zmm16%{%%k1%}\n\t"
			 "vpcmpneqb %1, %%zmm16, %%k1%{%%k2%}\n\tkortestq %%k1, %%k1"
			 : "=@ccz"(equal)
			 : "m"(*(const char(*)[64])(const void *)item),
			 "m"(*(const char(*)[64])((const char *)key - ITEM_HEADER_BYTES)),
			 "m"(item_plain_masks.key[key_len]), "m"(item_plain_masks.item[key_len]),
			 "r"((unsigned)key_len)
			 : "xmm16", "k1", "k2");
	return equal;
}

#endif
