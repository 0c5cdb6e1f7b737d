/*
 * handle.h: what stands behind struct peek.
 *
 * A handle is three pages and more, in a mapping of its own:
 *
 *   struct handle_own    this process's: the attachment that reads use, locks,
 *                        counters, the connections. The kernel wipes it in a
 *                        child (MADV_WIPEONFORK), so that the child finds zeros
 *                        after fork() and makes its own. Neither process's
 *                        reads make a system call for that, and the child
 *                        inherits no lock that another thread of the parent
 *                        held then.
 *   struct peek          the rest, which a child inherits: name, flags, and
 *                        every mapping.
 *
 * Reads use a struct attached: one mapped segment, and the place where this
 * process leaves hints and counts for it. It never changes once it is
 * published; a new one takes its place. All of them stay until peek_close,
 * since a read may still be under way in any of them.
 */
#ifndef PEEK_LIB_HANDLE_H
#define PEEK_LIB_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/owner.h"
#include "lib/ring_client.h"
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
	/* HINT_CELLS_PER_CLIENT of them: in the hint page, or else in the
	 * handle */
	struct hint_cell *cells;
	struct clock_shift shift;
	uint64_t item_off_max;     /* lookup_item_off_max of the map */
	struct hash_secret secret; /* of the map's seed */
	bool stay;                 /* PEEK_NO_FOLLOW: reads stay in a retired segment */

	/* for attaching and closing */
	bool owns_map;   /* several may share one mapping: the first owns it */
	uint64_t epoch;  /* of the daemon that the hints belong to; 0: none */
	void *hint_addr; /* the mapping of the hint page */
	size_t hint_bytes;
	struct attached *older;
	/* of the segment, among all segments of all instances: a hash of its
	 * seed and generation, which don't follow from it */
	uint64_t identity;
};

/* The connections of a handle. Each is made at its first use. */
enum sock_of {
	CONN_HINTS,  /* silent after the attachment; closing it ends the attachment */
	CONN_WRITES, /* one request at a time, and its reply; also reads of a foreign layout */
	CONN_QUEUE,  /* pipelined sets */
	CONN_N
};

struct sock {
	int fd_plus_1;     /* all zero: there is none */
	uint32_t n_opened; /* calls of sock_open since it was connected */
	struct ring_client ring;
	uint32_t reply_at, reply_len; /* what was read into sock_kept.reply and not yet taken */
};

#define CONN_REPLY_CAP 8192u

/*
 * The part of a connection that a child inherits: the buffer, and a descriptor
 * that the child must close. The child closes it only if dev and ino are still
 * the same: a daemonizing child may have closed it and opened something else
 * under its number.
 */
struct sock_kept {
	int fd_plus_1;
	uint64_t dev, ino;
	char reply[CONN_REPLY_CAP];
};

/* Pipelined sets (queue.c): two halves. One is filled while the daemon answers
 * the other. */
#define QUEUE_HALF_BYTES   (64u << 10)
#define QUEUE_HALF_ENTRIES 1024u

struct queue_entry {
	peek_failed_fn failed;
	void *arg;
	uint32_t key_at; /* where the key that was sent begins, in the half's bytes */
	uint16_t key_len;
	bool base64;
	int error; /* once it is answered: the errno of its refusal, or 0 */
};

struct queue_half {
	struct queue_entry entry[QUEUE_HALF_ENTRIES];
	char bytes[QUEUE_HALF_BYTES];
};

struct queue_state {
	uint32_t n_entries[2], n_bytes[2]; /* of each half */
	uint32_t n_answered;               /* of the half in flight */
	/* of these: already searched for refusals, which were reported */
	uint32_t n_told;
	uint32_t n_untold; /* refusals among the others, not reported yet */
	uint32_t n_sent_bytes;
	uint32_t filling; /* 0 or 1 */
};

struct handle_own {
	union {
		struct {
			/* not NULL: the segment's layout is foreign, and reads
			 * go through the socket */
			struct shared_ptr foreign;

			/* guards the list of attached. Zero is a free lock: a
			 * child finds that. */
			pthread_mutex_t attach_lock;
			/* guards the hint connection and the next four
			 * fields */
			pthread_mutex_t hint_lock;
			/* of the daemon that was last asked for hints */
			struct word tried_epoch;
			struct word tried_at_ms, n_tried;
			struct word looked_at_ms; /* when a read last looked for a new daemon */
			struct hint_cell past;    /* the counts of hint pages that are gone */

			pthread_mutex_t sock_lock;  /* CONN_WRITES */
			pthread_mutex_t queue_lock; /* CONN_QUEUE and the queue */
			struct sock conn[CONN_N];
			struct queue_state queue;

			/* they count while there is no hint page */
			_Alignas(64) struct hint_cell cells[HINT_CELLS_PER_CLIENT];
		};
		char rest[HANDLE_PAGE_BYTES - 64];
	};
	/*
	 * struct attached; NULL: none yet in this process. Every read begins by
	 * loading it. It must not be among a page's first bytes, for the reason
	 * given in hint_plan: reads took twice the time there.
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
	struct owner owner;       /* the owners whose segments are trusted */
	char object[80];          /* "peekd.NAME" */
	char socket_path[128];    /* PEEK_SOCKET; empty: as the segment says */
	char foreign_socket[128]; /* as a segment of a foreign layout says */
	struct sock_kept kept[CONN_N];
	struct queue_half half[2];
};

#define HANDLE_FLAGS \
	(PEEK_NO_FOLLOW | PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_READ_ONLY | PEEK_NO_RING)

#endif
