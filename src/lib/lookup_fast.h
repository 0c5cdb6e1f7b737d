/*
 * lookup_fast.h: how a reader finds a key under its bucket's sequence: the
 * tiers fast and general. Pure: parameters, private memory and the accessors of
 * shm/.
 *
 *   fast      one try at a plain item of the key (item_is_plain): no expiry, no
 *             flags, a small value behind the key. Nearly every read ends here.
 *             This tier is the general one where a machine can't tell a plain
 *             item by one comparison.
 *   general   one try at the first match of the key's chain, of any key length:
 *             a small value in one piece, with or without expiry and flags.
 *   pinned    one try at everything: lookup_pinned.h.
 *
 * Both tiers here read everything under the bucket's sequence, which is
 * validated once, after the copy. Any other case (a rewrite, a large value, an
 * expired item) is left to the next tier.
 *
 * Nothing here loops without bound or waits. Offsets and lengths are read once
 * and clamped before they are used: damaged memory gives a wrong answer, never
 * a fault.
 */
#ifndef PEEK_LIB_LOOKUP_FAST_H
#define PEEK_LIB_LOOKUP_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/lookup_past.h"
#include "shm/clock.h"
#include "shm/copy.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "shm/map.h"
#include "shm/seq.h"
#include "shm/table.h"

/* The largest value that is copied under the sequence. A longer copy would too
 * often meet a rewrite of its bucket. */
#ifndef LOOKUP_UNPINNED_BYTES
#define LOOKUP_UNPINNED_BYTES 1024
#endif
/* The bytes from an item's first that a read under the sequence may touch: one
 * comparison with the arena's end clamps all of them. */
#define LOOKUP_UNPINNED_REACH (ITEM_HEADER_BYTES + 16 + 256 + LOOKUP_UNPINNED_BYTES)

/* Returned instead of a length when the next tier has to be asked. No errno has
 * these numbers. */
#define LOOKUP_NEXT (-4095) /* not a read for this tier */
#define LOOKUP_TORN (-4094) /* the bucket was rewritten meanwhile */

/* A line of a key's chain, which may hold the key; the head bucket first. */
struct lookup_place {
	const struct bucket *head;
	const struct bucket *line;
	uint64_t line_idx; /* the line's number, in the order of the hint page */
	/* the head's sequence. For an odd one it is the even number before,
	 * which never comes back, so that no validation succeeds. */
	uint64_t begun;
	unsigned match; /* bucket_match: the line's slots with the tag */
};

static inline struct lookup_place
lookup_begin(const struct map *m, uint64_t bucket_idx, uint64_t hash)
{
	const struct bucket *head = &m->buckets[bucket_idx];
	struct lookup_place at = {.head = head,
	    .line = head,
	    .line_idx = bucket_idx,
	    .begun = seq_begin(&head->seq) & ~UINT64_C(1)};

	at.match = bucket_match(head, slot_tag(hash));
	return at;
}

/*
 * If the head bucket has no match, goes on to the first line that has one, or
 * to the chain's end. False: it reached neither. Bounded, and links are
 * clamped.
 */
static inline bool
lookup_follow(const struct map *m, struct lookup_place *at, uint64_t hash)
{
	for (unsigned n_lines = 1; at->match == 0; n_lines++) {
		/* relaxed: the caller validates the head's sequence */
		uint64_t link = word_load_rlx(&at->line->slot[LINK_SLOT]);
		if (LOOKUP_LIKELY(!slot_leads_to(link, slot_tag(hash))))
			return true;
		if (slot_link_idx(link) >= m->n_overflow_mapped || n_lines == CHAIN_LINES_MAX)
			return false;
		at->line = &m->overflow[slot_link_idx(link)];
		at->line_idx = m->n_buckets_max + slot_link_idx(link);
		at->match = bucket_match(at->line, slot_tag(hash));
	}
	return true;
}

/* Confirms a miss, after no match up to the chain's end: the sequence
 * validates, and the table is as large as before. */
static inline bool
lookup_confirm_miss(const struct map *m, const struct lookup_place *at, uint64_t count)
{
	return seq_validate(&at->head->seq, at->begun) &&
	    /* relaxed: the split's order asks that this comes after begin */
	    word_load_rlx(&m->header->count) == count;
}

/* The hint page's byte for the slot of the first match. */
static inline uint64_t
lookup_hint_at(const struct lookup_place *at)
{
	return at->line_idx * HINT_BYTES_PER_BUCKET + bucket_match_slot(at->match);
}

#ifndef PEEK_MODEL
_Static_assert(LOOKUP_UNPINNED_REACH <= LAYOUT_ARENA_LEAST,
    "the reach of a read under the sequence fits every arena");
#endif

/* The last item offset from which a read under the sequence stays inside the
 * arena. map_open has refused an arena that is smaller than the reach. */
static inline uint64_t
lookup_item_off_max(const struct map *m)
{
	return m->arena_bytes - LOOKUP_UNPINNED_REACH;
}

/* Finds the item that the first match points to, and clamps it. False: the item
 * is not for the tiers under the sequence. */
