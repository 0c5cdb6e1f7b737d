/*
 * lease.c: see lease.h.
 *
 * Leases stand in one array, which doubles. Numbers of leases begin at 1, and 0
 * is none. Each lease is in a chain of those with the same hash, and in its
 * owner's list.
 */
#include "daemon/verbs/lease.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "shm/item.h"
#include "shm/stats.h"

#define LEASES_MIN    64u
#define SWEEP_AT_ONCE 2 /* leases looked at whenever one begins */

struct lease {
	uint64_t hash, cas;
	uint64_t until_ms;         /* 0: none */
	struct lease_owner *owner; /* NULL: this entry is free */
	uint32_t next;             /* in the chain of its hash, or of free entries */
	uint32_t own_prev, own_next;
};

struct leases {
	struct store *store;
	uint64_t *stat;
	uint64_t cas_at_start;
	struct lease *entry; /* [1, cap] */
	uint32_t *head;      /* cap of them, a power of two */
	uint32_t cap, n_made, free;
	uint32_t sweep;  /* the entry that was looked at last */
	uint64_t due_ms; /* no lease ends before it; 0: none has a time */
};

int
leases_create(struct store *store, uint64_t *stat, struct leases **ret)
{
	struct leases *ls = calloc(1, sizeof(*ls));

	if (ls == NULL)
		return -ENOMEM;
	ls->store = store;
	ls->stat = stat;
	ls->cas_at_start = store_last_cas(store);
	*ret = ls;
	return 0;
}

void
leases_free(struct leases *ls)
{
	if (ls == NULL)
		return;
	free(ls->entry);
	free(ls->head);
	free(ls);
}

static uint32_t *
lease_head(const struct leases *ls, uint64_t hash)
{
	return &ls->head[hash & (ls->cap - 1)];
}

/* Doubles the array. False: it is as long as it may be, or there is no
 * memory. */
static bool
grow_leases(struct leases *ls)
{
	uint32_t cap = ls->cap > 0 ? 2 * ls->cap : LEASES_MIN;
	uint32_t *head = cap <= LEASES_MAX ? calloc(cap, sizeof(*head)) : NULL;
	struct lease *entry = head != NULL ? realloc(ls->entry, (cap + 1) * sizeof(*entry)) : NULL;

	if (entry == NULL) {
		free(head);
		return false;
	}
	free(ls->head);
	ls->entry = entry;
	ls->head = head;
	ls->cap = cap;
	for (uint32_t i = 1; i <= ls->n_made; i++) {
		if (entry[i].owner == NULL)
			continue;
		uint32_t *chain = lease_head(ls, entry[i].hash);
		entry[i].next = *chain;
		*chain = i;
	}
	return true;
}

/* A lease is forgotten: its item is left as it is. */
static void
forget_lease(struct leases *ls, uint32_t i)
{
	struct lease *l = &ls->entry[i];
	uint32_t *at = lease_head(ls, l->hash);

	CHECK(l->owner != NULL);
	while (*at != i)
		at = &ls->entry[*at].next;
	*at = l->next;
	if (l->own_prev != 0)
		ls->entry[l->own_prev].own_next = l->own_next;
	else
		l->owner->first = l->own_next;
	if (l->own_next != 0)
		ls->entry[l->own_next].own_prev = l->own_prev;
	*l = (struct lease){.next = ls->free};
	ls->free = i;
	ls->stat[SHM_STAT_CURR_LEASES]--;
}

/* Forgets a few leases whose items were stored, deleted or evicted by
 * others. */
static void
sweep_leases(struct leases *ls)
{
	struct store_item item;

	for (unsigned n = 0; n < SWEEP_AT_ONCE && ls->n_made > 0; n++) {
		ls->sweep = ls->sweep < ls->n_made ? ls->sweep + 1 : 1;
		const struct lease *l = &ls->entry[ls->sweep];
		if (l->owner != NULL &&
		    (!store_find_cas(ls->store, l->hash, l->cas, &item) ||
			(item.state & ITEM_WON) == 0))
			forget_lease(ls, ls->sweep);
	}
}

void
lease_begin(
    struct leases *ls, struct lease_owner *owner, uint64_t hash, uint64_t cas, uint64_t until_ms)
{
	uint32_t i;

	if (ls == NULL || owner == NULL)
		return;
	ls->stat[SHM_STAT_LEASES_WON]++;
	sweep_leases(ls);
	if (ls->free != 0) {
		i = ls->free;
		ls->free = ls->entry[i].next;
	} else {
		if (ls->n_made == ls->cap && !grow_leases(ls))
			return;
		i = ++ls->n_made;
	}
	uint32_t *chain = lease_head(ls, hash);
	ls->entry[i] = (struct lease){.hash = hash,
	    .cas = cas,
	    .until_ms = until_ms,
	    .owner = owner,
	    .next = *chain,
	    .own_next = owner->first};
	*chain = i;
	if (owner->first != 0)
		ls->entry[owner->first].own_prev = i;
	owner->first = i;
	if (until_ms != 0 && (ls->due_ms == 0 || until_ms < ls->due_ms))
		ls->due_ms = until_ms;
	ls->stat[SHM_STAT_CURR_LEASES]++;
}

static uint32_t
find_lease(const struct leases *ls, uint64_t hash, uint64_t cas)
{
	if (ls->cap == 0)
		return 0;
	uint32_t i = *lease_head(ls, hash);
	while (i != 0 && (ls->entry[i].hash != hash || ls->entry[i].cas != cas))
		i = ls->entry[i].next;
	return i;
}

void
lease_settle(struct leases *ls, uint64_t hash, uint64_t cas)
{
	uint32_t i = ls != NULL ? find_lease(ls, hash, cas) : 0;

	if (i != 0)
		forget_lease(ls, i);
}

bool
lease_is_over(
    const struct leases *ls, uint64_t hash, const struct store_item *item, uint64_t now_ms)
{
	if (ls == NULL)
		return false;
	uint32_t i = find_lease(ls, hash, item->cas);
	if (i == 0)
		return item->cas <= ls->cas_at_start;
	return ls->entry[i].until_ms != 0 && ls->entry[i].until_ms <= now_ms;
}

void
lease_give_up(struct store *store, const struct store_item *item)
{
	if (item_is_place(item->state))
		store_delete(store, item);
	else
		store_mark(store, item, 0, ITEM_WON, 0);
}

/* Ends a lease, and makes its item free for the next. */
static void
end_lease(struct leases *ls, uint32_t i)
{
	struct store_item item;

	if (store_find_cas(ls->store, ls->entry[i].hash, ls->entry[i].cas, &item) &&
	    (item.state & ITEM_WON) != 0) {
		lease_give_up(ls->store, &item);
		ls->stat[SHM_STAT_LEASES_ENDED]++;
	}
	forget_lease(ls, i);
}

void
lease_end_owner(struct leases *ls, struct lease_owner *owner)
{
	while (owner->first != 0)
		end_lease(ls, owner->first);
}

void
lease_tick(struct leases *ls, uint64_t now_ms)
{
	if (ls == NULL || ls->due_ms == 0 || now_ms < ls->due_ms)
		return;
	ls->due_ms = 0;
	for (uint32_t i = 1; i <= ls->n_made; i++) {
		uint64_t until_ms = ls->entry[i].until_ms;
		if (ls->entry[i].owner == NULL || until_ms == 0)
			continue;
		if (until_ms <= now_ms)
			end_lease(ls, i);
		else if (ls->due_ms == 0 || until_ms < ls->due_ms)
			ls->due_ms = until_ms;
	}
}
