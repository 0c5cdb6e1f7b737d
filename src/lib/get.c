/*
 * get.c: one key, read. peek_get is the hot path: two cache-line misses
 * (bucket, item), and nothing that waits for them but the comparison and the
 * copy. Read lookup.h beside it. What it leaves goes on in another form of the
 * same, and what that leaves in get_slow.c: all by a jump, so that the hot path
 * saves no registers for anybody. Compiled twice: wide.h.
 */
#include <errno.h>

#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lane.h"
#include "lib/lookup.h"
#include "lib/read.h"
#include "lib/wide.h"

enum get_form {
	GET_USUAL,     /* a key of usual length; the item of nearly every read */
	GET_OTHER_LEN, /* a shorter or longer key */
	/* what the usual form was not for: an item with a life time or flags,
	 * as a rule */
	GET_OTHER_ITEM,
};

/* A read in one of its forms, each compiled for itself. hash: the key's, with
 * the seed of `a`. */
static inline __attribute__((always_inline)) ssize_t get_as(enum get_form form,
    const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap,
    uint64_t hash);

__attribute__((noinline)) static ssize_t
get_other_item(const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap,
    uint64_t hash)
{
	return get_as(GET_OTHER_ITEM, a, key, key_len, buf, buf_cap, hash);
}

__attribute__((noinline, flatten)) static ssize_t
get_other_len(const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	if (LOOKUP_UNLIKELY(!item_key_len_ok(key_len)))
		return -EINVAL;
	return get_as(
	    GET_OTHER_LEN, a, key, key_len, buf, buf_cap, hash_key(key, key_len, a->map.seed));
}

static inline ssize_t
get_as(enum get_form form, const struct attached *a, const void *key, size_t key_len, void *buf,
    size_t buf_cap, uint64_t hash)
{
	const struct map *m = &a->map;
	/* relaxed: a hit is validated, a miss looks at it again */
	uint64_t count = word_load_rlx(&m->header->count);
	const struct word *item;
	ssize_t n;

	if (LOOKUP_UNLIKELY(count - 1 >= m->n_buckets_mapped))
		return get_first(a->p, key, key_len, buf, buf_cap); /* retired, or grown */
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	if (LOOKUP_UNLIKELY(at.match == 0)) {
		bool followed = lookup_quick_follow(m, &at, hash);
		if (at.match == 0) {
			if (LOOKUP_UNLIKELY(!followed || !lookup_quick_miss(m, &at, count)))
				return get_slow(a->p, key, key_len, buf, buf_cap);
			return read_miss(a);
		}
	}
	if (LOOKUP_UNLIKELY(!lookup_quick_item(m, a->quick_off_max, &at, &item)))
		return get_slow(a->p, key, key_len, buf, buf_cap);
	if (form == GET_USUAL)
		n = lookup_quick_usual(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	else if (form == GET_OTHER_LEN)
		n = lookup_quick_read(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	else
		n = lookup_quick_any(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	if (LOOKUP_LIKELY(n >= 0))
		return read_hit(a, lookup_hint_at(&at), n);
	if (n == LOOKUP_TORN)
		return get_torn(a->p, key, key_len, buf, buf_cap);
	if (form == GET_USUAL && LOOKUP_PLAIN_KEY_MAX > 0)
		return get_other_item(a, key, key_len, buf, buf_cap, hash);
	return get_slow(a->p, key, key_len, buf, buf_cap);
}

/* flatten: the hash must not become a call for having several callers. */
__attribute__((flatten)) ssize_t
WIDE(peek_get)(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (LOOKUP_UNLIKELY(a == NULL))
		return get_first(p, key, key_len, buf, buf_cap);
	if (LOOKUP_UNLIKELY(key_len - HASH_USUAL_MIN > HASH_USUAL_MAX - HASH_USUAL_MIN))
		return get_other_len(a, key, key_len, buf, buf_cap);
	return get_as(
	    GET_USUAL, a, key, key_len, buf, buf_cap, hash_usual_key(key, key_len, &a->secret));
}
