/* room.h: watches whether /dev/shm has room for the table, which grows after
 * the start. */
#ifndef PEEKD_ROOM_H
#define PEEKD_ROOM_H

#include <stdbool.h>

#include "engine/store.h"

/* Logs a warning if /dev/shm can't hold the table that items of a usual size
 * need. The warning has both numbers. */
void room_check(const struct map *m, const struct store *s);

/* Logs once that growth was refused, and what to do. Call it now and then. */
struct room_watch {
	bool said;
};
void room_watch(struct room_watch *w, const struct store *s, bool evicts);

#endif
