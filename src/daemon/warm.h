/*
 * warm.h: items over a reboot: a new segment is loaded from the snapshot, and a clean end saves it. Before and after the event loop, so both block.
 *
 * A segment that was taken over has newer items than any snapshot: nothing is loaded then. A file that can't be loaded, or not whole, is renamed to
 * PATH.damaged, so that the next save doesn't replace what somebody may still want of it.
 */
#ifndef PEEKD_WARM_H
#define PEEKD_WARM_H

#include "daemon/conf.h"
#include "daemon/snapshot.h"
#include "shm/clock.h"

void warm_start(const struct conf *conf, struct store *store, struct snapshot *snapshot, const struct clock_shift *shift);
void warm_end(const struct conf *conf, struct store *store, struct snapshot *snapshot, const struct clock_shift *shift);

#endif
