/*
 * probe.h: top's connection to the daemon. It maps the daemon's hint page, and
 * measures how long the daemon takes to answer. A step never waits longer than
 * it is told to; an answer that comes later is taken by a later step.
 */
#ifndef PEEKCTL_PROBE_H
#define PEEKCTL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/look.h"
#include "shm/hint.h"

struct probe_state {
	bool answered; /* the daemon answered the last question, after trip_ns */
	bool silent;   /* it was asked silent_ms ago, and has not answered */
	uint64_t trip_ns;
	uint64_t silent_ms;
	char why[80];      /* neither of the two: the reason */
	char no_hints[80]; /* the reason why there is no hint page; empty: there is one */
};

struct probe {
	struct probe_state state;
	/* the daemon's page, mapped read-only, so that top can't change a hint;
	 * NULL: there is none */
	const struct byte *hints;

	/* the connection */
	size_t hint_bytes;
	int fd; /* -1: there is none */
	enum probe_wait { PROBE_IDLE, PROBE_ATTACHING, PROBE_ASKED } waits_for;
	int64_t asked_ns;
	char in[256];
	size_t in_len;
};

void probe_begin(struct probe *p);
void probe_end(struct probe *p);

/*
 * One step. Connects and asks for the hint page, if there is no connection;
 * then asks a question, unless the daemon still owes an answer. Waits at most
 * wait_ms for each of the two, and fills p->state. True: p->hints is another
 * page than before, or NULL now.
 */
bool probe_step(struct probe *p, const struct look *l, const char *socket_path, unsigned wait_ms);

#endif
