/*
 * lookup.h: how a reader finds a key in a mapped segment. Pure: parameters,
 * private memory and the accessors of shm/.
 *
 * Two forms, which end in the same answers:
 *
 *   quick    one try at what nearly every read is: the first match of the key's
 *            chain, a small value in one piece. Everything is read under the
 *            bucket's sequence, which is validated once, after the copy.
 *            Whatever is out of the ordinary (a rewrite, a large value, an
 *            expired item) is left to the other form.
 *   pinned   one try at everything. The item is pinned while the sequence still
 *            stands; from there on only the incarnations of the segments it
 *            lies in decide, so that a busy neighbour in the bucket can't spoil
 *            a long copy.
 *
 * Nothing here loops without bound or waits: a try that found the bucket in a
 * rewrite says LOOKUP_AGAIN, and the caller owns the budget. Offsets and
 * lengths are read once and clamped before they are used: damaged memory gives
 * a wrong answer, never a fault.
 */
#ifndef PEEK_LIB_LOOKUP_H
#define PEEK_LIB_LOOKUP_H

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

/* The largest value that is copied under the sequence: a longer copy is too
 * likely to meet a rewrite of its bucket. */
#ifndef LOOKUP_QUICK_BYTES
#define LOOKUP_QUICK_BYTES 1024
#endif
/* A quick read touches no byte beyond this from an item's first: one comparison
 * with the arena's end clamps all of it. */
#define LOOKUP_QUICK_REACH (ITEM_HEADER_BYTES + 16 + 256 + LOOKUP_QUICK_BYTES)

/*
 * Tries of one read. A window holds a few stores: a writer that runs leaves it
 * in well under a microsecond, and even an interrupt inside of one is over
 * before this many pauses (some 100 to 200 microseconds).
 */
#ifndef LOOKUP_TRIES
#define LOOKUP_TRIES 4096
#endif

enum lookup_result {
	LOOKUP_HIT,
	LOOKUP_MISS,    /* validated: the key was not there, or had expired, or was flushed */
	LOOKUP_AGAIN,   /* the bucket is being rewritten, or was meanwhile */
	LOOKUP_BEYOND,  /* in a part of the table that isn't mapped: segment_extend */
	LOOKUP_DAMAGED, /* validated, and impossible */
};

/* What the quick form says instead of a length when the other has to be asked.
 * No errno has these numbers. */
#define LOOKUP_ELSE (-4095) /* not a read for this form */
#define LOOKUP_TORN (-4094) /* the bucket was rewritten meanwhile */

static inline void
lookup_pause(void)
{
#if defined(PEEK_MODEL)
#elif defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory"); /* yield is no pause on most cores */
#endif
}

/* ---- the quick form ------------------------------------------------------ */

