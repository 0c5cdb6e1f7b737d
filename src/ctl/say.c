/*
 * say.c: errors, with what to do about them; and that standard output arrived.
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
