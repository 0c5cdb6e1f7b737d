/*
 * peek.h: libpeek, the reader's side of peekd.
 *
 * peekd keeps a hash table in shared memory. A process that opens it with this
 * library looks keys up itself: no lock, no system call, no message. Writes go
 * to the daemon over its control socket and come back with its verdict.
 *
 * Caveats
 *  - A read is whole and belongs to the key that was asked for, but it is a
 *    copy: the value may be replaced an instant later.
 *  - Reads never wait without bound. A daemon that is stopped in the middle of
 *    an update makes reads of that one bucket return -EAGAIN until it goes on
 *    or another takes over; all other reads go on.
 *  - One handle serves any number of threads at once, for reads and for writes
 *    (writes take turns). peek_close must be the last call on a handle.
 *  - A thread that is cancelled ends its call first: no lock, descriptor or
 *    half-sent request is left. Callbacks (failed, visit) run without a lock
 *    and with the application's own cancellation; they may be left by
 *    returning, longjmp, a C++ exception or the end of their thread.
 *  - A signal handler may call peek_view_valid, peek_strerror and
 *    peek_version, and no other function. It must not longjmp out of a call
 *    that it interrupted: the locks that the call held would stay taken. Then
 *    a call that needs one returns -ETIMEDOUT after its time, and a read that
 *    has to attach anew waits for ever.
 *  - After fork() the child goes on using the parent's handle: it reads the
 *    same mapping, counts for itself, and connects anew at its first read (for
 *    the hints) and its first write. Sets that the parent had queued stay the
 *    parent's.
 *  - A segment that was retired stays mapped until peek_close, so that no
 *    reader ever touches memory that is no longer mapped.
 *  - A user who may write the file below /dev/shm (its owner and root) can
 *    truncate it under its readers, who then get SIGBUS. Nobody else can.
 *  - A user who may read the segment can read all of its memory: also values
 *    that were deleted, replaced or have expired, until something else is
 *    written in their place; every key; and the seed of the hash.
 *  - A user who may connect to the daemon gets the whole hint page, and can
 *    write everything that a client leaves there: its counts and its hints.
 *    The daemon does not trust them: false ones can make an item be evicted
 *    sooner or a sum wrong, and no more. peek_status says which figures come
 *    from there.
 *  - Reads enter the kernel in these cases only. The first read of a process
 *    or thread. A table that has grown (peek_get). A segment that was replaced
 *    (switched off by PEEK_NO_FOLLOW). A daemon other than the last, which a
 *    read then asks for its hint page: a thread looks for one once in 512 hits
 *    and once in 512 misses, or more often; one look asks and a later one
 *    takes the answer, so that no read waits for it; at most one look in a
 *    tick of the coarse clock enters the kernel, and each start of a daemon
 *    gets at most 8 questions (switched off by PEEK_NO_FOLLOW, PEEK_NO_HINTS
 *    or PEEK_READ_ONLY). A foreign layout, which is read through the socket.
 *  - A read of an item that expires looks at a clock of the vDSO; a read of
 *    another looks at none. A child in another time namespace is noticed at
 *    its first read; a process that moves itself into one (setns) must open
 *    anew.
 *  - Seven threads of a process count without an atomic instruction; further
 *    ones share a counter.
 *  - The library's descriptors are above 2 and close-on-exec, also where the
 *    application has closed its standard streams.
 *  - The library never logs, aborts or installs a signal handler, and keeps
 *    nothing outside the handle but a number for each thread.
 *
 * Errors: 0 or a count, else a negative errno. Each code has one meaning in all
 * functions:
 *
 *   -ENOENT        no such key (reads, touch, delete, incr, cas); no such
 *                  instance (peek_open)
 *   -EAGAIN        the budget of tries was used up: the bucket is being
 *                  rewritten and its writer doesn't run
 *   -ENOSPC        reads: the buffer is too small, and the length is known
 *                  (peek_get_info); writes: the daemon is out of room (-M), and
 *                  a set's or replace's old value is gone
 *   -EINVAL        an argument is not allowed (key length 0 or above 250, a
 *                  name with a slash, unknown flag ...)
 *   -EMSGSIZE      the value is larger than the daemon accepts
 *   -EEXIST        add: the key is there; cas: it has another CAS id
 *   -EDOM          the value is not a decimal number of at most 64 bits
 *   -EACCES        the object or the socket doesn't admit this user, or the
 *                  daemon's rules refuse the verb
 *   -EPERM         the object has the wrong owner or mode: it is not believed
 *   -EPROTO        a segment of another layout, and no daemon that could be
 *                  asked instead
 *   -EBADMSG       a damaged segment; a reply that is not in the protocol
 *   -ECONNREFUSED  no daemon listens on the control socket, or it allows no
 *                  more connections
 *   -ETIMEDOUT     the daemon didn't take the request in time, or other
 *                  threads' requests took all of it; nothing was changed
 *   -EINPROGRESS   the request was sent and its reply was lost: it may or may
 *                  not have been carried out
 *   -ENOMEM        no memory
 *   -ENOTSUP       a view of a value that is not in one piece; the place of a
 *                  counter; a walk, a view or a place in a segment of another
 *                  layout
 *   -ESTALE        PEEK_NO_FOLLOW: the segment was retired and its memory given
 *                  back; peek_open finds its successor
 *   -EIO           any other failure of the kernel
 *
 * Each function returns these of them, and no other (a test compares this table
 * with the results). * stands for what a read that attaches anew, to a segment
 * that replaced its own, can meet: EACCES EPERM ENOMEM EIO.
 *
 *   peek_open         EINVAL ENOENT EACCES EPERM EPROTO EBADMSG ENOMEM EIO
 *   peek_get          ENOENT EAGAIN ESTALE ENOSPC EINVAL EBADMSG EPROTO *
 *   peek_get_u64      ENOENT EAGAIN ESTALE EDOM EINVAL EBADMSG EPROTO *
 *   peek_get_info     ENOENT EAGAIN ESTALE ENOSPC EINVAL EBADMSG EPROTO *
 *   peek_mget         EINVAL; of each operation: as peek_get
 *   peek_view         ENOENT EAGAIN ESTALE ENOTSUP EINVAL EBADMSG *
 *   peek_place        ENOENT EAGAIN ESTALE ENOTSUP EINVAL EBADMSG *
 *   peek_scan         EAGAIN ESTALE ENOTSUP EBADMSG *; or what visit returned
 *   peek_set          EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_set_flags    EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_add          EEXIST EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_replace      ENOENT EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_append       ENOENT EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_prepend      ENOENT EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_cas          EEXIST ENOENT EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_lease        ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS
 *                     EBADMSG EIO
 *   peek_lease_early  ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS
 *                     EBADMSG EIO
 *   peek_fill         EEXIST ENOENT EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED
 *                     ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_unlease      EEXIST ENOENT EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_wait         ETIMEDOUT EAGAIN ESTALE EINVAL EBADMSG EPROTO *
 *   peek_delete       ENOENT EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS
 *                     EBADMSG EIO
 *   peek_touch        ENOENT EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS
 *                     EBADMSG EIO
 *   peek_incr         ENOENT EDOM ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_decr         ENOENT EDOM ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_flush        EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_set_tagged   EMSGSIZE ENOSPC EINVAL EACCES ECONNREFUSED ETIMEDOUT
 *                     EINPROGRESS EBADMSG EIO
 *   peek_invalidate   EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS EBADMSG
 *                     EIO
 *   peek_set_async    EMSGSIZE EINVAL EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS
 *                     EBADMSG EIO
 *   peek_set_flush    EACCES ECONNREFUSED ETIMEDOUT EINPROGRESS EBADMSG EIO
 *   peek_set_timeout  EINVAL
 *   peek_status       EINVAL
 */
