/*
 * ghost.c: a set-associative table of fingerprints that age.
 */
#include "engine/ghost.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define WAYS       16
#define AGE_BITS   12
#define AGE_MASK   ((1u << AGE_BITS) - 1)
#define LOG_BIT    (1u << AGE_BITS)
#define FP_SHIFT   (AGE_BITS + 1)
#define AGES_ALIVE 1024u /* ages in one capacity: a quarter of what 12 bits tell apart */

void
ghost_init(struct ghost *g)
{
	memset(g, 0, sizeof(*g));
}

void
ghost_fini(struct ghost *g)
{
	free(g->entry);
	g->entry = NULL;
}

static uint32_t
age_of(const struct ghost *g, enum arena_log log)
{
	CHECK(g->capacity > 0);
	return (uint32_t)(g->seq[log] * AGES_ALIVE / g->capacity) & AGE_MASK;
}

/* A bucket's index takes the hash's low bits and a tag its high bits. The set
 * takes bits in between, and the fingerprint the rest. */
static uint32_t
ghost_fingerprint(uint64_t hash)
{
	uint32_t fp = (uint32_t)(hash >> 45);

	return fp + (fp == 0);
}

static uint32_t *
set_of(const struct ghost *g, uint64_t hash)
{
	CHECK((g->n_sets & (g->n_sets - 1)) == 0);
	return &g->entry[((hash >> 3) & (g->n_sets - 1)) * WAYS];
}

/* An entry's age in units of a capacity's AGES_ALIVE-th part. AGES_ALIVE or
 * more: no longer remembered. */
static uint32_t
ghost_years(const struct ghost *g, uint32_t entry)
{
	return (age_of(g, (entry & LOG_BIT) != 0 ? ARENA_MAIN : ARENA_SMALL) - entry) & AGE_MASK;
}

/* Makes the table for twice the present items; makes it anew, and empty, once
 * there are more items than it can remember. */
static bool
ghost_fit(struct ghost *g, uint64_t n_items)
{
	if (g->n_sets != 0 && n_items * 2 <= g->n_sets * WAYS) {
		/* The capacity follows the items in coarse steps: every change
		 * of it shifts all ages. */
		if (n_items > g->capacity + g->capacity / 4 ||
		    n_items + n_items / 2 < g->capacity) {
			uint64_t was = g->capacity;
			g->capacity = n_items < 64 ? 64 : n_items;
			for (unsigned log = 0; log < ARENA_LOGS; log++)
				g->seq[log] = (uint64_t)((double)g->seq[log] * (double)g->capacity /
				    (double)was);
		}
		return true;
	}
	uint64_t n_sets = 64;
	while (n_sets * WAYS < n_items * 2 + n_items / 2)
		n_sets *= 2;
	uint32_t *entry = aligned_alloc(64, n_sets * WAYS * sizeof(*entry));
	if (entry == NULL)
		return false;
	memset(entry, 0, n_sets * WAYS * sizeof(*entry));
	free(g->entry);
	g->entry = entry;
	g->n_sets = n_sets;
	g->capacity = n_items < 64 ? 64 : n_items;
	return true;
}

void
ghost_put(struct ghost *g, enum arena_log log, uint64_t hash, uint64_t n_items)
{
	if (!ghost_fit(g, n_items))
		return;
	uint32_t *set = set_of(g, hash), fp = ghost_fingerprint(hash), oldest = 0, at = 0;

	g->seq[log]++;
	for (uint32_t i = 0; i < WAYS; i++) {
		if (set[i] == 0 || set[i] >> FP_SHIFT == fp) {
			at = i;
			break;
		}
		if (ghost_years(g, set[i]) >= oldest) {
			oldest = ghost_years(g, set[i]);
			at = i;
		}
	}
	set[at] = fp << FP_SHIFT | (log == ARENA_MAIN ? LOG_BIT : 0) | age_of(g, log);
}

bool
ghost_take(struct ghost *g, uint64_t hash, enum arena_log *ret_log)
{
	if (g->n_sets == 0)
		return false;
	uint32_t *set = set_of(g, hash), fp = ghost_fingerprint(hash);

	for (uint32_t i = 0; i < WAYS; i++) {
		if (set[i] >> FP_SHIFT != fp)
			continue;
		bool alive = ghost_years(g, set[i]) < AGES_ALIVE;
		*ret_log = (set[i] & LOG_BIT) != 0 ? ARENA_MAIN : ARENA_SMALL;
		set[i] = 0;
		return alive;
	}
	return false;
}

uint64_t
ghost_alive(const struct ghost *g, enum arena_log log)
{
	return g->seq[log] < g->capacity ? g->seq[log] : g->capacity;
}
