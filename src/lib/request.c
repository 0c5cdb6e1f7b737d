/*
 * request.c: see request.h.
 */
#include "lib/request.h"

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

#define STORES "SCERAP"

/* The errno of a reply to a request of one of these kinds (request.h). Any
 * other pair is not in the protocol. */
static const struct {
	enum wire_code code;
	const char *kinds;
	int error;
} verdicts[] = {
    {WIRE_RE_HD, STORES "DT", 0},
    {WIRE_RE_VA, "N", 0},
    {WIRE_RE_OK, "F", 0},
    {WIRE_RE_NF, "CDN", -ENOENT},
    {WIRE_RE_EN, "T", -ENOENT},
    {WIRE_RE_NS, "E", -EEXIST},
    {WIRE_RE_NS, "RAP", -ENOENT},
    {WIRE_RE_EX, "C", -EEXIST},
};

/* Errors in the daemon's words. */
static const struct {
	const char *words, *kinds;
	int error;
} refusals[] = {
    {"too large", STORES, -EMSGSIZE}, {"out of memory", STORES "N", -ENOSPC},
    {"non-numeric", "N", -EDOM}, {"denied", STORES "DTNF", -EACCES},
    {"not allowed", STORES "DTNF", -EACCES}, {"may not", STORES "DTNF", -EACCES},
    {"not enabled", STORES "DTNF", -EACCES}, {"unauth", STORES "DTNF", -EACCES},
    {"connections", STORES "DTNF", -ECONNREFUSED}, /* the daemon has as many as it allows */
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
request_refusal(const struct wire_reply *re, char kind)
{
	for (size_t i = 0; i < N_OF(refusals); i++) {
		const char *words = refusals[i].words;
		if (memmem(re->rest.p, re->rest.len, words, strlen(words)) != NULL &&
		    strchr(refusals[i].kinds, kind) != NULL)
			return refusals[i].error;
	}
	return re->code == WIRE_RE_SERVER_ERROR ? -EIO : -EBADMSG;
}

int
request_verdict(const struct wire_reply *re, char kind)
{
	if (re->code == WIRE_RE_CLIENT_ERROR || re->code == WIRE_RE_SERVER_ERROR ||
	    re->code == WIRE_RE_ERROR)
		return request_refusal(re, kind);
	if (re->code == WIRE_RE_NS && (kind == 'A' || kind == 'P') && has_item(re))
		return -EMSGSIZE;
	for (size_t i = 0; i < N_OF(verdicts); i++)
		if (re->code == verdicts[i].code && strchr(verdicts[i].kinds, kind) != NULL)
			return verdicts[i].error;
	return -EBADMSG;
}

char
request_kind(const struct request_store *s)
{
	return s->has_cas ? 'C' : s->mode;
}