/* Where a key may be: a line of its chain, the head bucket first. */
struct lookup_place {
	const struct bucket *head;
	const struct bucket *line;
	uint64_t line_idx; /* of the line, in the order of the hint page */
	/* the head's sequence; for one that was odd the even one before, which
	 * never comes back: nothing validates */
	uint64_t begun;
	unsigned match; /* as bucket_match has it: the line's slots with the tag */
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

/* Whether the key may be on a line behind this one. */
static inline bool
lookup_leads_on(const struct lookup_place *at, uint64_t hash)
{
	/* relaxed: the caller validates the head's sequence */
	return slot_leads_to(word_load_rlx(&at->line->slot[LINK_SLOT]), slot_tag(hash));
}

/*
 * Where the head bucket has no match: goes on to the first line that has one,
 * or to the chain's end. False: to neither. Bounded, and links are clamped.
 */
static inline bool
lookup_quick_follow(const struct map *m, struct lookup_place *at, uint64_t hash)
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

/* Whether it is a miss that there was no match up to the chain's end:
 * validated, and the table is as large as it was. */
static inline bool
lookup_quick_miss(const struct map *m, const struct lookup_place *at, uint64_t count)
{
	return seq_validate(&at->head->seq, at->begun) &&
	    /* relaxed: after begin, which is what the split's order asks for */
	    word_load_rlx(&m->header->count) == count;
}

/* The hint page's byte for the slot of the first match. */
static inline uint64_t
lookup_hint_at(const struct lookup_place *at)
{
	return at->line_idx * HINT_BYTES_PER_BUCKET + bucket_match_slot(at->match);
}

#ifndef PEEK_MODEL
_Static_assert(LOOKUP_QUICK_REACH <= LAYOUT_ARENA_LEAST, "a quick read's reach fits every arena");
#endif

/* The last offset from which a quick read stays inside the arena. map_open has
 * refused one that is smaller than the reach. */
static inline uint64_t
lookup_quick_off_max(const struct map *m)
{
	return m->arena_bytes - LOOKUP_QUICK_REACH;
}

/* The item that the first match points to, clamped for a quick read. False: not
 * for this form. */
static inline bool
lookup_quick_item(
    const struct map *m, uint64_t off_max, const struct lookup_place *at, const struct word **ret)
{
	const struct word *slots = at->line->slot;
	/* relaxed: validated by the caller */
	uint64_t slot = word_load_rlx(&slots[bucket_match_slot(at->match)]);
	uint64_t off = slot_item_off(slot);

	const struct word *item = *ret = &m->arena[off / sizeof(struct word)];

	if (LOOKUP_UNLIKELY(off > off_max))
		return false;
	/* Where the value lies depends on the first line: without these the
	 * second and third are waited for one after the other. */
	__builtin_prefetch(item + 8);
	__builtin_prefetch(item + 16);
	return true;
}

/* Whether an item is the key's and lives, and its value lies in one piece
 * behind the key; where the key does. */
static inline bool
lookup_quick_where_any(const struct map *m, const struct word *item, const void *key,
    size_t key_len, const struct clock_shift *shift, const char **ret_key)
{
	/* relaxed: validated by the caller */
	uint64_t word0 = word_load_rlx(&item[0]), word1 = word_load_rlx(&item[1]);
	uint64_t state = item_state(word1);

	/* What has another layout is refused here. */
	*ret_key = (const char *)item + ITEM_HEADER_BYTES +
	    (state & ITEM_FLAGS) * (sizeof(struct word) / ITEM_FLAGS);
	return LOOKUP_LIKELY(item_key_bytes(word0) == key_len && (state & ITEM_UNUSUAL) == 0) &&
	    LOOKUP_LIKELY(
		copy_key_equal((const struct word *)(const void *)*ret_key, key, key_len)) &&
	    LOOKUP_LIKELY(!lookup_past(m, word0, word1, shift));
}

/* Any item that is for this form. */
static inline ssize_t
lookup_quick_any(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
	/* relaxed: validated below */
	uint64_t value_bytes = item_value_bytes(word_load_rlx(&item[0]));
	const char *item_key;

	if (LOOKUP_UNLIKELY(value_bytes > LOOKUP_QUICK_BYTES || value_bytes > buf_cap))
		return LOOKUP_ELSE;
	if (LOOKUP_UNLIKELY(!lookup_quick_where_any(m, item, key, key_len, shift, &item_key)))
		return LOOKUP_ELSE;
	copy_out(buf, (const struct word *)(const void *)item_key, key_len, value_bytes);
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return LOOKUP_TORN;
	return (ssize_t)value_bytes;
}

#ifdef SHM_X86_WIDE
#define LOOKUP_PLAIN_KEY_MAX ITEM_PLAIN_KEY_MAX

/* Whether an item that never expires lives. */
static inline bool
lookup_is_unflushed(const struct map *m, const struct word *item)
{
	/* relaxed: validated by the caller */
	return item_cas(word_load_rlx(&item[1])) > word_load_rlx(&m->header->cutoff);
}

/* What most items are. LOOKUP_ELSE: lookup_quick_any has to be asked. key_len
 * <= ITEM_PLAIN_KEY_MAX. */
static inline ssize_t
lookup_quick_plain(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	if (LOOKUP_UNLIKELY(!item_is_plain(item, key, key_len)))
		return LOOKUP_ELSE;
	/* relaxed: validated below */
	uint64_t value_bytes = item_value_bytes(word_load_rlx(&item[0]));
	if (LOOKUP_UNLIKELY(value_bytes > buf_cap))
		return LOOKUP_ELSE;
	if (LOOKUP_UNLIKELY(!lookup_is_unflushed(m, item)))
		return LOOKUP_ELSE;
	/* which copy_out asks as well: one branch for both */
	if (LOOKUP_LIKELY(value_bytes <= 128))
		copy_out(buf, item, ITEM_HEADER_BYTES + key_len, value_bytes);
	else if (LOOKUP_LIKELY(value_bytes <= LOOKUP_QUICK_BYTES))
		copy_out(buf, item, ITEM_HEADER_BYTES + key_len, value_bytes);
	else
		return LOOKUP_ELSE;
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return LOOKUP_TORN;
	return (ssize_t)value_bytes;
}
#else
#define LOOKUP_PLAIN_KEY_MAX 0 /* nothing tells a plain item by one comparison */
#endif

/* What the hot path asks. LOOKUP_ELSE: lookup_quick_any is still to be asked,
 * where there are plain items. */
static inline ssize_t
lookup_quick_usual(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
#ifdef SHM_X86_WIDE
	(void)shift;
	return lookup_quick_plain(m, at, item, key, key_len, buf, buf_cap);
#else
	return lookup_quick_any(m, at, item, key, key_len, buf, buf_cap, shift);
#endif
}

/* The value's length, copied whole and the key's own; else LOOKUP_ELSE or
 * LOOKUP_TORN. */
static inline ssize_t
lookup_quick_read(const struct map *m, const struct lookup_place *at, const struct word *item,
    const void *key, size_t key_len, void *buf, size_t buf_cap, const struct clock_shift *shift)
{
	if (key_len <= LOOKUP_PLAIN_KEY_MAX) {
		ssize_t n = lookup_quick_usual(m, at, item, key, key_len, buf, buf_cap, shift);
		if (LOOKUP_LIKELY(n != LOOKUP_ELSE))
			return n;
	}
	return lookup_quick_any(m, at, item, key, key_len, buf, buf_cap, shift);
}

/* As lookup_quick_where_any, with what most items are tried first. */
static inline bool
lookup_quick_where(const struct map *m, const struct word *item, const void *key, size_t key_len,
    const struct clock_shift *shift, const char **ret_key)
{
#ifdef SHM_X86_WIDE
	if (LOOKUP_LIKELY(key_len <= ITEM_PLAIN_KEY_MAX) &&
	    LOOKUP_LIKELY(item_is_plain(item, key, key_len)) &&
	    LOOKUP_LIKELY(lookup_is_unflushed(m, item))) {
		*ret_key = (const char *)item + ITEM_HEADER_BYTES;
		return true;
	}
#endif
	return lookup_quick_where_any(m, item, key, key_len, shift, ret_key);
}

/* ---- the pinned form ----------------------------------------------------- */

struct lookup_pinned {
	const struct word *item;
	uint64_t item_off; /* bytes from the arena's start */
	uint64_t word0, word1;
	struct item_shape shape;
	uint64_t incarnation; /* of the segment that holds the record */
	/* of the incarnations of the others: they only grow, so that one sum
	 * tells */
	uint64_t extents_sum;
	uint64_t hint_at; /* the slot's byte in the hint page */
};

static inline uint32_t
lookup_extent(const struct word *item, const struct item_shape *shape, uint32_t i)
{
	/* relaxed: the caller clamps it, and validates */
	return (uint32_t)(word_load_rlx(&item[shape->extents_at / sizeof(struct word) + i / 2]) >>
	    (i % 2 * 32));
}

/* False: the list names a segment that isn't there. */
static inline bool
lookup_extents_sum(
    const struct map *m, const struct word *item, const struct item_shape *shape, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shape->n_extents; i++) {
		uint32_t segment = item_extent_segment(shape, i, lookup_extent(item, shape, i));
		if (segment >= m->n_blocks)
			return false;
		/* relaxed: seq_validate or seq_standing orders it */
		sum += word_load_rlx(&m->blocks[segment].incarnation);
	}
	*ret_sum = sum;
	return true;
}

