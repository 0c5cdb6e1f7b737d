/*
 * finding.h: what peekctl doctor finds: one line for each check, and what to do about it.
 */
#ifndef PEEKCTL_FINDING_H
#define PEEKCTL_FINDING_H

#include <stdbool.h>

enum finding { FINDING_OK, FINDING_WARN, FINDING_BAD }; /* also the exit statuses */

struct findings {
	bool json;
	enum finding worst;
};

/* advice: what to do; NULL where nothing is. */
void finding(struct findings *f, enum finding state, const char *check, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
