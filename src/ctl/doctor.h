/*
 * doctor.h: the parts of peekctl doctor.
 */
#ifndef PEEKCTL_DOCTOR_H
#define PEEKCTL_DOCTOR_H

#include <stdbool.h>

#include "ctl/ctl.h"
#include "ctl/look.h"

/* ---- doctor_finding.c ---------------------------------------------------- */

/* A note asks for no action, and leaves the exit status as it is. */
enum finding { FINDING_OK, FINDING_NOTE, FINDING_WARN, FINDING_BAD };

struct findings {
	bool json;
	enum finding worst;
};

/* The exit status. 0: all right, notes or not; 1: a warning; 2: bad. */
int findings_status(const struct findings *f);

/* Prints one finding. advice says what to do; NULL: nothing is to be done. */
void finding_print(struct findings *f, enum finding state, const char *check, const char *advice,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- doctor_host.c, doctor_settings.c ------------------------------------ */

/* Checks the room in /dev/shm, the daemon's memory limit and huge pages, which
 * the daemon's configuration may have switched off. */
void doctor_host(struct findings *f, const struct look *l, bool huge_pages_off);

/*
 * Reads the daemon's settings over c->conn, and compares unix_socket, unix_mask
 * and group with the control socket at path, which the segment names. NULL:
 * compares nothing.
 */
void doctor_settings(struct findings *f, struct ctl *c, const char *path, bool *ret_huge_pages_off);

#endif
