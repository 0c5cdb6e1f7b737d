/*
 * say.c: what peekctl tells when a command fails: the error, and what to do
 * about it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

static int
say_lines(int status, const char *advice, const char *fmt, va_list ap)
{
	char *text;

	fflush(stdout);
	fputs("peekctl: ", stderr);
	if (vasprintf(&text, fmt, ap) >= 0) {
		print_text(stderr, text, strlen(text));
		free(text);
	}
	fputc('\n', stderr);
	if (advice != NULL) {
		fputs("  ", stderr);
		print_text(stderr, advice, strlen(advice));
		fputc('\n', stderr);
	}
	return status;
}

int
ctl_error(const char *advice, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int status = say_lines(CTL_ERROR, advice, fmt, ap);
	va_end(ap);
	return status;
}

int
ctl_refused(const char *advice, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int status = say_lines(CTL_REFUSED, advice, fmt, ap);
	va_end(ap);
	return status;
}

int
ctl_flushed(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return ctl_error(NULL, "can't write to standard output%s%s", errno != 0 ? ": " : "",
	    errno != 0 ? strerror(errno) : "");
}

/* ---- the daemon's answers ------------------------------------------------ */

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
		return ctl_refused("peekctl get --json shows the id that it has now.",
		    "%s%snot stored, since the item has another CAS id", of, colon);
	default:
		break;
	}
	if (ctl_is_full(re))
		return ctl_error(
		    FULL_ADVICE, "the daemon has as many connections as its conn_limit admits");
	if (!wire_reply_is_error(re) || re->rest.len == 0)
		return ctl_error("peekctl version shows both versions.",
		    "the daemon doesn't know this command. Is it peekd, and of this version?");
	return (wire_replies[re->code].status == CTL_REFUSED ? ctl_refused : ctl_error)(
	    NULL, "%s%sthe daemon says: %.*s", of, colon, (int)re->rest.len, re->rest.p);
}

int
ctl_broken(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return ctl_error("peekctl status shows for how long it has been silent; -t SECONDS "
				 "waits longer.",
		    "the daemon doesn't answer");
	case -ECONNRESET:
	case -EPIPE:
		return ctl_error(NULL, "the daemon hung up. It is unknown if it did as asked");
	default:
		return ctl_error(NULL, "no valid answer: %s", strerror(-error));
	}
}
