/*
 * hot.c: see hot.h.
 */
#include "ctl/hot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/table.h"

#define SLOTS_CAP      (1u << 16)         /* of the hash table, at most half of them used */
#define SAMPLES_LEAST  0.2f               /* a slot with fewer is dropped */
#define CANDIDATES_MAX (2 * HOT_ROWS_MAX) /* some items are gone before their keys are read */
/* of one thread between two samples; a larger count is not trusted */
#define HITS_MAX 100000000u

/* A slot of the segment, named by its byte in the hint page. n_samples 0: this
 * place of the hash table is empty. */
struct hot_slot {
	uint64_t hint_at;
	double hits; /* estimated from its samples */
	float n_samples;
	uint32_t tag; /* of the sampled item */
};

struct hot_seen {
	uint64_t sampled[HINT_SAMPLES];
	uint64_t hits; /* at the last look that found a sample */
};

/* ---- samples ------------------------------------------------------------- */

/* The place of a slot, or the empty place for it. There always is one. */
static struct hot_slot *
place_of(struct hot_slot *table, uint64_t hint_at)
{
	uint64_t i = hint_at * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	while (table[i % SLOTS_CAP].n_samples > 0 && table[i % SLOTS_CAP].hint_at != hint_at)
		i++;
	return &table[i % SLOTS_CAP];
}

/* The tag of the item in a slot; 0: there is no item, or no such slot. */
static uint32_t
tag_at(struct look *l, uint64_t hint_at)
{
	const struct map *m = &l->map;
	uint64_t line = hint_at / HINT_BYTES_PER_BUCKET;
	const struct bucket *b;

	if (line < look_buckets(l))
		b = &m->buckets[line];
	else if (line >= m->n_buckets_max && line - m->n_buckets_max < look_overflow(l))
		b = &m->overflow[line - m->n_buckets_max];
	else
		return 0;
	/* relaxed: the key is read under the sequence, when it is shown */
	uint64_t slot = word_load_rlx(&b->slot[hint_at % HINT_BYTES_PER_BUCKET]);
	return slot_is_item(slot) ? (uint32_t)slot_tag_of(slot) : 0;
}

static void
hot_sampled(struct hot *h, struct look *l, uint64_t hint_at, double hits)
{
	uint32_t tag = tag_at(l, hint_at);
	struct hot_slot *s = place_of(h->slot, hint_at);

	h->n_samples++;
	h->hits += hits;
	/* the item is gone, or the table has no room until slots are dropped */
	if (tag == 0 || (s->n_samples == 0 && h->n_slots == SLOTS_CAP / 2))
		return;
	h->n_slots += s->n_samples == 0;
	if (s->n_samples == 0 || s->tag != tag)
		*s = (struct hot_slot){.hint_at = hint_at, .tag = tag};
	s->n_samples++;
	s->hits += hits;
}

static void
look_at_cell(struct hot *h, struct look *l, const struct hint_cell *cell, struct hot_seen *seen)
{
	uint64_t fresh[HINT_SAMPLES], hits;
	unsigned n = 0;

	for (unsigned i = 0; i < HINT_SAMPLES; i++) {
		/* relaxed: a sample is one word, and a count need not be
		 * exact */
		uint64_t sample = word_load_rlx(&cell->sampled[i]);
		if (sample != seen->sampled[i] && sample != 0)
			fresh[n++] = sample;
		seen->sampled[i] = sample;
	}
	hits = word_load_rlx(&cell->hits);
	if (hits < seen->hits) { /* the cell went to another client */
		seen->hits = hits;
		return;
	}
	if (n == 0)
		return;
	uint64_t grown = hits - seen->hits;
	for (unsigned i = 0; i < n; i++)
		hot_sampled(h, l, hint_sample_at(fresh[i]),
		    (double)(grown < HITS_MAX ? grown : HITS_MAX) / n);
	seen->hits = hits;
}

void
hot_look(struct hot *h, struct look *l)
{
	/* The kernel tells a process that it doesn't trust that all pages are
	 * in memory. */
	if (h->cells == NULL || mincore(h->pages, h->pages_bytes, h->in_memory) != 0)
		return;
	for (size_t i = 0; i < h->n_cells; i++) {
		size_t page =
		    (size_t)((const char *)&h->cells[i] - (const char *)h->pages) / h->page_bytes;
		if ((h->in_memory[page] & 1) != 0)
			look_at_cell(h, l, &h->cells[i], &h->seen[i]);
	}
}

int
hot_begin(
    struct hot *h, struct look *l, const struct byte *hints, size_t hint_bytes, int64_t now_ms)
{
	uint64_t cells_at = hint_plan(l->map.n_buckets_max, l->map.n_overflow_max, 0).cells_at;