/* Reads where an item lies and which incarnations that stands under. False:
 * impossible, if the sequence still stands. */
static inline bool
lookup_shape(const struct map *m, uint64_t slot, struct lookup_pinned *pin)
{
	uint64_t off = slot_unit(slot) * ITEM_UNIT_BYTES;

	if (!item_in_bounds(off, ITEM_HEADER_BYTES, m->arena_bytes, m->block_shift))
		return false;
	pin->item_off = off;
	pin->item = &m->arena[off / sizeof(struct word)];
	pin->word0 = word_load_rlx(&pin->item[0]);
	pin->word1 = seq_counter_cas_state(&pin->item[1]);
	pin->shape = item_shape(item_state(pin->word1), item_key_bytes(pin->word0),
	    item_value_bytes(pin->word0), m->block_shift);
	if (!item_in_bounds(off, pin->shape.record_bytes, m->arena_bytes, m->block_shift))
		return false;
	pin->incarnation = word_load_rlx(&m->blocks[off >> m->block_shift].incarnation);
	return lookup_extents_sum(m, pin->item, &pin->shape, &pin->extents_sum);
}

/*
 * One slot under `begun`. LOOKUP_HIT: pinned, and the key is the one asked for
 * as far as lookup_stands() confirms it later. LOOKUP_MISS: another key; what
 * was compared counts only if the sequence validates once more, which every way
 * on does.
 */
