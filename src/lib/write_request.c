/*
 * write_request.c: see write_request.h.
 */
#include "lib/write_request.h"

#include <errno.h>
#include <string.h>

char *
request_put_ttl(char *buf, uint32_t ttl_s)
{
	*buf++ = 'T';
	if (ttl_s > WIRE_EXPTIME_DELTA_MAX_S)
		*buf++ = '+';
	buf = wire_digits(buf, ttl_s);
	*buf = '\0';
	return buf;
}

void
request_store_flags(const struct request_store *s, char *buf)
{
	const char *begin = buf;

	if (s->mode != 'S') {
		*buf++ = 'M';
		*buf++ = s->mode;
		*buf++ = ' ';
	}
	if (s->ttl_s != 0) {
		buf = request_put_ttl(buf, s->ttl_s);
		*buf++ = ' ';
	}
	if (s->flags != 0) {
		*buf++ = 'F';
		buf = wire_digits(buf, s->flags);
		*buf++ = ' ';
	}
	if (s->has_cas) {
		*buf++ = 'C';
		buf = wire_digits(buf, s->cas);
		*buf++ = ' ';
	}
	if (s->mode == 'A' || s->mode == 'P')
		*buf++ = 'c'; /* so that a refusal shows whether there is an item */
	if (buf > begin && buf[-1] == ' ')
		buf--;
	*buf = '\0';
}

bool
request_put_tags(char *buf, const char *const *tags, size_t n_tags)
{
	if (n_tags > WIRE_TAGS_MAX)
		return false;
	*buf = 'G';
	for (size_t i = 0; i < n_tags; i++) {
		size_t len = strnlen(tags[i], WIRE_TAG_MAX + 1);
		if (!wire_tag_ok(tags[i], len))
			return false;
		memcpy(buf + 1, tags[i], len);
		buf += len + 1;
		*buf = ',';
	}
	*buf = '\0';
	return true;
}

#define STORES "SCERAP"

/*
 * The replies that a request of one of these kinds may get (write_request.h).
 * The row of replies.def says what each means. Any other pair is not in the
 * protocol.
 */
static const struct {
	enum wire_code code;
	const char *kinds;
} expected[] = {
    {WIRE_RE_HD, STORES "DTLU"},
    {WIRE_RE_VA, "N"},
    {WIRE_RE_OK, "F"},
    {WIRE_RE_NF, "CDNU"},
    {WIRE_RE_EN, "T"},
    {WIRE_RE_NS, "ERAP"},
    {WIRE_RE_EX, "CU"},
};

/* The errnos of refusals that peek.h lists for a function of these kinds. */
static const struct {
	int error;
	const char *kinds;
} refusals[] = {
    {-EMSGSIZE, STORES},
    {-ENOSPC, STORES "NL"},
    {-EDOM, "N"},
    {-EACCES, STORES "DTNFLU"},
    {-ECONNREFUSED, STORES "DTNFLU"},
};

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Says whether an append that was not stored found an item: then the sum is too
 * large. The item's CAS id in the reply shows it. */
static bool
has_item(const struct wire_reply *re)
{
	struct wire_str token;
	uint64_t cas = 0;

	return wire_reply_flag(re, 'c', &token) && wire_u64(token.p, token.len, &cas) && cas != 0;
}

static int
request_refusal(const struct wire_reply_info *row, char kind)
{
	for (size_t i = 0; i < N_OF(refusals); i++)
		if (row->error == refusals[i].error && strchr(refusals[i].kinds, kind) != NULL)
			return row->error;
	return row->kind == WIRE_KIND_SERVER_ERROR ? -EIO : -EBADMSG;
}

int
request_verdict(const struct wire_reply *re, char kind)
{
	const struct wire_reply_info *row = &wire_replies[re->code];

	if (wire_reply_is_error(re))
		return request_refusal(row, kind);
	if (re->code == WIRE_RE_NS && (kind == 'A' || kind == 'P') && has_item(re))
		return -EMSGSIZE;
	if (re->code == WIRE_RE_NS && strchr("RAP", kind) != NULL)
		return -ENOENT;
	for (size_t i = 0; i < N_OF(expected); i++)
		if (re->code == expected[i].code && strchr(expected[i].kinds, kind) != NULL)
			return row->error;
	return -EBADMSG;
}

char
request_kind(const struct request_store *s)
{
	return s->has_cas ? 'C' : s->mode;
}
