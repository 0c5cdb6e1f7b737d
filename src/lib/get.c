/*
 * get.c: one key, read. peek_get is the hot path: two cache-line misses
 * (bucket, item), and nothing waits for them but the comparison and the copy.
 * Read lookup_fast.h beside it. Compiled twice: cpu.h.
 *
 *   a read that finds                       begins in    and ends in
 *   -------------------------------------   ----------   ----------------------
 *   nothing attached yet; a retired or      get_first    get_slow.c: pinned
 *     grown segment
 *   a key length that is not allowed        GET_BOTH     here: -EINVAL
 *   a key of 17 to 32 bytes, a plain item   GET_FAST     here: fast
 *   the same key, an item with an expiry    GET_FAST     here: GET_GENERAL
 *     or flags
 *   a key of another length                 GET_BOTH     here: fast or general
 *   no match up to the chain's end          any of them  here: a miss
 *   a bucket that is being rewritten        any of them  get_torn: pinned
 *   a large value, a counter, tags, an      any of them  get_slow: pinned
 *     expired item, another key's item
 *   a foreign layout                        get_first    fallback.c: the socket
 *
 * A read that its tier cannot finish tail-calls the next one, so that the hot
 * path saves no registers. A machine that can't tell a plain item by one
 * comparison (ITEM_PLAIN_KEY_MAX is 0) reads it in GET_FAST by the general
 * tier.
 */
#include <errno.h>

#include "lib/cpu.h"
#include "lib/get.h"
#include "lib/handle.h"
#include "lib/lookup_fast.h"
#include "lib/read_count.h"
#include "shm/hash.h"

enum get_tier {
	GET_FAST,    /* a key of 17 to 32 bytes, and a plain item */
	GET_BOTH,    /* a key of another length: fast, then general, in one function */
	GET_GENERAL, /* after GET_FAST: an item with an expiry or flags, as a rule */
};

/* A read by one tier, each compiled for itself. hash: the key's, with the seed
 * of `a`. */
static inline __attribute__((always_inline)) ssize_t get_by(enum get_tier tier,
    const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap,
    uint64_t hash);

__attribute__((noinline)) static ssize_t
get_general(const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap,
    uint64_t hash)
{
	return get_by(GET_GENERAL, a, key, key_len, buf, buf_cap, hash);
}

__attribute__((noinline, flatten)) static ssize_t
get_both(const struct attached *a, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	if (LOOKUP_UNLIKELY(key_len - 1 >= ITEM_KEY_MAX))
		return -EINVAL;
	return get_by(GET_BOTH, a, key, key_len, buf, buf_cap, hash_key(key, key_len, a->map.seed));
}

static inline ssize_t
get_by(enum get_tier tier, const struct attached *a, const void *key, size_t key_len, void *buf,
    size_t buf_cap, uint64_t hash)
{
	const struct map *m = &a->map;
	/* relaxed: a hit is validated, a miss loads it again */
	uint64_t count = word_load_rlx(&m->header->count);
	const struct word *item;
	ssize_t n;

	if (LOOKUP_UNLIKELY(count - 1 >= m->n_buckets_mapped))
		return get_first(a->p, key, key_len, buf, buf_cap); /* retired, or grown */
	struct lookup_place at = lookup_begin(m, table_bucket_idx(hash, count), hash);
	if (LOOKUP_UNLIKELY(at.match == 0)) {
		bool followed = lookup_follow(m, &at, hash);
		if (at.match == 0) {
			if (LOOKUP_UNLIKELY(!followed || !lookup_confirm_miss(m, &at, count)))
				return get_slow(a->p, key, key_len, buf, buf_cap);
			return read_count_miss(a);
		}
	}
	if (LOOKUP_UNLIKELY(!lookup_item(m, a->item_off_max, &at, &item)))
		return get_slow(a->p, key, key_len, buf, buf_cap);
	if (tier == GET_FAST)
		n = lookup_fast(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	else if (tier == GET_BOTH)
		n = lookup_fast_or_general(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	else
		n = lookup_general(m, &at, item, key, key_len, buf, buf_cap, &a->shift);
	if (LOOKUP_LIKELY(n >= 0))
		return read_count_hit(a, lookup_hint_at(&at), n);
	if (n == LOOKUP_TORN)
		return get_torn(a->p, key, key_len, buf, buf_cap);
	if (tier == GET_FAST && ITEM_PLAIN_KEY_MAX > 0)
		return get_general(a, key, key_len, buf, buf_cap, hash);
	return get_slow(a->p, key, key_len, buf, buf_cap);
}

/* flatten: the hash must not become a call because it has several callers. */
__attribute__((flatten)) ssize_t
WIDE(peek_get)(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
{
	const struct attached *a = seq_load_ptr(&p->own.now);

	if (LOOKUP_UNLIKELY(a == NULL))
		return get_first(p, key, key_len, buf, buf_cap);
	if (LOOKUP_UNLIKELY(key_len - HASH_FAST_MIN > HASH_FAST_MAX - HASH_FAST_MIN))
		return get_both(a, key, key_len, buf, buf_cap);
	return get_by(
	    GET_FAST, a, key, key_len, buf, buf_cap, hash_fast_key(key, key_len, &a->secret));
}
