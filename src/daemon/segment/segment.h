/*
 * segment.h: the life of an instance's objects in /dev/shm: the segment, its
 * hand-over, and old objects that are set aside.
 *
 *   peekd.NAME                     the segment that readers open
 *   peekd.NAME.lock                a process that holds its lock is the writer;
 *                                  mode 0600
 *   peekd.NAME.new-HEX             a segment that is being built; between the
 *                                  exchange and the rename, the old one. HEX is
 *                                  a hash of the new segment's random seed
 *                                  (succession.c)
 *   peekd.NAME.aside-TIME-HEX      an old segment, retired, until its memory is
 *                                  given back; or a file that was no segment
 *
 * A new segment always comes to its name in these steps. A kill may come after
 * each of them:
 *
 *   1  create .new, fill it, publish its magic      left: the next start
 *                                                   removes it
 *   2  exchange .new with the segment (or rename)   left: the next start does
 *                                                   steps 3 and 4
 *   3  retire the old one, which is .new now        left: the same
 *   4  rename it aside                              left: a retired segment
 *                                                   aside; the next start gives
 *                                                   its memory back
 *
 * header.filling says that a segment is not whole yet: it is stored before the
 * first item and cleared after the last one. A start that finds it loads the
 * snapshot again. A hand-over from such a segment leaves it set.
 *
 * So the name leads somewhere at every moment, and no reader can miss the
 * hand-over.
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
	bool will_load; /* a new segment will be filled from a snapshot */
	struct store_conf store;
};

/* How the segment came about at this start. */
enum segment_origin { SEGMENT_CREATED, SEGMENT_TAKEN_OVER, SEGMENT_HANDED_OVER };

struct segment {
	struct map map;
	struct store *store;
	enum segment_origin origin;
	struct store_recovery recovery;
	uint64_t epoch;
	uint64_t carried, not_carried; /* by a hand-over */
	uint64_t old_arena_bytes;
	bool is_filling; /* not whole: load a snapshot, then call segment_filled */
};

/* segment_open's status when a signal ended it. Nothing has changed. */
#define SEGMENT_ENDED (-1)

/*
 * Opens, takes over or creates the segment of a locked instance, and marks it
 * as this process's: pid, epoch, socket. now_s: the segment's clock;
 * now_unix_s: for names. Once it has returned 0, readers find this segment
 * under the name, and *s must stay where it is, because the store points into
 * it.
 */
int segment_open(
    const struct segment_conf *conf, uint32_t now_s, int64_t now_unix_s, struct segment *s);

/*
 * Marks the segment as whole: all is loaded, or nothing more will be. Call it
 * before the first request is served: a key that a client deletes then must not
 * come back with a later load.
 */
void segment_filled(struct segment *s);

/* True: something has the segment's name. */
bool segment_is_there(const char *name);

/* Ends cleanly: stores pid 0, and with `remove` retires the segment and removes
 * its name. *s can't be used any more. */
void segment_close(struct segment *s, const char *name, bool remove);

/*
 * Gives the memory of retired segments back, in slices. Call it ten times a
 * second; now_ms may wrap. Readers have SEGMENT_LINGER_MS after the retirement
 * to follow.
 */
#define SEGMENT_LINGER_MS 5000

/* The retired segment whose memory is being given back; zeroed at first. */
struct retired {
	enum { RETIRED_LOOKING, RETIRED_WAITING, RETIRED_EMPTYING, RETIRED_DONE } step;
	uint32_t looked_ms;
	struct map map;
	char object[300];
	uint64_t at; /* buckets, then overflow buckets, blocks, bytes of the arena */
};

void retired_give_back(struct retired *rt, const char *name, uint32_t now_ms);

/* Removes retired segments at once, for --unlink. Their memory goes with their
 * last readers. */
void retired_drop(struct retired *rt, const char *name);

#endif
