/*
 * hot.h: finds the keys that are read most, from the samples that readers leave
 * in the daemon's hint page.
 *
 * A reader writes one hit in 128, on average, into its thread's cell
 * (shm/hint.h), over older samples. Each look goes over all cells; there are
 * many looks a second. A look divides the hits that a thread counted since its
 * last sample among the thread's new samples, in equal parts. So a busy thread,
 * of which some samples are overwritten unseen, still counts for all its hits.
 * Weights, numbers and time fade at one rate.
 *
 * A key's share is an estimate from its number of samples. Keys are ranked by
 * the share that they have at least, 19 times in 20: else one sample of a busy
 * thread would come before a key that was seen often. A slot starts again at 0
 * when it holds another item.
 *
 * Neither the page nor the segment is written, and no number in them is
 * trusted.
 */
#ifndef PEEKCTL_HOT_H
#define PEEKCTL_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/look.h"
#include "shm/hint.h"

#define HOT_LOOK_MS  10
#define HOT_FADE_MS  14427 /* a sample that is 10 s older counts half */
#define HOT_ROWS_MAX 32

struct hot_key {
	double share; /* of all sampled hits, 0 to 1 */
	double hits_s;
	double n_samples; /* faded */
	uint8_t key_len;
	unsigned char key[ITEM_KEY_MAX];
};

struct hot_list {
	unsigned n;
	struct hot_key row[HOT_ROWS_MAX]; /* hottest first */
	double n_samples;                 /* of all keys, shown or not; faded */
	double hits, hits_s;              /* estimated from all samples */
};

struct hot_slot;
struct hot_seen;

struct hot {
	const struct hint_cell *cells; /* NULL: there is no page */
	size_t n_cells;
	/* of each page that the cells lie in; a look at another page would
	 * allocate it */
	unsigned char *in_memory;
	void *pages;
	size_t pages_bytes, page_bytes;
	struct hot_seen *seen; /* each cell as it was at the last look */
	struct hot_slot *slot; /* a hash table of the sampled slots */
	unsigned n_slots;
	int64_t faded_ms;
	double hits, n_samples, ms; /* all samples, and the time that they came in; faded */
};

/* Begins again with this hint page, of hint_bytes; NULL: there is none.
 * -ENOMEM. */
int hot_begin(
    struct hot *h, struct look *l, const struct byte *hints, size_t hint_bytes, int64_t now_ms);
void hot_end(struct hot *h);

/* Takes the new samples of all cells. */
void hot_look(struct hot *h, struct look *l);

/* Fades all samples, and returns the hottest keys. */
void hot_best(struct hot *h, struct look *l, int64_t now_ms, struct hot_list *ret);

#endif
