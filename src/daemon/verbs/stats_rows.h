/*
 * stats_rows.h: the rows of stats.def, for all that prints them.
 */
#ifndef PEEKD_STATS_ROWS_H
#define PEEKD_STATS_ROWS_H

#include <stdio.h>

#include "shm/stats.h"

extern const struct shm_stat_info stats_rows[SHM_STAT_N];

/* The lists of counters in peekd-stats(7), as mdoc. */
void stats_print_manual(FILE *out);

#endif
