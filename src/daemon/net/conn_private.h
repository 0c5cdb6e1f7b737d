/*
 * conn_private.h: what conn.c (input, requests, turns) calls of conn_out.c.
 * Nobody else includes it.
 */
#ifndef PEEKD_CONN_PRIVATE_H
#define PEEKD_CONN_PRIVATE_H

#include "daemon/net/conn.h"

/*
 * Sends what was kept. True: nothing is left. A failed connection's output is
 * dropped, and it is closing.
 */
bool conn_send_kept(struct conn *c, struct conn_shared *sh);

/*
 * Sends the turn's replies with one write, and keeps the rest. False: no
 * memory.
 */
bool conn_send_replies(struct conn *c, struct conn_shared *sh);

/*
 * Sends ATTACHED with the hint page's descriptor on its first byte. True: done,
 * or refused with a line in the shared output.
 */
bool conn_send_attached(struct conn *c, struct conn_shared *sh);

#endif
