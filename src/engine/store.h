/*
 * store.h: the writer's engine, as calls that take values and a time. No
 * socket, clock or log.
 *
 * Callers are one thread. Times are seconds of the segment's clock (layout.h),
 * given by the caller. An expiry of 0 never comes; 1 has always passed (a
 * negative exptime is stored so). A struct store_item is valid until the next
 * call that may change the table: any but store_find, store_read, store_bump,
 * store_hash.
 */
#ifndef PEEK_ENGINE_STORE_H
#define PEEK_ENGINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/map.h"
#include "shm/stats.h"

struct store;

struct store_conf {
	bool evict;              /* false (-M): refuse when full */
	uint32_t item_max_bytes; /* header, key and value (-I) */
	/*
	 * SHM_STAT_N words that the store counts into while it is open: its
	 * owner's, who counts into the rows that aren't the engine's. NULL: the
	 * store's own.
	 */
	uint64_t *stat;
};

struct store_recovery {
	uint64_t items; /* taken over */
	uint64_t dropped_damaged;
	uint64_t dropped_expired;
	uint64_t dropped_double;
	uint64_t repaired_buckets;
};

/*
 * Takes over a mapped segment whose lock the caller holds: an empty one just
 * created, or a dead writer's, which it repairs. -ENOMEM; -EBADMSG: it can't be
 * trusted.
 */
int store_open(struct map *map, const struct store_conf *conf, uint32_t now_s, struct store **ret,
    struct store_recovery *ret_recovery);
void store_close(struct store *s);

/*
 * The hint page (src/shm/hint.h): one byte for each slot. hints may be NULL.
 * n_bytes says how far it reaches.
 */
void store_set_hints(struct store *s, struct byte *hints, uint64_t n_bytes);

struct store_key {
	const void *bytes;
	uint32_t len;  /* 1 .. ITEM_KEY_MAX */
	uint64_t hash; /* store_hash */
};

uint64_t store_hash(const struct store *s, const void *key, size_t key_len);

struct store_item {
	uint64_t cas;
	uint32_t flags;
	uint32_t expiry_s;
	uint32_t value_bytes; /* of a counter: of its decimal form */
	uint32_t item_bytes;  /* shared memory that it takes, extents included */
	uint32_t last_access_s;
	uint32_t state; /* ITEM_*, as before store_bump */
	uint64_t tags;  /* with ITEM_TAGS */
	/* private to the engine */
	uint64_t item_off;
	uint64_t counter;
	uint64_t slot_ref, head, slot;
};

/* Why a key has no live item. */
enum store_gone { STORE_ABSENT, STORE_EXPIRED, STORE_FLUSHED };

/* Finds a live item: neither expired nor flushed. On a miss *ret_gone says why
 * there is none; it may be NULL. */
bool store_find(struct store *s, const struct store_key *key, uint32_t now_s,
    struct store_item *ret, enum store_gone *ret_gone);

/* Finds the item of a key's hash that has this CAS id, whether or not it has
 * expired. The key isn't needed. */
bool store_find_cas(struct store *s, uint64_t hash, uint64_t cas, struct store_item *ret);

/* The last CAS id that was given. */
uint64_t store_last_cas(const struct store *s);

/* Copies bytes [from, from + n) of the value; they must lie inside it. */
void store_read(
    const struct store *s, const struct store_item *item, uint32_t from, uint32_t n, void *buf);

/* Counts as a read of it: the hint, last access, ITEM_FETCHED. */
void store_bump(struct store *s, const struct store_item *item, uint32_t now_s);

/* Counts as a wish for it, though nobody has read it: the same without
 * ITEM_FETCHED. */
void store_keep(struct store *s, const struct store_item *item, uint32_t now_s);

/* Changes the expiry in place. */
void store_touch(struct store *s, const struct store_item *item, uint32_t expiry_s);

/* Sets and clears ITEM_STALE, ITEM_WON, ITEM_FETCHED in place; new_cas 0: keeps
 * the CAS id; else as store_next_cas gave it. */
void store_mark(
    struct store *s, const struct store_item *item, uint32_t set, uint32_t clear, uint64_t new_cas);

/*
 * The next CAS id, for an item of this state with these tags. explicit_cas, if
 * not 0, is taken when it fits: above the flush cut-off and the cut-offs of the
 * tags, and below 2^47; returns 0 when it doesn't.
 */
uint64_t store_next_cas(struct store *s, uint64_t explicit_cas, uint32_t state, uint64_t tags);

