/*
 * escape.c: makes any bytes safe for a terminal and for messages.
 */
#include <stdio.h>

#include "ctl/ctl.h"

size_t
utf8_bytes(const unsigned char *p, size_t n)
{
	unsigned char b = p[0];
	unsigned more = b < 0x80    ? 0
	    : b >= 0xc2 && b < 0xe0 ? 1
	    : b >= 0xe0 && b < 0xf0 ? 2
	    : b >= 0xf0 && b < 0xf5 ? 3
				    : 9;

	if (more == 9 || n <= more)
		return 0;
	for (unsigned k = 1; k <= more; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	if ((b == 0xe0 && p[1] < 0xa0) || (b == 0xed && p[1] >= 0xa0) ||
	    (b == 0xf0 && p[1] < 0x90) || (b == 0xf4 && p[1] >= 0x90))
		return 0;
	return more + 1;
}

bool
utf8_is_control(const unsigned char *p, size_t n)
{
	return n >= 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

size_t
escape_byte(char *to, unsigned char byte)
{
	bool plain = byte >= 0x20 && byte <= 0x7e && byte != '\\';

	return (size_t)sprintf(to, plain ? "%c" : "\\x%02x", byte);
}

void
output_escaped(FILE *to, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	char text[8] = "";

	for (size_t i = 0; i < n; i++)
		fwrite(text, 1, escape_byte(text, p[i]), to);
}

void
print_text(FILE *to, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\')
			fputc('\\', to);
		else
			output_escaped(to, text + i, 1);
	}
}

void
print_value(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n;) {
		size_t len = utf8_bytes(p + i, n - i);
		bool control = (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f;
		if (len == 0 || control || utf8_is_control(p + i, n - i)) {
			output_escaped(stdout, p + i, 1);
			i++;
			continue;
		}
		fwrite(p + i, 1, len, stdout);
		i += len;
	}
	if (n == 0 || p[n - 1] != '\n')
		putchar('\n');
}

struct shown
ctl_shown(const struct wire_str *key)
{
	struct shown ret;
	size_t at = 0;

	for (uint32_t i = 0; i < key->len && i < PEEK_KEY_MAX_BYTES; i++)
		at += escape_byte(ret.text + at, (unsigned char)key->p[i]);
	ret.text[at] = '\0';
	return ret;
}
