/* store.c: opening and closing, finding, reading, and changes in place. Storing
 * is put.c's; its head shows the way of a put. */
#include "engine/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/number.h"
#include "engine/crash.h"
#include "engine/engine_check.h"
#include "engine/record.h"
#include "engine/recover.h"
#include "engine/store_private.h"
#include "shm/clock.h"
#include "shm/hint.h"
#include "shm/seq.h"

#define CAS_EXPLICIT_MAX (UINT64_C(1) << 47)

/* Address space for an array that is touched as the table grows. */
static void *
reserve_zeroed(size_t n_bytes)
{
	void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
store_open(struct map *map, const struct store_conf *conf, uint32_t now_s, struct store **ret,
    struct store_recovery *ret_recovery)
{
	struct store *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s == NULL)
		return -ENOMEM;
	s->map = map;
	s->conf = *conf;
	s->stat = conf->stat != NULL ? conf->stat : s->own_stat;
	s->n_refs = slot_ref(map->n_buckets_max + map->n_overflow_max, 0);
	s->own_hints = reserve_zeroed(s->n_refs);
	s->last_access_s = reserve_zeroed(s->n_refs * sizeof(uint32_t));
	if (s->own_hints == NULL || s->last_access_s == NULL || arena_init(&s->arena, map) != 0)
		goto fail;
	s->arena.now_s = now_s;
	table_init(&s->table, map, s->own_hints, s->last_access_s, s->n_refs, s->stat);
	evict_init(&s->evict, &s->arena, &s->table, s->stat, conf->evict);
	s->cas_last = s->cas_reserved = word_load_rlx(&map->header->cas_reserved);
	uint64_t cutoff = word_load_rlx(&map->header->cutoff);
	s->evict.cutoff = cutoff & CUTOFF_MASK;
	if ((cutoff & CUTOFF_PENDING) != 0)
		s->flush_at_s = (uint32_t)word_load_rlx(&map->header->flush_at_s);
	r = recover_all(&s->arena, &s->table, s->evict.cutoff, now_s, ret_recovery, &s->cas_last,
	    &s->stat[SHM_STAT_PAYLOAD_BYTES]);
	if (r != 0)
		goto fail;
	s->cas_reserved = word_load_rlx(&map->header->cas_reserved);
	if (ret_recovery->items > 0) /* some may have tags */
		memset(s->tag_used, 0xff, sizeof(s->tag_used));
	*ret = s;
	return 0;
fail:
	store_close(s);
	return r;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	evict_fini(&s->evict);
	arena_fini(&s->arena);
	if (s->own_hints != NULL)
		munmap(s->own_hints, s->n_refs);
	if (s->last_access_s != NULL)
		munmap(s->last_access_s, s->n_refs * sizeof(uint32_t));
	free(s);
}

void
store_set_hints(struct store *s, struct byte *hints, uint64_t n_bytes)
{
	s->table.hints = hints != NULL ? hints : s->own_hints;
	s->table.n_hints = hints != NULL ? n_bytes : s->n_refs;
}

uint64_t
store_hash(const struct store *s, const void *key, size_t key_len)
{
	return hash_key(key, key_len, s->map->seed);
}

/* ---- CAS ids and flush --------------------------------------------------- */

/* The mark is raised before an id above it is used. A successor begins at the
 * mark, so that no id is given twice. */
static void
reserve_cas(struct store *s)
{
	s->cas_reserved = s->cas_last + CAS_BATCH;
	/* relaxed: read by a successor only */
	word_store_rlx(&s->map->header->cas_reserved, s->cas_reserved);
	seq_crash_order(); /* [C1] reserved, then used */
	CRASH_POINT("cas:reserved");
}

uint64_t
store_next_cas(struct store *s, uint64_t explicit_cas, uint32_t state, uint64_t tags)
{
	if (explicit_cas != 0) {
		if (explicit_cas <= s->evict.cutoff || explicit_cas >= CAS_EXPLICIT_MAX ||
		    record_is_cut_off(&s->arena, state & ITEM_TAGS, tags, explicit_cas))
			return 0;
		if (explicit_cas <= s->cas_last)
			return explicit_cas;
		s->cas_last = explicit_cas;
	} else {
		s->cas_last++;
	}
	if (s->cas_last > s->cas_reserved)
		reserve_cas(s);
	CHECK(s->cas_last <= s->cas_reserved);
	return s->cas_last;
}

