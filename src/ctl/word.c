/*
 * word.c: words of the command line: keys, numbers and times.
 *
 * A key may hold any byte. With -x a word has the form that output_escaped
 * prints: \xHH stands for a byte, also for the backslash. So a key that was
 * printed can be given back.
 */
#include <string.h>

#include "ctl/ctl.h"

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	    : c >= 'a' && c <= 'f'  ? c - 'a' + 10
	    : c >= 'A' && c <= 'F'  ? c - 'A' + 10
				    : -1;
}

/* The byte that \xHH at p stands for; -1: there is no \xHH at p. */
static int
escaped_byte(const char *p)
{
	int high = p[1] == 'x' ? hex_digit(p[2]) : -1, low = high >= 0 ? hex_digit(p[3]) : -1;

	return low >= 0 ? high * 16 + low : -1;
}

/* Decodes in place. The length; SIZE_MAX: the word has a backslash that begins
 * no \xHH, and was left as it is. */
static size_t
key_decode(char *word)
{
	size_t len = 0;

	for (const char *p = word; *p != '\0'; p++)
		if (*p == '\\' && escaped_byte(p) < 0)
			return SIZE_MAX;
	for (const char *p = word; *p != '\0';) {
		bool escaped = *p == '\\';
		word[len++] = escaped ? (char)escaped_byte(p) : *p;
		p += escaped ? 4 : 1;
	}
	return len;
}

int
ctl_word(const struct ctl *c, char *word, struct wire_str *ret)
{
	size_t len = c->escape ? key_decode(word) : strlen(word);

	if (len == SIZE_MAX)
		return ctl_error("With -x a backslash begins \\xHH, with two hexadecimal digits. A "
				 "backslash itself is \\x5c.",
		    "\"%s\" is not in the form that -x reads", word);
	if (len > PEEK_KEY_MAX_BYTES)
		return ctl_error(
		    NULL, "a key has 1 to %d bytes; this one has %zu", PEEK_KEY_MAX_BYTES, len);
	*ret = (struct wire_str){word, (uint32_t)len};
	return CTL_OK;
}

int
ctl_key(const struct ctl *c, char *word, struct wire_str *ret)
{
	int status = ctl_word(c, word, ret);

	if (status == CTL_OK && ret->len == 0)
		return ctl_error(
		    NULL, "a key has 1 to %d bytes; this one has 0", PEEK_KEY_MAX_BYTES);
	return status;
}

/* ---- numbers and times --------------------------------------------------- */

bool
ctl_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!wire_u64(text, strlen(text), &value) || value > max)
		return false;
	*ret = value;
	return true;
}

bool
ctl_duration(const char *text, uint64_t *ret_s)
{
	static const char endings[] = "smhd";
	static const uint64_t seconds[] = {1, 60, 3600, 86400};
	size_t len = strlen(text);
	const char *ending = len > 0 ? strchr(endings, text[len - 1]) : NULL;
	uint64_t value, unit = ending != NULL ? seconds[ending - endings] : 1;

	if (!wire_u64(text, len - (ending != NULL), &value) || value > UINT32_MAX / unit)
		return false;
	*ret_s = value * unit;
	return true;
}
