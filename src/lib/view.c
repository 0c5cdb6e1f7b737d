/*
 * view.c: a value where it lies.
 */
#include <errno.h>

#include "lib/handle.h"
#include "lib/read.h"

/* The one place of a pinned value, and the incarnation it stands under. False: it has none, or several. */
static bool
place_of(const struct read *rd, struct peek_view *ret)
{
	const struct lookup_pinned *pin = &rd->pin;
	const struct item_shape *shape = &pin->shape;
	const struct map *m = &rd->a->map;
	const struct word *incarnation = &m->segments[pin->item_off >> m->seg_shift].incarnation;
	const struct word *value = pin->item;
	size_t value_at = shape->value_at;
	uint64_t stands = pin->incarnation;

	if ((item_state(pin->word1) & ITEM_COUNTER) != 0 || shape->n_extents + (shape->tail_bytes > 0) > 1)
		return false;
	if (shape->n_extents == 1) {
		uint32_t segment = lookup_extent(pin->item, shape, 0);
		if (segment >= m->n_segments)
			return false; /* the list was overwritten: the caller finds that it doesn't stand */
		value = m->arena;
		value_at = (size_t)segment << m->seg_shift;
		incarnation = &m->segments[segment].incarnation;
		stands = pin->extents_sum; /* of one */
	}
	ret->data = (const char *)value + value_at;
	ret->len = item_value_bytes(pin->word0);
	ret->token[0] = (uint64_t)(uintptr_t)incarnation;
	ret->token[1] = stands;
	return true;
}

/*
 * One try at what nearly every view is: the first match in the head bucket, a value in one piece behind its key. What is looked at, the
 * segment's incarnation included, is looked at under the bucket's sequence. False: not for this form, or torn.
 */
static inline bool
view_quick(const struct peek *p, const void *key, size_t key_len, struct peek_view *ret)
{
	const struct attached *a = seq_load_ptr(&p->own.now);
	const struct word *item;

	if (a == NULL)
		return false;
	const struct map *m = &a->map;
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: a hit is validated */
	if (count - 1 >= m->n_buckets_max)
		return false;
	uint64_t hash = hash_key(key, key_len, m->seed);
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	if (at.match == 0 || !lookup_quick_item(m, a->quick_off_max, &at, &item))
		return false;
	uint64_t word0 = word_load_rlx(&item[0]), word1 = word_load_rlx(&item[1]); /* relaxed, all of them: validated below */
	uint64_t off = (uint64_t)((const char *)item - (const char *)m->arena);
	struct item_shape shape = item_shape(item_state(word1), item_key_bytes(word0), item_value_bytes(word0), m->seg_shift);
	const struct word *incarnation = &m->segments[off >> m->seg_shift].incarnation;
	uint64_t stands = word_load_rlx(incarnation);
	if (item_key_bytes(word0) != key_len || (item_state(word1) & (ITEM_COUNTER | ITEM_EXTENTS)) != 0 ||
	    !item_in_bounds(off, shape.record_bytes, m->arena_bytes, m->seg_shift) ||
	    !copy_key_equal(&item[shape.key_at / sizeof(struct word)], key, key_len) || lookup_past(m, word0, word1, &a->shift) ||
	    !seq_validate(&at.head->seq, at.begun))
		return false;
	ret->data = (const char *)item + shape.value_at;
	ret->len = item_value_bytes(word0);
	ret->token[0] = (uint64_t)(uintptr_t)incarnation;
	ret->token[1] = stands;
	read_hit(a, lookup_hint_at(&at), 0);
	return true;
}

int
peek_view(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view)
{
	struct peek_view view;
	struct read rd;

	if (key_len - 1 >= ITEM_KEY_MAX || ret_view == NULL)
		return -EINVAL;
	if (LOOKUP_LIKELY(view_quick(p, key, key_len, ret_view)))
		return 0;
	int r = read_begin(&rd, p, key, key_len);
	while (r == 0 && (r = read_pin(&rd)) == 0) {
		bool one_place = place_of(&rd, &view);
		if (!lookup_stands(&rd.a->map, &rd.pin))
			continue;
		if (one_place)
			*ret_view = view;
		return (int)read_hit(rd.a, rd.pin.hint_at, one_place ? 0 : -ENOTSUP);
	}
	return r == -EPROTO ? -ENOTSUP : r; /* a foreign layout has no place that could be shown */
}

int
peek_view_valid(struct peek *p, const struct peek_view *view)
{
	const struct word *incarnation = (const struct word *)(uintptr_t)view->token[0];

	(void)p; /* its mapping stays until peek_close */
	seq_standing();
	return word_load_rlx(incarnation) == view->token[1]; /* relaxed: the fence above orders it after what was read */
}
