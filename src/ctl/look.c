/*
 * look.c: see look.h.
 */
#include "ctl/look.h"

#include <errno.h>
#include <stdio.h>

#include "shm/copy.h"
#include "shm/hash.h"
#include "shm/item.h"
#include "shm/seq.h"
#include "shm/table.h"

#define KEY_TRIES 16

int
look_open(const struct ctl *c, struct look *ret)
{
	struct look l = {.path = ""};
	struct stat st;
	char object[80];

	snprintf(object, sizeof(object), "peekd.%s", c->name);
	int error = map_object_path(object, l.path, sizeof(l.path));
	if (error != 0)
		return error;
	if (lstat(l.path, &st) != 0)
		return -errno;
	/* libpeek trusts this owner, and nobody else can replace an object that
	 * is there. */
	error = map_open(object, false, st.st_uid, &l.map);
	if (error != 0)
		return error;
	clock_read_shift(&l.shift);
	*ret = l;
	return 0;
}

void
look_close(struct look *l)
{
	map_close(&l->map);
}

uint64_t
look_silent_ms(const struct look *l)
{
	/* relaxed: each word is exact for its moment */
	return clock_silent_ms(word_load_rlx(&l->map.header->clock), &l->shift);
}

bool
look_retired(const struct look *l)
{
	/* relaxed: an older value does no harm */
	return (word_load_rlx(&l->map.header->count) & COUNT_RETIRED) != 0;
}

/* Maps regions that have grown. If that fails, the regions that were mapped
 * before stay mapped. */
static void
look_extend(struct look *l)
{
	(void)map_extend(&l->map, &l->map);
}

uint64_t
look_buckets(struct look *l)
{
	/* relaxed: an older value does no harm */
	uint64_t n = word_load_rlx(&l->map.header->count) & COUNT_MASK;

	if (n > l->map.n_buckets_mapped)
		look_extend(l);
	return n <= l->map.n_buckets_mapped ? n : l->map.n_buckets_mapped;
}

uint64_t
look_overflow(struct look *l)
{
	uint64_t n = word_load_rlx(&l->map.header->n_overflow); /* relaxed: as above */

	if (n > l->map.n_overflow_mapped)
		look_extend(l);
	return n <= l->map.n_overflow_mapped ? n : l->map.n_overflow_mapped;
}

/* Copies the key that a slot leads to. Offsets are clamped; the caller
 * validates the bytes. The key's length, or 0. */
static size_t
read_key(const struct map *m, const struct bucket *line, unsigned slot_idx, unsigned char *key,
    uint64_t *ret_slot)
{
	/* relaxed, all of them: the caller validates */
	uint64_t slot = word_load_rlx(&line->slot[slot_idx]);
	uint64_t off = slot_unit(slot) * ITEM_UNIT_BYTES;

	*ret_slot = slot;
	if (!slot_is_item(slot) ||
	    !item_in_bounds(off, ITEM_HEADER_BYTES, m->arena_bytes, m->block_shift))
		return 0;
	const struct word *item = &m->arena[off / sizeof(struct word)];
	uint32_t len = item_key_bytes(word_load_rlx(&item[0])),
		 at = item_key_at(item_state(word_load_rlx(&item[1])));
	if (!item_key_len_ok(len) ||
	    !item_in_bounds(off, ITEM_ALIGN((uint64_t)at + len), m->arena_bytes, m->block_shift))
		return 0;
	copy_out(key, item, at, len);
	return len;
}

/* The head bucket of a line. An overflow bucket doesn't name its head: the
 * key of an item in it does. A torn key leads to a wrong head, which
 * look_key finds out. */
static uint64_t
head_of(struct look *l, uint64_t line, unsigned slot_idx)
{
	const struct map *m = &l->map;
	uint64_t n_buckets = look_buckets(l), slot;
	unsigned char key[ITEM_KEY_MAX];

	if (line < m->n_buckets_max)
		return line;
	size_t len = read_key(m, &m->overflow[line - m->n_buckets_max], slot_idx, key, &slot);
	return len > 0 && n_buckets > 0 ? table_bucket_idx(hash_key(key, len, m->seed), n_buckets)
					: 0;
}

size_t
look_key(struct look *l, uint64_t line, unsigned slot_idx, unsigned char key[ITEM_KEY_MAX],
    uint64_t *ret_slot)
{
	const struct map *m = &l->map;
	const struct bucket *b =
	    line < m->n_buckets_max ? &m->buckets[line] : &m->overflow[line - m->n_buckets_max];

	for (unsigned n_tries = 0; n_tries < KEY_TRIES; n_tries++) {
		uint64_t head_idx = head_of(l, line, slot_idx),
			 begun = seq_begin(&m->buckets[head_idx].seq);
		size_t len = read_key(m, b, slot_idx, key, ret_slot);
		if ((begun & 1) != 0 || !seq_validate(&m->buckets[head_idx].seq, begun))
			continue;
		uint64_t hash = len > 0 ? hash_key(key, len, m->seed) : 0;
		/* else the head was the wrong one, or the segment is damaged */
		if (len == 0 ||
		    (slot_tag(hash) == slot_tag_of(*ret_slot) &&
			table_bucket_idx(hash, look_buckets(l)) == head_idx))
			return len;
	}
	return 0;
}

uint64_t
look_stat(const struct look *l, enum shm_stat stat)
{
	/* relaxed: counters are no snapshot together (stats.h) */
	return word_load_rlx(&l->map.stats->value[stat]);
}
