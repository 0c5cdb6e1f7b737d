/*
 * get_slow.c: the reads that get.c leaves: large values, chains, counters, expired items, rewrites, a replaced segment, a first read; and those
 * that want more than the value.
 */
#include <errno.h>
#include <string.h>

#include "lib/fallback.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/info.h"
#include "lib/lane.h"
#include "lib/lookup.h"
#include "lib/read.h"

#define U64_TEXT_MAX 32 /* a decimal value may be padded with blanks */

/* Copies what is pinned. The length; -ENOSPC, and *ret_len is the length; LOOKUP_TORN: it was overwritten meanwhile. */
static ssize_t
copy_pinned(const struct read *rd, void *buf, size_t buf_cap, size_t *ret_len)
{
	const struct lookup_pinned *pin = &rd->pin;
	size_t len = item_value_bytes(pin->word0);

	if ((item_state(pin->word1) & ITEM_COUNTER) != 0) {
		char digits[INFO_DIGITS_MAX];
		*ret_len = len = info_counter_digits(pin, digits);
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

/* Any read, by the pinned form. */
static ssize_t
get_pinned(struct read *rd, void *buf, size_t buf_cap, struct peek_info *ret_info)
{
	int r;

	while ((r = read_pin(rd)) == 0) {
		size_t len;
		ssize_t n = copy_pinned(rd, buf, buf_cap, &len);
		struct peek_info info = {0};

		if (ret_info != NULL)
			info = info_of(rd->a, &rd->pin, len);
		if (n == LOOKUP_TORN || !lookup_stands(&rd->a->map, &rd->pin))
			continue;
		if (ret_info != NULL)
			*ret_info = info;
		return read_hit(rd->a, rd->pin.hint_at, n);
	}
	return r;
}

/* Falls back to the socket where no segment can be read. */
static ssize_t
get_any(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap, struct peek_info *ret_info)
{
	struct read rd;
	ssize_t r = read_begin(&rd, p, key, key_len);

	if (r == 0)
		r = get_pinned(&rd, buf, buf_cap, ret_info);
	return r == -EPROTO ? fallback_get(p, key, key_len, buf, buf_cap, ret_info) : r;
}

ssize_t
get_slow(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	return get_any(p, key, key_len, buf, buf_cap, NULL);
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
	if (key_len - 1 >= ITEM_KEY_MAX)
		return -EINVAL;
	return get_any(p, key, key_len, buf, buf_cap, NULL);
}

ssize_t
peek_get_info(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap, struct peek_info *ret_info)
{
	if (key_len - 1 >= ITEM_KEY_MAX)
		return -EINVAL;
	return get_any(p, key, key_len, buf, buf_cap, ret_info);
}

/* Decimal digits, and blanks behind them. */
static int
u64_parse(const char *text, size_t len, uint64_t *ret_value)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return -EDOM;
	}
	if (i == 0)
		return -EDOM;
	for (; i < len; i++) {
		if (text[i] != ' ')
			return -EDOM;
	}
	*ret_value = v;
	return 0;
}

int
peek_get_u64(struct peek *p, const void *key, size_t key_len, uint64_t *ret_value)
{
	char text[U64_TEXT_MAX];
	ssize_t n = peek_get(p, key, key_len, text, sizeof(text));

	if (n < 0)
		return n == -ENOSPC ? -EDOM : (int)n;
	return u64_parse(text, (size_t)n, ret_value);
}
