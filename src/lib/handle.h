/*
 * handle.h: what stands behind struct peek.
 *
 * A handle is three pages and more, mapped for it alone:
 *
 *   struct handle_own    this process's: what reads use, locks, counters, the
 *                        connection. The kernel wipes it in a child
 *                        (MADV_WIPEONFORK), so that after fork() the child
 *                        finds zeros and makes its own, without a system call
 *                        in either's reads, and without a lock that another
 *                        thread of the parent held at that moment.
 *   struct peek          the rest, which a child inherits: name, flags, and
 *                        every mapping.
 *
 * What reads use is a struct attached: one mapped segment, and where this
 * process leaves hints and counts for it. It never changes once it is
 * published; a new one takes its place. All of them stay until peek_close,
 * since a read may still be under way in any of them.
 */
#ifndef PEEK_LIB_HANDLE_H
#define PEEK_LIB_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/owner.h"
#include "peek.h"
#include "shm/clock.h"
#include "shm/hash.h"
#include "shm/hint.h"
#include "shm/map.h"
#include "shm/seq.h"
#include "wire/wire.h"

#define HANDLE_PAGE_BYTES 4096

struct attached {
	struct map map;
	struct peek *p;     /* the handle it belongs to */
	struct byte *hints; /* NULL: nobody wants them */
	/* HINT_CELLS_PER_CLIENT of them: in the hint page, or the handle's
	 * own */
	struct hint_cell *cells;
	struct clock_shift shift;
	uint64_t quick_off_max;    /* lookup_quick_off_max of the map */
	struct hash_secret secret; /* of the map's seed */
	bool stay;                 /* PEEK_NO_FOLLOW: a retired segment is read on */

	/* for those who attach and close */
	bool owns_map;   /* several may stand on one mapping: the first owns it */
	uint64_t epoch;  /* of the daemon that the hints belong to; 0: none */
	void *hint_addr; /* the mapping of the hint page */
	size_t hint_bytes;
	struct attached *older;
};

/* The connections of a handle, each made at its first use. */
enum sock_of {
	CONN_HINTS,  /* says nothing after the attachment; closing it ends that */
	CONN_WRITES, /* a request and its reply at a time; also reads of a foreign layout */
	CONN_QUEUE,  /* pipelined sets */
	CONN_N
};

struct sock {
	int fd_plus_1;                /* all zero: there is none */
	uint32_t reply_at, reply_len; /* what was read into sock_kept.reply and not yet taken */
};

#define CONN_REPLY_CAP 8192u

/* What a child inherits of a connection: the buffer, and a descriptor that it
 * must close (if it still is what it was, since a daemonizing child may have
 * closed it and opened something else). */
struct sock_kept {
	int fd_plus_1;
	uint64_t dev, ino;
	char reply[CONN_REPLY_CAP];
};

/* Pipelined sets (queue.c): two halves, of which one is filled while the daemon
 * answers the other. */
#define QUEUE_HALF_BYTES   (64u << 10)
#define QUEUE_HALF_ENTRIES 1024u

struct queue_entry {
	peek_failed_fn failed;
	void *arg;
	uint32_t key_at; /* of the key as it was sent, in the half's bytes */
	uint16_t key_len;
	bool base64;
	int error; /* once it is answered: why it was refused, or 0 */
};

struct queue_half {
	struct queue_entry entry[QUEUE_HALF_ENTRIES];
	char bytes[QUEUE_HALF_BYTES];
};

struct queue_state {
	uint32_t n_entries[2], n_bytes[2]; /* of each half */
	uint32_t n_answered;               /* of the half in flight */
	/* of these: looked through for refusals, which were told */
	uint32_t n_told;
	uint32_t n_untold; /* refusals among the others */
	uint32_t n_sent_bytes;
	uint32_t filling; /* 0 or 1 */
};

struct handle_own {
	union {
		struct {
			/* not NULL: the segment's layout is foreign, reads go
			 * through the socket */
			struct shared_ptr foreign;

			/* zero is a free lock: what a child finds. Guards the
			 * list of attached */
			pthread_mutex_t attach_lock;
			/* guards the hint connection and what follows */
			pthread_mutex_t hint_lock;
			/* of the daemon that was asked for hints last */
			struct word tried_epoch;
			struct word tried_at_ms, n_tried;
			struct word looked_at_ms; /* the last look of a read at the daemon */
			struct hint_cell past;    /* counted in hint pages that are gone */

			pthread_mutex_t sock_lock;  /* CONN_WRITES */
			pthread_mutex_t queue_lock; /* CONN_QUEUE and the queue */
			struct sock conn[CONN_N];
			struct queue_state queue;

			/* counts while there is no hint page */
			_Alignas(64) struct hint_cell cells[HINT_CELLS_PER_CLIENT];
		};
		char rest[HANDLE_PAGE_BYTES - 64];
	};
	/*
	 * struct attached; NULL: none yet in this process. Every read begins
	 * with it. Not among a page's first bytes, for the reason that
	 * hint_plan has: reads took twice the time.
	 */
	struct shared_ptr now;
};

_Static_assert(
    sizeof(struct handle_own) == HANDLE_PAGE_BYTES, "what a child must not inherit is one page");

struct peek {
	struct handle_own own;
	/* struct attached: head of the list */
	_Alignas(HANDLE_PAGE_BYTES) struct shared_ptr newest;
	unsigned flags;
	struct word timeout_ms; /* of writes */
	struct clock_shift shift;
	struct owner owner;       /* whose segments are believed */
	char object[80];          /* "peekd.NAME" */
	char socket_path[128];    /* PEEK_SOCKET; empty: as the segment says */
	char foreign_socket[128]; /* as a segment of a foreign layout says */
	struct sock_kept kept[CONN_N];
	struct queue_half half[2];
};

#define HANDLE_FLAGS (PEEK_NO_FOLLOW | PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_READ_ONLY)

#endif
