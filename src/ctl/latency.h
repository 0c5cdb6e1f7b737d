/*
 * latency.h: how long a read through shared memory takes on this host. Keys of
 * the table are drawn at random; each is read and timed by itself.
 */
#ifndef PEEKCTL_LATENCY_H
#define PEEKCTL_LATENCY_H

#include "ctl/look.h"

#define LATENCY_KEYS 256

struct latency_result {
	unsigned n; /* timed reads; 0: the table is empty, or no key could be read */
	uint64_t least_ns, median_ns, p99_ns; /* without the clock's own time */
	uint64_t clock_ns;
};

struct latency {
	unsigned n;
	uint64_t random;
	uint8_t key_len[LATENCY_KEYS];
	unsigned char key[LATENCY_KEYS][ITEM_KEY_MAX];
};

/* Draws new keys, and reads each once without timing it: the first touch of a
 * page by a process costs more than a usual read. */
void latency_draw(struct latency *y, struct look *l, struct peek *peek);

/* Times one read of each drawn key. Keys that are gone, and values above 4 KiB,
 * don't count. */
void latency_time(const struct latency *y, struct peek *peek, struct latency_result *ret);

#endif
