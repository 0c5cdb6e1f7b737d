/*
 * replay.c: replays a trace: GET through libpeek, and SET through the engine
 * after a miss. One process does both, so that the order is the trace's.
 * Segment, hint page and handle are as a reader in another process has them.
 *
 * By entries all items have one size, and the arena has room for exactly this
 * number of items. It is cut into about 1024 blocks, as the daemon does, of two
 * items or more each, with as few bytes left over as 8-byte alignment allows.
 * Fewer than 256 entries would fill fewer than 128 such blocks. They take whole
 * blocks, as large values do: a record in the log and an extent or two each.
 */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "payload.h"
#include "segment.h"
#include "shm/hint.h"
#include "shm/item.h"
#include "timer.h"

#define KEY_BYTES      8
#define ITEM_MAX_BYTES (1 << 20) /* the daemon's and memcached's default */
#define BLOCKS_WANT    1024
#define BLOCKS_MIN     128
#define EXTENT_SHIFT   7
#define ITEM_BYTES_MIN (ITEM_HEADER_BYTES + KEY_BYTES + 8)
#define TICK_EVERY     1024 /* requests: keeps the heartbeat fresh */
#define LOSSY_ONE_IN   10
#define HOSTILE_STORES 4 /* a request */

struct plan {
	unsigned block_shift;
	uint64_t n_blocks;
	uint32_t value_bytes; /* 0: the trace's */
};

static void
plan_large(uint64_t n_entries, struct plan *ret)
{
	uint64_t block_bytes = UINT64_C(1) << EXTENT_SHIFT, n_extents = 1, n_blocks;

	for (;; n_extents++) {
		uint64_t record = ITEM_HEADER_BYTES + KEY_BYTES + ITEM_ALIGN(n_extents * 4);
		n_blocks =
		    n_entries * n_extents + (n_entries * record + block_bytes - 1) / block_bytes;
		if (n_blocks >= BLOCKS_MIN)
			break;
	}
	*ret = (struct plan){.block_shift = EXTENT_SHIFT,
	    .n_blocks = n_blocks,
	    .value_bytes = (uint32_t)(n_extents * block_bytes)};
}

static void
plan_entries(uint64_t n_entries, struct plan *ret)
{
	uint64_t per_block = n_entries < 2 * BLOCKS_WANT ? 2 : n_entries / BLOCKS_WANT;
	unsigned shift = 7;

	while ((UINT64_C(1) << shift) / per_block < ITEM_BYTES_MIN)
		shift++;
	uint64_t block_bytes = UINT64_C(1) << shift;
	uint64_t item = block_bytes / per_block & ~UINT64_C(7);
	per_block = block_bytes / item;
	*ret = (struct plan){.block_shift = shift,
	    .n_blocks = (n_entries + per_block - 1) / per_block,
	    .value_bytes = (uint32_t)item - ITEM_HEADER_BYTES - KEY_BYTES};
	if (ret->n_blocks < BLOCKS_MIN)
		plan_large(n_entries, ret);
}

struct replay {
	const struct trace *t;
	const struct replay_conf *conf;
	struct own_segment segment;
	struct peek *handle, *deaf; /* with hints and without */
	struct rng rng;
	uint32_t value_bytes; /* of all; 0: the trace's */
	unsigned char *value;
	uint32_t value_cap;
	struct replay_result result;
};

static uint32_t
value_bytes(const struct replay *r, uint32_t key)
{
	if (r->value_bytes != 0)
		return r->value_bytes;
	uint32_t n = r->t->size_of[key];
	return n > KEY_BYTES ? n - KEY_BYTES : 0;
}

/* Writes to the hint page as a hostile client would. */
static void
store_rubbish(struct replay *r)
{
	uint64_t used =
	    (word_load_rlx(&r->segment.map.header->count) & COUNT_MASK) * HINT_BYTES_PER_BUCKET;

	for (unsigned i = 0; i < HOSTILE_STORES; i++) {
		uint64_t x = rng_next(&r->rng);
		byte_store_rlx(&r->segment.hints[x % (i == 0 ? r->segment.n_hint_bytes : used)],
		    (uint8_t)(x >> 56));
	}
}

