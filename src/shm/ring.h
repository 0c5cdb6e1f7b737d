/*
 * ring.h: two rings of bytes between a client and the daemon, in a memfd that
 * is sealed against growing and shrinking. A ring is a transport: the bytes are
 * those that a socket would carry.
 *
 *   offset               what
 *   0                    struct ring: counters and flags, each on a line of its
 *                        own
 *   RING_UP_AT           RING_BYTES that the client puts and the daemon takes
 *   RING_DOWN_AT         RING_BYTES that the daemon puts and the client takes
 *
 * Each direction has two counters of bytes, which begin at 0 and never wrap:
 * the tail counts bytes put, the head counts bytes taken. Byte number n lies at
 * n modulo RING_BYTES. One side writes each counter. One side sets each flag,
 * and the other side clears it.
 *
 *   put      room = RING_BYTES - (tail - head); copy bytes in; store the tail
 *            [R1]
 *   take     n = tail - head; copy bytes out; store the head [R3]
 *   sleep    store what is awaited into the own flag; fence [R2]; look at both
 *            rings once more; if there is still nothing, sleep
 *   wake     after a put or a take: fence [R2]; load the other side's flag; if
 *            it holds what has come, clear it and wake
 *
 * Each side keeps its own two counters in private memory and stores them for
 * the other side alone. A counter of the other side is checked before use: a
 * tail that lies more than RING_BYTES ahead of the head breaks the ring, and a
 * head that can't be means that there is no room. So a side that stores garbage
 * gets garbage, and harms nobody else. The taker copies bytes once, into its
 * private memory, and looks at the copy: changing a byte afterwards changes
 * nothing.
 *
 * A client that is killed in the middle of a put leaves bytes that no tail
 * covers. One that is killed in the middle of a take leaves bytes untaken.
 * Neither needs repair: the daemon ends the ring with the client's connection.
 *
 * One thread at a time for each end. Nothing here enters the kernel.
 */
#ifndef PEEK_SHM_RING_H
#define PEEK_SHM_RING_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "shm/seq.h"

#define RING_VERSION     1 /* of this file's layout and rules; the client names it */
#define RING_BYTES       65536u
#define RING_UP_AT       4096u
#define RING_DOWN_AT     (RING_UP_AT + RING_BYTES)
#define RING_TOTAL_BYTES (RING_DOWN_AT + RING_BYTES)

enum { RING_UP, RING_DOWN, RING_N_WAYS };

/* The bits of a sleeping side's flag: it waits for these. */
#define RING_AWAITS_BYTES 1u
#define RING_AWAITS_ROOM  2u

/* A counter or a flag. The line behind it belongs to it too: processors fetch
 * lines in pairs. */
struct ring_word {
	_Alignas(128) struct word w;
};

struct ring {
	struct ring_word tail[RING_N_WAYS]; /* bytes put */
	struct ring_word head[RING_N_WAYS]; /* bytes taken */
	struct ring_word client_awaits;     /* its low half is the client's futex */
	struct ring_word daemon_awaits;
};

_Static_assert(sizeof(struct ring) <= RING_UP_AT, "the words fit before the bytes");

/* One side's private view of a ring. */
struct ring_end {
	struct word *put_tail, *put_head;   /* of the way that this side puts into */
	struct word *take_tail, *take_head; /* of the other way */
	struct word *awaits, *other_awaits;
	unsigned char *put_at, *take_at; /* the bytes */
	uint64_t n_bytes;                /* of each way; a power of two */
	uint64_t n_put, n_published, n_taken;
	uint64_t head_seen, tail_seen; /* the other side's counters as last loaded */
};

/* Sets up one side of a new ring. bytes[RING_UP], bytes[RING_DOWN]: n_bytes
 * each. */
static inline void
ring_begin(struct ring_end *e, struct ring *r, unsigned char *const bytes[RING_N_WAYS],
    uint64_t n_bytes, bool is_daemon)
{
	unsigned put = is_daemon ? RING_DOWN : RING_UP, take = is_daemon ? RING_UP : RING_DOWN;

	*e = (struct ring_end){
	    .put_tail = &r->tail[put].w,
	    .put_head = &r->head[put].w,
	    .take_tail = &r->tail[take].w,
	    .take_head = &r->head[take].w,
	    .awaits = is_daemon ? &r->daemon_awaits.w : &r->client_awaits.w,
	    .other_awaits = is_daemon ? &r->client_awaits.w : &r->daemon_awaits.w,
	    .put_at = bytes[put],
	    .take_at = bytes[take],
	    .n_bytes = n_bytes,
	};
}