#ifndef PEEK_H
#define PEEK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PEEK_VERSION_MAJOR 1
#define PEEK_VERSION_MINOR 0
#define PEEK_VERSION_PATCH 0

#define PEEK_KEY_MAX_BYTES   250
#define PEEK_VALUE_MAX_BYTES 16777215
#define PEEK_TAG_MAX_BYTES   128 /* of a tag's name, without the NUL */
#define PEEK_TAGS_MAX        4   /* tags of an item */

/* flags of peek_open */
#define PEEK_NO_FOLLOW 0x1u /* never attach anew by itself: see peek_open */
/* read without telling the daemon which items are read, and without being
 * counted */
#define PEEK_NO_HINTS 0x2u
/* a segment of another layout is -EPROTO, instead of a slower read through the
 * socket */
#define PEEK_NO_FALLBACK 0x4u
#define PEEK_READ_ONLY   0x8u /* never connect to the control socket; writes are -EACCES */
/* write through the control socket alone, and never through a ring in shared
 * memory */
#define PEEK_NO_RING 0x10u

struct peek;

/* ---- a handle ------------------------------------------------------------ */

/*
 * Opens instance `name` ("default" if NULL). Works while no daemon runs, as
 * long as the instance's segment is there.
 *
 * If there is none, but somebody listens where this instance's daemon would
 * (PEEK_SOCKET; else $XDG_RUNTIME_DIR/peekd/NAME.sock or
 * /tmp/peekd-UID/NAME.sock of this user's own, then /run/peekd/NAME.sock), it
 * connects: a service manager then starts the daemon, and a daemon that is just
 * starting is waited for. This takes at most 5 seconds, and doesn't happen with
 * PEEK_READ_ONLY.
 *
 * PEEK_SOCKET in the environment overrides the control socket that the segment
 * names. The owner of the segment must be root, this process's effective user,
 * the uid that PEEK_OWNER names, or the user that the file /etc/peekd/owner
 * names: a uid or a user's name, in a plain file that belongs to root and that
 * nobody else may write. The file is read, and its user looked up, here and not
 * by reads. (A set-user-ID program ignores both variables.) In a user namespace
 * whose map doesn't hold all users, those that it lacks all show the overflow
 * user (65534): such an owner is believed if it really is this process's user,
 * or if PEEK_OWNER says so.
 *
 * If a daemon runs, it is told that this process reads: this takes at most 100
 * ms, and is no error if the daemon doesn't answer. With PEEK_NO_FOLLOW, reads
 * of a segment that was retired return the values that it held, for some
 * seconds: then the daemon gives the segment's memory back, and from then on
 * each read is -ESTALE.
 */