static inline enum lookup_result
lookup_pin_slot(const struct map *m, const struct word *seq, uint64_t begun, uint64_t slot,
    const void *key, size_t key_len, const struct clock_shift *shift, struct lookup_pinned *pin,
    bool *ret_past)
{
	bool possible = lookup_shape(m, slot, pin);

	*ret_past = possible && lookup_past_any(m, pin->item, pin->word0, pin->word1, shift);
	if (!seq_validate(seq, begun)) /* the check in the middle: from here the item is pinned */
		return LOOKUP_AGAIN;
	if (!possible)
		return LOOKUP_DAMAGED;
	if (item_key_bytes(pin->word0) != key_len ||
	    !copy_key_equal(&pin->item[pin->shape.key_at / sizeof(struct word)], key, key_len))
		return LOOKUP_MISS;
	return LOOKUP_HIT;
}

/* The end of a try that found nothing. */
static inline enum lookup_result
lookup_miss(const struct map *m, const struct bucket *head, uint64_t begun, uint64_t hash,
    uint64_t count, uint64_t idx)
{
	if (!seq_validate(&head->seq, begun))
		return LOOKUP_AGAIN;
	/* relaxed: the validation's fence orders it after begin */
	uint64_t now = word_load_rlx(&m->header->count);
	if (LOOKUP_LIKELY(now == count))
		return LOOKUP_MISS;
	if (((now ^ count) & COUNT_RETIRED) != 0 || (now & COUNT_MASK) == 0 ||
	    table_bucket_idx(hash, now & COUNT_MASK) != idx)
		return LOOKUP_AGAIN;
	return LOOKUP_MISS;
}

/*
 * One try at everything. `count` is the header's count as the caller just
 * loaded it; a retired segment is the caller's matter. A hit counts when
 * lookup_stands() says so after the copy.
 */
