/*
 * test_copy.c: copy.h against memcpy and memcmp, at every offset and length
 * that takes another way through it. test_copy_portable.c is the same without
 * asm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include <cmocka.h>

#include "shm/copy.h"
#include "shm/item.h"

#define WORDS 128
#define GUARD 0xa5

static struct word shared[WORDS];
static unsigned char plain[WORDS * 8];

static void
fill(unsigned seed)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (unsigned char)(i * 131 + seed * 29 + (i >> 8) * 7 + 1);
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t v;
		memcpy(&v, plain + i * 8, 8);
		word_store_rlx(&shared[i], v);
	}
}

static void
copy_out_is_memcpy(void **state)
{
	unsigned char out[700 + 2];

	(void)state;
	fill(1);
	for (size_t off = 0; off < 24; off++) {
		for (size_t n = 0; n <= 600; n++) {
			memset(out, GUARD, sizeof(out));
			copy_out(out + 1, shared, off, n);
			assert_memory_equal(out + 1, plain + off, n);
			assert_int_equal(out[0], GUARD);
			assert_int_equal(out[1 + n], GUARD);
		}
	}
}

/* A value may end with the mapping's last byte: nothing behind its last word
 * may be touched. */
static void
copy_out_stays_inside(void **state)
{
	unsigned char out[WORDS * 8];

	(void)state;
	for (size_t words = 1; words < 48; words++) {
		/* the sanitizer watches its end */
		struct word *end = malloc(words * sizeof(struct word));
		assert_non_null(end);
		for (size_t i = 0; i < words; i++)
			word_store_rlx(&end[i], UINT64_C(0x0706050403020100) + i);
		for (size_t off = 0; off < words * 8; off++) {
			copy_out(out, end, off, words * 8 - off);
			assert_int_equal(
			    out[0], (unsigned char)(off % 8 + (off % 8 == 0 ? off / 8 : 0)));
		}
		free(end);
	}
}

static void
copy_out_of_large_values(void **state)
{
	size_t n = (size_t)1 << 20;
	struct word *from = malloc(n + 16);
	unsigned char *want = malloc(n + 16), *out = malloc(n + 16);

	(void)state;
	assert_true(from != NULL && want != NULL && out != NULL);
	for (size_t i = 0; i < n / 8 + 2; i++) {
		uint64_t v = i * UINT64_C(0x9e3779b97f4a7c15);
		word_store_rlx(&from[i], v);
		memcpy(want + i * 8, &v, 8);
	}
	for (size_t off = 0; off < 9; off++) {
		memset(out, 0, n);
		copy_out(out, from, off, n);
		assert_memory_equal(out, want + off, n);
	}
	free(from);
	free(want);
	free(out);
}

static void
key_equal_is_memcmp(void **state)
{
	(void)state;
	fill(2);
	for (size_t len = 1; len <= 250; len++) {
		unsigned char key[256];
		memcpy(key, plain + 16, len);
		key[len] ^= 0xff; /* what stands behind the key is no part of it */
		assert_true(copy_key_equal(&shared[2], key, len));
		for (size_t at = 0; at < len; at++) {
			for (unsigned bit = 0; bit < 8; bit += 7) {
				key[at] ^= (unsigned char)(1u << bit);
				assert_false(copy_key_equal(&shared[2], key, len));
				key[at] ^= (unsigned char)(1u << bit);
			}
		}
	}
}

#ifdef SHM_X86_WIDE
/* True if a difference in this bit of header and key makes an item another one,
 * or one that the fast form leaves to others. */
static bool
bit_counts(size_t byte, size_t key_len)
{
	bool key_length = byte == 0, expiry = byte >= 4 && byte < 8, layout = byte == 8;

	return key_length || expiry || layout ||
	    (byte >= ITEM_HEADER_BYTES && byte < ITEM_HEADER_BYTES + key_len);
}