int peek_open(const char *name, unsigned flags, struct peek **ret_peek);

/* Unmaps everything and closes the connections. No other call may be under way.
 * NULL is allowed. */
void peek_close(struct peek *p);

/* ---- reads --------------------------------------------------------------- */

/*
 * Copies the value of a key into buf and returns its length. No system call,
 * lock, allocation or wait, with one exception: the first reads after the table
 * has grown beyond the part that this process has mapped make three system
 * calls to map the rest (-ENOMEM: there are no addresses or, with mlockall, no
 * lockable memory for it). -ENOSPC: the value is longer than buf_cap; buf's
 * content is undefined. A segment that was taken out of use without a successor
 * has no keys.
 */
ssize_t peek_get(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);

/* Reads the value as a number: a counter's own word, or text that strtoull
 * would take and incr counts on ("5", " 5", "+5", "5\n", padded to any length;
 * through the socket up to 4,096 bytes). */
int peek_get_u64(struct peek *p, const void *key, size_t key_len, uint64_t *ret_value);

struct peek_info {
	size_t value_len;
	uint32_t flags; /* the client flags it was stored with */
	int64_t ttl_s;  /* seconds left; -1: never expires */
	uint64_t cas;   /* for peek_cas */
	int stale;      /* bits: PEEK_STALE, PEEK_BEING_MADE */
};
#define PEEK_STALE      1 /* marked stale by an invalidation, and not stored anew since */
#define PEEK_BEING_MADE 2 /* a client has a lease (peek_lease), and makes the value anew */

