/*
 * client.c: the client's side: requests out, replies in.
 */
#include <errno.h>

#include "wire/parse.h"

bool
wire_tag_ok(const void *name, size_t len)
{
	return len >= 1 && len <= WIRE_TAG_MAX && wire_key_plain(name, len) &&
	    memchr(name, ',', len) == NULL;
}

bool
wire_key_plain(const void *key, size_t key_len)
{
	const uint64_t each = UINT64_C(0x0101010101010101), high = each << 7;
	const unsigned char *p = key;
	size_t i = 0;

	/* eight bytes at a time: is one of them below 0x21, or 0x7f? */
	for (; i + 8 <= key_len; i += 8) {
		uint64_t v, del;
		memcpy(&v, p + i, 8);
		del = v ^ each * 0x7f;
		if ((((v - each * 0x21) & ~v) | ((del - each) & ~del)) & high)
			return false;
	}
	for (; i < key_len; i++)
		if (p[i] <= ' ' || p[i] == 0x7f)
			return false;
	return true;
}

void
wire_put_meta(struct wire_out *out, enum wire_verb verb, const void *key, size_t key_len,
    int64_t data_bytes, const char *flags)
{
	size_t flags_len = flags != NULL ? strlen(flags) : 0;
	bool plain = wire_key_plain(key, key_len);
	char *p = wire_reserve(out, WIRE_KEY_B64_MAX + 32 + flags_len), *begin = p;

	if (p == NULL)
		return;
	*p++ = wire_verbs[verb].name[0];
	*p++ = wire_verbs[verb].name[1];
	*p++ = ' ';
	char *key_at = p;
	if (plain) {
		memcpy(p, key, key_len);
		p += key_len;
	} else {
		p = wire_base64(p, key, key_len);
	}
	bool long_form = p - key_at > (ptrdiff_t)WIRE_KEY_MAX;
	if (data_bytes >= 0) {
		*p++ = ' ';
		p = wire_digits(p, (uint64_t)data_bytes);
	}
	if (flags_len > 0) {
		*p++ = ' ';
		memcpy(p, flags, flags_len);
		p += flags_len;
	}
	if (!plain) {
		memcpy(p, long_form ? " bl" : " b", long_form ? 3 : 2);
		p += long_form ? 3 : 2;
	}
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

/* The code word: a reply's text, or a decimal number. */
static int
reply_code(const struct wire_str *word, const char *end, struct wire_reply *ret)
{
	ret->code = wire_reply_find(word, end);
	if (ret->code != WIRE_RE_NONE)
		return 0;
	if (!wire_u64(word->p, word->len, &ret->number))
		return -EBADMSG;
	ret->code = WIRE_RE_NUMBER;
	return 0;
}

int
wire_parse_reply(const char *buf, size_t len, struct wire_reply *ret, uint64_t *ret_need)
{
	struct wire_str word;

	/* the answer to most pipelined sets: the same as below, in fewer
	 * instructions */
	if (len >= 4 && memcmp(buf, wire_replies[WIRE_RE_HD].text, 2) == 0 && buf[2] == '\r' &&
	    buf[3] == '\n') {
		ret->code = WIRE_RE_HD;
		ret->total_bytes = 4;
		ret->rest = (struct wire_str){buf + 2, 0};
		ret->n_args = 0;
		ret->data = NULL;
		ret->data_bytes = 0;
		return 1;
	}
	const char *lf = len > 0 ? memchr(buf, '\n', len) : NULL; /* buf may be NULL with it */
	if (lf == NULL) {
		if (len > WIRE_REPLY_LINE_MAX + 2)
			return -EBADMSG;
		if (ret_need != NULL)
			*ret_need = 0;
		return 0;
	}
	const char *p = buf, *end = lf > buf && lf[-1] == '\r' ? lf - 1 : lf;
	if (!wire_next_word(&p, end, &word) || reply_code(&word, end, ret) < 0)
		return -EBADMSG;

	const char *rest = p < end ? p + 1 : end;
	ret->rest = (struct wire_str){rest, (uint32_t)(end - rest)};
	ret->n_args = 0;
	while (ret->n_args < WIRE_REPLY_ARGS_MAX && wire_next_word(&p, end, &ret->arg[ret->n_args]))
		ret->n_args++;
	ret->data = NULL;
	ret->data_bytes = 0;
	ret->total_bytes = (uint64_t)(lf + 1 - buf);
	if (ret->code != WIRE_RE_VA && ret->code != WIRE_RE_VALUE)
		return 1;

	unsigned at = ret->code == WIRE_RE_VA ? 0 : 2; /* VA bytes ...; VALUE key flags bytes */
	if (ret->n_args <= at || !wire_u32(ret->arg[at].p, ret->arg[at].len, &ret->data_bytes) ||
	    ret->data_bytes > WIRE_DATA_MAX)
		return -EBADMSG;
	uint64_t line_bytes = ret->total_bytes;
	ret->total_bytes += (uint64_t)ret->data_bytes + 2;
	if (len < ret->total_bytes) {
		if (ret_need != NULL)
			*ret_need = ret->total_bytes;
		return 0;
	}
	ret->data = buf + line_bytes;
	return memcmp(ret->data + ret->data_bytes, "\r\n", 2) == 0 ? 1 : -EBADMSG;
}

bool
wire_reply_flag(const struct wire_reply *re, char letter, struct wire_str *ret_token)
{
	const char *p = re->rest.p, *end = re->rest.p + re->rest.len;
	struct wire_str w;
	bool data_word = re->code == WIRE_RE_VA; /* its first word is a length */

	while (wire_next_word(&p, end, &w)) {
		if (!data_word && *w.p == letter) {
			*ret_token = (struct wire_str){w.p + 1, w.len - 1};
			return true;
		}
		data_word = false;
	}
	return false;
}

struct wire_item_reply
wire_reply_item(const struct wire_reply *re)
{
	struct wire_item_reply item = {.ttl_s = -1};
	struct wire_str token;
	uint64_t ttl_s;

	if (wire_reply_flag(re, 'f', &token))
		(void)wire_u32(token.p, token.len, &item.flags);
	if (wire_reply_flag(re, 'c', &token))
		(void)wire_u64(token.p, token.len, &item.cas);
	if (wire_reply_flag(re, 't', &token) && wire_u64(token.p, token.len, &ttl_s))
		item.ttl_s = (int64_t)ttl_s;
	item.stale = wire_reply_flag(re, 'X', &token);
	return item;
}
