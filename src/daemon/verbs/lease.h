/*
 * lease.h: who makes a value, and until when.
 *
 * A client that wins a key (mg N on a miss; a stale item, or one that has
 * little time left) holds a lease: others are told Z, and wait or take the old
 * value. The lease stands until the winner stores the value or gives up, until
 * its time is over, or until the winner's connection ends. Then the place that
 * N made is removed, or the winner's mark is taken from the old value, so that
 * the next client wins.
 *
 * A lease is known by its key's hash and its item's CAS id. One whose item has
 * gone, or has another CAS id, ends without a trace. Marks of winners that an
 * earlier daemon had count for nothing.
 *
 * Memory: 56 bytes a lease, LEASES_MAX at most. Leases beyond that number last
 * as long as their items say, as in memcached.
 */
#ifndef PEEKD_LEASE_H
#define PEEKD_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/store.h"

#define LEASES_MAX 65536u

struct leases;

/* A connection's leases. All zero: none. It must not move while it has any. */
struct lease_owner {
	uint32_t first;
};

/* stat: the daemon's counters. Marks of items whose CAS ids were given before
 * this call are an earlier daemon's. -ENOMEM. */
int leases_create(struct store *store, uint64_t *stat, struct leases **ret);
void leases_free(struct leases *ls);

/* A client has won the item. until_ms: a time of the caller's clock in
 * milliseconds; 0: none. */
void lease_begin(
    struct leases *ls, struct lease_owner *owner, uint64_t hash, uint64_t cas, uint64_t until_ms);

/* The value was stored, or the item deleted, by who knew the CAS id. */
void lease_settle(struct leases *ls, uint64_t hash, uint64_t cas);

/* True: nobody makes an item that has ITEM_WON any more. */
bool lease_is_over(
    const struct leases *ls, uint64_t hash, const struct store_item *item, uint64_t now_ms);

/* Removes a place, or takes the winner's mark from a value. */
void lease_give_up(struct store *store, const struct store_item *item);

/* Ends a connection's leases. */
void lease_end_owner(struct leases *ls, struct lease_owner *owner);

/* Ends the leases whose time is over. */
void lease_tick(struct leases *ls, uint64_t now_ms);

#endif
