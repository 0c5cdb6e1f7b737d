/*
 * scan.c: all keys, without the daemon.
 *
 * Buckets are walked upwards, and the table's size is read again at the end.
 * Linear hashing moves a key only from a bucket to a later one: the new last
 * bucket. So a key that is there throughout is met where it was, or later where
 * it went, or twice.
 */
#include <errno.h>

#include "lib/handle.h"
#include "lib/pinned_info.h"
#include "lib/lookup_pinned.h"
#include "lib/segment.h"

#define CHAIN_ITEMS_MAX (CHAIN_LINES_MAX * BUCKET_SLOTS)

struct scan_chain {
	unsigned n;
	struct peek_entry entry[CHAIN_ITEMS_MAX];
	unsigned char key[CHAIN_ITEMS_MAX][ITEM_KEY_MAX + 6];
};

/* Adds one item, if it is alive. An impossible item is skipped: either the
 * sequence shows that it was torn, or it is damaged. */
static void
add_item(const struct attached *a, uint64_t slot, struct scan_chain *chain)
{
	const struct map *m = &a->map;
	struct lookup_pinned pin;

	if (!lookup_shape(m, slot, &pin) ||
	    lookup_is_past(m, pin.item, pin.word0, pin.word1, &a->shift))
		return;
	uint32_t key_len = item_key_bytes(pin.word0);
	size_t value_len = item_value_bytes(pin.word0);
	char digits[NUMBER_DIGITS_MAX];
	if (!item_key_len_ok(key_len))
		return;
	if ((item_state(pin.word1) & ITEM_COUNTER) != 0)
		value_len = pinned_info_digits(&pin, digits);
	copy_out(chain->key[chain->n], pin.item, pin.shape.key_at, key_len);
	chain->entry[chain->n] =
	    (struct peek_entry){chain->key[chain->n], key_len, pinned_info_of(a, &pin, value_len)};
	chain->n++;
}

/* One try at a bucket and its chain, all under one sequence. */
static enum lookup_result
read_chain(const struct attached *a, uint64_t bucket_idx, struct scan_chain *chain)
{
	const struct map *m = &a->map;
	const struct bucket *head = &m->buckets[bucket_idx], *line = head;
	uint64_t begun = seq_begin(&head->seq);

	chain->n = 0;
	if ((begun & 1) != 0)
		return LOOKUP_AGAIN;
	for (unsigned n_lines = 1;; n_lines++) {
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			/* relaxed: validated below */
			uint64_t slot = word_load_rlx(&line->slot[i]);
			if (slot_is_item(slot))
				add_item(a, slot, chain);
		}
		uint64_t link = word_load_rlx(&line->slot[LINK_SLOT]);
		if (!slot_is_link(link) || slot_link_idx(link) >= m->n_overflow_max ||
		    n_lines == CHAIN_LINES_MAX)
			break;
		if (slot_link_idx(link) >= m->n_overflow_mapped) {
			/* damage, or torn */
			if (slot_link_idx(link) >= word_load_rlx(&m->header->n_overflow))
				break;
			return seq_validate(&head->seq, begun) ? LOOKUP_BEYOND : LOOKUP_AGAIN;
		}
		line = &m->overflow[slot_link_idx(link)];
	}
	return seq_validate(&head->seq, begun) ? LOOKUP_HIT : LOOKUP_AGAIN;
}

static enum lookup_result
scan_bucket(const struct attached *a, uint64_t bucket_idx, struct scan_chain *chain)
{
	for (unsigned n_tries = 0; n_tries < LOOKUP_TRIES; n_tries++) {
		enum lookup_result r = read_chain(a, bucket_idx, chain);
		if (r != LOOKUP_AGAIN)
			return r;
		lookup_pause();
	}
	return LOOKUP_AGAIN;
}

int
peek_scan(struct peek *p, int (*visit)(void *arg, const struct peek_entry *entry), void *arg)
{
	struct scan_chain chain;
	int r = seq_load_ptr(&p->own.now) != NULL ? 0 : segment_ready(p);
	const struct attached *a = seq_load_ptr(&p->own.now);

	for (uint64_t idx = 0; r == 0 && a != NULL;) {
		/* relaxed: a key that was moved before this load is in a bucket
		 * that is still to be walked */
		uint64_t count = word_load_rlx(&a->map.header->count);
		if ((count & COUNT_RETIRED) != 0 && !a->stay) {
			r = segment_follow(p, a);
			a = seq_load_ptr(&p->own.now);
			idx = 0;
			continue;
		}
		if (idx >= (count & COUNT_MASK))
			return 0;
		enum lookup_result found =
		    idx < a->map.n_buckets_mapped ? scan_bucket(a, idx, &chain) : LOOKUP_BEYOND;
		if (found == LOOKUP_BEYOND) {
			r = segment_extend(p, a);
			a = seq_load_ptr(&p->own.now);
			continue;
		}
		if (found == LOOKUP_AGAIN) /* relaxed: a retired segment stays so */
			return (word_load_rlx(&a->map.header->count) & COUNT_RETIRED) != 0 &&
				a->stay
			    ? -ESTALE
			    : -EAGAIN;
		idx++;
		for (unsigned i = 0; i < chain.n; i++) {
			int ended = visit(arg, &chain.entry[i]);
			if (ended != 0)
				return ended;
		}
	}
	if (r == -ENOENT) /* the segment was retired and has no successor: there are no keys */
		return 0;
	return r == -EPROTO || a == NULL ? -ENOTSUP : r; /* a foreign layout can't be walked */
}
