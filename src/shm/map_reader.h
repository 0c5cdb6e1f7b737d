/*
 * map_reader.h: a reader's mapping of a segment: only the parts that have
 * memory.
 *
 * Loading a byte of a hole of a shared-memory object gives the hole memory, and
 * so does mlock. A reader therefore reserves the addresses of the whole object,
 * without access, and maps into them the parts that the daemon has allocated:
 * the header, the counters, the block table and the tag table in one part, the
 * first steps of the two bucket regions (layout_grown_bytes), and the arena. A
 * region's last step is found from the count in the header, which is raised
 * after the step was allocated. When a count has gone beyond what is mapped,
 * map_extend maps the steps that came since.
 *
 * An object never changes its size. So a damaged count leads at most to holes
 * that its owner made, not to a fault.
 */
#ifndef PEEK_SHM_MAP_READER_H
#define PEEK_SHM_MAP_READER_H

#include "shm/map.h"

/* Reserves total_bytes and maps the header and the counters, readable. -ENOMEM;
 * -EIO. */
int map_reader_reserve(int fd, size_t total_bytes, struct map *m);

/* Maps the rest, once header and geometry were found right and *m has the
 * geometry. -ENOMEM; -EIO. */
int map_reader_fill(int fd, struct map *m);

#endif
