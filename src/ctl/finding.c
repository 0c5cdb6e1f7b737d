/*
 * finding.c: see finding.h.
 */
#include "ctl/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctl/ctl.h"

void
finding(struct findings *f, enum finding state, const char *check, const char *advice, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "bad"};
	struct record r;
	char found[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	if (state > f->worst)
		f->worst = state;
	if (!f->json) {
		printf("%-5s %-12s %s\n", words[state], check, found);
		if (advice != NULL && state != FINDING_OK)
			printf("%-18s > %s\n", "", advice);
		return;
	}
	record_begin(&r, true, 0);
	record_text(&r, "check", check);
	record_text(&r, "state", words[state]);
	record_text(&r, "found", found);
	if (advice != NULL && state != FINDING_OK)
		record_text(&r, "advice", advice);
	record_end(&r);
}
