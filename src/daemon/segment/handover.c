/* handover.c: see handover.h. */
#include "daemon/segment/handover.h"

#include <stdlib.h>

#include "daemon/host/ending.h"
#include "engine/crash.h"
#include "shm/seq.h"

struct carrying {
	struct store *from, *to;
	uint32_t now_s;
	char *value;
	uint32_t value_cap;
	uint64_t visited;
};

static void
carry_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct carrying *c = arg;
	struct store_put put = {
	    .key = {key, key_len, store_hash(c->to, key, key_len)},
	    .mode = STORE_SET,
	    .value_bytes = item->value_bytes,
	    .flags = item->flags,
	    .expiry_s = item->expiry_s,
	    .state = item->state & (ITEM_KEY_B64 | ITEM_STALE | ITEM_WON | ITEM_TAGS),
	    .tags = item->tags,
	    .explicit_cas = item->cas,
	};
	uint64_t cas;

	c->visited++;
	if (item->value_bytes > c->value_cap) {
		char *larger = realloc(c->value, item->value_bytes);

		if (larger == NULL)
			return;
		c->value = larger;
		c->value_cap = item->value_bytes;
	}
	if (item->value_bytes > 0)
		store_read(c->from, item, 0, item->value_bytes, c->value);
	put.value = c->value;
	enum store_result r = store_put(c->to, &put, c->now_s, &cas);
	CRASH_POINT("handover:item carried");
	if (r == STORE_BAD_CAS) { /* the old CAS id doesn't fit; a new one is as unique */
		put.explicit_cas = 0;
		/* an item that is refused is counted at the end */
		(void)store_put(c->to, &put, c->now_s, &cas);
	}
}

bool
handover_carry(struct handover *h)
{
	struct carrying c = {.from = h->from, .to = h->to, .now_s = h->now_s};
	/* relaxed: no other writer */
	uint64_t cursor = 0, flush = word_load_rlx(&h->from_map->header->cutoff);
	uint64_t stat[SHM_STAT_N];

	do {
		if (ending_signal() != 0) {
			free(c.value);
			return false;
		}
		cursor = store_walk(h->from, cursor, h->now_s, carry_item, &c);
	} while (cursor != 0);
	if ((flush & CUTOFF_PENDING) != 0)
		store_flush_at(h->to, (uint32_t)word_load_rlx(&h->from_map->header->flush_at_s));
	CRASH_POINT("handover:all carried");
	free(c.value);
	store_stats(h->to, h->now_s, stat);
	h->carried = stat[SHM_STAT_CURR_ITEMS];
	h->not_carried = c.visited > h->carried ? c.visited - h->carried : 0;
	h->growth_refused = stat[SHM_STAT_GROWTH_REFUSED] > 0;
	return true;
}
