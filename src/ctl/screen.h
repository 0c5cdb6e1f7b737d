/*
 * screen.h: makes the lines of top's screen from two samples of a segment's
 * counters and the measurements between them. It does no I/O.
 */
#ifndef PEEKCTL_SCREEN_H
#define PEEKCTL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/hot.h"
#include "ctl/latency.h"
#include "ctl/probe.h"
#include "shm/stats.h"

struct sample {
	uint64_t value[SHM_STAT_N];
	int64_t taken_ms;    /* monotonic */
	uint64_t writer_pid; /* 0: the daemon ended cleanly */
	uint64_t generation;
	uint64_t silent_ms; /* since the last heartbeat */
	bool retired;
};

/* The measurements that peekctl makes itself. */
struct sights {
	struct latency_result gets;
	struct probe_state daemon;
	struct hot_list hot;
};

enum line_kind { LINE_HEAD, LINE_ALARM, LINE_PLAIN };

/*
 * Calls put for each line, of at most width columns. Rates come from before,
 * the earlier sample; there are none if its generation is another. height: the
 * number of lines that fit, or 0: all lines fit. With little room, bars and
 * blank lines are left out first, then keys.
 */
void screen_lines(const char *name, const struct sample *before, const struct sample *now,
    const struct sights *sights, int width, int height,
    void (*put)(void *arg, enum line_kind kind, const char *line), void *arg);

#endif
