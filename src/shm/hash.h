/*
 * hash.h: the door to xxHash. Header only, so that libpeek depends on libc
 * alone.
 */
#ifndef PEEK_SHM_HASH_H
#define PEEK_SHM_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_FAST_MIN 17u
#define HASH_FAST_MAX 32u

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The seed belongs to the segment and stands in it, so whoever can read the
 * segment can make keys collide. A chain's length is bounded (CHAIN_LINES_MAX),
 * but not how likely long chains are. */
static __attribute__((noinline, unused)) uint64_t
hash_long_key(const void *key, size_t key_len, uint64_t seed)
{
	return XXH3_64bits_withSeed(key, key_len, seed);
}

/*
 * The XXH3 secret that is derived from the segment's seed, computed once at
 * each attachment. For keys of 17 to 128 bytes, hashing with this secret gives
 * the same result as hashing with the seed: XXH3 adds the seed to the same
 * pairs of words of its secret there.
 */
struct hash_secret {
	unsigned char bytes[XXH3_SECRET_DEFAULT_SIZE];
};

static inline struct hash_secret
hash_secret_of(uint64_t seed)
{
	struct hash_secret s;

	XXH3_generateSecret_fromSeed(s.bytes, seed);
	return s;
}

/* hash_key for keys of HASH_FAST_MIN to HASH_FAST_MAX bytes, as most keys of
 * a cache are. The result is the same; the dispatch by the length and the
 * seed's part are computed ahead of time. */
static inline uint64_t
hash_fast_key(const void *key, size_t key_len, const struct hash_secret *secret)
{
	if (key_len < HASH_FAST_MIN || key_len > HASH_FAST_MAX)
		__builtin_unreachable();
	return XXH3_64bits_withSecret(key, key_len, secret->bytes, sizeof(secret->bytes));
}

/* Longer keys are hashed out of line: inlined, their vector code would make the
 * caller set up an aligned stack frame for short keys too. */
static inline uint64_t
hash_key(const void *key, size_t key_len, uint64_t seed)
{
	if (__builtin_expect(key_len > 128, 0))
		return hash_long_key(key, key_len, seed);
	return XXH3_64bits_withSeed(key, key_len, seed);
}

/* hash_key, by the way that is shorter for most keys. secret: derived from the
 * seed. */
static inline uint64_t
hash_key_with(const void *key, size_t key_len, uint64_t seed, const struct hash_secret *secret)
{
	if (__builtin_expect(key_len - HASH_FAST_MIN <= HASH_FAST_MAX - HASH_FAST_MIN, 1))
		return hash_fast_key(key, key_len, secret);
	return hash_key(key, key_len, seed);
}

#endif
