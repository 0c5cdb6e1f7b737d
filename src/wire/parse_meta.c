/*
 * parse_meta.c: meta lines: CC KEY [LEN] FLAG...
 */
#include "wire/parse.h"

#define META_WORDS_MAX 19 /* of the whole line */

/* The kinds of token behind a flag's letter. */
enum token {
	TOKEN_UNKNOWN,
	TOKEN_ANY,
	TOKEN_TIME,
	TOKEN_NUMBER,
	TOKEN_FLAGS,
	TOKEN_MODE,
	TOKEN_OPAQUE,
	TOKEN_TAGS,
	TOKEN_LEASE
};

static const uint8_t tokens[128] = {
    ['b'] = TOKEN_ANY,
    ['c'] = TOKEN_ANY,
    ['f'] = TOKEN_ANY,
    ['h'] = TOKEN_ANY,
    ['k'] = TOKEN_ANY,
    ['l'] = TOKEN_ANY,
    ['q'] = TOKEN_ANY,
    ['s'] = TOKEN_ANY,
    ['t'] = TOKEN_ANY,
    ['u'] = TOKEN_ANY,
    ['v'] = TOKEN_ANY,
    ['x'] = TOKEN_ANY,
    ['I'] = TOKEN_ANY,
    ['P'] = TOKEN_ANY,
    ['L'] = TOKEN_ANY,
    ['O'] = TOKEN_OPAQUE,
    ['T'] = TOKEN_TIME,
    ['N'] = TOKEN_TIME,
    ['R'] = TOKEN_TIME,
    ['C'] = TOKEN_NUMBER,
    ['D'] = TOKEN_NUMBER,
    ['E'] = TOKEN_NUMBER,
    ['J'] = TOKEN_NUMBER,
    ['F'] = TOKEN_FLAGS,
    ['M'] = TOKEN_MODE,
    ['G'] = TOKEN_TAGS,
    ['Y'] = TOKEN_LEASE,
};

static enum wire_code
parse_number(const char *p, size_t len, char letter, struct wire_request *ret)
{
	uint64_t *to = letter == 'C' ? &ret->compare_cas
	    : letter == 'E'          ? &ret->explicit_cas
	    : letter == 'D'          ? &ret->number
				     : &ret->initial;

	if (number_u64(p, len, to))
		return WIRE_RE_NONE;
	return letter == 'D' ? WIRE_RE_BAD_D
	    : letter == 'J'  ? WIRE_RE_BAD_INITIAL
			     : WIRE_RE_BAD_TOKEN;
}

/* A comma at the end stands before an empty name. */
static enum wire_code
parse_tags(const char *p, size_t len, struct wire_request *ret)
{
	struct wire_str list = {p, (uint32_t)len}, name;
	unsigned n = 0;

	while (wire_next_tag(&list, &name))
		if (!wire_tag_ok(name.p, name.len) || ++n > WIRE_TAGS_MAX)
			return WIRE_RE_BAD_TAG;
	if (n == 0 || p[len - 1] == ',')
		return WIRE_RE_BAD_TAG;
	ret->tags = (struct wire_str){p, (uint32_t)len};
	return WIRE_RE_NONE;
}

