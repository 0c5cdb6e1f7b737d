/*
 * conn_fd.h: descriptors that clients pass with their requests (SCM_RIGHTS).
 *
 * A connection keeps one at a time, and only if its level is admin; the kernel
 * closes those that other clients send. The descriptor belongs to the request
 * that it came with or to the next one. If no request uses it, it is closed
 * with the connection.
 */
#ifndef PEEKD_CONN_FD_H
#define PEEKD_CONN_FD_H

#include <sys/types.h>

#include "daemon/net/conn.h"

/* As read(2). */
ssize_t conn_fd_read(struct conn *c, char *to, size_t n);

/* Closes the descriptor that is kept. */
void conn_fd_drop(struct conn *c);

#endif
