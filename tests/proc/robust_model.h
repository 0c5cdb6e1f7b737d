/*
 * robust_model.h: a client that does operations of all kinds at random, and
 * knows what must be there afterwards.
 */
#ifndef PEEK_TESTS_ROBUST_MODEL_H
#define PEEK_TESTS_ROBUST_MODEL_H

#include "proc/robust_peer.h"

#define MODEL_PENDING_MAX 8
#define MODEL_FLUSH_EVERY 15000u /* operations */

struct model_pending {
	uint32_t key;
	uint64_t state;
};

struct model {
	struct peer_shared *sh;
	uint64_t acked[PEER_KEYS];                       /* states; 0: absent */
	uint64_t next;                                   /* states given so far */
	struct model_pending pending[MODEL_PENDING_MAX]; /* sent, with no later reply seen */
	unsigned n_pending;
	bool flushing; /* a flush is among them */
	/* others use the instance too: it flushes nothing, and items aren't
	 * counted */
	bool shared;
	unsigned seed;
	uint32_t n_ops;
	uint64_t n_acked, n_refused;
	uint64_t n_lost, n_wrong; /* by model_compare */
	char why[200];            /* the last of these */
	char why_refused[120];    /* the last reply that wasn't the one that was due */
};

void model_init(struct model *m, struct peer_shared *sh, unsigned seed);

/* On a new connection: finds out which outcome what was pending on the one
 * before has had. False: the connection has ended. */
bool model_settle(struct model *m, struct peer_client *c);

/* One operation. False: the connection has ended; what was pending has either
 * outcome. */
bool model_step(struct model *m, struct peer_client *c);

/*
 * Compares every key, asked for over the socket and through shared memory, and
 * the number of items, with the model; then what was found is the model. False:
 * something is lost or wrong (counted).
 */
bool model_compare(struct model *m, struct peer_client *c, const char *name);

/* Around a flush: nothing is known of what is there; nothing is there. */
void model_before_flush(struct model *m);
void model_flushed(struct model *m);

#endif
