/*
 * finding.h: what peekctl doctor finds: one line for each check, and what to do
 * about it.
 */
#ifndef PEEKCTL_FINDING_H
#define PEEKCTL_FINDING_H

#include <stdbool.h>

/* A note is worth knowing, and wants nothing: it is no matter of the exit
 * status. */
enum finding { FINDING_OK, FINDING_NOTE, FINDING_WARN, FINDING_BAD };

struct findings {
	bool json;
	enum finding worst;
};

/* The exit status: 0: all right, also with notes; 1: a warning; 2: bad. */
int findings_status(const struct findings *f);

/* advice: what to do; NULL where nothing is. */
void finding_print(struct findings *f, enum finding state, const char *check, const char *advice,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
