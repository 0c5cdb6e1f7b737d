/* handover.h: carries the items of an old segment over into a new one, which no
 * reader has open yet. */
#ifndef PEEKD_HANDOVER_H
#define PEEKD_HANDOVER_H

#include "engine/store.h"

struct handover {
	/* given */
	const struct map *from_map;
	struct store *from, *to;
	uint32_t now_s;
	/* counted at the end: an item that was evicted again on the way is
	 * among not_carried */
	uint64_t carried, not_carried;
	bool growth_refused; /* the new table could not grow: /dev/shm is full */
};

/* Copies every live item, and a flush that is still to come. False: a signal
 * ended it (ending.h). */
bool handover_carry(struct handover *h);

#endif
