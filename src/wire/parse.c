/*
 * parse.c: bytes to a request: framing, and the classic commands. Meta lines
 * are read in parse_meta.c.
 *
 * One pass over the line for its end (memchr), one for its words. Nothing is
 * copied; a word is where it stands.
 */
#include "wire/parse.h"

#define WORDS_MAX     7 /* of a classic command without a list of keys: cas k f e n c noreply */
#define UNKNOWN_WORDS 5 /* of an unknown verb's line are looked at */

/* There is no LF in len bytes. True: one may still come. */
static bool
line_may_grow(const char *buf, size_t len)
{
	size_t lead = 0;

	if (len <= WIRE_LINE_MAX)
		return true;
	if (len > WIRE_GET_LINE_MAX)
		return false;
	while (lead < len && buf[lead] == ' ')
		lead++;
	if (lead > WIRE_LEAD_MAX)
		return false;
	return memcmp(buf + lead, "get ", 4) == 0 || memcmp(buf + lead, "gets ", 5) == 0;
}

static bool
is_number(const struct wire_str *word)
{
	uint64_t v;

	return number_u64(word->p, word->len, &v);
}

/*
 * True: a value may follow an unknown verb's line, since the verb is a storage
 * verb in capitals, or numbers stand where storage verbs have them. word[0] is
 * the verb.
 */
