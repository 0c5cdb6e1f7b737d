/*
 * hot.h: which keys are read most, as far as the daemon's hint page tells.
 *
 * A reader raises its slot's byte until it is HINT_MAX, and then no more (shm/hint.h). So the bytes, looked at many times a second, are
 * counters that stand still when they are full: a slot's reads are seen from when its item is stored, or when eviction lowers its byte, until
 * it is full; the time that it is full says nothing. Reads after the first one of such a run, over the time since that one, are a rate; since
 * they are few, and many slots have a chance to look busy, what is shown and ranked by is what the rate is at least, 19 times in 20. Older
 * runs count less. What was full before the first look, and was not lowered since, may be read at any rate, or no more: it is counted and listed
 * as unknown, not guessed. Two keys that fill within one look can't be told apart.
 *
 * Looked at are the slots of HOT_BUCKETS_MAX head buckets in a row from a random one, and those of HOT_OVERFLOW_MAX overflow buckets: keys are
 * hashed, so that a row is a sample.
 * Nothing is written, neither to the page nor to the segment.
 */
#ifndef PEEKCTL_HOT_H
#define PEEKCTL_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/look.h"
#include "shm/hint.h"

#define HOT_LOOK_MS      10
#define HOT_BUCKETS_MAX  32768
#define HOT_OVERFLOW_MAX 8192
#define HOT_ROWS_MAX     32
#define HOT_READS_S      5.0 /* by chance one slot in ten thousand looks as busy */

struct hot_key {
	double reads_s;  /* at least, 19 times in 20; 0: unknown, it was full before the first look */
	uint8_t level;  /* 0 .. HINT_MAX */
	uint32_t age_ms; /* of the last sight */
	uint8_t key_len;
	unsigned char key[ITEM_KEY_MAX];
};

struct hot_list {
	unsigned n;
	struct hot_key row[HOT_ROWS_MAX]; /* hottest first */
	uint64_t n_slots, n_slots_all;    /* looked at, of how many */
	uint64_t n_unknown;               /* full before the first look, and not lowered since */
	uint32_t looked_ms;               /* since the first look */
};

struct hot_slot;

/* Lines: head buckets, and overflow buckets behind the last that there may be, as in the hint page. */
struct hot {
	const struct byte *hints;
	struct hot_row {
		uint64_t from_line, n_lines, lines_max;
		uint64_t at; /* of its first slot in level and slot */
	} row[2];              /* head buckets, overflow buckets */
	int64_t began_ms, looked_ms;
	uint8_t *level;        /* of each slot when it was looked at last */
	struct hot_slot *slot; /* what is known of it; touched only where something moved */
};

/* Begins anew with this page; NULL: there is none. -ENOMEM. */
int hot_begin(struct hot *h, const struct look *l, const struct byte *hints, int64_t now_ms);
void hot_end(struct hot *h);

/* One look at all bytes of the sample. */
void hot_look(struct hot *h, const struct look *l, int64_t now_ms);

/*
 * The hottest keys: those of a rate above HOT_READS_S, by rate; then those of unknown rate, in no order; then the others, by rate.
 */
void hot_best(const struct hot *h, const struct look *l, int64_t now_ms, struct hot_list *ret);

#endif
