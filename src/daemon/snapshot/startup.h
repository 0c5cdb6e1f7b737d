/*
 * startup.h: keeps the items over a reboot. A new segment is loaded from the
 * snapshot, and a clean end saves it. Both run outside the event loop and may
 * take their time, in slices; between slices TERM and INT are obeyed
 * (ending.h).
 *
 * A segment that was taken over has newer items than any snapshot, so nothing
 * is loaded then, unless it is still being filled (segment.h).
 *
 * A file that was not loaded whole is never replaced. A damaged file is renamed
 * to PATH.damaged. Another one gets the second name PATH.old, so that it stays
 * when a save takes the place of PATH.
 */
#ifndef PEEKD_STARTUP_H
#define PEEKD_STARTUP_H

#include "daemon/conf/conf.h"
#include "daemon/snapshot/snapshot.h"
#include "shm/clock.h"

struct startup {
	const struct conf *conf;
	struct store *store;
	struct snapshot *snapshot;
	const struct clock_shift *shift;
	/* results of startup_begin */
	uint64_t age_s; /* age of the snapshot that was loaded; 0: none was */
	bool keep_file; /* the file was not loaded whole, and has no second name yet */
};

/* Checks that a save may replace the file that snapshot_path names. Returns 0,
 * or EX_USAGE after having logged why. Opens nothing for writing. */
int startup_check(const struct conf *conf);

/* Loads the snapshot. how: SNAPSHOT_KEEP or 0. False: a signal ended it, and
 * the segment has only a part. */
bool startup_begin(struct startup *s, unsigned how);

/* Saves the snapshot. False: the items are not saved, and the log says why. */
bool startup_end(struct startup *s);

#endif
