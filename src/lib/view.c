/*
 * view.c: the fast and general tiers of views. It is like get.c up to the copy:
 * in its place a view takes the value's address and the incarnation of the
 * block that the value lies in, which is loaded under the bucket's sequence
 * too. Compiled twice: cpu.h.
 */
#include <errno.h>

#include "lib/cpu.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_fast.h"
#include "lib/read_count.h"
#include "shm/hash.h"

/* Finds the place of the first match's value. False: the value is not in one
 * piece, or the item is not the key's, or the bucket was rewritten
 * meanwhile. */
static inline bool
view_place(const struct attached *a, const struct lookup_place *at, const void *key, size_t key_len,
    struct peek_view *ret)
{
	const struct map *m = &a->map;
	const struct word *item;
	const char *item_key;

	if (LOOKUP_UNLIKELY(!lookup_item(m, a->item_off_max, at, &item)))
		return false;
	if (LOOKUP_UNLIKELY(
		!lookup_fast_or_general_key(m, item, key, key_len, &a->shift, &item_key)))
		return false;
	uint64_t off = (uint64_t)((const char *)item - (const char *)m->arena),
		 value_at = (uint64_t)(item_key - (const char *)item) + key_len;
	/* relaxed, both of them: validated below */
	uint64_t value_bytes = item_value_bytes(word_load_rlx(&item[0]));
	const struct word *incarnation = &m->blocks[off >> m->block_shift].incarnation;
	uint64_t stands = word_load_rlx(incarnation);
	if (LOOKUP_UNLIKELY(
		!item_in_bounds(off, value_at + value_bytes, m->arena_bytes, m->block_shift)))
		return false;
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return false;
	*ret = (struct peek_view){
	    item_key + key_len, value_bytes, {(uint64_t)(uintptr_t)incarnation, stands}};
	return true;
}

/* flatten: as for peek_get. */
__attribute__((flatten)) int
WIDE(peek_view)(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (LOOKUP_UNLIKELY(a == NULL || !item_key_len_ok(key_len) || ret_view == NULL))
		return view_slow(p, key, key_len, ret_view);
	const struct map *m = &a->map;
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: as in peek_get */
	if (LOOKUP_UNLIKELY(count - 1 >= m->n_buckets_mapped))
		return view_slow(a->p, key, key_len, ret_view);
	uint64_t hash = hash_key_with(key, key_len, m->seed, &a->secret);
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	bool ended = lookup_follow(m, &at, hash);
	if (LOOKUP_LIKELY(at.match != 0) &&
	    LOOKUP_LIKELY(view_place(a, &at, key, key_len, ret_view)))
		return (int)read_count_hit(a, lookup_hint_at(&at), 0);
	if (LOOKUP_LIKELY(at.match == 0 && ended && lookup_confirm_miss(m, &at, count)))
		return (int)read_count_miss(a);
	return view_slow(a->p, key, key_len, ret_view);
}
