/* huge.c: see huge.h. */
#include "daemon/host/huge.h"

#include "shm/hint.h"

void
huge_init(struct huge *h, const struct map *map, const void *hints)
{
	*h = (struct huge){.map = map, .hints = hints};
}

static void
huge_collapse(struct huge *h, const void *page)
{
	h->error = map_collapse(page);
	if (h->error == 0) {
		h->huge_bytes += LAYOUT_HUGE_BYTES;
		h->refusals = 0;
	} else {
		h->refusals++;
	}
}

/* Allocates one large page of memory that grows with the head buckets, once
 * half of the page is in use. The page has all of its memory then. */
static bool
step_used(struct huge *h, const char *region, uint64_t *n_tried, uint64_t n_buckets,
    uint64_t n_buckets_max, uint64_t bytes_each)
{
	uint64_t used = n_buckets * bytes_each,
		 n_pages = n_buckets_max * bytes_each / LAYOUT_HUGE_BYTES;

	if (*n_tried >= n_pages || used < *n_tried * LAYOUT_HUGE_BYTES + LAYOUT_HUGE_BYTES / 2)
		return false;
	huge_collapse(h, region + (*n_tried)++ * LAYOUT_HUGE_BYTES);
	return true;
}

bool
huge_step(struct huge *h)
{
	if (h->map == NULL || h->refusals >= HUGE_REFUSALS_MAX)
		return false;
	if (h->n_arena < h->map->arena_bytes / LAYOUT_HUGE_BYTES) {
		huge_collapse(h, (const char *)h->map->arena + h->n_arena++ * LAYOUT_HUGE_BYTES);
		return true;
	}
	/* relaxed: own store */
	uint64_t n_buckets = word_load_rlx(&h->map->header->count) & COUNT_MASK;
	return step_used(h, (const char *)h->map->buckets, &h->n_buckets, n_buckets,
		   h->map->n_buckets_max, sizeof(struct bucket)) ||
	    (h->hints != NULL &&
		step_used(h, h->hints, &h->n_hints, n_buckets, h->map->n_buckets_max,
		    HINT_BYTES_PER_BUCKET));
}