/* One flag that is known and new. w: the letter and its token. */
static enum wire_code
parse_flag(const struct wire_str *w, struct wire_request *ret)
{
	const char *p = w->p + 1;
	size_t len = w->len - 1;
	char letter = *w->p;

	switch (tokens[(unsigned char)letter]) {
	case TOKEN_TIME:
		if (!wire_exptime(p, len,
			letter == 'T'       ? &ret->exptime
			    : letter == 'N' ? &ret->vivify
					    : &ret->recache))
			return WIRE_RE_BAD_TOKEN;
		break;
	case TOKEN_NUMBER:
		return parse_number(p, len, letter, ret);
	case TOKEN_FLAGS:
		if (!wire_u32_word(&(struct wire_str){p, (uint32_t)len}, &ret->client_flags))
			return WIRE_RE_BAD_FORMAT;
		break;
	case TOKEN_MODE:
		if (len != 1)
			return WIRE_RE_BAD_MODE_LEN;
		ret->mode = *p;
		break;
	case TOKEN_TAGS:
		return parse_tags(p, len, ret);
	case TOKEN_LEASE:
		if (ret->verb == WIRE_MG &&
		    (!wire_u32(p, len, &ret->lease_ms) || ret->lease_ms == 0 ||
			ret->lease_ms > WIRE_LEASE_MS_MAX))
			return WIRE_RE_BAD_TOKEN;
		break;
	default:
		break;
	}
	return WIRE_RE_NONE;
}

/* All flags from p on. */
static enum wire_code
parse_flags(const char *p, const char *end, struct wire_request *ret)
{
	struct wire_str w;

	ret->given = 0;
	ret->n_flags = 0;
	ret->mode = 0;
	while (wire_next_word(&p, end, &w)) {
		unsigned char letter = (unsigned char)*w.p;
		if (letter >= 127)
			return WIRE_RE_FLAG_TWICE;
		if (tokens[letter] == TOKEN_UNKNOWN || (letter == 'x' && ret->verb != WIRE_MD) ||
		    (letter == 'G' && ret->verb != WIRE_MS) ||
		    (letter == 'Y' && ret->verb != WIRE_MD && ret->verb != WIRE_MG))
			return WIRE_RE_BAD_FLAG;
		if ((ret->given & WIRE_HAS(letter)) != 0)
			return WIRE_RE_FLAG_TWICE;
		if (ret->n_flags == WIRE_FLAGS_MAX)
			return WIRE_RE_MANY_FLAGS;
		ret->given |= WIRE_HAS(letter);
		ret->flag[ret->n_flags++] = (struct wire_flag){.letter = (char)letter,
		    .len = (uint8_t)(w.len > 256 ? 255 : w.len - 1),
		    .token = w.p + 1};
		enum wire_code error = parse_flag(&w, ret);
		if (error != WIRE_RE_NONE)
			return error;
	}
	return WIRE_RE_NONE;
}

static unsigned
count_words(const char *p, const char *end)
{
	struct wire_str w;
	unsigned n = 0;

	while (n <= META_WORDS_MAX && wire_next_word(&p, end, &w))
		n++;
	return n;
}

/* A key of more than WIRE_KEY_MAX bytes may stand on the line in its encoded
 * form alone, with the flag `bl`. */
static bool
key_sent_fits(const struct wire_str *key, const char *p, const char *end)
{
	struct wire_str w;

	if (key->len <= WIRE_KEY_MAX)
		return true;
	if (key->len > WIRE_KEY_B64_MAX)
		return false;
	while (wire_next_word(&p, end, &w))
		if (wire_word_is(&w, "bl", 2))
			return true;
	return false;
}

static enum wire_code
decode_key(struct wire_request *ret)
{
	size_t n;

	if (!wire_unbase64(ret->key_sent.p, ret->key_sent.len, ret->key_decoded, &n) ||
	    n > WIRE_KEY_MAX)
		return WIRE_RE_BAD_KEY;
	ret->base64 = true;
	ret->key = (struct wire_str){(const char *)ret->key_decoded, (uint32_t)n};
	return WIRE_RE_NONE;
}

/* me reads its third word and no other. */
static enum wire_code
parse_debug(const char *p, const char *end, struct wire_request *ret)
{
	struct wire_str w;

	ret->n_flags = 0;
	ret->given = 0;
	if (wire_next_word(&p, end, &w) && *w.p == 'b' && decode_key(ret) != WIRE_RE_NONE)
		return WIRE_RE_BAD_FORMAT;
	return WIRE_RE_NONE;
}