static inline enum lookup_result
lookup_pin(const struct map *m, uint64_t count, uint64_t hash, const void *key, size_t key_len,
    const struct clock_shift *shift, struct lookup_pinned *pin)
{
	uint64_t n_buckets = count & COUNT_MASK, line_idx;

	if (n_buckets - 1 >= m->n_buckets_mapped)
		return n_buckets - 1 < m->n_buckets_max ? LOOKUP_BEYOND : LOOKUP_DAMAGED;
	uint64_t idx = table_bucket_idx(hash, n_buckets);
	const struct bucket *head = &m->buckets[idx], *line = head;
	uint64_t begun = seq_begin(&head->seq);
	if ((begun & 1) != 0)
		return LOOKUP_AGAIN;
	line_idx = idx;
	for (unsigned n_lines = 1;; n_lines++) {
		for (unsigned match = bucket_match(line, slot_tag(hash)); match != 0;
		     match &= match - 1) {
			uint64_t i = bucket_match_slot(match);
			bool past;
			/* relaxed: validated by lookup_pin_slot */
			uint64_t slot = word_load_rlx(&line->slot[i]);
			enum lookup_result r = lookup_pin_slot(
			    m, &head->seq, begun, slot, key, key_len, shift, pin, &past);
			pin->hint_at = line_idx * HINT_BYTES_PER_BUCKET + i;
			if (r == LOOKUP_HIT && past)
				return lookup_miss(m, head, begun, hash, count, idx);
			if (r != LOOKUP_MISS)
				return r;
		}
		/* relaxed: validated before it counts */
		uint64_t link = word_load_rlx(&line->slot[LINK_SLOT]);
		if (!slot_leads_to(link, slot_tag(hash)))
			return lookup_miss(m, head, begun, hash, count, idx);
		uint64_t next = slot_link_idx(link);
		if (next >= m->n_overflow_mapped || n_lines == CHAIN_LINES_MAX) {
			if (!seq_validate(&head->seq, begun))
				return LOOKUP_AGAIN;
			return next < m->n_overflow_max && n_lines < CHAIN_LINES_MAX
			    ? LOOKUP_BEYOND
			    : LOOKUP_DAMAGED;
		}
		line = &m->overflow[next];
		/* the hint page holds the overflow's bytes behind the heads' */
		line_idx = m->n_buckets_max + next;
	}
}

/*
 * After whatever was read of a pinned item: whether it was the item's, whole.
 * The list of extents is read anew, so that the record's own incarnation comes
 * last: it says whether that list was the list.
 */
static inline bool
lookup_stands(const struct map *m, const struct lookup_pinned *pin)
{
	uint64_t sum;

	seq_standing();
	if (pin->shape.n_extents > 0) {
		if (!lookup_extents_sum(m, pin->item, &pin->shape, &sum) || sum != pin->extents_sum)
			return false;
		seq_standing();
	}
	/* relaxed: the fence above orders it after everything that was read */
	return word_load_rlx(&m->blocks[pin->item_off >> m->block_shift].incarnation) ==
	    pin->incarnation;
}

/* Copies a pinned item's value, which must not be a counter. False: the list of
 * extents was overwritten meanwhile. */
static inline bool
lookup_copy(const struct map *m, const struct lookup_pinned *pin, void *buf)
{
	const struct item_shape *shape = &pin->shape;
	unsigned char *out = buf;
	size_t left = item_value_bytes(pin->word0) - shape->tail_bytes;

	for (uint32_t i = 0; i < shape->n_extents; i++) {
		uint32_t extent = lookup_extent(pin->item, shape, i);
		unsigned shift = item_extent_shift(shape, i, m->block_shift);
		size_t here = left >> shift != 0 ? (size_t)1 << shift : left;
		if (item_extent_segment(shape, i, extent) >= m->n_blocks)
			return false;
		copy_out(
		    out, m->arena, (size_t)item_extent_off(shape, i, extent, m->block_shift), here);
		out += here;
		left -= here;
	}
	copy_out(out, pin->item, shape->value_at, shape->tail_bytes);
	return true;
}

#endif
