/*
 * doctor.h: the parts of peekctl doctor.
 */
#ifndef PEEKCTL_DOCTOR_H
#define PEEKCTL_DOCTOR_H

#include "ctl/finding.h"
#include "ctl/look.h"

/* Room in /dev/shm, the daemon's memory limit, huge pages. huge_pages_off: as it is configured. */
void doctor_host(struct findings *f, const struct look *l, bool huge_pages_off);

#endif
