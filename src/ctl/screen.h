/*
 * screen.h: peekctl top's screen as lines of text, from two samples of a
 * segment's counters and what was measured between them. Pure.
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

/* What peekctl found out itself. */
struct sights {
	struct latency_result gets;
	struct probe_state daemon;
	struct hot_list hot;
};

enum line_kind { LINE_HEAD, LINE_ALARM, LINE_PLAIN };

/*
 * Calls put for each line, at most width columns long. before: an earlier
 * sample, which rates are taken from; of another generation: none. height:
 * lines that there is room for; where it is little, bars and blank lines are
 * left out before keys are. 0: any number.
 */
void screen_lines(const char *name, const struct sample *before, const struct sample *now,
    const struct sights *sights, int width, int height,
    void (*put)(void *arg, enum line_kind kind, const char *line), void *arg);

#endif
