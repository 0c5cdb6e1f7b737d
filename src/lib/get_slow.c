/*
 * get_slow.c: the pinned tier of reads, for those that get.c leaves: large
 * values, chains, counters, expired items, rewrites, a replaced segment, a
 * first read; and for those that want more than the value.
 */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "lib/fallback.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_fast.h"
#include "lib/lookup_pinned.h"
#include "lib/pinned_info.h"
#include "lib/read_count.h"
#include "lib/slow_read.h"

#define U64_TEXT_MAX      32 /* a longer text, padded with blanks or zeros, is read in pieces */
#define NUMBER_PIECE      256
#define FALLBACK_TEXT_MAX 4096 /* through the socket a text is not read in pieces */

/* Copies a pinned value. Returns its length; -ENOSPC, and *ret_len is the
 * length; LOOKUP_TORN: the value was overwritten meanwhile. */
static ssize_t
copy_pinned(const struct slow_read *rd, void *buf, size_t buf_cap, size_t *ret_len)
{
	const struct lookup_pinned *pin = &rd->pin;
	size_t len = item_value_bytes(pin->word0);

	if ((item_state(pin->word1) & ITEM_COUNTER) != 0) {
		char digits[NUMBER_DIGITS_MAX];
		*ret_len = len = pinned_info_digits(pin, digits);
		if (len > buf_cap)
			return -ENOSPC;
		memcpy(buf, digits, len);
		return (ssize_t)len;
	}
	*ret_len = len;
	if (len > buf_cap)
		return -ENOSPC;
	return lookup_copy(&rd->a->map, pin, buf) ? (ssize_t)len : LOOKUP_TORN;
}

/* Any read, by the pinned tier. */
static ssize_t
get_pinned(struct slow_read *rd, void *buf, size_t buf_cap, struct peek_info *ret_info)
{
	int r;

	while ((r = slow_read_pin(rd)) == 0) {
		size_t len;
		ssize_t n = copy_pinned(rd, buf, buf_cap, &len);
		struct peek_info info = {0};

		if (ret_info != NULL)
			info = pinned_info_of(rd->a, &rd->pin, len);
		if (n == LOOKUP_TORN || !lookup_stands(&rd->a->map, &rd->pin))
			continue;
		if (ret_info != NULL)
			*ret_info = info;
		return read_count_hit(rd->a, rd->pin.hint_at, n);
	}
	return r;
}

/* Reads through the socket where no segment can be read. */
static ssize_t
get_in_any_case(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap,
    struct peek_info *ret_info)
{
	struct slow_read rd;

	rd.pin.place_cas = 0;
	ssize_t r = slow_read_begin(&rd, p, key, key_len);

	if (r == 0)
		r = get_pinned(&rd, buf, buf_cap, ret_info);
	if (r == -ENOENT && ret_info != NULL && rd.pin.place_cas != 0)
		*ret_info = (struct peek_info){
		    .ttl_s = -1, .cas = rd.pin.place_cas, .stale = PEEK_BEING_MADE};
	return r == -EPROTO ? fallback_get(p, key, key_len, buf, buf_cap, ret_info) : r;
}

ssize_t
get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	return get_in_any_case(p, key, key_len, buf, buf_cap, NULL);
}

ssize_t
get_torn(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (a != NULL && lane_mine.cell_at != LANE_NONE)
		lane_add(&lane_cell(a->cells, lane_mine.cell_at)->retries, 1, lane_mine.cell_at);
	return get_slow(p, key, key_len, buf, buf_cap);
}

ssize_t
get_first(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	if (!item_key_len_ok(key_len))
		return -EINVAL;
	return get_in_any_case(p, key, key_len, buf, buf_cap, NULL);
}

ssize_t
peek_get_info(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap,
    struct peek_info *ret_info)
{
	if (!item_key_len_ok(key_len))
		return -EINVAL;
	return get_in_any_case(p, key, key_len, buf, buf_cap, ret_info);
}

/* Reads a pinned value as a number, piece by piece. False: the list of extents
 * was overwritten meanwhile. */
static bool
number_pinned(const struct map *m, const struct lookup_pinned *pin, struct number *n)
{
	const struct item_shape *shape = &pin->shape;
	size_t left = item_value_bytes(pin->word0);
	char piece[NUMBER_PIECE];

	for (uint32_t i = 0; i <= shape->n_extents; i++) {
		bool tail = i == shape->n_extents;
		uint32_t extent = tail ? 0 : lookup_extent(pin->item, shape, i);
		unsigned shift = item_extent_shift(shape, i, m->block_shift);
		size_t end = tail ? shape->tail_bytes : (size_t)1 << shift;

		if (!tail && item_extent_block(shape, i, extent) >= m->n_blocks)
			return false;
		end = end < left ? end : left;
		for (size_t at = 0; at < end; at += sizeof(piece)) {
			size_t here = end - at < sizeof(piece) ? end - at : sizeof(piece);
			if (tail)
				copy_out(piece, pin->item, shape->value_at + at, here);
			else
				copy_out(piece, m->arena, ((size_t)extent << shift) + at, here);
			if (!number_piece(n, piece, here))
				return true;
		}
		left -= end;
	}
	return true;
}

/* Reads a number whose text is longer than any number without blanks or
 * zeros. */
static int
long_u64(struct peek *p, const void *key, size_t key_len, uint64_t *ret_value)
{
	struct slow_read rd;
	int r = (int)slow_read_begin(&rd, p, key, key_len);
	char text[FALLBACK_TEXT_MAX];

	while (r == 0 && (r = slow_read_pin(&rd)) == 0) {
		struct number n = {0};
		char digits[NUMBER_DIGITS_MAX];

		/* it became one since the short read */
		if ((item_state(rd.pin.word1) & ITEM_COUNTER) != 0)
			number_piece(&n, digits, pinned_info_digits(&rd.pin, digits));
		else if (!number_pinned(&rd.a->map, &rd.pin, &n))
			continue;
		if (!lookup_stands(&rd.a->map, &rd.pin))
			continue;
		read_count_hit(rd.a, rd.pin.hint_at, 0);
		return number_unsigned(&n, ret_value) ? 0 : -EDOM;
	}
	if (r != -EPROTO)
		return r;
	ssize_t n = fallback_get(p, key, key_len, text, sizeof(text), NULL);
	if (n < 0)
		return n == -ENOSPC ? -EDOM : (int)n;
	return number_u64(text, (size_t)n, ret_value) ? 0 : -EDOM;
}

int
peek_get_u64(struct peek *p, const void *key, size_t key_len, uint64_t *ret_value)
{
	char text[U64_TEXT_MAX];
	ssize_t n = peek_get(p, key, key_len, text, sizeof(text));

	if (n == -ENOSPC)
		return long_u64(p, key, key_len, ret_value);
	if (n < 0)
		return (int)n;
	return number_u64(text, (size_t)n, ret_value) ? 0 : -EDOM;
}
