/*
 * probe.h: one connection to the daemon for those who look on: its hint page,
 * and how long it takes to answer. Never waits longer than it is told to: what
 * has not come by then is looked for at the next step.
 */
#ifndef PEEKCTL_PROBE_H
#define PEEKCTL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/look.h"
#include "shm/hint.h"

struct probe_state {
	bool answered; /* the last question; trip_ns says how fast */
	bool silent;   /* asked, and no answer for silent_ms */
	uint64_t trip_ns;
	uint64_t silent_ms;
	char why[80];      /* neither: what stands in the way */
	char no_hints[80]; /* why there is no hint page; empty: there is one */
};

struct probe {
	struct probe_state state;
	/* the daemon's page, mapped read-only: nothing here can raise or clear
	 * a hint; NULL: none */
	const struct byte *hints;

	/* the connection's */
	size_t hint_bytes;
	int fd; /* -1: none */
	enum probe_wait { PROBE_IDLE, PROBE_ATTACHING, PROBE_ASKED } waits_for;
	int64_t asked_ns;
	char in[256];
	size_t in_len;
};

void probe_begin(struct probe *p);
void probe_end(struct probe *p);

/*
 * One step: connects and asks for the hint page if need be, then asks for an
 * answer, unless an earlier one is still owing. Waits at most wait_ms for each
 * of the two. Afterwards p->state holds. True: p->hints is another page than
 * before, or none.
 */
bool probe_step(struct probe *p, const struct look *l, const char *socket_path, unsigned wait_ms);

#endif
