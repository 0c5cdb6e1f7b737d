/*
 * read_count.c: see read_count.h.
 */
#include "lib/read_count.h"

#include "lib/hint_client.h"

ssize_t
read_count_rarely(const struct attached *a, uint64_t hint_at, ssize_t result)
{
	unsigned lane = lane_mine.cell_at != LANE_NONE ? lane_mine.cell_at : lane_take();
	struct hint_cell *cell = lane_cell(a->cells, lane);
	uint64_t n = lane_add(hint_at != HINT_NONE ? &cell->hits : &cell->misses, 1, lane);

	if (lane_is_due()) {
		lane_sample(cell, n, hint_at);
		hint_client_look_after(a->p, a);
	}
	return result;
}
