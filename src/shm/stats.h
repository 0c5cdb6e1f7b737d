/*
 * stats.h: the names of the counters and gauges (stats.def): stat[SHM_STAT_x].
 *
 * The daemon has one private array of SHM_STAT_N words. Its one thread counts
 * there with plain stores, whichever part it is in, the engine included. Ten
 * times a second the daemon publishes the array in the segment (layout.h,
 * struct shm_stats), word by word and relaxed: each value is exact for its
 * moment, a set of them is not one snapshot.
 */
#ifndef PEEK_SHM_STATS_H
#define PEEK_SHM_STATS_H

#include "shm/layout.h"

enum shm_stat {
#define STAT(id, name, kind, unit, group, prom, help) SHM_STAT_##id,
#include "shm/stats.def"
#undef STAT
	SHM_STAT_N
};

_Static_assert((int)SHM_STAT_N <= (int)LAYOUT_STATS_WORDS, "the page has room");

enum shm_stat_kind { SHM_STAT_COUNTER, SHM_STAT_GAUGE };

/* The lists of peekd-stats(7), in its order. */
enum shm_stat_group {
	SHM_STATS_REQUESTS,
	SHM_STATS_CONNECTIONS,
	SHM_STATS_SNAPSHOTS,
	SHM_STATS_ITEMS,
	SHM_STATS_START,
	SHM_STATS_DAEMON,
	SHM_STATS_GROUPS
};

struct shm_stat_info {
	const char *name;
	enum shm_stat_kind kind;
	const char *unit;
	enum shm_stat_group group;
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
#define SHM_STAT_ROW(id, name, kind, unit, group, prom, help) \
	{name, SHM_STAT_##kind, unit, SHM_STATS_##group, prom, help},

#endif