enum store_mode { STORE_SET, STORE_ADD, STORE_REPLACE, STORE_APPEND, STORE_PREPEND };

enum store_result {
	STORE_OK,
	STORE_NOT_STORED, /* the mode's condition doesn't hold */
	STORE_EXISTS,     /* the CAS id differs */
	STORE_NOT_FOUND,
	STORE_TOO_LARGE, /* for a set without a CAS id: the old value is gone */
	STORE_NO_MEMORY,
	STORE_NON_NUMERIC,
	STORE_BAD_CAS, /* an explicit id that doesn't fit */
};

struct store_put {
	struct store_key key;
	enum store_mode mode;
	const void *value;
	uint32_t value_bytes;
	uint32_t flags;
	uint32_t expiry_s;
	uint32_t state;        /* ITEM_KEY_B64, _STALE, _WON, _TAGS, _ABSENT to store it with */
	uint64_t tags;         /* with ITEM_TAGS: item.h */
	uint64_t compare_cas;  /* with has_compare */
	uint64_t explicit_cas; /* 0: the next */
	/* STORE_EXISTS unless the item has compare_cas; STORE_NOT_FOUND if it
	 * isn't there (add ignores it) */
	bool has_compare;
	/* with has_compare: a compare_cas below the item's stores, marked
	 * stale, keeping its expiry and winner */
	bool invalidate;
};

/*
 * Stores a value. Append and prepend keep flags, expiry and tags, and are
 * STORE_NOT_STORED on a miss; every other mode gives the item the tags of the
 * put alone. Add on a live item keeps it (store_keep). The old
 * value is whole until the new one is linked. With eviction on it never returns
 * STORE_NO_MEMORY.
 */
enum store_result store_put(
    struct store *s, const struct store_put *put, uint32_t now_s, uint64_t *ret_cas);

/* True if an item of these lengths may be stored at all. A server asks before
 * it reads the data. */
bool store_fits(const struct store *s, uint32_t key_bytes, uint64_t value_bytes, uint32_t flags);

/* incr and decr of a found item. explicit_cas as above. *ret_cas is the item's
 * new id. */
enum store_result store_arith(struct store *s, const struct store_key *key,
    const struct store_item *item, bool decr, uint64_t delta, uint64_t explicit_cas, uint32_t now_s,
    uint64_t *ret_value, uint64_t *ret_cas);

void store_delete(struct store *s, const struct store_item *item);

/* Flushes everything stored until now, and takes back a flush that was to
 * come. */
void store_flush(struct store *s);

/* Flushes when at_s comes; 0 takes it back. */
void store_flush_at(struct store *s, uint32_t at_s);

/* The number of a tag, from its name of 1 or more bytes: the same in every
 * segment and every version. Names may share a number. */
uint32_t store_tag(const void *name, size_t name_len);

/* The word of tags of an item with these numbers, 1 .. ITEM_TAGS_MAX. */
uint64_t store_tags(const uint32_t *tag, unsigned n);

/*
 * Every item that was stored with this tag until now vanishes. One store in
 * shared memory, whatever the number of items. Their memory comes back in
 * bounded steps, and no live item is evicted for it.
 */
void store_invalidate(struct store *s, uint32_t tag);

/*
 * To be called before every batch of requests and ten times a second: raises
 * the cut-off of a delayed flush whose time has come, publishes clock_word,
 * frees blocks that have expired, in bounded steps.
 */
void store_tick(struct store *s, uint64_t clock_word);

/* Walks items, a bucket a call. cursor begins at 0, and the result is 0 at the
 * end. Each item that exists throughout the walk is visited, except places of
 * values that are being made (item_is_place). */
typedef void (*store_visit_fn)(
    void *arg, const struct store_item *item, const void *key, uint32_t key_len);
uint64_t store_walk(
    struct store *s, uint64_t cursor, uint32_t now_s, store_visit_fn visit, void *arg);

/*
 * Copies the counters (shm/stats.def; SHM_STAT_N words), and fills the engine's
 * gauges in: those that it doesn't keep as it goes. now_s serves the age of the
 * oldest block alone.
 */
void store_stats(const struct store *s, uint32_t now_s, uint64_t *ret);

/* The memory of expired items that was not taken back yet, extents included.
 * Counted item by item: exact, and as long as the table. Ends early once it has
 * counted `enough`. For tests and measurements. */
uint64_t store_expired_bytes(const struct store *s, uint32_t now_s, uint64_t enough);

#endif
