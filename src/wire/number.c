/*
 * number.c: decimal numbers in and out. Nothing is cut to a width: what doesn't fit is refused.
 */
#include "wire/parse.h"

bool
wire_u64(const char *p, size_t len, uint64_t *ret)
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
		if (i >= 19 && (v > UINT64_MAX / 10 || (v == UINT64_MAX / 10 && digit > UINT64_MAX % 10)))
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return true;
}

bool
wire_u32(const char *p, size_t len, uint32_t *ret)
{
	uint64_t v;

	if (!wire_u64(p, len, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool
wire_exptime(const char *p, size_t len, int64_t *ret)
{
	uint64_t v;
	bool negative = len > 1 && p[0] == '-' && p[1] != '+';
	bool from_now = len > 1 && p[0] == '+';

	if (!wire_u64(p + negative, len - negative, &v))
		return false;
	if (v > (from_now ? UINT64_C(0xffffffff) : UINT64_C(0x7fffffff) + negative))
		return false;
	*ret = from_now ? (int64_t)v | WIRE_FROM_NOW : negative ? -(int64_t)v : (int64_t)v;
	return true;
}

char *
wire_digits(char *p, uint64_t v)
{
	char buf[20], *at = buf + sizeof(buf);

	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	size_t n = (size_t)(buf + sizeof(buf) - at);
	memcpy(p, at, n);
	return p + n;
}