static inline bool
lookup_item(
    const struct map *m, uint64_t off_max, const struct lookup_place *at, const struct word **ret)
{
	const struct word *slots = at->line->slot;
	/* relaxed: validated by the caller */
	uint64_t slot = word_load_rlx(&slots[bucket_match_slot(at->match)]);
	uint64_t off = slot_item_off(slot);

	const struct word *item = *ret = &m->arena[off / sizeof(struct word)];

	if (LOOKUP_UNLIKELY(off > off_max))
		return false;
	/* The value's place depends on the item's first line. Without these
	 * prefetches the second and third lines would be waited for one after
	 * the other. */
	__builtin_prefetch(item + 8);
	__builtin_prefetch(item + 16);
	return true;
}

/* Says whether an item is the key's and alive, and its value lies in one piece
 * behind the key. *ret_key: the place of the item's key. */
static inline bool
lookup_general_key(const struct map *m, const struct word *item, const void *key, size_t key_len,
    const struct clock_shift *shift, const char **ret_key)
{
	/* relaxed: validated by the caller */
	uint64_t word0 = word_load_rlx(&item[0]), word1 = word_load_rlx(&item[1]);
	uint64_t state = item_state(word1);

	/* An item of another layout is refused below. */
	*ret_key = (const char *)item + ITEM_HEADER_BYTES +
	    (state & ITEM_FLAGS) * (sizeof(struct word) / ITEM_FLAGS);
	return LOOKUP_LIKELY(item_key_bytes(word0) == key_len && (state & ITEM_PINNED_ONLY) == 0) &&
	    LOOKUP_LIKELY(
		copy_key_equal((const struct word *)(const void *)*ret_key, key, key_len)) &&
	    LOOKUP_LIKELY(!lookup_past(m, word0, word1, shift));
}

/* The general tier: the value's length, copied whole and the key's own; else
 * LOOKUP_NEXT or LOOKUP_TORN. */
static inline ssize_t
lookup_general(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
	/* relaxed: validated below */
	uint64_t value_bytes = item_value_bytes(word_load_rlx(&item[0]));
	const char *item_key;

	if (LOOKUP_UNLIKELY(value_bytes > LOOKUP_UNPINNED_BYTES || value_bytes > buf_cap))
		return LOOKUP_NEXT;
	if (LOOKUP_UNLIKELY(!lookup_general_key(m, item, key, key_len, shift, &item_key)))
		return LOOKUP_NEXT;
	copy_out(buf, (const struct word *)(const void *)item_key, key_len, value_bytes);
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return LOOKUP_TORN;
	return (ssize_t)value_bytes;
}

/* Says whether an item that never expires is alive. */
static inline bool
lookup_is_unflushed(const struct map *m, const struct word *item)
{
	/* relaxed: validated by the caller */
	return item_cas(word_load_rlx(&item[1])) > word_load_rlx(&m->header->cutoff);
}

/* The fast tier; as lookup_general. LOOKUP_NEXT: the general tier is next,
 * where the two differ. key_len <= ITEM_PLAIN_KEY_MAX, where that is not 0. */
static inline ssize_t
lookup_fast(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
	if (ITEM_PLAIN_KEY_MAX == 0)
		return lookup_general(m, at, item, key, key_len, buf, buf_cap, shift);
	if (LOOKUP_UNLIKELY(!item_is_plain(item, key, key_len)))
		return LOOKUP_NEXT;
	/* relaxed: validated below */
	uint64_t value_bytes = item_value_bytes(word_load_rlx(&item[0]));
	if (LOOKUP_UNLIKELY(value_bytes > buf_cap))
		return LOOKUP_NEXT;
	if (LOOKUP_UNLIKELY(!lookup_is_unflushed(m, item)))
		return LOOKUP_NEXT;
	/* copy_out has the same condition: one branch serves both */
	if (LOOKUP_LIKELY(value_bytes <= 128))
		copy_out(buf, item, ITEM_HEADER_BYTES + key_len, value_bytes);
	else if (LOOKUP_LIKELY(value_bytes <= LOOKUP_UNPINNED_BYTES))
		copy_out(buf, item, ITEM_HEADER_BYTES + key_len, value_bytes);
	else
		return LOOKUP_NEXT;
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return LOOKUP_TORN;
	return (ssize_t)value_bytes;
}
/* The fast tier, and then the general one. */
static inline ssize_t
lookup_fast_or_general(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
	if (key_len <= ITEM_PLAIN_KEY_MAX) {
		ssize_t n = lookup_fast(m, at, item, key, key_len, buf, buf_cap, shift);
		if (LOOKUP_LIKELY(n != LOOKUP_NEXT))
			return n;
	}
	return lookup_general(m, at, item, key, key_len, buf, buf_cap, shift);
}

/* lookup_general_key, with a plain item tried first. */
static inline bool
lookup_fast_or_general_key(const struct map *m, const struct word *item, const void *key,
    size_t key_len, const struct clock_shift *shift, const char **ret_key)
{
	if (LOOKUP_LIKELY(key_len <= ITEM_PLAIN_KEY_MAX) &&
	    LOOKUP_LIKELY(item_is_plain(item, key, key_len)) &&
	    LOOKUP_LIKELY(lookup_is_unflushed(m, item))) {
		*ret_key = (const char *)item + ITEM_HEADER_BYTES;
		return true;
	}
	return lookup_general_key(m, item, key, key_len, shift, ret_key);
}

#endif
