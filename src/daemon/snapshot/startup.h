/*
 * warm.h: items over a reboot: a new segment is loaded from the snapshot, and a
 * clean end saves it. Before and after the event loop, so both frame, in slices
 * between which TERM and INT are obeyed (ending.h).
 *
 * A segment that was taken over has newer items than any snapshot: nothing is
 * loaded then, unless it is still being filled (segment.h).
 *
 * A file that was not loaded whole is never replaced. A damaged one is renamed
 * to PATH.damaged; another one gets the second name PATH.old, so that it stays
 * when a save takes the place of PATH.
 */
#ifndef PEEKD_STARTUP_H
#define PEEKD_STARTUP_H

#include "daemon/conf/conf.h"
#include "daemon/snapshot/snapshot.h"
#include "shm/clock.h"

struct warm {
	const struct conf *conf;
	struct store *store;
	struct snapshot *snapshot;
	const struct clock_shift *shift;
	/* results of startup_begin */
	uint64_t age_s; /* of the snapshot that was loaded; 0: none was */
	bool keep_file; /* not loaded whole, and without a second name yet */
};

/*
 * Whether snapshot_path names something that a save may replace: 0, or
 * EX_USAGE, having logged why. Nothing is opened for writing.
 */
int warm_check(const struct conf *conf);

/* how: SNAPSHOT_KEEP or 0. False: a signal ended it, and the segment is a
 * part. */
bool startup_begin(struct warm *w, unsigned how);

/* False: the items are not saved, having logged why. */
bool startup_end(struct warm *w);

#endif
