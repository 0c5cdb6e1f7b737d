/*
 * hash.h: the door to xxHash. Header only, so that libpeek depends on libc
 * alone.
 */
#ifndef PEEK_SHM_HASH_H
#define PEEK_SHM_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_USUAL_MIN 17u
#define HASH_USUAL_MAX 32u

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The seed is the segment's own. It stands in the segment, so whoever can read
 * it can make keys collide: the length of a chain is bounded (CHAIN_LINES_MAX),
 * not its likelihood. */
static __attribute__((noinline, unused)) uint64_t
hash_long_key(const void *key, size_t key_len, uint64_t seed)
{
	return XXH3_64bits_withSeed(key, key_len, seed);
}

/*
 * What xxHash makes of its secret by a seed, made once. For keys of 17 to 128
 * bytes the one hashes as the other: XXH3 takes the secret of a seed there in
 * the same pairs of words.
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

/* hash_key of 17 to 32 bytes, the usual keys of a cache: what XXH3 decides by
 * the length is decided, what it makes of the seed is made. */
static inline uint64_t
hash_usual_key(const void *key, size_t key_len, const struct hash_secret *secret)
{
	if (key_len < HASH_USUAL_MIN || key_len > HASH_USUAL_MAX)
		__builtin_unreachable();
	return XXH3_64bits_withSecret(key, key_len, secret->bytes, sizeof(secret->bytes));
}

/* Longer keys out of line: the vector code for them, inlined, has its caller
 * set up an aligned stack frame for short ones too. */
static inline uint64_t
hash_key(const void *key, size_t key_len, uint64_t seed)
{
	if (__builtin_expect(key_len > 128, 0))
		return hash_long_key(key, key_len, seed);
	return XXH3_64bits_withSeed(key, key_len, seed);
}

/* The same by what is the shorter way for most. secret: of the seed. */
static inline uint64_t
hash_key_by(const void *key, size_t key_len, uint64_t seed, const struct hash_secret *secret)
{
	if (__builtin_expect(key_len - HASH_USUAL_MIN <= HASH_USUAL_MAX - HASH_USUAL_MIN, 1))
		return hash_usual_key(key, key_len, secret);
	return hash_key(key, key_len, seed);
}

#endif
