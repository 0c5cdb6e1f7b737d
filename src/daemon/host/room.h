/*
 * room.h: what /dev/shm has left for the table, which grows after the start.
 */
#ifndef PEEKD_ROOM_H
#define PEEKD_ROOM_H

#include <stdbool.h>

#include "engine/store.h"

/*
 * Says whether /dev/shm can hold the table that items of a usual size need,
 * with both numbers.
 */
void room_check(const struct map *m, const struct store *s);

/*
 * Says once that growth was refused, and what to do. To be called now and then.
 */
struct room_watch {
	bool said;
};
void room_watch(struct room_watch *w, const struct store *s, bool evicts);

#endif
