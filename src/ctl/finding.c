/*
 * finding.c: see finding.h.
 */
#include "ctl/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

int
findings_status(const struct findings *f)
{
	return f->worst == FINDING_BAD ? 2 : f->worst == FINDING_WARN ? 1 : 0;
}

void
finding(struct findings *f, enum finding state, const char *check, const char *advice, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "note", "warn", "bad"};
	struct record r;
	char found[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	if (state > f->worst)
		f->worst = state;
	if (!f->json) {
		printf("%-5s %-12s ", words[state], check);
		print_text(stdout, found, strlen(found));
		putchar('\n');
		if (advice != NULL && state != FINDING_OK) {
			printf("%-18s > ", "");
			print_text(stdout, advice, strlen(advice));
			putchar('\n');
		}
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
