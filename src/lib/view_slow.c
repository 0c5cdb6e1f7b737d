/*
 * view_slow.c: the pinned tier of views, for those that view.c leaves: values
 * in a block of their own, later matches in a chain, rewrites, a replaced
 * segment, a first read; and whether a view still stands.
 */
#include <errno.h>

#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_pinned.h"
#include "lib/read_count.h"
#include "lib/slow_read.h"

/* Finds the one place of a pinned value, and the incarnation that it stands
 * under. False: the value has no place, or several. */
static bool
place_of(const struct slow_read *rd, struct peek_view *ret)
{
	const struct lookup_pinned *pin = &rd->pin;
	const struct item_shape *shape = &pin->shape;
	const struct map *m = &rd->a->map;
	const struct word *incarnation = &m->blocks[pin->item_off >> m->block_shift].incarnation;
	const struct word *value = pin->item;
	size_t value_at = shape->value_at;
	uint64_t stands = pin->incarnation;

	if ((item_state(pin->word1) & ITEM_COUNTER) != 0 ||
	    shape->n_extents + (shape->tail_bytes > 0) > 1)
		return false;
	if (shape->n_extents == 1) {
		uint32_t extent = lookup_extent(pin->item, shape, 0);
		uint32_t segment = item_extent_block(shape, 0, extent);
		if (segment >= m->n_blocks)
			/* the list was overwritten: lookup_stands() will say
			 * so */
			return false;
		value = m->arena;
		value_at = (size_t)item_extent_off(shape, 0, extent, m->block_shift);
		incarnation = &m->blocks[segment].incarnation;
		stands = pin->extents_sum; /* of one */
	}
	ret->data = (const char *)value + value_at;
	ret->len = item_value_bytes(pin->word0);
	ret->token[0] = (uint64_t)(uintptr_t)incarnation;
	ret->token[1] = stands;
	return true;
}

int
view_slow(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view)
{
	struct peek_view view;
	struct slow_read rd;

	if (!item_key_len_ok(key_len) || ret_view == NULL)
		return -EINVAL;
	int r = slow_read_begin(&rd, p, key, key_len);
	while (r == 0 && (r = slow_read_pin(&rd)) == 0) {
		bool one_place = place_of(&rd, &view);
		if (!lookup_stands(&rd.a->map, &rd.pin))
			continue;
		if (one_place)
			*ret_view = view;
		return (int)read_count_hit(rd.a, rd.pin.hint_at, one_place ? 0 : -ENOTSUP);
	}
	return r == -EPROTO ? -ENOTSUP : r; /* a value of a foreign layout has no place to show */
}

int
peek_view_valid(struct peek *p, const struct peek_view *view)
{
	const struct word *incarnation = (const struct word *)(uintptr_t)view->token[0];

	(void)p; /* its mapping stays until peek_close */
	seq_standing();
	/* relaxed: the fence above orders it after what was read */
	return word_load_rlx(incarnation) == view->token[1];
}
