/*
 * lookup_past.h: decides whether an item that a reader has found is past:
 * flushed, expired, or cut off by one of its tags.
 */
#ifndef PEEK_LIB_LOOKUP_PAST_H
#define PEEK_LIB_LOOKUP_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/clock.h"
#include "shm/item.h"
#include "shm/map.h"

#define LOOKUP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define LOOKUP_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Says whether the daemon's heartbeat has stopped. */
static inline bool
lookup_clock_stopped(uint64_t clock_word, const struct clock_shift *shift)
{
	return clock_silent_ms(clock_word, shift) > CLOCK_SILENT_MS;
}

/*
 * The segment's time in seconds, for an item that expires. It is the published
 * clock, unless that has stopped; then it is this process's own. While no
 * daemon runs, nobody raises the cut-off of a delayed flush either.
 */
static inline uint32_t
lookup_now_s(const struct map *m, const struct clock_shift *shift)
{
	uint64_t clock = word_load_rlx(&m->header->clock); /* relaxed: a word of its own */

	if (LOOKUP_UNLIKELY(lookup_clock_stopped(clock, shift)))
		clock = clock_word_now(shift);
	return clock_word_s(clock);
}

/* Says whether an item is past: flushed or expired. Out of line, so that reads
 * of other items don't pay for it. */
static __attribute__((noinline, unused)) bool
lookup_past_slow(const struct map *m, uint64_t word0, uint64_t word1, uint64_t cutoff,
    const struct clock_shift *shift)
{
	uint64_t clock = word_load_rlx(&m->header->clock);

	if (item_cas(word1) <= (cutoff & CUTOFF_MASK))
		return true;
	if ((cutoff & CUTOFF_PENDING) != 0) {
		uint64_t at_s = word_load_rlx(&m->header->flush_at_s);
		if (lookup_clock_stopped(clock, shift) &&
		    at_s <= clock_word_s(clock_word_now(shift)))
			return true;
	}
	/* The published clock comes first: an item that has expired by it needs
	 * no look at another clock. */
	return item_expired(item_expiry_s(word0), clock_word_s(clock)) ||
	    (item_expiry_s(word0) != 0 &&
		item_expired(item_expiry_s(word0), lookup_now_s(m, shift)));
}

/* The same, at once for an item that never expires. Call it between seq_begin
 * and the validation. */
static inline bool
lookup_past(const struct map *m, uint64_t word0, uint64_t word1, const struct clock_shift *shift)
{
	/* relaxed: coherent with every acknowledged write */
	uint64_t cutoff = word_load_rlx(&m->header->cutoff);

	/* A flush to come makes the cut-off larger than any CAS id. */
	if (LOOKUP_LIKELY(item_cas(word1) > cutoff && item_expiry_s(word0) == 0))
		return false;
	return lookup_past_slow(m, word0, word1, cutoff, shift);
}

/*
 * Says whether an item is past by its state: one of its tags was invalidated;
 * or it came from an origin, and this program can't judge its lease, so that
 * the item counts as past. item: its shape was found to lie in its block. Call
 * it as lookup_past.
 */
static __attribute__((noinline, unused)) bool
lookup_past_marked(const struct map *m, const struct word *item, uint64_t word1)
{
	uint32_t state = item_state(word1);

	if ((state & (ITEM_ORIGIN | ITEM_ABSENT)) != 0)
		return true;
	/* relaxed: validated by the caller */
	return item_is_cut_off(word_load_rlx(&item[item_tags_at(state) / sizeof(struct word)]),
	    item_cas(word1), m->tags, m->n_tag_slots);
}

/* All of these checks together. */
static inline bool
lookup_is_past(const struct map *m, const struct word *item, uint64_t word0, uint64_t word1,
    const struct clock_shift *shift)
{
	return lookup_past(m, word0, word1, shift) ||
	    (LOOKUP_UNLIKELY((item_state(word1) & (ITEM_ORIGIN | ITEM_ABSENT | ITEM_TAGS)) != 0) &&
		lookup_past_marked(m, item, word1));
}

#endif
