/*
 * doctor_finding.c: prints one finding, and keeps the worst state.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"

int
findings_status(const struct findings *f)
{
	return f->worst == FINDING_BAD ? 2 : f->worst == FINDING_WARN ? 1 : 0;
}

void
finding_print(struct findings *f, enum finding state, const char *check, const char *advice,
    const char *fmt, ...)
{
	static const char *const words[] = {"ok", "note", "warn", "bad"};
	struct output r;
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
	output_begin(&r, true, 0);
	output_text(&r, "check", check);
	output_text(&r, "state", words[state]);
	output_text(&r, "found", found);
	if (advice != NULL && state != FINDING_OK)
		output_text(&r, "advice", advice);
	output_end(&r);
}
