/*
 * place_slow.c: the pinned tier of places, for those that place.c leaves:
 * values in extents, tags, later matches in a chain, rewrites, a replaced
 * segment, a first read.
 */
#include <errno.h>

#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_pinned.h"
#include "lib/read_count.h"
#include "lib/slow_read.h"

/*
 * The item was pinned while its bucket's sequence stood, so its incarnation is
 * the one it was linked under. lookup_stands() confirms afterwards that its key
 * was the one that was asked for.
 */
int
place_slow(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place)
{
	struct slow_read rd;

	if (!item_key_len_ok(key_len) || ret_place == NULL)
		return -EINVAL;
	int r = slow_read_begin(&rd, p, key, key_len);
	while (r == 0 && (r = slow_read_pin(&rd)) == 0) {
		const struct lookup_pinned *pin = &rd.pin;
		/* a counter's value is stored in place */
		bool has_place = (item_state(pin->word1) & ITEM_COUNTER) == 0;
		if (!lookup_stands(&rd.a->map, pin))
			continue;
		if (has_place)
			*ret_place =
			    (struct peek_place){{rd.a->identity, pin->item_off, pin->incarnation}};
		return (int)read_count_hit(rd.a, pin->hint_at, has_place ? 0 : -ENOTSUP);
	}
	return r == -EPROTO ? -ENOTSUP : r; /* an item of a foreign layout has no place to show */
}

int
same_slow(struct peek *p, const void *key, size_t key_len, const struct peek_place *place)
{
	struct peek_place now;

	return place != NULL && place_slow(p, key, key_len, &now) == 0 && place_equal(&now, place);
}
