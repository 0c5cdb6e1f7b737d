/*
 * table.h: arithmetic of buckets and slots. Pure, but for bucket_match, which
 * loads one bucket.
 */
#ifndef PEEK_SHM_TABLE_H
#define PEEK_SHM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

#if defined(__x86_64__) && !defined(SHM_NO_ASM) && !defined(PEEK_MODEL) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#if defined(__has_feature)
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer) && \
    !__has_feature(memory_sanitizer)
#define SHM_X86_ASM 1
#endif
#else
#define SHM_X86_ASM 1
#endif
#endif
#ifdef SHM_X86_ASM
#include <emmintrin.h>
#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__BMI2__)
#include <immintrin.h>
#define SHM_X86_WIDE 1 /* a bucket, a key or 64 bytes of a value in one register */
#endif
#endif

/* The head bucket of a hash; 1 <= n_buckets < 2^63. There is no branch: whether
 * the bucket has been split yet can't be predicted. */
static inline uint64_t
table_bucket_idx(uint64_t hash, uint64_t n_buckets)
{
#if defined(SHM_X86_WIDE)
	uint64_t k = (n_buckets - 1) | 1, idx;

	__asm__("bsrq %0, %0\n\tbzhiq %0, %2, %1\n\tincl %k0\n\tbzhiq %0, %2, %0\n\tcmpq %3, "
		"%0\n\tcmovbq %0, %1"
		: "+&r"(k), "=&r"(idx)
		: "r"(hash), "r"(n_buckets)
		: "cc");
	return idx;
#else
	uint64_t mask = UINT64_MAX >> __builtin_clzll((n_buckets - 1) | 1);
	uint64_t idx = hash & mask, before_split = hash & (mask >> 1);

	return idx < n_buckets ? idx : before_split;
#endif
}

/* The bucket whose split makes bucket n_buckets, for n_buckets >= 1. */
static inline uint64_t
table_split_idx(uint64_t n_buckets)
{
	return n_buckets - (UINT64_C(1) << (63 - __builtin_clzll(n_buckets)));
}

/* The topmost bit tells items from empty slots and links. */
static inline uint64_t
slot_tag(uint64_t hash)
{
	return hash >> SLOT_UNIT_BITS | UINT64_C(1) << (SLOT_TAG_BITS - 1);
}

static inline uint64_t
slot_make(uint64_t tag, uint64_t item_unit)
{
	return tag << SLOT_UNIT_BITS | item_unit;
}

static inline uint64_t
slot_tag_of(uint64_t slot)
{
	return slot >> SLOT_UNIT_BITS;
}

static inline uint64_t
slot_unit(uint64_t slot)
{
	return slot & ((UINT64_C(1) << SLOT_UNIT_BITS) - 1);
}

/* Bytes from the arena's start. */
static inline uint64_t
slot_item_off(uint64_t slot)
{
	/* the unit, times 8 */
	return slot << (64 - SLOT_UNIT_BITS) >> (64 - SLOT_UNIT_BITS - 3);
}

static inline bool
slot_is_item(uint64_t slot)
{
	return slot >> 63 != 0;
}

static inline bool
slot_is_link(uint64_t slot)
{
	return slot != 0 && !slot_is_item(slot);
}

/* The bit of a link's filter that stands for a tag: the 16th to 31st below the
 * topmost, since a tag begins with a 1. */
static inline uint64_t
slot_filter_bit(uint64_t tag)
{
	return UINT64_C(1) << 63 >> (tag >> (SLOT_TAG_BITS - 5));
}

/* filter: slot_filter_bit of every item behind the link. */
static inline uint64_t
slot_make_link(uint64_t overflow_idx, uint64_t filter)
{
	return filter | (overflow_idx + 1);
}

/* The slot must be a link. The result comes from shared memory: clamp it before
 * use. */
static inline uint64_t
slot_link_idx(uint64_t slot)
{
	return (slot & ((UINT64_C(1) << LINK_IDX_BITS) - 1)) - 1;
}

/*
 * Says whether a last slot is a link behind which an item with this tag may
 * lie. Whether a bucket has a link is unpredictable, and each misprediction
 * restarts the cache miss that is under way. The filter makes it rare that a
 * link has to be followed.
 */
static inline bool
slot_leads_to(uint64_t slot, uint64_t tag)
{
	return (slot << (tag >> (SLOT_TAG_BITS - 5)) & ~slot) >> 63 != 0;
}

/*
 * The slots that carry the tag: bit i for slot i. It compares all of them
 * without a branch, since a mispredicted branch on a line that has not arrived
 * destroys the overlap with the next lookup. tag is never 0, so that neither an
 * empty slot nor a link matches.
 */
static inline unsigned
bucket_match(const struct bucket *b, uint64_t tag)
{
#if defined(SHM_X86_WIDE)
	unsigned match;

	/* Relaxed loads of eight words at once: each aligned eighth is one
	 * word. Registers above 15 need no vzeroupper. */
	__asm__ volatile("vpsrlq %3, %1, %%zmm16\n\tvpbroadcastq %2, %%zmm17\n\tvpcmpeqq %%zmm17, "
			 "%%zmm16, %%k1\n\tkmovw %%k1, %0"
			 : "=r"(match)
			 : "m"(*(const char(*)[64])(const void *)b), "r"(tag), "i"(SLOT_UNIT_BITS)
			 : "xmm16", "xmm17", "k1");
	return match >> 1; /* the first word is the sequence */
#elif defined(SHM_X86_ASM)
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
#else
	unsigned match = 0;

	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		/* relaxed: seq_validate */
		match |= (unsigned)(slot_tag_of(word_load_rlx(&b->slot[i])) == tag) << i;
	return match;
#endif
}

/* The slot of the first match; there must be one. 64 bits wide, so that the
 * result can be part of an address. */
static inline uint64_t
bucket_match_slot(unsigned match)
{
#ifdef SHM_X86_WIDE
	uint64_t i;

	/* the builtin would clear the register first */
	__asm__("tzcntl %1, %k0" : "=r"(i) : "r"(match) : "cc");
	return i;
#else
	return (uint64_t)(unsigned)__builtin_ctz(match);
#endif
}

#endif
