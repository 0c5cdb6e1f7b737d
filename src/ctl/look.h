/*
 * look.h: the segment itself, mapped read-only, for doctor and top. Header and
 * counters are read without the daemon, so they can be read while it hangs or
 * is gone.
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

/* Maps the segment that c->peek has opened: libpeek alone decides which
 * owner is trusted. 0, or a negative errno of map_open. */
int look_open(const struct ctl *c, struct look *ret);
void look_close(struct look *l);

/* Milliseconds since the last heartbeat. */
uint64_t look_silent_ms(const struct look *l);

/* The segment was retired: another one may have its name. */
bool look_retired(const struct look *l);

/* The number of head buckets. */
uint64_t look_buckets(struct look *l);

/* The number of overflow buckets that were ever in use. */
uint64_t look_overflow(struct look *l);

/*
 * Copies the key of a slot, and returns its length. line: a head bucket below
 * look_buckets, or n_buckets_max plus an overflow bucket below look_overflow.
 * 0: the slot has no item, or is being rewritten. The key is whole. At most 16
 * tries.
 */
size_t look_key(struct look *l, uint64_t line, unsigned slot_idx, unsigned char key[ITEM_KEY_MAX],
    uint64_t *ret_slot);

/* One counter. */
uint64_t look_stat(const struct look *l, enum shm_stat stat);

#endif