/* One store tells both the cut-off and whether a flush is to come: a successor,
 * and readers of a dead daemon's segment, find either state whole. relaxed:
 * readers may see it late, never half. */
static void
set_cutoff(struct store *s, uint64_t cutoff, uint32_t flush_at_s)
{
	evict_flush(&s->evict, cutoff);
	s->flush_at_s = flush_at_s;
	word_store_rlx(&s->map->header->cutoff, cutoff | (flush_at_s != 0 ? CUTOFF_PENDING : 0));
	CRASH_POINT("flush:cut-off stored");
}

void
store_flush(struct store *s)
{
	set_cutoff(s, s->cas_last, 0);
}

void
store_flush_at(struct store *s, uint32_t at_s)
{
	if (at_s != 0) { /* while none is to come nobody looks at the word */
		word_store_rlx(&s->map->header->flush_at_s, at_s);
		seq_crash_order(); /* [C1] the time first, then that there is one */
		CRASH_POINT("flush:time stored");
	}
	set_cutoff(s, s->evict.cutoff, at_s);
}

/* ---- tags ---------------------------------------------------------------- */

/* Seed 0: a number stands in items, and items come from other segments and from
 * snapshots. */
uint32_t
store_tag(const void *name, size_t name_len)
{
	return hash_key(name, name_len, 0) & (LAYOUT_TAG_SLOTS_MAX - 1);
}

uint64_t
store_tags(const uint32_t *tag, unsigned n)
{
	uint64_t tags = 0;

	for (unsigned i = 0; i < ITEM_TAGS_MAX; i++)
		tags |= (uint64_t)(tag[i < n ? i : 0] & 0xffff) << (16 * i);
	return tags;
}

static uint64_t *
tag_use(struct store *s, uint32_t tag, uint64_t *ret_bit)
{
	uint64_t idx = item_tag_idx(tag, s->map->n_tag_slots);

	*ret_bit = UINT64_C(1) << (idx % 64);
	return &s->tag_used[idx / 64];
}

void
store_note_tags(struct store *s, uint64_t tags)
{
	uint64_t bit;

	for (unsigned i = 0; i < ITEM_TAGS_MAX; i++) {
		uint64_t *use = tag_use(s, item_tag(tags, i), &bit);
		*use |= bit;
	}
}

/*
 * Every id that was given is at or below cas_last, and every later one above
 * it, also those of a successor, which begins above cas_reserved. relaxed: one
 * store, as the cut-off of a flush. A reader that sees an item which was linked
 * afterwards sees it by [S2].
 */
void
store_invalidate(struct store *s, uint32_t tag)
{
	uint64_t bit, *use = tag_use(s, tag, &bit);

	s->stat[SHM_STAT_INVALIDATIONS]++;
	if ((*use & bit) == 0) /* no item was stored with it since */
		return;
	*use &= ~bit;
	word_store_rlx(&s->map->tags[item_tag_idx(tag, s->map->n_tag_slots)], s->cas_last);
	CRASH_POINT("invalidate:cut-off stored");
	evict_invalidate(&s->evict);
}

void
store_tick(struct store *s, uint64_t clock_word)
{
	uint32_t now_s = clock_word_s(clock_word);

	/* relaxed: a heartbeat orders nothing */
	word_store_rlx(&s->map->header->clock, clock_word);
	if (s->flush_at_s != 0 && now_s >= s->flush_at_s)
		store_flush(s);
	evict_ahead(&s->evict, ARENA_NO_ROOM, 0, now_s);
	ENGINE_CHECK_STEP(s, now_s);
}

/* ---- finding and reading ------------------------------------------------- */

void
store_fill_item(const struct store *s, const struct table_place *place, struct store_item *ret)
{
	struct record r = record_load(&s->arena, table_item_off(place->slot));

	*ret = (struct store_item){
	    .cas = item_cas(r.word1),
	    .state = item_state(r.word1),
	    .flags = record_flags(&s->arena, &r),
	    .tags = record_tags(&s->arena, &r),
	    .expiry_s = item_expiry_s(r.word0),
	    .value_bytes = item_value_bytes(r.word0),
	    .item_bytes = (uint32_t)record_memory(&s->arena, &r),
	    .last_access_s = s->last_access_s[place->ref],
	    .item_off = r.off,
	    .slot_ref = place->ref,
	    .head = place->head,
	    .slot = place->slot,
	};
	if ((ret->state & ITEM_COUNTER) != 0) {
		ret->counter = record_counter(&s->arena, &r);
		ret->value_bytes = number_n_digits(ret->counter);
	}
}

