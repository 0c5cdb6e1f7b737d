/*
 * hot.h: which keys are read most, by the samples that readers leave in the
 * daemon's hint page.
 *
 * A reader leaves one hit in some hundred in its thread's cell (shm/hint.h),
 * over older ones. All cells are looked at many times a second. A thread's
 * samples that are new since the last look stand, in equal parts, for all hits
 * that it counted since its last one: so a thread that leaves more than are
 * seen counts for what it read, beside one of which all are seen. Weights,
 * numbers and time fade alike.
 *
 * A share is an estimate, and says how many samples it stands on; ranked is by
 * what it is at least, 19 times in 20, so that one sample of a busy thread
 * doesn't come before what was seen often. A slot that has another item by now
 * begins anew.
 *
 * Nothing is written, neither to the page nor to the segment, and nothing there
 * is believed.
 */
#ifndef PEEKCTL_HOT_H
#define PEEKCTL_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/look.h"
#include "shm/hint.h"

#define HOT_LOOK_MS  10
#define HOT_FADE_MS  14427 /* what is 10 s older counts half */
#define HOT_ROWS_MAX 32

struct hot_key {
	double share; /* of all sampled hits: 0 to 1 */
	double hits_s;
	double n_samples; /* faded */
	uint8_t key_len;
	unsigned char key[ITEM_KEY_MAX];
};

struct hot_list {
	unsigned n;
	struct hot_key row[HOT_ROWS_MAX]; /* hottest first */
	double n_samples;                 /* of these and all others, faded */
	double hits, hits_s;              /* that they stand for */
};

struct hot_slot;
struct hot_seen;

struct hot {
	const struct hint_cell *cells; /* NULL: there is no page */
	size_t n_cells;
	/* of each of the pages that they lie in; the others are not looked at,
	 * which would make them */
	unsigned char *in_memory;
	void *pages;
	size_t pages_bytes, page_bytes;
	struct hot_seen *seen; /* of each cell at its last look */
	struct hot_slot *slot; /* a hash table of those that were sampled */
	unsigned n_slots;
	int64_t faded_ms;
	double hits, n_samples, ms; /* all that was sampled, in how much time; faded */
};

/* Begins anew with this page of so many bytes; NULL: there is none. -ENOMEM. */
int hot_begin(
    struct hot *h, struct look *l, const struct byte *hints, size_t hint_bytes, int64_t now_ms);
void hot_end(struct hot *h);

/* One look at all cells. */
void hot_look(struct hot *h, struct look *l);

/* What was seen fades; and what is hottest of it. */
void hot_best(struct hot *h, struct look *l, int64_t now_ms, struct hot_list *ret);

#endif
