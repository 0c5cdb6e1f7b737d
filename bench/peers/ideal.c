/*
 * ideal.c: the floor: a lookup of the same shape that does nothing else. A
 * bucket is one 64-byte line of a sequence and seven slots, whose tags are
 * compared as a vector; one record of key and value with lengths known to the
 * compiler. No expiry, growth, eviction, counting or lengths; a full line goes
 * on in the next one.
 */
#include <emmintrin.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peer.h"

#define SLOTS 7
#define GROUP 16 /* lookups whose lines are fetched together */
/* keys of a line on average; a denser table is cached better, and 4 % of its
 * lines overflow */
#define LOAD_MAX   4
#define HUGE_BYTES (UINT64_C(2) << 20)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct line {
	_Alignas(64) _Atomic uint64_t seq; /* odd: being written */
	uint64_t slot[SLOTS];              /* tag over record number; 0: empty */
};

static struct line *lines;
static unsigned char *records;
static uint64_t line_mask;
static uint32_t n_records;

static inline uint64_t
tag_of(uint64_t hash)
{
	return hash >> 32 | 1;
}

static inline unsigned
ideal_match(const struct line *l, uint64_t tag)
{
	const __m128 *w = (const __m128 *)(const void *)l;
	const __m128i want = _mm_set1_epi32((int)tag);
	__m128i lo = _mm_castps_si128(_mm_shuffle_ps(w[0], w[1], 0xdd));
	__m128i hi = _mm_castps_si128(_mm_shuffle_ps(w[2], w[3], 0xdd));
	__m128i both = _mm_packs_epi32(_mm_cmpeq_epi32(lo, want), _mm_cmpeq_epi32(hi, want));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(both, both)) >> 1 & 0x7f;
}

/* Looks in line l, which the caller validates. True: *ret is the record with
 * the key. */
static inline __attribute__((always_inline)) bool
ideal_look(const struct line *l, uint64_t tag, const void *key, uint32_t kb, size_t rb,
    const unsigned char **ret)
{
	for (unsigned m = ideal_match(l, tag); m != 0; m &= m - 1) {
		const unsigned char *r = records + (l->slot[__builtin_ctz(m)] & UINT32_MAX) * rb;
		if (memcmp(r, key, kb) == 0) {
			*ret = r;
			return true;
		}
	}
	return false;
}

static inline __attribute__((always_inline)) ssize_t
get_at(uint64_t hash, const void *key, void *value, uint32_t kb, uint32_t vb)
{
	size_t rb = ((size_t)kb + vb + 7) & ~(size_t)7;

	for (uint64_t i = hash & line_mask;; i = (i + 1) & line_mask) {
		const struct line *l = &lines[i];
		const unsigned char *r;
		uint64_t seq;
		bool hit, full;
		do {
			seq = atomic_load_explicit(&l->seq, memory_order_acquire);
			hit = ideal_look(l, tag_of(hash), key, kb, rb, &r);
			if (hit)
				memcpy(value, r + kb, vb);
			full = l->slot[SLOTS - 1] != 0;
			atomic_thread_fence(memory_order_acquire);
		} while (
		    (seq & 1) != 0 || atomic_load_explicit(&l->seq, memory_order_relaxed) != seq);
		if (hit)
			return vb;
		if (!full)
			return -1;
	}
}

static inline __attribute__((always_inline)) size_t
get_group(const unsigned char *keys, size_t n, unsigned char *values, uint32_t kb, uint32_t vb)
{
	size_t rb = ((size_t)kb + vb + 7) & ~(size_t)7, hits = 0;
	uint64_t hash[GROUP];

	for (size_t i = 0; i < n; i++) {
		hash[i] = XXH3_64bits(keys + i * kb, kb);
		__builtin_prefetch(&lines[hash[i] & line_mask]);
	}
	for (size_t i = 0; i < n; i++) {
		const struct line *l = &lines[hash[i] & line_mask];
		unsigned m = ideal_match(l, tag_of(hash[i]));
		const unsigned char *r =
		    records + (l->slot[m != 0 ? __builtin_ctz(m) : 0] & UINT32_MAX) * rb;
		__builtin_prefetch(r);
		__builtin_prefetch(r + rb - 1);
	}
	for (size_t i = 0; i < n; i++)
		hits += get_at(hash[i], keys + i * kb, values + i * vb, kb, vb) >= 0;
	return hits;
}

