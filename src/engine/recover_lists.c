/*
 * recover_lists.c: lists the live records of each of a dead writer's blocks.
 *
 * The bytes beyond live records may be anything, so each block gets a list of
 * its live records in the order in which they lie. Two records that overlap are
 * a sign of damage: writing, moving or freeing one would change the other.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/record.h"
#include "engine/recover.h"

#define PREFETCH_RECORDS 8 /* so far ahead are records asked for */

static void
list_record(void *arg, const struct table_place *place)
{
	struct arena *a = arg;
	uint64_t off = table_item_off(place->slot);
	struct block *s = &a->block[arena_block_of(a, off)];

	if (s->n_listed < s->n_live)
		s->listed[s->n_listed++] =
		    (uint32_t)((off & (a->block_bytes - 1)) / ITEM_UNIT_BYTES);
}

int
recover_list(struct arena *a, const struct table *t)
{
	for (uint32_t i = 0; i < a->n_blocks; i++) {
		if (a->block[i].n_live == 0 || a->block[i].kind == BLOCK_PARTS)
			continue;
		a->block[i].listed = malloc(a->block[i].n_live * sizeof(uint32_t));
		if (a->block[i].listed == NULL)
			return -ENOMEM;
	}
	for (uint64_t head = 0; head < t->n_buckets; head++)
		table_visit(t, head, list_record, a);
	return 0;
}

/* seen: a bit for each unit of a block, all clear before and after. */
static void
sort_list(struct block *s, uint64_t *seen, uint32_t n_words)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < s->n_listed; k++)
		seen[s->listed[k] / 64] |= UINT64_C(1) << (s->listed[k] % 64);
	for (uint32_t w = 0; w < n_words; w++)
		for (; seen[w] != 0; seen[w] &= seen[w] - 1)
			s->listed[n++] = w * 64 + (uint32_t)__builtin_ctzll(seen[w]);
	s->n_listed = n;
}

static void
recover_lists_drop(
    struct arena *a, struct table *t, const struct record *r, struct recover_sums *sums)
{
	struct table_place place;

	if (!table_find_item(t, record_hash(a, r), r->off, &place))
		return;
	table_unlink(t, &place);
	arena_drop_live(a, r->off, &r->shape, false);
	CHECK(sums->n->items > 0);
	sums->payload_bytes -= item_key_bytes(r->word0) + item_value_bytes(r->word0);
	sums->n->items--;
	sums->n->dropped_damaged++;
}

/*
 * The first of two overlapping records is dropped. Its length is wrong, since
 * the second record is where a slot says it is, with the key that belongs to
 * the slot's tag. A record that overlaps any other overlaps the next one, so
 * only neighbours are compared.
 */
static void
drop_overlapping(struct arena *a, struct table *t, uint32_t block_idx, struct recover_sums *sums)
{
	struct block *s = &a->block[block_idx];
	uint64_t base = (uint64_t)block_idx << a->block_shift;
	uint32_t n_kept = 0;

	for (uint32_t k = 0; k < s->n_listed; k++) {
		struct record r = record_load(a, base + (uint64_t)s->listed[k] * ITEM_UNIT_BYTES);
		if (k + PREFETCH_RECORDS < s->n_listed)
			__builtin_prefetch(arena_word(
			    a, base + (uint64_t)s->listed[k + PREFETCH_RECORDS] * ITEM_UNIT_BYTES));
		if (k + 1 < s->n_listed &&
		    r.off + r.shape.record_bytes >
			base + (uint64_t)s->listed[k + 1] * ITEM_UNIT_BYTES)
			recover_lists_drop(a, t, &r, sums);
		else
			s->listed[n_kept++] = s->listed[k];
	}
	s->n_listed = n_kept;
}

int
recover_apart(struct arena *a, struct table *t, struct recover_sums *sums)
{
	uint32_t n_words = (a->block_bytes / ITEM_UNIT_BYTES + 63) / 64;
	uint64_t *seen = calloc(n_words, sizeof(*seen));

	if (seen == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->n_blocks; i++)
		if (a->block[i].listed != NULL) {
			sort_list(&a->block[i], seen, n_words);
			drop_overlapping(a, t, i, sums);
		}
	free(seen);
	return 0;
}