static bool
seems_store(const struct wire_str *word, unsigned n)
{
	char lower[16];

	if ((n >= 5 && is_number(&word[4])) || (n >= 3 && word[0].len == 2 && is_number(&word[2])))
		return true;
	if (word[0].len >= sizeof(lower))
		return false;
	for (uint32_t i = 0; i < word[0].len; i++) {
		char c = word[0].p[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	enum wire_verb verb = wire_verb_find(lower, word[0].len, sizeof(lower));
	return verb != WIRE_N_VERBS &&
	    (wire_verbs[verb].shape == WIRE_SHAPE_STORE || verb == WIRE_MS);
}

/*
 * The line of an unknown verb. The connection of a web browser is closed, so
 * that a page can't post requests. So is the connection of a client of Redis,
 * which would send each key and each value as a line.
 */
static enum wire_status
unknown_verb(const char *p, const char *end, struct wire_request *ret)
{
	struct wire_str word[UNKNOWN_WORDS], last = {p, 0}, w;
	unsigned n = 0;

	while (wire_next_word(&p, end, &w)) {
		if (n < UNKNOWN_WORDS)
			word[n++] = w;
		last = w;
	}
	if (last.len >= 5 && memcmp(last.p, "HTTP/", 5) == 0)
		return WIRE_CLOSE;
	if (n == 1 && last.len >= 2 && last.p[0] == '*' && last.p[1] >= '0' && last.p[1] <= '9')
		return WIRE_CLOSE;
	ret->error = WIRE_RE_ERROR;
	ret->lost = n > 0 && seems_store(word, n);
	return WIRE_BAD;
}

/* True: every key of the list fits. */
static bool
keys_fit(const char *p, const char *end)
{
	while (p < end) {
		if (*p == ' ') {
			p++;
			continue;
		}
		const char *blank = wire_find_blank(p, end);
		if (blank - p > (ptrdiff_t)WIRE_KEY_MAX)
			return false;
		p = blank;
	}
	return true;
}

/* get gets gat gats. p: behind the verb. */
static enum wire_code
parse_keys(const char *p, const char *end, struct wire_request *ret)
{
	struct wire_str word = {p, 0};
	bool touch = wire_verbs[ret->verb].shape == WIRE_SHAPE_GAT;

	if (touch && !wire_next_word(&p, end, &word))
		return WIRE_RE_ERROR;
	ret->keys_at = (uint32_t)(p - ret->line);
	ret->keys_end = (uint32_t)(end - ret->line);
	while (p < end && *p == ' ')
		p++;
	if (p == end)
		return WIRE_RE_ERROR;
	if (touch && !wire_exptime(word.p, word.len, &ret->exptime))
		return WIRE_RE_BAD_EXPTIME;
	return keys_fit(p, end) ? WIRE_RE_NONE : WIRE_RE_BAD_FORMAT;
}

/* peek_invalidate. p: behind the verb. */
static enum wire_code
parse_tag_names(const char *p, const char *end, struct wire_request *ret)
{
	struct wire_str name;
	unsigned n = 0;

	ret->keys_at = (uint32_t)(p - ret->line);
	ret->keys_end = (uint32_t)(end - ret->line);
	for (; wire_next_word(&p, end, &name); n++)
		if (!wire_tag_ok(name.p, name.len))
			return WIRE_RE_BAD_TAG;
	return n == 0 ? WIRE_RE_ERROR : WIRE_RE_NONE;
}

/* Reads the length of the data block that follows. False: there is no length to
 * be read. */
static bool
take_length(const struct wire_str *word, struct wire_request *ret)
{
	uint64_t data_bytes;

	if (!number_u64(word->p, word->len, &data_bytes) || data_bytes > WIRE_DATA_MAX) {
		ret->lost = true;
		return false;
	}
	ret->data_bytes = (uint32_t)data_bytes;
	ret->total_bytes = ret->line_bytes + data_bytes + 2;
	return true;
}

/*
 * word[0 .. n): the words behind the verb, at least 4. A value must never be
 * taken for requests, so the length is read first, and the data block is
 * dropped whatever else is wrong. A key with spaces, and an empty key, move the
 * other words. Then the length stands elsewhere; too many words show it, or a
 * number or `noreply` in a wrong place.
 */
static enum wire_code
parse_store(const struct wire_str *word, unsigned n, struct wire_request *ret)
{
	unsigned n_own = ret->verb == WIRE_CAS ? 5 : 4;
	bool moved = n > n_own + 1 || (n > n_own && is_number(&word[n_own]));

	if (ret->verb == WIRE_CAS && wire_word_is(&word[4], "noreply", 7)) {
		ret->lost = true;
		return WIRE_RE_BAD_FORMAT;
	}
	bool has_length = take_length(&word[3], ret);
	if (moved) {
		ret->lost = true;
		return WIRE_RE_ERROR;
	}
	if (!has_length || word[0].len > WIRE_KEY_MAX ||
	    !wire_u32_word(&word[1], &ret->client_flags) ||
	    !wire_exptime(word[2].p, word[2].len, &ret->exptime))
		return WIRE_RE_BAD_FORMAT;
	if (ret->verb == WIRE_CAS && !number_u64(word[4].p, word[4].len, &ret->number))
		return WIRE_RE_BAD_FORMAT;
	ret->key = ret->key_sent = word[0];
	return WIRE_RE_NONE;
}

static enum wire_code
parse_words(const struct wire_str *word, unsigned n, struct wire_request *ret)
{
	bool last_is_noreply = ret->noreply;

	switch (wire_verbs[ret->verb].shape) {
	case WIRE_SHAPE_DEL:
	case WIRE_SHAPE_ARITH:
	case WIRE_SHAPE_TOUCH:
		if (word[0].len > WIRE_KEY_MAX)
			return WIRE_RE_BAD_FORMAT;
		ret->key = ret->key_sent = word[0];
		break;
	default:
		break;
	}
	switch (wire_verbs[ret->verb].shape) {
	case WIRE_SHAPE_STORE:
		return parse_store(word, n, ret);
	case WIRE_SHAPE_DEL:
		if (n > 1 && !(n == 2 && last_is_noreply) &&
		    !(wire_word_is(&word[1], "0", 1) && (n == 2 || last_is_noreply)))
			return WIRE_RE_BAD_DELETE;
		return WIRE_RE_NONE;
	case WIRE_SHAPE_ARITH:
		return number_u64(word[1].p, word[1].len, &ret->number) ? WIRE_RE_NONE
									: WIRE_RE_BAD_DELTA;
	case WIRE_SHAPE_TOUCH:
		return wire_exptime(word[1].p, word[1].len, &ret->exptime) ? WIRE_RE_NONE
									   : WIRE_RE_BAD_EXPTIME;
	case WIRE_SHAPE_FLUSH:
		ret->exptime = 0;
		if (n == 0 || (n == 1 && last_is_noreply))
			return WIRE_RE_NONE;
		return wire_exptime(word[0].p, word[0].len, &ret->exptime) ? WIRE_RE_NONE
									   : WIRE_RE_BAD_EXPTIME;
	case WIRE_SHAPE_VERB:
		return number_u64(word[0].p, word[0].len, &ret->number) && ret->number <= UINT32_MAX
		    ? WIRE_RE_NONE
		    : WIRE_RE_BAD_FORMAT;
	case WIRE_SHAPE_NUMS:
		if (!wire_u64(word[0].p, word[0].len, &ret->number) ||
		    (n > 1 && !wire_u64(word[1].p, word[1].len, &ret->number2)))
			return WIRE_RE_BAD_FORMAT;
		return WIRE_RE_NONE;
	default:
		return WIRE_RE_NONE;
	}
}

/* A request that lists all keys needs admin, whatever its verb. */
static enum wire_code
parse_plain(const struct wire_str *word, unsigned n, const char *end, struct wire_request *ret)
{
	const struct wire_str none = {end, 0};

	ret->word = n > 0 ? word[0] : none;
	ret->word2 = n > 1 ? word[1] : none;
	if (ret->verb == WIRE_STATS && wire_word_is(&ret->word, "cachedump", 9)) {
		if (n != 3)
			return WIRE_RE_BAD_LINE;
		if (!number_u64(word[1].p, word[1].len, &ret->number) ||
		    !number_u64(word[2].p, word[2].len, &ret->number2))
			return WIRE_RE_BAD_FORMAT;
		ret->access = WIRE_ACCESS_ADMIN;
	}
	if (ret->verb == WIRE_STATS && wire_word_is(&ret->word, "reset", 5))
		ret->access = WIRE_ACCESS_ADMIN;
	if (ret->verb == WIRE_LRU_CRAWLER) {
		ret->number = wire_word_is(&ret->word, "metadump", 8) ? WIRE_CRAWL_META
		    : wire_word_is(&ret->word, "mgdump", 6)           ? WIRE_CRAWL_MG
								      : WIRE_CRAWL_NONE;
		ret->access = ret->number != WIRE_CRAWL_NONE ? WIRE_ACCESS_ADMIN : WIRE_ACCESS_READ;
	}
	return WIRE_RE_NONE;
}

/* Every shape but META, GET and GAT. p: behind the verb. */
static enum wire_code
parse_classic(const char *p, const char *end, struct wire_request *ret)
{
	const struct wire_verb_info *info = &wire_verbs[ret->verb];
	struct wire_str word[WORDS_MAX], extra;
	unsigned n = 0;

	while (n < WORDS_MAX && wire_next_word(&p, end, &word[n]))
		n++;
	bool too_many = info->words_max != 0 &&
	    (n + 1 > info->words_max || (n == WORDS_MAX && wire_next_word(&p, end, &extra)));
	if (n + 1 < info->words_min)
		ret->lost = info->shape == WIRE_SHAPE_STORE && n >= 2; /* an empty key, say */
	if (n + 1 < info->words_min || (too_many && info->shape != WIRE_SHAPE_STORE))
		return WIRE_RE_ERROR;
	if (too_many)
		return parse_store(word, n, ret);
	unsigned n_key = info->shape == WIRE_SHAPE_DEL; /* alone on its line, the word is a key */
	ret->noreply = info->noreply && n > n_key && wire_word_is(&word[n - 1], "noreply", 7);
	if (info->shape == WIRE_SHAPE_PLAIN) {
		return parse_plain(word, n, p, ret);
	}
	return parse_words(word, n, ret);
}

enum wire_status
wire_parse(const char *buf, size_t len, size_t scanned, struct wire_request *ret)
{
	ret->noreply = false;
	ret->error = WIRE_RE_NONE;
	/* The binary protocol, or TLS. A web page can put lines into the first
	 * record of TLS, and they must not be carried out. */
	if (len > 0 && ((unsigned char)buf[0] == 0x80 || buf[0] == 0x16))
		return WIRE_CLOSE;
	const char *lf = scanned < len ? memchr(buf + scanned, '\n', len - scanned) : NULL;
	if (lf == NULL)
		return line_may_grow(buf, len) ? WIRE_MORE : WIRE_CLOSE;

	const char *p = buf, *end = lf > buf && lf[-1] == '\r' ? lf - 1 : lf;
	struct wire_str verb = {buf, 0};
	ret->line = buf;
	ret->line_bytes = (uint32_t)(lf + 1 - buf);
	ret->total_bytes = ret->line_bytes;
	ret->data_bytes = 0;
	ret->data = NULL;
	ret->quiet = false;
	ret->base64 = false;
	ret->lost = false;
	if (!wire_next_word(&p, end, &verb) ||
	    (ret->verb = wire_verb_find(verb.p, verb.len, len - (size_t)(verb.p - buf))) ==
		WIRE_N_VERBS)
		return unknown_verb(verb.p, end, ret);
	ret->access = wire_verbs[ret->verb].access;

	switch (wire_verbs[ret->verb].shape) {
	case WIRE_SHAPE_GET:
	case WIRE_SHAPE_GAT:
		ret->error = parse_keys(p, end, ret);
		break;
	case WIRE_SHAPE_TAGS:
		ret->error = parse_tag_names(p, end, ret);
		break;
	case WIRE_SHAPE_META:
		ret->error = wire_parse_meta(p, end, ret);
		break;
	default:
		ret->error = parse_classic(p, end, ret);
		break;
	}
	if (ret->error != WIRE_RE_NONE)
		return WIRE_BAD;
	if (ret->total_bytes == ret->line_bytes)
		return WIRE_OK;
	if (len < ret->total_bytes)
		return WIRE_DATA;
	ret->data = buf + ret->line_bytes;
	if (memcmp(ret->data + ret->data_bytes, "\r\n", 2) != 0) {
		ret->error = WIRE_RE_BAD_CHUNK;
		return WIRE_BAD;
	}
	return WIRE_OK;
}
