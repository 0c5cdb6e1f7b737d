/*
 * conn_step.h: a connection and its client agree where requests begin. A value
 * must never run as requests.
 *
 * The data block of a malformed store is dropped by the length that its line
 * gives. If there is no length to be read, or the block doesn't end as it
 * should, the next bytes may be a value of unknown length: the connection is
 * lost. It answers errors, version, mn and quit as before, and hangs up at the
 * first other request. So nothing is changed, and each reply belongs to its
 * request.
 */
#ifndef PEEKD_CONN_STEP_H
#define PEEKD_CONN_STEP_H

#include "daemon/net/conn.h"

/* Drops those of the bytes [bytes, bytes + len) that belong to a request which
 * isn't wanted. Returns how many. */
size_t conn_step_swallow(struct conn *c, const char *bytes, size_t len);

/* A WIRE_BAD request has been answered: its bytes are to be dropped. */
void conn_step_bad(struct conn *c, const struct wire_request *req);

/* True: the connection is lost, and the request isn't carried out. The client
 * is told so, and the connection is closing. */
bool conn_step_hangs_up(struct conn *c, struct conn_shared *sh, const struct wire_request *req);

/*
 * A connection is closed for the bytes that it sent. If they begin as the
 * binary protocol does, the connection is counted, and the first one is logged.
 */
void conn_step_binary(const struct conn *c, struct conn_shared *sh, char first);

#endif
