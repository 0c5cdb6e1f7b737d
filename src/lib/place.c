/*
 * place.c: the fast and general tiers of places (peek_place, peek_same). They
 * are like get.c up to the copy: in place of the value they take the item's
 * offset and the incarnation of its block, both under the bucket's sequence.
 * Compiled twice: cpu.h.
 *
 * Why a place that is the same means the same value. An item is written before
 * it is linked, and is not rewritten until it is unlinked and the incarnation
 * of its block is raised [S3]. A key is linked at most once under one
 * incarnation of one place, and nothing links an item again. So two look-ups
 * that find one place under one incarnation have found one item, and every
 * look-up between them found it too. A counter is the exception: its value is
 * stored in place.
 */
#include <errno.h>

#include "lib/cpu.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_fast.h"
#include "lib/read_count.h"
#include "shm/hash.h"

/* Finds the place of the first match. False: the item is not the key's, or only
 * the pinned tier handles it, or the bucket was rewritten meanwhile. */
static inline bool
place_of_match(const struct attached *a, const struct lookup_place *at, const void *key,
    size_t key_len, struct peek_place *ret)
{
	const struct map *m = &a->map;
	const struct word *item;
	const char *item_key;

	if (LOOKUP_UNLIKELY(!lookup_item(m, a->item_off_max, at, &item)))
		return false;
	if (LOOKUP_UNLIKELY(
		!lookup_fast_or_general_key(m, item, key, key_len, &a->shift, &item_key)))
		return false;
	uint64_t off = (uint64_t)((const char *)item - (const char *)m->arena);
	/* relaxed: validated below */
	uint64_t stands = word_load_rlx(&m->blocks[off >> m->block_shift].incarnation);
	if (LOOKUP_UNLIKELY(!seq_validate(&at->head->seq, at->begun)))
		return false;
	*ret = (struct peek_place){{a->identity, off, stands}};
	return true;
}

enum place_found { PLACE_HIT, PLACE_MISS, PLACE_SLOW };

/* One look at a key in the fast and general tiers, counted unless it is
 * PLACE_SLOW: then the pinned tier has to look. */
static inline __attribute__((always_inline)) enum place_found
place_look(const struct attached *a, const void *key, size_t key_len, struct peek_place *ret)
{
	const struct map *m = &a->map;
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: as in peek_get */

	if (LOOKUP_UNLIKELY(count - 1 >= m->n_buckets_mapped))
		return PLACE_SLOW;
	uint64_t hash = hash_key_with(key, key_len, m->seed, &a->secret);
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	bool ended = lookup_follow(m, &at, hash);
	if (LOOKUP_LIKELY(at.match != 0) &&
	    LOOKUP_LIKELY(place_of_match(a, &at, key, key_len, ret))) {
		read_count_hit(a, lookup_hint_at(&at), 0);
		return PLACE_HIT;
	}
	if (LOOKUP_LIKELY(at.match == 0 && ended && lookup_confirm_miss(m, &at, count))) {
		read_count_miss(a);
		return PLACE_MISS;
	}
	return PLACE_SLOW;
}

/* flatten: as for peek_get. */
__attribute__((flatten)) int
WIDE(peek_place)(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (LOOKUP_UNLIKELY(a == NULL || !item_key_len_ok(key_len) || ret_place == NULL))
		return place_slow(p, key, key_len, ret_place);
	enum place_found found = place_look(a, key, key_len, ret_place);
	if (LOOKUP_LIKELY(found == PLACE_HIT))
		return 0;
	return found == PLACE_MISS ? -ENOENT : place_slow(a->p, key, key_len, ret_place);
}

__attribute__((flatten)) int
WIDE(peek_same)(struct peek *p, const void *key, size_t key_len, const struct peek_place *place)
{
	const struct attached *a = seq_load_ptr(&p->own.now);
	struct peek_place now;

	if (LOOKUP_UNLIKELY(a == NULL || !item_key_len_ok(key_len) || place == NULL))
		return same_slow(p, key, key_len, place);
	enum place_found found = place_look(a, key, key_len, &now);
	if (LOOKUP_LIKELY(found == PLACE_HIT))
		return place_equal(&now, place);
	return found == PLACE_MISS ? 0 : same_slow(a->p, key, key_len, place);
}
