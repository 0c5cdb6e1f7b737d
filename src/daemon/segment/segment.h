/*
 * segment.h: the life of an instance's objects in /dev/shm: segment, hand-over,
 * and what is left aside.
 *
 *   peekd.NAME                     the segment that readers open
 *   peekd.NAME.lock                who holds a lock on it is the writer; mode
 *                                  0600
 *   peekd.NAME.new-HEX             a segment being built; between the exchange
 *                                  and the rename, the old one. HEX is a hash
 *                                  of the new one's random seed (succession.c)
 *   peekd.NAME.aside-TIME-HEX      an old segment, retired, until its memory is
 *                                  given back; or something that was no segment
 *
 * A new segment always comes to its name in these steps, after each of which a
 * kill may come:
 *
 *   1  create .new, fill it, publish its magic      left: it is removed by the
 *                                                   next start
 *   2  exchange .new with the segment (or rename)   left: steps 3 and 4 are
 *                                                   done by the next start
 *   3  retire the old one, which is .new now        left: the same
 *   4  rename it aside                              left: a retired segment
 *                                                   aside, whose memory the
 *                                                   next start gives back
 *
 * header.filling says that a segment is not whole yet: stored before its first
 * item, and cleared after the last one. A start that finds it loads the
 * snapshot again. A hand-over from such a segment leaves it set.
 *
 * So there is no moment at which the name leads nowhere, and none at which a
 * reader could miss the hand-over.
 *
 * Functions that return a status return 0, or the exit status (sysexits.h)
 * after having logged why.
 */
#ifndef PEEKD_SEGMENT_H
#define PEEKD_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/store.h"
#include "shm/map.h"

struct segment_conf {
	const char *name;
	uint64_t arena_bytes;
	mode_t mode;
	gid_t gid; /* (gid_t)-1: the process's own */
	const char *socket_path;
	bool will_load; /* a new segment is to be filled from a snapshot */
	struct store_conf store;
};

/* What a start found and did. */
enum segment_origin { SEGMENT_CREATED, SEGMENT_TAKEN_OVER, SEGMENT_HANDED_OVER };

struct segment {
	struct map map;
	struct store *store;
	enum segment_origin origin;
	struct store_recovery recovery;
	uint64_t epoch;
	uint64_t carried, not_carried; /* by a hand-over */
	uint64_t old_arena_bytes;
	bool is_filling; /* not whole: a snapshot is to be loaded, then segment_filled */
};

/* segment_open's status when a signal ended it: nothing is changed. */
#define SEGMENT_ENDED (-1)

/*
 * Opens, takes over or creates the segment of a locked instance, and marks it
 * as this process's: pid, epoch, socket. now_s: the segment's clock;
 * now_unix_s: for names. After it returned 0 the segment is what readers of the
 * name find, and *s must stay where it is: the store points into it.
 */
int segment_open(
    const struct segment_conf *conf, uint32_t now_s, int64_t now_unix_s, struct segment *s);

/*
 * All is loaded, or nothing more will be: before the first request is served,
 * since a key that is deleted then must not come back with a later load.
 */
void segment_filled(struct segment *s);

/* Whether anything has the segment's name. */
bool segment_is_there(const char *name);

/* A clean end: pid 0. remove: retires it and removes its name. The structure is
 * done with. */
void segment_close(struct segment *s, const char *name, bool remove);

/*
 * Gives the memory of retired segments back, in slices: call it ten times a
 * second; now_ms may wrap. Readers have SEGMENT_LINGER_MS from its retirement
 * on to follow.
 */
#define SEGMENT_LINGER_MS 5000
void retired_give_back(const char *name, uint32_t now_ms);

/* Removes retired segments at once: their memory goes with their last readers.
 * For --unlink. */
void retired_drop(const char *name);

#endif
