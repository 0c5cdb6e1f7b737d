/*
 * answer.c: what an answer means that isn't the one hoped for.
 */
#include <errno.h>
#include <string.h>

#include "ctl/ctl.h"

bool
ctl_is_full(const struct wire_reply *re)
{
	return wire_replies[re->code].error == -ECONNREFUSED;
}

int
ctl_unhoped(const struct wire_reply *re, const struct wire_str *key)
{
	struct shown subject = key != NULL ? ctl_shown(key) : (struct shown){""};
	const char *of = subject.text, *colon = key != NULL ? ": " : "";

	switch (re->code) {
	case WIRE_RE_EN:
	case WIRE_RE_NF:
	case WIRE_RE_NOT_FOUND:
		return ctl_refused(NULL, "%s%sno such key", of, colon);
	case WIRE_RE_NS:
	case WIRE_RE_NOT_STORED:
		return ctl_refused(NULL,
		    "%s%snot stored, since the condition of the mode doesn't hold", of, colon);
	case WIRE_RE_EX:
	case WIRE_RE_EXISTS:
		return ctl_refused("get --json shows the present one.",
		    "%s%snot stored, since the item has another CAS id", of, colon);
	default:
		break;
	}
	if (ctl_is_full(re))
		return ctl_error(
		    FULL_ADVICE, "the daemon has as many connections as its conn_limit admits");
	if (!wire_reply_is_error(re) || re->rest.len == 0)
		return ctl_error("peekctl version shows both versions.",
		    "the daemon doesn't know this command; is it peekd, and of this version?");
	return (wire_replies[re->code].status == CTL_REFUSED ? ctl_refused : ctl_error)(
	    NULL, "%s%sthe daemon says: %.*s", of, colon, (int)re->rest.len, re->rest.p);
}

int
ctl_broken(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return ctl_error("peekctl status shows since when it is silent; -t waits longer.",
		    "the daemon doesn't answer");
	case -ECONNRESET:
	case -EPIPE:
		return ctl_error(NULL, "the daemon hung up; whether it did as asked is unknown");
	default:
		return ctl_error(NULL, "no valid answer: %s", strerror(-error));
	}
}