static inline __attribute__((always_inline)) int
set_at(const void *key, const void *value, uint32_t kb, uint32_t vb)
{
	size_t rb = ((size_t)kb + vb + 7) & ~(size_t)7;
	uint64_t hash = XXH3_64bits(key, kb);

	for (uint64_t i = hash & line_mask;; i = (i + 1) & line_mask) {
		struct line *l = &lines[i];
		const unsigned char *found;
		unsigned char *r;
		unsigned s;
		uint64_t seq = atomic_load_explicit(&l->seq, memory_order_relaxed);

		if (ideal_look(l, tag_of(hash), key, kb, rb, &found)) {
			r = records + (found - records);
			s = SLOTS;
		} else {
			for (s = 0; s < SLOTS && l->slot[s] != 0; s++)
				;
			if (s == SLOTS)
				continue;
			if (n_records == peer_conf.n_keys)
				return -ENOSPC;
			r = records + n_records * rb;
			memcpy(r, key, kb);
		}
		atomic_store_explicit(&l->seq, seq + 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_release);
		memcpy(r + kb, value, vb);
		if (s < SLOTS)
			l->slot[s] = tag_of(hash) << 32 | n_records++;
		atomic_store_explicit(&l->seq, seq + 2, memory_order_release);
		return 0;
	}
}

/* The functions for one pair of lengths; KB and VB are constants for the usual
 * ones. */
#define SHAPE(name, KB, VB) \
	static ssize_t get_##name(const void *key, void *value) \
	{ \
		return get_at(XXH3_64bits(key, KB), key, value, KB, VB); \
	} \
	static size_t get_many_##name(const void *keys, size_t n, void *values) \
	{ \
		const unsigned char *k = keys; \
		unsigned char *v = values; \
		size_t hits = 0; \
		for (; n > GROUP; n -= GROUP, k += GROUP * (KB), v += GROUP * (size_t)(VB)) \
			hits += get_group(k, GROUP, v, KB, VB); \
		return hits + get_group(k, n, v, KB, VB); \
	} \
	static int set_##name(const void *key, const void *value) \
	{ \
		return set_at(key, value, KB, VB); \
	}

SHAPE(24_100, 24, 100)
SHAPE(16_32, 16, 32)
SHAPE(24_4096, 24, 4096)
SHAPE(any, peer_conf.key_bytes, peer_conf.value_bytes)

static const struct shape {
	uint32_t key_bytes, value_bytes; /* 0: any */
	ssize_t (*get)(const void *key, void *value);
	size_t (*get_many)(const void *keys, size_t n, void *values);
	int (*set)(const void *key, const void *value);
} shapes[] = {
    {24, 100, get_24_100, get_many_24_100, set_24_100},
    {16, 32, get_16_32, get_many_16_32, set_16_32},
    {24, 4096, get_24_4096, get_many_24_4096, set_24_4096},
    {0, 0, get_any, get_many_any, set_any},
};

/* Shared memory at a 2 MiB boundary; NULL and errno. */
static void *
map_pages(uint64_t bytes, bool huge)
{
	uint64_t whole = (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	int fd = open(peer_conf.dir, O_TMPFILE | O_RDWR, 0600);
	char *at = mmap(NULL, whole + HUGE_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (fd < 0 || at == MAP_FAILED)
		return NULL;
	at += -(uintptr_t)at & (HUGE_BYTES - 1);
	if (fallocate(fd, 0, 0, (off_t)whole) != 0 ||
	    mmap(at, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    madvise(at, whole, MADV_POPULATE_WRITE) != 0 ||
	    (huge && madvise(at, whole, MADV_COLLAPSE) != 0))
		return NULL;
	close(fd);
	return at;
}

static int
open_pages(struct peer *self, bool huge)
{
	uint64_t n_lines = 64, n = peer_conf.n_keys;
	size_t rb = ((size_t)peer_conf.key_bytes + peer_conf.value_bytes + 7) & ~(size_t)7;
	const struct shape *s = shapes;

	while (n_lines * LOAD_MAX < n)
		n_lines *= 2;
	line_mask = n_lines - 1;
	lines = map_pages(n_lines * sizeof(*lines), huge);
	records = map_pages(n * rb, huge);
	if (lines == NULL || records == NULL)
		return -errno;
	while (s->key_bytes != 0 &&
	    (s->key_bytes != peer_conf.key_bytes || s->value_bytes != peer_conf.value_bytes))
		s++;
	self->get = s->get;
	self->get_many = s->get_many;
	self->set = s->set;
	return 0;
}

static int open_small(void);
static int open_huge(void);

struct peer peer_ideal = {.name = "ideal",
    .about = "two lines a hit, fixed lengths, 4 KiB pages",
    .flags = PEER_SHARED,
    .open = open_small,
    .get = get_any,
    .get_many = get_many_any,
    .set = set_any};
struct peer peer_ideal_huge = {.name = "ideal, 2 MiB pages",
    .about = "the same on 2 MiB pages",
    .flags = PEER_SHARED,
    .open = open_huge,
    .get = get_any,
    .get_many = get_many_any,
    .set = set_any};

static int
open_small(void)
{
	return open_pages(&peer_ideal, false);
}

static int
open_huge(void)
{
	return open_pages(&peer_ideal_huge, true);
}