	hot_end(h);
	if (hints == NULL || hint_bytes <= cells_at)
		return 0;
	h->cells = (const struct hint_cell *)(const void *)((const char *)hints + cells_at);
	h->n_cells = (hint_bytes - cells_at) / sizeof(struct hint_cell);
	h->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	h->pages = (void *)((uintptr_t)h->cells & ~(uintptr_t)(h->page_bytes - 1));
	h->pages_bytes = (size_t)((const char *)(h->cells + h->n_cells) - (const char *)h->pages);
	h->in_memory = calloc(h->pages_bytes / h->page_bytes + 1, 1);
	h->seen = calloc(h->n_cells, sizeof(*h->seen));
	h->slot = calloc(SLOTS_CAP, sizeof(*h->slot));
	if (h->in_memory == NULL || h->seen == NULL || h->slot == NULL) {
		hot_end(h);
		return -ENOMEM;
	}
	h->faded_ms = now_ms;
	hot_look(h, l);
	/* The age of these samples is unknown: only later ones count. */
	memset(h->slot, 0, SLOTS_CAP * sizeof(*h->slot));
	h->n_slots = 0;
	h->hits = h->n_samples = 0;
	return 0;
}

void
hot_end(struct hot *h)
{
	free(h->in_memory);
	free(h->seen);
	free(h->slot);
	*h = (struct hot){0};
}

/* ---- the list ------------------------------------------------------------ */

/* Older samples weigh less. Slots of too little weight are dropped, with a
 * bound that rises until the table has room. */
static void
hot_fade(struct hot *h, int64_t now_ms)
{
	double ms = (double)(now_ms - h->faded_ms), weight = HOT_FADE_MS / (HOT_FADE_MS + ms);
	float least = SAMPLES_LEAST;
	struct hot_slot *table;
	unsigned n;

	h->faded_ms = now_ms;
	h->hits *= weight;
	h->n_samples *= weight;
	h->ms = (h->ms + ms) * weight;
	for (;; least *= 2) {
		n = 0;
		for (unsigned i = 0; i < SLOTS_CAP; i++)
			n += h->slot[i].n_samples * (float)weight >= least;
		if (n <= SLOTS_CAP / 4)
			break;
	}
	table = calloc(SLOTS_CAP, sizeof(*table));
	if (table == NULL)
		return; /* slots keep a little too much weight */
	for (unsigned i = 0; i < SLOTS_CAP; i++) {
		struct hot_slot s = h->slot[i];
		s.n_samples *= (float)weight;
		s.hits *= weight;
		if (s.n_samples >= least)
			*place_of(table, s.hint_at) = s;
	}
	free(h->slot);
	h->slot = table;
	h->n_slots = n;
}

/* The least number that n samples prove, 19 times in 20: the 5 % quantile of
 * the gamma distribution of shape n. */
static double
at_least(double n)
{
	static const double bound[] = {
	    0, .051, .355, .818, 1.366, 1.970, 2.613, 3.285, 3.981, 4.695, 5.425};
	const unsigned last = sizeof(bound) / sizeof(bound[0]) - 1;
	unsigned low = (unsigned)n;

	if (n >= last) /* too little, but the order of keys is right */
		return n * bound[last] / last;
	return bound[low] + (n - low) * (bound[low + 1] - bound[low]);
}

struct candidate {
	const struct hot_slot *slot;
	double rank;
};

/* Enters c in best, which holds CANDIDATES_MAX, the best first. */
static void
hot_place(struct candidate *best, unsigned *n, const struct candidate *c)
{
	unsigned at = *n;

	while (at > 0 && best[at - 1].rank < c->rank)
		at--;
	if (at == CANDIDATES_MAX)
		return;
	*n += *n < CANDIDATES_MAX;
	memmove(&best[at + 1], &best[at], (*n - at - 1) * sizeof(best[0]));
	best[at] = *c;
}

/* The key of a slot. False: the slot has another item now. */
static bool
hot_name(const struct hot *h, struct look *l, const struct hot_slot *s, struct hot_key *ret)
{
	uint64_t slot;
	size_t len;

	if (tag_at(l, s->hint_at) != s->tag)
		return false;
	len = look_key(l, s->hint_at / HINT_BYTES_PER_BUCKET,
	    (unsigned)(s->hint_at % HINT_BYTES_PER_BUCKET), ret->key, &slot);
	if (len == 0 || s->tag != (uint32_t)slot_tag_of(slot))
		return false;
	ret->key_len = (uint8_t)len;
	ret->share = s->hits / h->hits;
	ret->hits_s = h->ms > 0 ? s->hits * 1000 / h->ms : 0;
	ret->n_samples = (double)s->n_samples;
	return true;
}

void
hot_best(struct hot *h, struct look *l, int64_t now_ms, struct hot_list *ret)
{
	struct candidate best[CANDIDATES_MAX];
	unsigned n = 0;

	*ret = (struct hot_list){0};
	if (h->cells == NULL)
		return;
	hot_fade(h, now_ms);
	ret->n_samples = h->n_samples;
	ret->hits = h->hits;
	ret->hits_s = h->ms > 0 ? h->hits * 1000 / h->ms : 0;
	for (unsigned i = 0; i < SLOTS_CAP; i++) {
		const struct hot_slot *s = &h->slot[i];
		if (s->n_samples > 0 && s->hits > 0)
			hot_place(best, &n,
			    &(struct candidate){s,
				s->hits * at_least((double)s->n_samples) / (double)s->n_samples});
	}
	for (unsigned i = 0; i < n && ret->n < HOT_ROWS_MAX; i++)
		ret->n += hot_name(h, l, best[i].slot, &ret->row[ret->n]);
}
