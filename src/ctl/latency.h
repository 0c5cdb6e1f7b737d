/*
 * latency.h: how long a read through shared memory takes in a process of this
 * host: reads of real keys, drawn at random, timed one by one.
 */
#ifndef PEEKCTL_LATENCY_H
#define PEEKCTL_LATENCY_H

#include "ctl/look.h"

#define LATENCY_KEYS 256

struct latency_result {
	unsigned n; /* reads that were timed; 0: the table has no key, or none could be read */
	uint64_t least_ns, median_ns, p99_ns; /* the clock's own time is taken off */
	uint64_t clock_ns;
};

struct latency {
	unsigned n;
	uint64_t random;
	uint8_t key_len[LATENCY_KEYS];
	unsigned char key[LATENCY_KEYS][ITEM_KEY_MAX];
};

/* Draws other keys, and reads each once, untimed: the first touch of a page by
 * this process is no read's usual cost. */
void latency_draw(struct latency *y, struct look *l, struct peek *peek);

/* Times one read of each key that was drawn. Values beyond 4 KiB and keys that
 * are gone don't count. */
void latency_time(const struct latency *y, struct peek *peek, struct latency_result *ret);

#endif
