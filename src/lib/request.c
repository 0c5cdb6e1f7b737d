/*
 * request.c: what writes have in common.
 */
#include "lib/request.h"

#include <errno.h>
#include <string.h>

#define TTL_RELATIVE_MAX_S 2592000u /* a larger number without a sign would be a date */

char *
request_put_ttl(char *buf, uint32_t ttl_s)
{
	*buf++ = 'T';
	if (ttl_s > TTL_RELATIVE_MAX_S)
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
	if (buf > begin && buf[-1] == ' ')
		buf--;
	*buf = '\0';
}

static bool
says(const struct wire_reply *re, const char *words)
{
	return memmem(re->rest.p, re->rest.len, words, strlen(words)) != NULL;
}

int
request_verdict(const struct wire_reply *re, char mode)
{
	switch (re->code) {
	case WIRE_RE_HD:
	case WIRE_RE_VA:
	case WIRE_RE_OK:
		return 0;
	case WIRE_RE_NF:
	case WIRE_RE_EN:
		return -ENOENT;
	case WIRE_RE_NS:
		return mode == 'E' ? -EEXIST : -ENOENT;
	case WIRE_RE_EX:
		return -EEXIST;
	case WIRE_RE_CLIENT_ERROR:
	case WIRE_RE_SERVER_ERROR:
	case WIRE_RE_ERROR:
		if (says(re, "too large"))
			return -EMSGSIZE;
		if (says(re, "out of memory"))
			return -ENOSPC;
		if (says(re, "non-numeric"))
			return -EDOM;
		if (says(re, "denied") || says(re, "not allowed") || says(re, "not enabled") || says(re, "unauth"))
			return -EACCES;
		if (says(re, "connections"))
			return -ECONNREFUSED; /* it has as many as it allows */
		return re->code == WIRE_RE_SERVER_ERROR ? -EIO : -EBADMSG;
	default:
		return -EBADMSG;
	}
}
