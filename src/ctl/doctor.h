/*
 * doctor.h: the parts of peekctl doctor.
 */
#ifndef PEEKCTL_DOCTOR_H
#define PEEKCTL_DOCTOR_H

#include "ctl/ctl.h"
#include "ctl/finding.h"
#include "ctl/look.h"

/* Room in /dev/shm, the daemon's memory limit, huge pages. huge_pages_off: as
 * it is configured. */
void doctor_host(struct findings *f, const struct look *l, bool huge_pages_off);

/*
 * The daemon's settings, over c->conn. path: the control socket that the
 * segment names, which unix_socket, unix_mask and group are compared with;
 * NULL: nothing is.
 */
void doctor_settings(struct findings *f, struct ctl *c, const char *path, bool *ret_huge_pages_off);

#endif
