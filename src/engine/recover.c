/*
 * recover.c: walking a dead writer's table.
 *
 * Two passes over all buckets: the first repairs chains and counts what each
 * block holds; the second lists the live records of each block
 * (recover_lists.c), of which none may lie over another.
 */
#include "engine/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crash.h"
#include "engine/record.h"
#include "shm/seq.h"

#define PREFETCH_BUCKETS 8 /* so far ahead are items asked for */

struct recovery_walk {
	struct arena *arena;
	struct table *table;
	uint64_t cutoff;
	uint64_t cas_max; /* no id above it was given by the dead writer */
	uint64_t cas_last;
	uint32_t now_s;
	uint64_t payload_bytes;
	struct store_recovery *n;
};

static bool
record_sound(const struct recovery_walk *w, uint64_t off, struct record *ret)
{
	const struct arena *a = w->arena;
	uint64_t arena_bytes = w->arena->map->arena_bytes;

	if (!item_in_bounds(off, ITEM_HEADER_BYTES, arena_bytes, a->block_shift))
		return false;
	*ret = record_load(a, off);
	uint32_t key_bytes = item_key_bytes(ret->word0);
	/* A damaged length makes a block's live bytes more than the block has.
	 * The record that doesn't fit is dropped. */
	return item_key_len_ok(key_bytes) && item_cas(ret->word1) <= w->cas_max &&
	    a->block[arena_block_of(a, off)].live_bytes + ret->shape.record_bytes <=
	    a->block_bytes &&
	    item_in_bounds(off, ret->shape.record_bytes, arena_bytes, a->block_shift) &&
	    a->block[arena_block_of(a, off)].kind != BLOCK_EXTENT &&
	    a->block[arena_block_of(a, off)].kind != BLOCK_PARTS;
}

/* Gives a counter a new CAS id: its value may have been stored without the id
 * that goes with it. The mark is raised before an id is used. */
static void
renew_counter(struct recovery_walk *w, const struct record *r)
{
	struct header *h = w->arena->map->header;

	if (w->cas_last == word_load_rlx(&h->cas_reserved)) {
		word_store_rlx(&h->cas_reserved, w->cas_last + CAS_BATCH);
		seq_crash_order(); /* [C1] reserved, then used */
	}
	w->cas_last++;
	word_store_rlx(
	    arena_word(w->arena, r->off + 8), item_word1(w->cas_last, item_state(r->word1)));
}

static bool
recover_keep(void *arg, uint64_t head, uint64_t slot)
{
	struct recovery_walk *w = arg;
	uint64_t off = table_item_off(slot);
	struct record r;

	if (!record_sound(w, off, &r))
		goto damaged;
	uint64_t hash = record_hash(w->arena, &r);
	if (slot_tag(hash) != slot_tag_of(slot))
		goto damaged;
	if (table_bucket_idx(hash, w->table->n_buckets) != head)
		/* the other half of a split that was cut short: the item is
		 * also where it belongs */
		return false;
	/* A lease ended with the daemon that its winner was connected to. */
	if (item_is_place(item_state(r.word1)) || record_is_flushed(w->arena, &r, w->cutoff) ||
	    item_expired(item_expiry_s(r.word0), w->now_s)) {
		w->n->dropped_expired++;
		return false;
	}
	if (!arena_recover_extents(w->arena, off, &r.shape))
		goto damaged;
	if ((item_state(r.word1) & ITEM_COUNTER) != 0)
		renew_counter(w, &r);
	arena_add_live(w->arena, off, &r.shape, item_expiry_s(r.word0));
	w->payload_bytes += item_key_bytes(r.word0) + item_value_bytes(r.word0);
	w->n->items++;
	return true;
damaged:
	w->n->dropped_damaged++;
	return false;
}

static void
prefetch_bucket(const struct recovery_walk *w, uint64_t head)
{
	if (head >= w->table->n_buckets)
		return;
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		/* relaxed: a prefetch can't be wrong */
		uint64_t slot = word_load_rlx(&w->arena->map->buckets[head].slot[i]);
		if (slot_is_item(slot))
			__builtin_prefetch(w->arena->map->arena + slot_unit(slot));
	}
}

/*
 * True: a cut-off, the flush's or a tag's, lies above the highest CAS id that
 * was ever given. Such a header is damaged: an item stored from now on would be
 * past at once, although its set was acknowledged.
 */
static bool
cutoffs_are_ahead(const struct map *map, uint64_t cutoff, uint64_t cas_max)
{
	bool ahead = cutoff > cas_max;

	for (uint64_t i = 0; i < map->n_tag_slots; i++)
		ahead |= word_load_rlx(&map->tags[i]) > cas_max; /* relaxed: no writer lives */
	return ahead;
}

int
recover_all(struct arena *arena, struct table *table, uint64_t cutoff, uint32_t now_s,
    struct store_recovery *ret, uint64_t *cas_last, uint64_t *ret_payload_bytes)
{
	struct recovery_walk w = {.arena = arena,
	    .table = table,
	    .cutoff = cutoff,
	    .now_s = now_s,
	    .n = ret,
	    .cas_max = *cas_last,
	    .cas_last = *cas_last};
	uint64_t *used;
	int r;

	*ret = (struct store_recovery){0};
	if (table->n_buckets < 1 || table->n_buckets > arena->map->n_buckets_max ||
	    w.cas_max > ITEM_CAS_MAX / 2 + ITEM_CAS_MAX / 4 ||
	    cutoffs_are_ahead(arena->map, cutoff, w.cas_max))
		return -EBADMSG;
	/* A damaged count claims memory that isn't there. A store to it must
	 * not be a fault, so the memory is allocated first. */
	if (map_allocate_table(arena->map, table->n_buckets, table->n_overflow_made) != 0)
		return -EBADMSG;
	used = calloc(table->n_overflow_made / 64 + 1, sizeof(*used));
	if (used == NULL)
		return -ENOMEM;
	seq_recover();
	CRASH_POINT("recover:begun");
	for (uint64_t head = 0; head < table->n_buckets; head++) {
		prefetch_bucket(&w, head + PREFETCH_BUCKETS);
		struct table_repair rep = table_repair(table, head, used, recover_keep, &w);
		ret->dropped_double += rep.doubles;
		ret->repaired_buckets += rep.odd;
	}
	memset(used, 0, (table->n_overflow_made / 64 + 1) * sizeof(*used));
	table_recover_free(table, used);
	free(used);
	struct recover_sums sums = {ret, w.payload_bytes};
	if ((r = recover_list(arena, table)) != 0 || (r = arena_recovered(arena)) != 0 ||
	    (r = recover_apart(arena, table, &sums)) != 0)
		return r;
	*cas_last = w.cas_last;
	*ret_payload_bytes = sums.payload_bytes;
	return 0;
}
