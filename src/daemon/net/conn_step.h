/*
 * conn_step.h: whether a connection and its client agree where requests begin.
 * A value must never run as commands.
 *
 * A malformed store's data block is swallowed by the length that its line
 * gives. Where no length can be read, or the block doesn't end as it should,
 * what follows may be a value, and nobody knows how long: the connection is
 * lost. It answers errors, version, mn and quit as ever, and hangs up at the
 * first other request. So nothing is changed, and no reply goes astray.
 */
#ifndef PEEKD_CONN_STEP_H
#define PEEKD_CONN_STEP_H

#include "daemon/net/conn.h"

/* Drops what [bytes, bytes + len) holds of a request that isn't wanted; the
 * number of bytes. */
size_t conn_step_swallow(struct conn *c, const char *bytes, size_t len);

/* A WIRE_BAD request has been answered: it is to be swallowed. */
void conn_step_bad(struct conn *c, const struct wire_request *req);

/* True: the connection is lost and the request is not carried out; said so, and
 * closing. */
bool conn_step_hangs_up(struct conn *c, struct conn_shared *sh, const struct wire_request *req);

/* A connection is closed for what it sent. Where that begins as the binary
 * protocol does, it is counted, and said once. */
void conn_step_binary(const struct conn *c, struct conn_shared *sh, char first);

#endif
