/*
 * number.c: decimal numbers in and out. A number that doesn't fit is refused
 * and not cut.
 */
#include "wire/parse.h"

bool
wire_u64(const char *p, size_t len, uint64_t *ret)
{
	return number_word(p, len, ret);
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
	struct number n = {0};

	number_piece(&n, p, len);
	if (!number_whole(&n) || (n.sign == '-' && n.magnitude > UINT64_C(1) << 63) ||
	    (n.sign == '+' && n.magnitude > UINT32_MAX))
		return false;
	uint64_t v = n.magnitude < WIRE_EXPTIME_FAR ? n.magnitude : WIRE_EXPTIME_FAR;
	if (n.sign == '-')
		*ret = -(int64_t)v;
	else if (n.sign == '+')
		*ret = (int64_t)v | WIRE_FROM_NOW;
	else if (n.magnitude >> 63 != 0 ||
	    (n.magnitude >= WIRE_EXPTIME_NEGATIVE && n.magnitude <= UINT32_MAX))
		*ret =
		    /* a client's signed number that was printed as an unsigned
		     * one of 64 or 32 bits */
		    -1;
	else
		*ret = (int64_t)v;
	return true;
}

char *
wire_digits(char *p, uint64_t v)
{
	return number_digits(p, v);
}