/* This check comes last: any other error of the line is answered first. */
static enum wire_code
check_opaque(const struct wire_request *req)
{
	for (unsigned i = 0; i < req->n_flags; i++)
		if (req->flag[i].letter == 'O' && req->flag[i].len >= WIRE_OPAQUE_MAX)
			return WIRE_RE_BAD_OPAQUE;
	return WIRE_RE_NONE;
}

/* The checks that need all flags, and those of one verb. */
static enum wire_code
check_flags(struct wire_request *ret)
{
	ret->quiet = (ret->given & WIRE_HAS('q')) != 0;
	if ((ret->given & WIRE_HAS('b')) != 0) {
		enum wire_code error = decode_key(ret);
		if (error != WIRE_RE_NONE)
			return error;
	}
	switch (ret->verb) {
	case WIRE_MG:
		if ((ret->given & (WIRE_HAS('T') | WIRE_HAS('N') | WIRE_HAS('R'))) != 0)
			ret->access = WIRE_ACCESS_WRITE;
		break;
	case WIRE_MS:
		if (ret->mode != 0 && strchr("EAPRS", ret->mode) == NULL)
			return WIRE_RE_BAD_MODE_MS;
		break;
	case WIRE_MA:
		if (ret->mode != 0 && strchr("I+D-", ret->mode) == NULL)
			return WIRE_RE_BAD_MODE_MA;
		break;
	default:
		break;
	}
	return check_opaque(ret);
}

/* A key with spaces moves the length of ms among the flags, and no flag begins
 * with a digit. */
static bool
flag_is_number(const char *p, const char *end)
{
	struct wire_str w;

	while (wire_next_word(&p, end, &w))
		if (*w.p >= '0' && *w.p <= '9')
			return true;
	return false;
}

enum wire_code
wire_parse_meta(const char *p, const char *end, struct wire_request *ret)
{
	const char *line = p;
	enum wire_code error;
	struct wire_str w;

	if (!wire_next_word(&p, end, &ret->key_sent))
		return ret->verb == WIRE_ME ? WIRE_RE_BAD_FORMAT : WIRE_RE_ERROR;
	ret->key = ret->key_sent;
	if (ret->verb == WIRE_MS) {
		uint64_t data_bytes;
		bool has_word = wire_next_word(&p, end, &w);
		/* or a number alone, which is the length behind an empty key */
		ret->lost = has_word || number_u64(ret->key.p, ret->key.len, &data_bytes);
		if (!has_word || !number_u64(w.p, w.len, &data_bytes) || data_bytes > WIRE_DATA_MAX)
			return WIRE_RE_BAD_FORMAT;
		ret->data_bytes = (uint32_t)data_bytes;
		ret->total_bytes = ret->line_bytes + data_bytes + 2;
		ret->lost = flag_is_number(p, end);
	}
	if (!key_sent_fits(&ret->key_sent, p, end))
		return WIRE_RE_BAD_FORMAT;
	if (ret->verb == WIRE_ME)
		return parse_debug(p, end, ret);
	error = parse_flags(p, end, ret);
	if (error == WIRE_RE_NONE)
		error = check_flags(ret);
	if ((error != WIRE_RE_NONE ||
		ret->n_flags + 2u > META_WORDS_MAX - (ret->verb == WIRE_MS)) &&
	    count_words(line, end) + 1 > META_WORDS_MAX)
		return ret->verb == WIRE_MG ? WIRE_RE_MANY_FLAGS_MG : WIRE_RE_MANY_FLAGS;
	/* md and ma answer one text to every wrong flag, except to a wrong
	 * mode, a long opaque token and too many flags. */
	if (error != WIRE_RE_NONE && (ret->verb == WIRE_MD || ret->verb == WIRE_MA) &&
	    error != WIRE_RE_BAD_MODE_MA && error != WIRE_RE_BAD_OPAQUE &&
	    error != WIRE_RE_MANY_FLAGS)
		return WIRE_RE_FLAG_EITHER;
	return error;
}
