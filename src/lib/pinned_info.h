/*
 * pinned_info.h: what a pinned item tells besides its value. The words that are
 * read here count only if lookup_stands(), or the bucket's sequence, confirms
 * them afterwards.
 */
#ifndef PEEK_LIB_PINNED_INFO_H
#define PEEK_LIB_PINNED_INFO_H

#include "base/number.h"
#include "lib/handle.h"
#include "lib/lookup_pinned.h"

/* A counter's value in decimal. Returns the number of digits. */
static inline size_t
pinned_info_digits(const struct lookup_pinned *pin, char digits[NUMBER_DIGITS_MAX])
{
	/* relaxed: its CAS id was loaded before it [S4] */
	uint64_t v = word_load_rlx(&pin->item[ITEM_HEADER_BYTES / sizeof(struct word)]);

	return (size_t)(number_digits(digits, v) - digits);
}

static inline struct peek_info
pinned_info_of(const struct attached *a, const struct lookup_pinned *pin, size_t value_len)
{
	uint32_t state = item_state(pin->word1), expiry_s = item_expiry_s(pin->word0);
	struct peek_info info = {
	    .value_len = value_len,
	    .ttl_s = -1,
	    .cas = item_cas(pin->word1),
	    .stale = ((state & ITEM_STALE) != 0 ? PEEK_STALE : 0) |
		((state & ITEM_WON) != 0 ? PEEK_BEING_MADE : 0),
	};

	if (expiry_s != 0) {
		uint32_t now_s = lookup_now_s(&a->map, &a->shift);
		info.ttl_s = expiry_s > now_s ? (int64_t)(expiry_s - now_s) : 0;
	}
	if ((state & ITEM_FLAGS) != 0) /* relaxed: see above */
		info.flags =
		    (uint32_t)word_load_rlx(&pin->item[item_flags_at(state) / sizeof(struct word)]);
	return info;
}

#endif
