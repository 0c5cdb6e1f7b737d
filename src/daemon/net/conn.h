/*
 * conn.h: one connection: bytes in, requests to cmd.h, bytes out. It knows no
 * event and no clock: the server calls conn_turn, and its result says what the
 * connection waits for.
 *
 * Memory. An idle connection is its struct conn and nothing else. Requests are
 * read into a buffer that all connections share, and carried out from there;
 * replies gather in another shared buffer and leave with one write. The
 * connection keeps the rest of either: of the input no more than the request
 * that was announced, of the output no more than output_limit and one value.
 * While it keeps output, no input is read, and no pipelined request runs.
 * server_share.c bounds the sum over all connections.
 *
 * A turn ends after max_reqs requests, when the replies exceed output_limit, or
 * when enough keys were looked up (cmd.h, work_max): a long get goes on in its
 * next turn. Then the other connections have their turn.
 */
#ifndef PEEKD_CONN_H
#define PEEKD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/verbs/cmd.h"
#include "daemon/segment/hint_page.h"
#include "daemon/snapshot/snapshot.h"
#include "daemon/net/conn_ring.h"

#define CONN_INPUT_BYTES 65536

/* The part that all connections share. */
struct conn_shared {
	struct cmd *cmd;
	struct hint_page *hints;   /* NULL: none */
	struct snapshot *snapshot; /* NULL: none */
	uint64_t epoch;
	uint32_t max_reqs;
	size_t output_limit;
	uint64_t rings_max;    /* 0: none is offered */
	uint64_t ring_spin_us; /* as clients are told */
	bool shutdown;         /* a client asked for the daemon's end */
	uint64_t *bytes_read, *bytes_written;
	/* both are for the longest request to store; NULL: it isn't measured */
	uint64_t (*now_us)(void);
	uint64_t *longest_set_us;
	char *in;            /* CONN_INPUT_BYTES */
	struct wire_out out; /* empty between turns */
};

/* The descriptor that the next bytes out carry. */
enum conn_passing { CONN_PASSES_NONE, CONN_PASSES_HINTS, CONN_PASSES_RING };

struct conn {
	int fd;
	bool is_unix;
	enum wire_access level;
	pid_t pid; /* of the peer; 0: unknown */
	uid_t uid;
	gid_t gid;
	uint32_t last_active_s;
	uint32_t client_idx;    /* in the hint page, or HINT_PAGE_NO_CLIENT */
	struct conn_ring *ring; /* NULL: requests come by the socket */
	struct lease_owner leases;

	/* private to conn.c */
	char *in; /* bytes [in_at, in_end) are not yet used */
	size_t in_at, in_end, in_cap;
	size_t scanned;      /* this many of them are known to hold no LF */
	uint64_t need;       /* total bytes of the request that has begun; 0: not known */
	uint64_t swallow;    /* bytes to drop before the next request */
	bool swallows_block; /* they should end in CR LF */
	bool lost;           /* the next bytes may be a value of unknown length (conn_step.h) */
	uint32_t cursor;     /* in a multi-get that was interrupted */
	struct wire_request *resumed; /* that get as it was read from its line; or NULL */
	bool runnable;                /* the kept bytes may hold whole requests */
	bool closing;                 /* close when the output is sent */
	int passed_fd; /* a descriptor that no request has used yet (conn_fd.h); -1: none */
	enum conn_passing passing;
	char *out;
	size_t out_at, out_end, out_cap;
};

enum conn_want {
	CONN_READ,  /* call conn_turn when there is input */
	CONN_WRITE, /* call conn_turn when there is room for output; input waits */
	CONN_AGAIN, /* call conn_turn after the others had their turn */
	CONN_CLOSE, /* conn_end */
};

/* -ENOMEM. */
int conn_shared_init(struct conn_shared *sh);
void conn_shared_free(struct conn_shared *sh);

void conn_begin(struct conn *c, int fd);

/* One turn. cmd's times are set, and the store was ticked. */
enum conn_want conn_turn(struct conn *c, struct conn_shared *sh);

/* Ends its leases, frees its buffers, gives its cells of the hint page back,
 * and closes it. */
void conn_end(struct conn *c, struct conn_shared *sh);

/* The bytes of input and output that the connection keeps. Input that was
 * announced and isn't here takes no memory yet. */
size_t conn_kept_bytes(const struct conn *c);

/* True while replies are left over: the client would take any other line for a
 * part of them. */
bool conn_is_mid_reply(const struct conn *c);

#endif
