/*
 * number.h: reads decimal numbers from text, and writes them. A value's text is
 * read by the rules of strtoull as memcached applies them. The words of
 * requests, the values of incr and decr and those of peek_get_u64 are all read
 * here, so that a value is a number to all of them or to none.
 *
 *   blanks      space, \t, \n, \v, \f, \r; any number of them, leading
 *   sign        + or -, at most one
 *   digits      one or more; leading zeros at will
 *   the end     of the text, or a blank or a NUL; bytes after those are ignored
 *
 * A value may be longer than a caller's buffer, so it can be read in pieces. A
 * number that doesn't fit 64 bits is refused, never cut.
 */
#ifndef PEEK_BASE_NUMBER_H
#define PEEK_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum number_at { NUMBER_LEADING, NUMBER_SIGNED, NUMBER_DIGITS, NUMBER_DONE, NUMBER_BAD };

struct number {
	uint64_t magnitude;
	enum number_at at;
	char sign; /* '+', '-', or 0 */
};

static inline bool
number_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads the next piece; n begins as {0}. False: the rest of the text changes
 * nothing. */
static inline bool
number_piece(struct number *n, const char *p, size_t len)
{
	for (size_t i = 0; i < len && n->at < NUMBER_DONE; i++) {
		unsigned digit = (unsigned)(unsigned char)p[i] - '0';

		if (digit <= 9) {
			n->at = NUMBER_DIGITS;
			if (__builtin_mul_overflow(n->magnitude, UINT64_C(10), &n->magnitude) ||
			    __builtin_add_overflow(n->magnitude, (uint64_t)digit, &n->magnitude))
				n->at = NUMBER_BAD;
		} else if (n->at == NUMBER_DIGITS) {
			n->at = number_is_blank(p[i]) || p[i] == '\0' ? NUMBER_DONE : NUMBER_BAD;
		} else if (n->at == NUMBER_LEADING && (p[i] == '+' || p[i] == '-')) {
			n->sign = p[i];
			n->at = NUMBER_SIGNED;
		} else if (n->at != NUMBER_LEADING || !number_is_blank(p[i])) {
			n->at = NUMBER_BAD;
		}
	}
	return n->at < NUMBER_DONE;
}

/* True: the text is a number, with any sign or none. */
static inline bool
number_whole(const struct number *n)
{
	return n->at == NUMBER_DIGITS || n->at == NUMBER_DONE;
}

/* The number as an unsigned one. A minus sign wraps, as in strtoull. False: the
 * text is no number, or a minus sign makes the top bit 1. */
static inline bool
number_unsigned(const struct number *n, uint64_t *ret)
{
	uint64_t v = n->sign == '-' ? -n->magnitude : n->magnitude;

	if (!number_whole(n) || (n->sign == '-' && v >> 63 != 0))
		return false;
	*ret = v;
	return true;
}

/* False: the text is no number, or one beyond 64 bits; *ret is untouched. */
static inline bool
number_u64(const char *p, size_t len, uint64_t *ret)
{
	struct number n = {0};

	number_piece(&n, p, len);
	return number_unsigned(&n, ret);
}

/* A number as one word: digits alone, and at most one plus sign before them.
 * False: no number, or one beyond 64 bits; *ret is untouched. */
static inline bool
number_word(const char *p, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len > 1 && *p == '+') {
		p++;
		len--;
	}
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)p[i] - '0';
		if (digit > 9)
			return false;
		if (i >= 19 &&
		    (v > UINT64_MAX / 10 || (v == UINT64_MAX / 10 && digit > UINT64_MAX % 10)))
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return true;
}

#define NUMBER_DIGITS_MAX 20

/* Writes the decimal digits of v at p (room for NUMBER_DIGITS_MAX); returns the
 * end. */
static inline char *
number_digits(char *p, uint64_t v)
{
	char buf[NUMBER_DIGITS_MAX], *at = buf + sizeof(buf);

	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	size_t n = (size_t)(buf + sizeof(buf) - at);
	memcpy(p, at, n);
	return p + n;
}

/* The number of these digits. */
static inline uint32_t
number_n_digits(uint64_t v)
{
	uint32_t n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

#endif