bool
store_find(struct store *s, const struct store_key *key, uint32_t now_s, struct store_item *ret,
    enum store_gone *ret_gone)
{
	CHECK(item_key_len_ok(key->len));
	struct table_place place;
	enum store_gone gone = STORE_ABSENT;

	if (table_find(&s->table, key->hash, key->bytes, key->len, &place)) {
		store_fill_item(s, &place, ret);
		if (ret->cas <= s->evict.cutoff ||
		    record_is_cut_off(&s->arena, ret->state, ret->tags, ret->cas))
			gone = STORE_FLUSHED;
		else if (item_expired(ret->expiry_s, now_s))
			gone = STORE_EXPIRED;
		else
			return true;
	}
	if (ret_gone != NULL)
		*ret_gone = gone;
	return false;
}

struct cas_search {
	struct store *s;
	uint64_t hash, cas;
	struct store_item *ret;
	bool found;
};

static void
match_cas(void *arg, const struct table_place *place)
{
	struct cas_search *f = arg;
	struct record r = record_load(&f->s->arena, table_item_off(place->slot));

	if (f->found || slot_tag_of(place->slot) != slot_tag(f->hash) ||
	    item_cas(r.word1) != f->cas || record_hash(&f->s->arena, &r) != f->hash)
		return;
	store_fill_item(f->s, place, f->ret);
	f->found = true;
}

bool
store_find_cas(struct store *s, uint64_t hash, uint64_t cas, struct store_item *ret)
{
	struct cas_search f = {s, hash, cas, ret, false};

	table_visit(&s->table, table_bucket_idx(hash, s->table.n_buckets), match_cas, &f);
	return f.found;
}

uint64_t
store_last_cas(const struct store *s)
{
	return s->cas_last;
}

void
store_read(
    const struct store *s, const struct store_item *item, uint32_t from, uint32_t n, void *buf)
{
	if ((item->state & ITEM_COUNTER) != 0) {
		char digits[NUMBER_DIGITS_MAX];
		CHECK(from + n <= number_n_digits(item->counter));
		number_digits(digits, item->counter);
		memcpy(buf, digits + from, n);
		return;
	}
	struct record r = record_load(&s->arena, item->item_off);
	value_read(&s->arena, &r, from, n, buf);
}

static struct table_place
place_of(const struct store_item *item)
{
	return (struct table_place){item->head, item->slot_ref, item->slot};
}

/* ---- changes of one word, in place --------------------------------------- */

void
store_mark(
    struct store *s, const struct store_item *item, uint32_t set, uint32_t clear, uint64_t new_cas)
{
	struct word *word1 = arena_word(&s->arena, item->item_off + 8);
	uint64_t w = word_load_rlx(word1);
	uint32_t state = (item_state(w) | set) & ~clear;

	/* relaxed: one word, whole by itself */
	word_store_rlx(word1, item_word1(new_cas != 0 ? new_cas : item_cas(w), state));
	CRASH_POINT("mark:stored");
}

void
store_keep(struct store *s, const struct store_item *item, uint32_t now_s)
{
	struct byte *hint = table_hint(&s->table, item->slot_ref);

	if (hint != NULL)
		hint_raise(hint);
	s->last_access_s[item->slot_ref] = now_s;
}

void
store_bump(struct store *s, const struct store_item *item, uint32_t now_s)
{
	store_keep(s, item, now_s);
	if ((item->state & ITEM_FETCHED) == 0)
		store_mark(s, item, ITEM_FETCHED, 0, 0);
}

void
store_touch(struct store *s, const struct store_item *item, uint32_t expiry_s)
{
	struct word *word0 = arena_word(&s->arena, item->item_off);
	uint64_t w = word_load_rlx(word0);

	/* first, since the block must outlive the item */
	arena_raise_expiry(&s->arena, item->item_off, expiry_s);
	/* relaxed: one word */
	word_store_rlx(word0, item_word0(expiry_s, item_value_bytes(w), item_key_bytes(w)));
	CRASH_POINT("touch:stored");
}

void
store_delete(struct store *s, const struct store_item *item)
{
	struct table_place place = place_of(item);

	evict_unlink(&s->evict, &place);
}