/* As peek_get, and describes the item. On -ENOSPC *ret_info is filled too
 * (buf_cap 0 asks for the description alone). On -ENOENT it is filled only
 * while a client makes the key's first value: cas is then that of the key's
 * place, and stale is PEEK_BEING_MADE. */
ssize_t peek_get_info(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap,
    struct peek_info *ret_info);

struct peek_op {
	const void *key;
	size_t key_len;
	void *buf;
	size_t buf_cap;
	ssize_t result; /* as peek_get returns it */
};

/*
 * Makes n reads whose cache misses overlap. Each is a read of its own; together
 * they are not one snapshot. Returns the number of hits, or -EINVAL (ops is
 * NULL); a key whose length is not allowed is its own operation's -EINVAL.
 * Through the socket the reads are made one after the other, and those behind
 * one that got no answer are -EPROTO without being asked.
 */
ssize_t peek_mget(struct peek *p, struct peek_op *ops, size_t n);

/*
 * A view: the value where it lies, without a copy. The bytes at `data` may be
 * rewritten while the caller looks at them; they were the key's own whole value
 * only if peek_view_valid() says so AFTERWARDS. Before that, don't follow
 * anything read from them, and don't let it leave. Views are for values in one
 * piece only: -ENOTSUP says that this one is a counter, lies in several pieces,
 * or in a foreign layout; use peek_get. data stays readable until peek_close,
 * whatever becomes of the value.
 */
struct peek_view {
	const void *data;
	size_t len;
	uint64_t token[2];
};
int peek_view(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view);

/* 1: every byte read through the view until now belonged to the value, which
 * was whole. 0: this is not certain. */
int peek_view_valid(struct peek *p, const struct peek_view *view);

/*
 * A place: where the item of a key lies, and which item it is of all that ever
 * lay there. It is the base of a cache of decoded objects inside a process: an
 * object is kept together with the place of the value that it was made from,
 * and is used as long as peek_same says that the place is the same.
 *
 *	r = peek_place(p, key, key_len, &place);         first the place
 *	n = peek_get(p, key, key_len, buf, sizeof(buf)); then the value
 *	object = decode(buf, n);                         keep it with the place
 *	...
 *	if (peek_same(p, key, key_len, &place))
 *		use(object);
 *
 * If peek_place was successful and a later peek_same of the same key is 1, then
 * every read of the key between the two that was successful returned one value,
 * which is still the key's. So the place comes before the value: in the other
 * order the value may be older than the place.
 *
 * The place is not the same any more once the item was overwritten (by the same
 * bytes too), appended to, deleted, flushed or evicted, has expired, has a tag
 * that was invalidated, was moved by the daemon's cleaning, or went to another
 * segment in a hand-over; also if the key has come back, and if its new item
 * lies where the old one lay. A touch, a mark as stale, and a daemon that
 * ends and comes back on the same segment leave the place as it is.
 * peek_same speaks of one instant between its call and its return.
 *
 * Both functions are look-ups: they count, and leave hints, as peek_get does,
 * and enter the kernel in the same cases. They touch the item's first line, and
 * nothing of the value. A place is plain bytes without an owner, and is good in
 * every thread, handle and process that reads the instance; of another instance
 * it is never the same.
 */
struct peek_place {
	uint64_t token[3];
};

/* Finds the place of a key. -ENOTSUP: a counter has none, since its value is
 * stored where it lies; nor has an item in a foreign layout. */
int peek_place(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place);

/* 1: the place is the same, as above. 0: it is not, or this is not certain:
 * there is no such key, the bucket is being rewritten, an argument is not
 * allowed. Never negative, so that it can be used as a truth value. */
int peek_same(struct peek *p, const void *key, size_t key_len, const struct peek_place *place);