/* ---- put ----------------------------------------------------------------- */

/* Bytes that can be put now; 0 also where the other side's head is
 * impossible. */
static inline uint64_t
ring_room(struct ring_end *e)
{
	e->head_seen = seq_ring_head(e->put_head);
	uint64_t used = e->n_put - e->head_seen;
	return used <= e->n_bytes ? e->n_bytes - used : 0;
}

/* Copies up to n bytes in, and returns how many. The other side learns of them
 * by ring_publish alone. */
static inline size_t
ring_put(struct ring_end *e, const void *bytes, size_t n)
{
	uint64_t room = e->n_bytes - (e->n_put - e->head_seen), at, first;

	if (room > e->n_bytes || room < n)
		room = ring_room(e);
	if (n > room)
		n = (size_t)room;
	at = e->n_put & (e->n_bytes - 1);
	first = n < e->n_bytes - at ? n : e->n_bytes - at;
	if (first > 0)
		plain_copy_in(e->put_at + at, bytes, first);
	if (n > first)
		plain_copy_in(e->put_at, (const char *)bytes + first, n - first);
	e->n_put += n;
	return n;
}

/* True: there was something to publish, and the other side may have to be
 * woken. */
static inline bool
ring_publish(struct ring_end *e)
{
	if (e->n_published == e->n_put)
		return false;
	e->n_published = e->n_put;
	seq_ring_put(e->put_tail, e->n_put);
	return true;
}

/* ---- take ---------------------------------------------------------------- */

/* Bytes that can be taken now; -EBADMSG: the other side's tail is
 * impossible. */
static inline ssize_t
ring_input(struct ring_end *e)
{
	uint64_t n = e->tail_seen - e->n_taken;

	if (n == 0)
		n = (e->tail_seen = seq_ring_tail(e->take_tail)) - e->n_taken;
	return n <= e->n_bytes ? (ssize_t)n : -EBADMSG;
}

/* Copies up to n bytes out, and returns how many; 0: there are none. -EBADMSG
 * as ring_input. */
static inline ssize_t
ring_take(struct ring_end *e, void *to, size_t n)
{
	ssize_t input = ring_input(e);
	uint64_t at = e->n_taken & (e->n_bytes - 1), first;

	if (input <= 0)
		return input;
	if (n > (size_t)input)
		n = (size_t)input;
	first = n < e->n_bytes - at ? n : e->n_bytes - at;
	plain_copy_out(to, e->take_at + at, first);
	if (n > first)
		plain_copy_out((char *)to + first, e->take_at, n - first);
	e->n_taken += n;
	seq_ring_taken(e->take_head, e->n_taken);
	return (ssize_t)n;
}

/* ---- sleep and wake ------------------------------------------------------ */

/* Says that this side is about to wait for `what`, RING_AWAITS_*. Call
 * ring_awaiting next, and then look a last time at what is awaited. */
static inline void
ring_await(struct ring_end *e, unsigned what)
{
	/* relaxed: the fence of ring_awaiting orders it */
	word_store_rlx(e->awaits, what);
}

/* Once for any number of rings. */
static inline void
ring_awaiting(void)
{
	seq_ring_awaiting();
}

/* It doesn't sleep, or has slept. */
static inline void
ring_awake(struct ring_end *e)
{
	/* relaxed: a side that is woken in vain looks and sleeps again */
	word_store_rlx(e->awaits, 0);
}

/*
 * After a put was published (RING_AWAITS_BYTES) or bytes were taken
 * (RING_AWAITS_ROOM): true if the other side sleeps until then. It has to be
 * woken now, since its flag was cleared.
 */
static inline bool
ring_must_wake(struct ring_end *e, unsigned what)
{
	seq_ring_waking();
	/* relaxed, both: the fence orders the load behind the counter's store,
	 * and whoever clears the flag wakes afterwards */
	if ((word_load_rlx(e->other_awaits) & what) == 0)
		return false;
	word_store_rlx(e->other_awaits, 0);
	return true;
}

/*
 * True: the other side has taken none of the bytes behind n_put_before, as it
 * says itself. It says so before it looks at them (ring_take). So it has
 * carried out nothing of bytes that it didn't take, also where it was killed.
 */
static inline bool
ring_untaken(const struct ring_end *e, uint64_t n_put_before)
{
	return seq_ring_head(e->put_head) <= n_put_before;
}

#endif
