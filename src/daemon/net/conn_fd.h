/*
 * conn_fd.h: descriptors that clients pass with their requests (SCM_RIGHTS).
 *
 * One at a time, and only from those who may administer: of the others the
 * kernel closes what they send. It belongs to the request that it came with or
 * to the next one; what no request has used is closed with the connection.
 */
#ifndef PEEKD_CONN_FD_H
#define PEEKD_CONN_FD_H

#include <sys/types.h>

#include "daemon/net/conn.h"

/* As read(2). */
ssize_t conn_fd_read(struct conn *c, char *to, size_t n);

/* Closes what is kept. */
void conn_fd_drop(struct conn *c);

#endif
