/*
 * ghost.h: fingerprints of evicted keys, so that a key that comes back soon is
 * recognised. Private to the daemon.
 *
 * Two ghosts share one table, one for each log. An entry is 4 bytes: 19 bits of
 * fingerprint, 1 bit for the log, 12 bits of age. A key belongs to one set of
 * 16 entries, which is one cache line. A ghost remembers as many keys as the
 * cache has items: older entries are no longer seen, and the oldest entry of a
 * set gives way.
 *
 * After: Megiddo and Modha, ARC, FAST '03 (two ghosts steer the split); Yang et
 * al., FIFO queues are all you need for cache eviction, SOSP '23.
 */
#ifndef PEEK_ENGINE_GHOST_H
#define PEEK_ENGINE_GHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/arena.h"

struct ghost {
	uint32_t *entry;
	uint64_t n_sets;          /* a power of two; 0: nothing was evicted yet */
	uint64_t capacity;        /* keys that each log's ghost remembers */
	uint64_t seq[ARENA_LOGS]; /* keys ever put into it */
};

void ghost_init(struct ghost *g);
void ghost_fini(struct ghost *g);

/* Remembers a key that left `log`. n_items: live items, which set the capacity.
 * Without memory nothing is remembered. */
void ghost_put(struct ghost *g, enum arena_log log, uint64_t hash, uint64_t n_items);

/* True if a ghost remembers the key. Then *ret_log says which, and it forgets
 * the key. */
bool ghost_take(struct ghost *g, uint64_t hash, enum arena_log *ret_log);

/* About how many keys of a log it remembers now. */
uint64_t ghost_alive(const struct ghost *g, enum arena_log log);

#endif
