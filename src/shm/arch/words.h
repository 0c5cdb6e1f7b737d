/*
 * words.h: the parts of copies and comparisons that every machine does a word
 * at a time.
 */
#ifndef PEEK_SHM_ARCH_WORDS_H
#define PEEK_SHM_ARCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/atomic.h"

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

/* copy_key_equal, a word at a time. */
static inline bool
copy_key_equal_words(const struct word *at, const void *key, size_t key_len)
{
	const unsigned char *p = key;
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

#endif