/*
 * Walks all keys without the daemon. Each key that is there throughout is
 * passed at least once, also while the table grows; a key that comes, goes or
 * moves meanwhile may be passed twice or not at all. visit returns 0 to go on;
 * any other number ends the walk, and peek_scan returns it. A segment that is
 * replaced meanwhile is walked from its beginning. visit may call any function
 * but peek_close.
 */
struct peek_entry {
	const void *key; /* valid during the call */
	size_t key_len;
	struct peek_info info;
};
int peek_scan(struct peek *p, int (*visit)(void *arg, const struct peek_entry *entry), void *arg);

/*
 * ---- writes: over the control socket, with the daemon's verdict -------------
 *
 * ttl_s is always relative, also beyond 30 days; 0: never expires. A set,
 * touch, delete or flush whose reply was lost with the connection is sent once
 * more, since to carry it out twice changes nothing. An add, replace, append,
 * prepend, cas, incr or decr is not sent again, nor is any request whose reply
 * is late: the call returns -EINPROGRESS.
 */
int peek_set(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s);
int peek_set_flags(struct peek *p, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t ttl_s, uint32_t flags);
int peek_add(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s);
int peek_replace(struct peek *p, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t ttl_s);
int peek_append(
    struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len);
int peek_prepend(
    struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len);
int peek_cas(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, uint64_t cas); /* -EEXIST: the item has changed meanwhile */
int peek_delete(struct peek *p, const void *key, size_t key_len);
int peek_touch(struct peek *p, const void *key, size_t key_len, uint32_t ttl_s);
int peek_incr(struct peek *p, const void *key, size_t key_len, uint64_t delta, uint64_t *ret_value);
/* stops at 0 */
int peek_decr(struct peek *p, const void *key, size_t key_len, uint64_t delta, uint64_t *ret_value);
int peek_flush(struct peek *p, uint32_t delay_s);

/*
 * Tags: names for sets of items that go at once. peek_set_tagged stores a value
 * with n_tags tags, 0 .. PEEK_TAGS_MAX. peek_invalidate drops every item that
 * was stored with one of n_tags tags (1 or more), however many items there are:
 * once it has returned 0, no later read of any process finds an item that was
 * stored with such a tag before it was called. A set that runs meanwhile may be
 * dropped or stay.
 *
 * A name has 1 .. PEEK_TAG_MAX_BYTES bytes, none of them a comma, a space, a
 * control character or DEL (-EINVAL). The daemon hashes names to numbers: two
 * names may share a number, and then to invalidate either drops the items of
 * both. An item that stays was never covered.
 *
 * An item keeps its tags when it is appended to, incremented, touched or marked
 * stale. Every other store replaces them with the value: after a peek_set it
 * has none. Tags are kept by a restart, a hand-over and a snapshot; a snapshot
 * that is loaded brings back what an invalidation after its saving dropped.
 *
 * If the reply is lost, peek_invalidate is sent once more, as a flush is. Many
 * tags take several requests; on an error some of them may be invalidated. A
 * daemon that is older than tags answers both with -EBADMSG.
 */
int peek_set_tagged(struct peek *p, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t ttl_s, const char *const *tags, size_t n_tags);
int peek_invalidate(struct peek *p, const char *const *tags, size_t n_tags);

/*
 * Leases: one process makes a value, the others wait or take the old one.
 *
 * peek_lease: 1: the caller has won the key, and *ret_token is for peek_fill.
 * 0: the key has a value, or another client makes it. A key is won that has no
 * value, or one marked stale; with peek_lease_early also a value that has less
 * than left_s seconds left (at most 30 days). Reads of the key miss until there
 * is a value; a stale or early one is read until peek_fill replaces it.
 *
 * A lease ends by peek_fill, by peek_unlease, when the key is deleted or
 * overwritten, after lease_ms (1 to 86400000; the daemon looks ten times a
 * second), and with the process that holds it. Then the next caller wins. A
 * call of this handle that breaks its connection (-EINPROGRESS and such) ends
 * its leases too.
 *
 * peek_fill stores the value if the lease still stands: -ENOENT, -EEXIST: the
 * key was deleted or overwritten meanwhile, or the lease has ended, and nothing
 * was stored. peek_unlease gives the key up, so that the next caller wins.
 */
