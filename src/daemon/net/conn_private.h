/*
 * conn_private.h: the functions of conn_out.c that conn.c (input, requests,
 * turns) calls. No other file includes it.
 */
#ifndef PEEKD_CONN_PRIVATE_H
#define PEEKD_CONN_PRIVATE_H

#include "daemon/net/conn.h"

/* Sends the output that was kept. True: nothing is left. If sending fails, the
 * output is dropped and the connection is closing. */
bool conn_send_kept(struct conn *c, struct conn_shared *sh);

/* Sends the turn's replies with one write, and keeps the rest. False: there is
 * no memory. */
bool conn_send_replies(struct conn *c, struct conn_shared *sh);

/*
 * Sends RING with the descriptor of a new ring on its first byte: from then on
 * requests and replies go through the ring. True: done, or refused with a line
 * in the shared output.
 */
bool conn_send_ring(struct conn *c, struct conn_shared *sh);

/* Sends ATTACHED with the hint page's descriptor on its first byte. True: it is
 * sent, or a refusal stands in the shared output. */
bool conn_send_attached(struct conn *c, struct conn_shared *sh);

#endif
