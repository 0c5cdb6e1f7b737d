/*
 * stats.h: names of the counters that a segment publishes (layout.h, struct
 * shm_stats): value[SHM_STAT_x]. Written by the daemon ten times a second, word
 * by word and relaxed: each is exact for its moment, a set of them is not one
 * snapshot.
 */
#ifndef PEEK_SHM_STATS_H
#define PEEK_SHM_STATS_H

#include "shm/layout.h"

enum shm_stat {
#define STAT(id, name, kind, unit, prom, help) SHM_STAT_##id,
#include "shm/stats.def"
#undef STAT
	SHM_STAT_N
};

_Static_assert((int)SHM_STAT_N <= (int)LAYOUT_STATS_WORDS, "the page has room");

enum shm_stat_kind { SHM_STAT_COUNTER, SHM_STAT_GAUGE };

struct shm_stat_info {
	const char *name;
	enum shm_stat_kind kind;
	const char *unit;
	const char *prom;
	const char *help;
};

/*
 * A row of a table for programs that print them:
 *	static const struct shm_stat_info rows[SHM_STAT_N] = {
 *	#define STAT SHM_STAT_ROW
 *	#include "shm/stats.def"
 *	#undef STAT
 *	};
 */
#define SHM_STAT_ROW(id, name, kind, unit, prom, help) {name, SHM_STAT_##kind, unit, prom, help},

#endif
