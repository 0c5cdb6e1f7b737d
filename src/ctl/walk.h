/*
 * walk.h: visits all items of a prefix and a range.
 *
 * The items come from the segment, without the daemon, or from the daemon. Only
 * the daemon knows when an item was last read.
 */
#ifndef PEEKCTL_WALK_H
#define PEEKCTL_WALK_H

#include "ctl/ctl.h"

struct walk_entry {
	const void *key;
	size_t key_len;
	uint64_t value_len;
	int64_t age_s, ttl_s; /* -1: the age is unknown; the item never expires */
	uint64_t cas;
	uint32_t flags;
};

struct walk {
	struct ctl *c;
	struct wire_str prefix, from, to; /* from, to: p is NULL if not given */
	/* Called for each item that matches. Nonzero ends the walk. */
	int (*visit)(void *arg, const struct walk_entry *e);
	void *arg;
	int failed; /* the exit status of an error that visit has explained */
	/* a word for the progress on a terminal; NULL: no progress is shown */
	const char *doing;
	uint64_t n_seen, n_matched;
	int64_t began_ns;
};

/*
 * Begins a walk over the keys that begin with the word prefix (NULL: all keys)
 * and lie between c's --from and --to. CTL_OK, or explained.
 */
int walk_begin(struct walk *w, struct ctl *c, char *prefix);

/* Walks through shared memory. The exit status. */
int walk_segment(struct walk *w);

/* Walks through the socket. The exit status. *ret_denied: this user may not,
 * and no item was visited. */
int walk_daemon(struct walk *w, bool *ret_denied);

/* Clears the progress from the terminal. */
void walk_end(struct walk *w);

int walk_compare(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
