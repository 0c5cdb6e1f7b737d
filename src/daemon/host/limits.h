/*
 * limits.h: checks every limit of the kernel before a new segment takes memory.
 *
 * A start that takes memory until the kernel refuses has drained /dev/shm for
 * its neighbours meanwhile, and a memory group that is too small kills it
 * without a word. So the limits are read first, and the message names the limit
 * and both numbers. A limit that can't be read counts as none.
 */
#ifndef PEEKD_LIMITS_H
#define PEEKD_LIMITS_H

#include <stdint.h>

#include "shm/map.h"

/*
 * Returns 0, or EX_CANTCREAT after having logged why. path: of the segment, for
 * messages. old_bytes: the size of the old segment that stays beside it
 * meanwhile; 0: there is none.
 */
int limits_check(const char *path, const struct geometry *g, uint64_t old_bytes);

/* A file in /dev/shm couldn't be made; error is the errno. Logs it and returns
 * EX_CANTCREAT. */
int limits_no_file(const char *path, int error);

/* Logs that memory was refused to `what`, and the limit if there is one. */
void limits_no_memory(const char *what);

/* Logs that /dev/shm is full, and returns EX_CANTCREAT. */
int limits_full(const char *path, uint64_t wanted_bytes, uint64_t old_bytes);

#endif
