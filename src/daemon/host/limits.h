/*
 * limits.h: asks before it takes: what a new segment needs, and every limit of
 * the kernel that could be below it.
 *
 * A start that takes memory until it is refused has drained /dev/shm for its
 * neighbours meanwhile, and a memory group that is too small kills it without a
 * word. So the limits are read first, and the message names the limit and both
 * numbers. A limit that can't be read is none.
 */
#ifndef PEEKD_LIMITS_H
#define PEEKD_LIMITS_H

#include <stdint.h>

#include "shm/map.h"

/*
 * 0, or EX_CANTCREAT, having logged why. path: the segment's, for messages;
 * old_bytes: of the old segment that stays beside it meanwhile; 0: none does.
 */
int limits_check(const char *path, const struct geometry *g, uint64_t old_bytes);

/* A file in /dev/shm can't be made, as errno says: EX_CANTCREAT, logged. */
int limits_no_file(const char *path, int error);

/* Logs that memory was refused to `what`, and the limit if there is one. */
void limits_no_memory(const char *what);

/* Logs that /dev/shm is full: EX_CANTCREAT. */
int limits_full(const char *path, uint64_t wanted_bytes, uint64_t old_bytes);

#endif
