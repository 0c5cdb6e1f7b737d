/* succession.h: gives a new segment its name, and finishes at a start what an
 * earlier start has left half done (segment.h has the steps). */
#ifndef PEEKD_SUCCESSION_H
#define PEEKD_SUCCESSION_H

#include <stdint.h>

#include "shm/map.h"

#define OBJECT_BYTES (MAP_NAME_MAX + 64)
#define PATH_BYTES   (OBJECT_BYTES + 16)

struct names {
	char object[OBJECT_BYTES], path[PATH_BYTES];      /* peekd.NAME */
	char fresh[OBJECT_BYTES], fresh_path[PATH_BYTES]; /* peekd.NAME.new-HEX */
	char aside_path[PATH_BYTES];                      /* peekd.NAME.aside-TIME-HEX */
};

/* The name of the segment to be built follows from its seed. */
void succession_names(const char *name, int64_t now_unix_s, uint64_t seed, struct names *n);

/* Marks the segment retired: its readers attach anew. */
void succession_retire(const struct map *m);

/*
 * Looks for segments under a temporary name. A segment that has been exchanged
 * is retired and put aside; another is removed. An object of somebody else is
 * left alone. Returns 0, or the exit status after having logged why.
 */
int succession_finish(const char *name, const struct names *n);

/*
 * Gives the complete new segment the name; an old one is retired and put aside.
 * Returns 0, or the exit status after having logged why; then the new segment
 * is removed.
 */
int succession_take_name(const struct names *n);

#endif