int peek_lease(
    struct peek *p, const void *key, size_t key_len, unsigned lease_ms, uint64_t *ret_token);
int peek_lease_early(struct peek *p, const void *key, size_t key_len, unsigned lease_ms,
    uint32_t left_s, uint64_t *ret_token);
int peek_fill(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, uint32_t flags, uint64_t token);
int peek_unlease(struct peek *p, const void *key, size_t key_len, uint64_t token);

/*
 * Waits until the key's item has another CAS id than seen_cas, which is 0 for a
 * key that isn't there, and else as peek_get_info told it, also of a place that
 * has no value yet. 0: it has; -ETIMEDOUT: not within timeout_ms. It looks into
 * shared memory, and sleeps 0.05 to 5 ms between two looks. A change that was
 * taken back meanwhile isn't noticed.
 */
int peek_wait(
    struct peek *p, const void *key, size_t key_len, uint64_t seen_cas, unsigned timeout_ms);

/*
 * Pipelined sets: queued here and sent in batches. peek_set_flush sends the
 * rest and waits until the daemon has answered all of them. failed is called
 * for each key that was refused, with its errno, from within either function;
 * it may read and write with this handle, but not use the queue. If it doesn't
 * return (see the caveats), the set that peek_set_async was called for is not
 * queued, and the next call on the queue reports the other refusals.
 *
 * Memory is bounded (two times 64 KiB); a value too large for that waits for
 * its answer. If the connection breaks, or the daemon takes nothing for the
 * timeout, either function returns -EINPROGRESS, and the fate of everything
 * that was queued is unknown; -ECONNREFUSED, -EACCES, -EIO: everything was
 * dropped unsent. One thread at a time uses a handle's queue: a second one that
 * comes meanwhile waits, and gets -ETIMEDOUT when its time is over; nothing of
 * the queue is lost by that.
 */
typedef void (*peek_failed_fn)(void *arg, const void *key, size_t key_len, int error);
int peek_set_async(struct peek *p, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t ttl_s, peek_failed_fn failed, void *arg);
int peek_set_flush(struct peek *p);

/* Sets the milliseconds that a write, or a read through the socket, may take,
 * including its wait for other threads (default 1000; 0 is not allowed). */
int peek_set_timeout(struct peek *p, unsigned timeout_ms);

/* ---- the handle's state -------------------------------------------------- */

/*
 * The sources of the figures. fallback and hinting come from this library
 * itself. generation, writer_*, n_buckets, arena_bytes and socket_path come
 * from the segment, which only its owner can write. The counts are this
 * process's own as long as hinting has always been 0. Once it is 1, they lie in
 * the hint page, where every client of the daemon can write: use them for
 * tuning, not for decisions that another client must not influence.
 * PEEK_NO_HINTS keeps them private.
 */
struct peek_status {
	uint64_t generation;       /* of the segment that reads now use */
	int writer_present;        /* 1: a daemon runs and its heartbeat is fresh */
	uint64_t writer_silent_ms; /* since the last heartbeat */
	int64_t writer_pid;        /* 0: it ended cleanly */
	/* 1: the segment's layout is foreign; reads go through the socket */
	int fallback;
	int hinting; /* 1: the daemon sees which items this handle reads */
	/* of this handle in this process; gets are hits and misses */
	uint64_t gets, hits, misses, retries;
	uint64_t n_buckets;
	uint64_t arena_bytes;
	char socket_path[128];
};

/* May attach to the hint page (a connection). */
int peek_status(struct peek *p, struct peek_status *ret_status);

/* A sentence for a negative return value. Static storage. */
const char *peek_strerror(int error);

/* "1.0.0" */
const char *peek_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