static void
replay_request(struct replay *r, const struct trace_record *rec)
{
	unsigned char key[KEY_BYTES];
	struct peek *p = r->handle;

	payload_key(key, KEY_BYTES, rec->key);
	if (r->conf->hinting == HINTS_OFF ||
	    (r->conf->hinting == HINTS_LOSSY && rng_below(&r->rng, LOSSY_ONE_IN) == 0))
		p = r->deaf;
	if (r->conf->hinting == HINTS_HOSTILE)
		store_rubbish(r);
	ssize_t n = peek_get(p, key, KEY_BYTES, r->value, r->value_cap);
	uint32_t len = value_bytes(r, rec->key);
	if (n >= 0) {
		r->result.wrong += (uint32_t)n != len || !payload_ok(r->value, (size_t)n, rec->key);
		return;
	}
	r->result.misses++;
	payload_value(r->value, len, rec->key, 0);
	uint64_t expiry_s = rec->ttl_s == 0 ? 0 : (uint64_t)r->segment.now_s + rec->ttl_s;
	struct store_put put = {.key = {.bytes = key,
				    .len = KEY_BYTES,
				    .hash = store_hash(r->segment.store, key, KEY_BYTES)},
	    .value = r->value,
	    .value_bytes = len,
	    .expiry_s = expiry_s > UINT32_MAX ? 0 : (uint32_t)expiry_s};
	uint64_t cas;
	enum store_result put_result = store_put(r->segment.store, &put, r->segment.now_s, &cas);
	r->result.too_large += put_result == STORE_TOO_LARGE;
	r->result.refused += put_result != STORE_OK && put_result != STORE_TOO_LARGE;
}

static void
replay_turn(struct replay *r)
{
	uint32_t begin_s = r->segment.now_s, at_s = 0;
	uint64_t begin_ns = timer_clock_ns();
	uint64_t st[SHM_STAT_N];

	for (uint64_t i = 0; i < r->t->n; i++) {
		const struct trace_record *rec = &r->t->rec[i];
		if (i % TICK_EVERY == 0 || rec->time_s != at_s) {
			at_s = rec->time_s;
			own_segment_tick_at(&r->segment, begin_s + at_s);
		}
		replay_request(r, rec);
	}
	r->result.seconds = (double)(timer_clock_ns() - begin_ns) / 1e9;
	store_stats(r->segment.store, 0, st);
	r->result.evictions = st[SHM_STAT_EVICTIONS];
	r->result.longest_set_items = st[SHM_STAT_LONGEST_SET_ITEMS];
	r->result.longest_set_copied_bytes = st[SHM_STAT_LONGEST_SET_COPIED];
	r->result.n_blocks = r->segment.map.n_blocks;
	r->result.block_bytes = UINT64_C(1) << r->segment.map.block_shift;
	r->result.value_bytes = r->value_bytes;
}

int
replay_run(const struct trace *t, const struct replay_conf *conf, struct replay_result *ret)
{
	struct replay r = {.t = t, .conf = conf, .rng = {conf->seed}};
	struct plan plan = {.block_shift = 0};
	int rc;

	if (conf->capacity < BLOCKS_WANT / 64 || conf->capacity > UINT64_C(1) << 41)
		return -EINVAL;
	if (!conf->by_bytes)
		plan_entries(conf->capacity, &plan);
	r.value_bytes = plan.value_bytes;
	struct own_conf own = {
	    .arena_bytes = conf->by_bytes ? conf->capacity : plan.n_blocks << plan.block_shift,
	    .block_shift = plan.block_shift,
	    .item_max_bytes = ITEM_MAX_BYTES,
	    .hash_seed = rng_mix(conf->seed) | 1};
	rc = own_segment_create(&own, &r.segment);
	if (rc != 0)
		return rc;
	r.value_cap = plan.value_bytes;
	for (uint32_t k = 0; conf->by_bytes && k < t->n_keys; k++)
		r.value_cap = value_bytes(&r, k) > r.value_cap ? value_bytes(&r, k) : r.value_cap;
	r.value = malloc((size_t)r.value_cap + 8);
	rc = r.value == NULL ? -ENOMEM : own_segment_add_hints(&r.segment);
	if (rc == 0 && (rc = own_segment_open(&r.segment, true, &r.handle)) == 0 &&
	    (rc = own_segment_open(&r.segment, false, &r.deaf)) == 0) {
		replay_turn(&r);
		*ret = r.result;
	}
	peek_close(r.handle);
	peek_close(r.deaf);
	own_segment_destroy(&r.segment);
	free(r.value);
	return rc;
}
