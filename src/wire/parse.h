/*
 * parse.h: what the readers of requests share. Private to this room.
 */
#ifndef PEEK_WIRE_PARSE_H
#define PEEK_WIRE_PARSE_H

#include "base/number.h"
#include "wire/wire.h"

/*
 * An exptime as struct wire_request holds it. A client that prints a negative
 * number without its sign makes a number of the last 30 days below 2^32 of it,
 * or one from 2^63 on; both are negative. False: no number; *ret is untouched.
 */
#define WIRE_EXPTIME_NEGATIVE UINT64_C(4292375296)
/* a later time is cut to this one, which no item reaches */
#define WIRE_EXPTIME_FAR (UINT64_C(1) << 39)
bool wire_exptime(const char *p, size_t len, int64_t *ret);

/* The row of a verb's name, or WIRE_N_VERBS. readable: this many bytes may be
 * read at p, at least len. */
enum wire_verb wire_verb_find(const char *p, size_t len, size_t readable);

/* The row of a reply's line: word is its first word, and end the line's end.
 * WIRE_RE_NONE: no text of replies.def fits; it may be a number. */
enum wire_code wire_reply_find(const struct wire_str *word, const char *end);

/* A word of a request as an unsigned 32-bit number. */
static inline bool
wire_u32_word(const struct wire_str *word, uint32_t *ret)
{
	uint64_t v;

	if (!number_u64(word->p, word->len, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/*
 * The rest of a meta request: everything between the verb and end. Fills key,
 * data_bytes and flags. Returns WIRE_RE_NONE, or the error to answer;
 * total_bytes and lost then say which bytes are to be dropped.
 */
enum wire_code wire_parse_meta(const char *p, const char *end, struct wire_request *ret);

/* The first blank of [p, end), or end: eight bytes at a time, since keys are
 * long. Little-endian, as everything here. */
static inline const char *
wire_find_blank(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	for (; end - p >= 8; p += 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		w ^= ones * ' ';
		/* the lowest set bit is exact: a borrow only goes up */
		w = (w - ones) & ~w & (ones << 7);
		if (w != 0)
			return p + (__builtin_ctzll(w) >> 3);
	}
	while (p < end && *p != ' ')
		p++;
	return p;
}

/* Moves *p behind blanks and then behind a word; false: there is none before
 * end. */
static inline bool
wire_next_word(const char **p, const char *end, struct wire_str *ret)
{
	const char *at = *p;

	while (at < end && *at == ' ')
		at++;
	if (at == end)
		return false;
	*p = wire_find_blank(at, end);
	*ret = (struct wire_str){at, (uint32_t)(*p - at)};
	return true;
}

static inline bool
wire_word_is(const struct wire_str *w, const char *text, size_t text_len)
{
	return w->len == text_len && memcmp(w->p, text, text_len) == 0;
}

#endif
