/*
 * hot.c: see hot.h.
 */
#include "ctl/hot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/table.h"

#define HALF_MS 10000 /* what is so much older than the next read seen counts half */

#define CANDIDATES_MAX (2 * HOT_ROWS_MAX) /* some are gone when their names are read */

/* All zero: nothing seen. A run begins with the first read that is seen, and ends when the byte falls. */
struct hot_slot {
	float reads;         /* seen in runs, but for the first of each */
	float ms;            /* from the first on, as long as the slot was not full; at the same weight */
	uint32_t changed_ms; /* since the first look: when the byte moved last */
	uint32_t tag : 24;   /* of the item that this is known of; 0: none */
	uint32_t running : 1;
};

static uint64_t
n_slots(const struct hot_row *row)
{
	return row->n_lines * HINT_BYTES_PER_BUCKET;
}

static const struct hot_row *
row_of(const struct hot *h, uint64_t i)
{
	return &h->row[i >= h->row[1].at];
}

static uint64_t
line_of(const struct hot *h, uint64_t i)
{
	const struct hot_row *row = row_of(h, i);

	return row->from_line + (i - row->at) / HINT_BYTES_PER_BUCKET;
}

/* Both rows' places begin at a multiple of a line's. */
static unsigned
slot_idx_of(uint64_t i)
{
	return (unsigned)(i % HINT_BYTES_PER_BUCKET);
}

/* The hints of a row, as its first slot's. */
static const struct byte *
hints_of(const struct hot *h, const struct hot_row *row)
{
	return &h->hints[row->from_line * HINT_BYTES_PER_BUCKET];
}

/* Clients can write the page: a byte is masked, as the daemon does. */
static uint8_t
level_of(const struct byte *hint)
{
	return byte_load_rlx(hint) & HINT_MAX; /* relaxed: a hint orders nothing */
}

static uint32_t
tag_of(const struct hot *h, const struct look *l, uint64_t i)
{
	const struct map *m = &l->map;
	uint64_t line = line_of(h, i);
	const struct bucket *b = line < m->n_buckets_max ? &m->buckets[line] : &m->overflow[line - m->n_buckets_max];

	/* relaxed: whose key it is is read under the sequence, when it is shown */
	return (uint32_t)slot_tag_of(word_load_rlx(&b->slot[slot_idx_of(i)]));
}

/* A table that grows: more of it is in the sample. end_line: behind the last that there is now. */
static void
widen(struct hot *h, struct hot_row *row, uint64_t end_line, int64_t now_ms)
{
	uint64_t n = end_line > row->from_line ? end_line - row->from_line : 0, old = n_slots(row);

	if (n <= row->n_lines || row->n_lines == row->lines_max)
		return;
	row->n_lines = n < row->lines_max ? n : row->lines_max;
	for (uint64_t i = old; i < n_slots(row); i++) {
		h->level[row->at + i] = level_of(&hints_of(h, row)[i]);
		h->slot[row->at + i].changed_ms = (uint32_t)(now_ms - h->began_ms);
	}
}

static void
widen_both(struct hot *h, const struct look *l, int64_t now_ms)
{
	widen(h, &h->row[0], look_buckets(l), now_ms);
	widen(h, &h->row[1], l->map.n_buckets_max + look_overflow(l), now_ms);
}

/* Which of n lines a row begins with. */
static uint64_t
begin_at(uint64_t n, uint64_t lines_max, uint64_t random)
{
	return n > lines_max ? random % (n - lines_max + 1) : 0;
}

int
hot_begin(struct hot *h, const struct look *l, const struct byte *hints, int64_t now_ms)
{
	const size_t n_slots_max = (HOT_BUCKETS_MAX + HOT_OVERFLOW_MAX) * HINT_BYTES_PER_BUCKET;
	uint64_t random = (uint64_t)now_ms * UINT64_C(0x9e3779b97f4a7c15) >> 16;

	hot_end(h);
	if (hints == NULL)
		return 0;
	h->level = calloc(n_slots_max, sizeof(*h->level));
	h->slot = calloc(n_slots_max, sizeof(*h->slot));
	if (h->level == NULL || h->slot == NULL) {
		hot_end(h);
		return -ENOMEM;
	}
	h->hints = hints;
	h->began_ms = h->looked_ms = now_ms;
	h->row[0] = (struct hot_row){begin_at(look_buckets(l), HOT_BUCKETS_MAX, random), 0, HOT_BUCKETS_MAX, 0};
	h->row[1] = (struct hot_row){l->map.n_buckets_max + begin_at(look_overflow(l), HOT_OVERFLOW_MAX, random), 0, HOT_OVERFLOW_MAX,
	    HOT_BUCKETS_MAX * HINT_BYTES_PER_BUCKET};
	widen_both(h, l, now_ms);
	return 0;
}

void
hot_end(struct hot *h)
{
	free(h->level);
	free(h->slot);
	*h = (struct hot){0};
}

