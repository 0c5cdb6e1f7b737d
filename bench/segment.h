/*
 * segment.h: a segment with the engine in this process, for measurements
 * without a daemon.
 */
#ifndef PEEK_BENCH_SEGMENT_H
#define PEEK_BENCH_SEGMENT_H

#include <stdint.h>

#include "engine/store.h"
#include "peek.h"
#include "shm/clock.h"
#include "shm/map.h"

struct own_segment {
	struct map map;
	struct store *store;
	struct clock_shift shift;
	char name[MAP_NAME_MAX + 1]; /* for peek_open; private to this process */
	uint32_t now_s;              /* the published clock's seconds */
	struct byte *hints;          /* NULL: none */
	uint64_t n_hint_bytes;
};

struct own_conf {
	uint64_t arena_bytes;
	unsigned block_shift;    /* 0: as the daemon chooses it */
	uint32_t item_max_bytes; /* 0: as large as the layout allows */
	/* 0: random; else every item has the same place in every run */
	uint64_t hash_seed;
};

/* Creates an empty segment. Errors of map_create and store_open. */
int own_segment_create(const struct own_conf *conf, struct own_segment *ret);

/*
 * Makes a hint page like the daemon's, which children of this process share,
 * and opens a handle on the segment in this process or a child, with hints or
 * without. -ENOMEM; errors of peek_open.
 */
int own_segment_add_hints(struct own_segment *s);
int own_segment_open(const struct own_segment *s, bool with_hints, struct peek **ret);

/* Publishes the clock: the time of the day, or now_s with a fresh heartbeat. */
void own_segment_tick(struct own_segment *s);
void own_segment_tick_at(struct own_segment *s, uint32_t now_s);

/* Removes the object too, if this process created it. This is also done when
 * the program ends, except by SIGKILL. */
void own_segment_destroy(struct own_segment *s);

#endif
