/*
 * payload.h: keys and values that can be checked. A key follows from a number,
 * a value from its key's number and a version. So a torn value is found, and so
 * is the value of another key.
 */
#ifndef PEEK_BENCH_PAYLOAD_H
#define PEEK_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rng.h"

#define PAYLOAD_KEY_MIN 8 /* 48 bits of number, six a byte */

/* A common beginning and a number at the end, printable and without a space. */
static inline void
payload_key(unsigned char *key, uint32_t key_bytes, uint64_t id)
{
	static const char filler[8] = {'p', 'e', 'e', 'k', '/', 'k', 'e', 'y'};
	uint64_t v = id * UINT64_C(0x9e3779b97f4a7c15);

	for (uint32_t i = 0; i < key_bytes - PAYLOAD_KEY_MIN; i++)
		key[i] = (unsigned char)filler[i % 8];
	for (uint32_t i = 0; i < PAYLOAD_KEY_MIN; i++, v >>= 6)
		key[key_bytes - PAYLOAD_KEY_MIN + i] = (unsigned char)('0' + (v & 63));
}

static inline uint64_t
payload_tag(uint64_t id)
{
	return rng_mix(id + UINT64_C(0x632be59bd9b4e019));
}

/* Word i of a value, i >= 1. */
static inline uint64_t
payload_word(uint64_t tag, uint32_t version, uint64_t i)
{
	return tag + (version + UINT64_C(1)) * i * UINT64_C(0xd6e8feb86659fd93);
}

static inline void
payload_value(unsigned char *value, uint32_t value_bytes, uint64_t id, uint32_t version)
{
	uint64_t tag = payload_tag(id), w = tag ^ version;
	uint32_t at = 0;

	for (uint64_t i = 1; at + 8 <= value_bytes; at += 8, i++) {
		memcpy(value + at, &w, 8);
		w = payload_word(tag, version, i);
	}
	memcpy(value + at, &w, value_bytes - at);
}

/* Checks every byte. */
static inline bool
payload_ok(const unsigned char *value, size_t value_bytes, uint64_t id)
{
	uint64_t tag = payload_tag(id), first, differ = 0;
	size_t at = 8;

	if (value_bytes < 8) /* the low 32 bits hide the version */
		return value_bytes <= 4 ||
		    memcmp(value + 4, (const char *)&tag + 4, value_bytes - 4) == 0;
	memcpy(&first, value, 8);
	if ((first ^ tag) > UINT32_MAX)
		return false;
	for (uint64_t i = 1; at + 8 <= value_bytes; at += 8, i++) {
		uint64_t w;
		memcpy(&w, value + at, 8);
		differ |= w ^ payload_word(tag, (uint32_t)(first ^ tag), i);
	}
	if (at < value_bytes) {
		uint64_t w = payload_word(tag, (uint32_t)(first ^ tag), at / 8);
		return differ == 0 && memcmp(&w, value + at, value_bytes - at) == 0;
	}
	return differ == 0;
}

#endif
