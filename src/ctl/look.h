/*
 * look.h: the segment itself, read-only, for those who look on: header and
 * counters without a word to the daemon, so that they can be read while it
 * hangs or is gone.
 */
#ifndef PEEKCTL_LOOK_H
#define PEEKCTL_LOOK_H

#include <sys/stat.h>

#include "ctl/ctl.h"
#include "shm/clock.h"
#include "shm/map.h"
#include "shm/stats.h"

struct look {
	struct map map;
	struct clock_shift shift;
	char path[128]; /* of the object */
};

/* Maps what c->peek has opened, so that whom libpeek believes is decided in one
 * place. 0, or a negative errno as map_open's. */
int look_open(const struct ctl *c, struct look *ret);
void look_close(struct look *l);

/* Milliseconds since the last heartbeat. */
uint64_t look_silent_ms(const struct look *l);

/* The name means another segment by now. */
bool look_retired(const struct look *l);

/* Head buckets that there are now. */
uint64_t look_buckets(struct look *l);

/* Overflow buckets that were ever handed out. */
uint64_t look_overflow(struct look *l);

/*
 * The key in a slot, whole. line: a head bucket below look_buckets, or
 * n_buckets_max plus an overflow bucket below look_overflow. Its length; 0:
 * none, or it is being rewritten. Bounded.
 */
size_t look_key(struct look *l, uint64_t line, unsigned slot_idx, unsigned char key[ITEM_KEY_MAX],
    uint64_t *ret_slot);

/* One counter. */
uint64_t look_stat(const struct look *l, enum shm_stat stat);

#endif
