/*
 * say.c: errors, with what to do about them; and that standard output arrived.
 */
#include <stdarg.h>
#include <stdio.h>

#include "ctl/ctl.h"

static int
say(int status, const char *advice, const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("peekctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	if (advice != NULL)
		fprintf(stderr, "  %s\n", advice);
	return status;
}

int
ctl_error(const char *advice, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int status = say(CTL_ERROR, advice, fmt, ap);
	va_end(ap);
	return status;
}

int
ctl_refused(const char *advice, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int status = say(CTL_REFUSED, advice, fmt, ap);
	va_end(ap);
	return status;
}

int
ctl_flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return ctl_error(NULL, "can't write to standard output");
}