static void
plain_is_what_a_look_at_each_part_says(void **state)
{
	(void)state;
	for (size_t len = 1; len <= ITEM_PLAIN_KEY_MAX; len++) {
		/* what stands before and behind it is no part of it */
		unsigned char key[64 + 64], *k = key + 64 - len;
		fill((unsigned)len);
		memset(key, GUARD, sizeof(key));
		memcpy(k, plain + ITEM_HEADER_BYTES, len);
		word_store_rlx(&shared[0], item_word0(0, 77, (uint32_t)len));
		word_store_rlx(&shared[1], item_word1(0x123456789abc, ITEM_STALE | ITEM_FETCHED));
		assert_true(item_is_plain(shared, k, len));
		for (size_t bit = 0; bit < 64 * 8; bit++) {
			uint64_t was = word_load_rlx(&shared[bit / 64]);
			word_store_rlx(&shared[bit / 64], was ^ UINT64_C(1) << bit % 64);
			assert_int_equal(item_is_plain(shared, k, len), !bit_counts(bit / 8, len));
			word_store_rlx(&shared[bit / 64], was);
		}
	}
}

/* The key at the beginning and at the end of a page beside pages that can't be
 * read. */
static void
plain_reads_no_byte_beside_the_key(void **state)
{
	unsigned char *pages = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		      *page = pages + 4096;

	(void)state;
	assert_true(pages != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
	for (size_t len = 1; len <= ITEM_PLAIN_KEY_MAX; len++) {
		fill((unsigned)len);
		word_store_rlx(&shared[0], item_word0(0, 0, (uint32_t)len));
		word_store_rlx(&shared[1], item_word1(1, 0));
		memcpy(page, plain + ITEM_HEADER_BYTES, len);
		memcpy(page + 4096 - len, plain + ITEM_HEADER_BYTES, len);
		assert_true(item_is_plain(shared, page, len));
		assert_true(item_is_plain(shared, page + 4096 - len, len));
	}
	munmap(pages, 3 * 4096);
}
#endif

static void
tail_word_is_little_endian(void **state)
{
	const unsigned char bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	for (size_t n = 0; n < 8; n++) {
		uint64_t want = 0;
		for (size_t i = 0; i < n; i++)
			want |= (uint64_t)bytes[i] << (8 * i);
		assert_true(copy_tail_word(bytes, n) == want);
	}
}

/* Several runs, one behind the other, as an item's key and value are
 * written. */
static void
copy_in_is_concatenation(void **state)
{
	(void)state;
	fill(3);
	for (size_t first = 0; first <= 40; first++) {
		for (size_t second = 0; second <= 300; second++) {
			struct word to[64];
			unsigned char got[64 * 8];
			struct copy_in c = {.at = to};
			size_t total = first + second + 3, words = (total + 7) / 8;

			for (size_t i = 0; i < 64; i++)
				word_store_rlx(&to[i], UINT64_C(0xa5a5a5a5a5a5a5a5));
			copy_in_bytes(&c, plain, first);
			copy_in_bytes(&c, plain + first, second);
			copy_in_bytes(&c, plain + first + second, 3);
			copy_in_end(&c);
			for (size_t i = 0; i < 64; i++) {
				uint64_t v = word_load_rlx(&to[i]);
				memcpy(got + i * 8, &v, 8);
			}
			assert_memory_equal(got, plain, total);
			for (size_t i = total; i < words * 8; i++)
				/* padding is zero, so that equal items are
				 * equal words */
				assert_int_equal(got[i], 0);
			assert_int_equal(got[words * 8], GUARD);
			assert_ptr_equal(c.at, to + words);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(copy_out_is_memcpy),
	    cmocka_unit_test(copy_out_stays_inside),
	    cmocka_unit_test(copy_out_of_large_values),
	    cmocka_unit_test(key_equal_is_memcmp),
#ifdef SHM_X86_WIDE
	    cmocka_unit_test(plain_is_what_a_look_at_each_part_says),
	    cmocka_unit_test(plain_reads_no_byte_beside_the_key),
#endif
	    cmocka_unit_test(tail_word_is_little_endian),
	    cmocka_unit_test(copy_in_is_concatenation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