/* Slot i stood at `was` when it was looked at last. */
static void
moved(struct hot *h, const struct look *l, uint64_t i, uint8_t was, uint8_t is, uint32_t t)
{
	struct hot_slot *s = &h->slot[i];
	uint32_t tag = tag_of(h, l, i);

	if (s->tag != tag) {
		if (s->tag != 0 && is < was) /* a new item's byte is 0: what it shows was read in this look */
			was = 0;
		*s = (struct hot_slot){.tag = tag & 0xffffff};
	}
	if (is < was) {
		s->running = 0;
	} else {
		bool first = !s->running;
		float ms = first ? 0 : (float)(t - s->changed_ms), weight = HALF_MS / (HALF_MS + ms);
		s->reads = s->reads * weight + (float)(is - was - first);
		s->ms = s->ms * weight + ms;
		s->running = 1;
	}
	s->changed_ms = t;
	h->level[i] = is;
}

void
hot_look(struct hot *h, const struct look *l, int64_t now_ms)
{
	if (h->hints == NULL || now_ms <= h->looked_ms)
		return;
	for (unsigned r = 0; r < 2; r++) {
		const struct hot_row *row = &h->row[r];
		const struct byte *hint = hints_of(h, row);
		for (uint64_t i = 0, n = n_slots(row); i < n; i++) {
			uint8_t was = h->level[row->at + i], is = level_of(&hint[i]);
			if (is != was)
				moved(h, l, row->at + i, was, is, (uint32_t)(now_ms - h->began_ms));
		}
	}
	widen_both(h, l, now_ms);
	h->looked_ms = now_ms;
}

/* ---- the list ---------------------------------------------------------------------------------------------------------- */

struct candidate {
	uint64_t i;
	double rank, reads_s;
};

/* The reads that n reads seen stand for at least, 19 times in 20: a twentieth of the gamma distribution of shape n lies below. */
static double
at_least(double n)
{
	static const double bound[] = {0, .051, .355, .818, 1.366, 1.970, 2.613, 3.285, 3.981, 4.695, 5.425};
	const unsigned last = sizeof(bound) / sizeof(bound[0]) - 1;
	unsigned low = (unsigned)n;

	return n >= last ? n * bound[last] / last : bound[low] + (n - low) * (bound[low + 1] - bound[low]);
}

static bool
full_before(const struct hot *h, uint64_t i)
{
	return h->level[i] == HINT_MAX && h->slot[i].tag == 0;
}

static struct candidate
judge(const struct hot *h, uint64_t i, uint32_t t)
{
	const struct hot_slot *s = &h->slot[i];
	struct candidate c = {.i = i};

	if (s->reads <= 0) {
		c.rank = full_before(h, i) ? HOT_READS_S : 0;
		return c;
	}
	double ms = s->ms + HOT_LOOK_MS; /* a look later than it was */
	if (h->level[i] < HINT_MAX)
		ms += t - s->changed_ms;
	c.rank = c.reads_s = at_least(s->reads) * 1000 / ms;
	return c;
}

/* Its key, if the slot still has the item. */
static bool
name(const struct hot *h, const struct look *l, const struct candidate *c, uint32_t t, struct hot_key *ret)
{
	const struct hot_slot *s = &h->slot[c->i];
	uint64_t slot;
	size_t len = look_key(l, line_of(h, c->i), slot_idx_of(c->i), ret->key, &slot);

	if (len == 0 || (s->tag != 0 && s->tag != (uint32_t)slot_tag_of(slot)))
		return false;
	ret->key_len = (uint8_t)len;
	ret->reads_s = c->reads_s;
	ret->level = h->level[c->i];
	ret->age_ms = t - s->changed_ms;
	return true;
}

/* Best first; no more than all of best. */
static void
place(struct candidate *best, unsigned *n, const struct candidate *c)
{
	unsigned at = *n;

	while (at > 0 && best[at - 1].rank < c->rank)
		at--;
	if (c->rank <= 0 || at == CANDIDATES_MAX)
		return;
	*n += *n < CANDIDATES_MAX;
	memmove(&best[at + 1], &best[at], (*n - at - 1) * sizeof(best[0]));
	best[at] = *c;
}

void
hot_best(const struct hot *h, const struct look *l, int64_t now_ms, struct hot_list *ret)
{
	struct candidate best[CANDIDATES_MAX];
	uint32_t t = (uint32_t)(now_ms - h->began_ms);
	unsigned n = 0;

	*ret = (struct hot_list){.n_slots_all = (look_buckets(l) + look_overflow(l)) * BUCKET_SLOTS, .looked_ms = t};
	for (unsigned r = 0; h->hints != NULL && r < 2; r++) {
		const struct hot_row *row = &h->row[r];
		ret->n_slots += n_slots(row);
		for (uint64_t i = row->at; i < row->at + n_slots(row); i++) {
			struct candidate c;
			if (h->level[i] == 0 && h->slot[i].reads <= 0)
				continue;
			c = judge(h, i, t);
			ret->n_unknown += full_before(h, i);
			place(best, &n, &c);
		}
	}
	for (unsigned i = 0; i < n && ret->n < HOT_ROWS_MAX; i++)
		ret->n += name(h, l, &best[i], t, &ret->row[ret->n]);
}
