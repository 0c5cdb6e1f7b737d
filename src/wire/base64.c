/*
 * base64.c: keys in a form that a line can carry: base64 (meta b) and percent
 * escapes (peek_dump).
 */
#include "wire/wire.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789ABCDEF";

char *
wire_base64(char *p, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;

	for (; n >= 3; n -= 3, in += 3) {
		uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = alphabet[v >> 6 & 63];
		*p++ = alphabet[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = n == 2 ? alphabet[v >> 6 & 63] : '=';
		*p++ = '=';
	}
	return p;
}

/* 0 .. 63, or 64: not in the alphabet. */
static uint32_t
base64_sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool
wire_unbase64(const char *p, size_t len, unsigned char *out, size_t *ret_n)
{
	size_t n = 0;

	if (len == 0 || len % 4 != 0)
		return false;
	size_t pad = p[len - 1] == '=' ? p[len - 2] == '=' ? 2 : 1 : 0;
	for (size_t i = 0; i < len; i += 4) {
		size_t pad_here = i + 4 == len ? pad : 0;
		uint32_t v = 0;
		for (size_t k = 0; k < 4 - pad_here; k++) {
			uint32_t s = base64_sextet(p[i + k]);
			if (s == 64)
				return false;
			v |= s << (18 - 6 * k);
		}
		out[n++] = (unsigned char)(v >> 16);
		if (pad_here < 2)
			out[n++] = (unsigned char)(v >> 8);
		if (pad_here < 1)
			out[n++] = (unsigned char)v;
	}
	*ret_n = n;
	return true;
}

static bool
plain_in_url(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    (c != 0 && strchr("._~-/:@", c) != NULL);
}

char *
wire_urlencode(char *p, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		if (plain_in_url(in[i])) {
			*p++ = (char)in[i];
			continue;
		}
		*p++ = '%';
		*p++ = hex[in[i] >> 4];
		*p++ = hex[in[i] & 15];
	}
	return p;
}

/* 0 .. 15, or 16. */
static unsigned
base64_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

bool
wire_urldecode(const char *p, size_t len, unsigned char *out, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != '%') {
			out[n++] = (unsigned char)p[i];
			continue;
		}
		if (len - i < 3 || base64_nibble(p[i + 1]) > 15 || base64_nibble(p[i + 2]) > 15)
			return false;
		out[n++] = (unsigned char)(base64_nibble(p[i + 1]) << 4 | base64_nibble(p[i + 2]));
		i += 2;
	}
	*ret_n = n;
	return true;
}
