/*
 * answer.c: what an answer means that isn't the one hoped for.
 */
#include <errno.h>
#include <string.h>

#include "ctl/ctl.h"

int
ctl_unhoped(const struct wire_reply *re, const char *key)
{
	const char *subject = key != NULL ? key : "", *colon = key != NULL ? ": " : "";

	switch (re->code) {
	case WIRE_RE_EN:
	case WIRE_RE_NF:
	case WIRE_RE_NOT_FOUND:
		return ctl_refused(NULL, "%s%sno such key", subject, colon);
	case WIRE_RE_NS:
	case WIRE_RE_NOT_STORED:
		return ctl_refused(NULL, "%s%snot stored, since the condition of the mode doesn't hold", subject, colon);
	case WIRE_RE_EX:
	case WIRE_RE_EXISTS:
		return ctl_refused("get --json shows the present one.", "%s%snot stored, since the item has another CAS id", subject, colon);
	case WIRE_RE_CLIENT_ERROR:
	case WIRE_RE_SERVER_ERROR:
		return ctl_refused(NULL, "%s%sthe daemon says: %.*s", subject, colon, (int)re->rest.len, re->rest.p);
	default:
		return ctl_error(NULL, "the daemon doesn't know this command; is it peekd, and of this version?");
	}
}

int
ctl_broken(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return ctl_error("peekctl status shows since when it is silent; -t waits longer.", "the daemon doesn't answer");
	case -ECONNRESET:
	case -EPIPE:
		return ctl_error(NULL, "the daemon hung up; whether it did as asked is unknown");
	default:
		return ctl_error(NULL, "no valid answer: %s", strerror(-error));
	}
}
