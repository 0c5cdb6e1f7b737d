/* huge.c: see huge.h. */
#include "daemon/huge.h"

#include <errno.h>


void
huge_init(struct huge *h, const struct map *map)
{
	*h = (struct huge){.map = map};
}

static void
collapse(struct huge *h, const void *page)
{
	if (map_collapse(page) == 0) {
		h->huge_bytes += LAYOUT_HUGE_BYTES;
		h->refusals = 0;
	} else {
		h->refusals++;
	}
}

bool
huge_step(struct huge *h)
{
	if (h->map == NULL || h->refusals >= HUGE_REFUSALS_MAX)
		return false;
	if (h->n_arena < h->map->arena_bytes / LAYOUT_HUGE_BYTES) {
		collapse(h, (const char *)h->map->arena + h->n_arena++ * LAYOUT_HUGE_BYTES);
		return true;
	}
	/* A page of buckets once it is half in use: what is not there yet is allocated by it. */
	uint64_t used = (word_load_rlx(&h->map->header->count) & COUNT_MASK) * sizeof(struct bucket); /* relaxed: own store */
	uint64_t region = h->map->n_buckets_max * sizeof(struct bucket) / LAYOUT_HUGE_BYTES;
	if (h->n_buckets < region && used >= h->n_buckets * LAYOUT_HUGE_BYTES + LAYOUT_HUGE_BYTES / 2) {
		collapse(h, (const char *)h->map->buckets + h->n_buckets++ * LAYOUT_HUGE_BYTES);
		return true;
	}
	return false;
}
