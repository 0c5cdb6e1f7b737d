/* stats_rows.c: see stats_rows.h. */
#include "daemon/verbs/stats_rows.h"

const struct shm_stat_info stats_rows[SHM_STAT_N] = {
#define STAT SHM_STAT_ROW
#include "shm/stats.def"
#undef STAT
};

void
stats_print_manual(FILE *out)
{
	static const char *const heading[SHM_STATS_GROUPS] = {
	    [SHM_STATS_REQUESTS] = "Requests",
	    [SHM_STATS_CONNECTIONS] = "Connections",
	    [SHM_STATS_SNAPSHOTS] = "Snapshots",
	    [SHM_STATS_ITEMS] = "Items and memory",
	    [SHM_STATS_START] = "The start",
	    [SHM_STATS_DAEMON] = "The daemon",
	};

	for (unsigned g = 0; g < SHM_STATS_GROUPS; g++) {
		fprintf(out, ".Ss %s\n.Bl -tag -width Ds -compact\n", heading[g]);
		for (unsigned i = 0; i < SHM_STAT_N; i++)
			if (stats_rows[i].group == g)
				fprintf(out, ".It Ic %s%s\n%s\n", stats_rows[i].name,
				    stats_rows[i].kind == SHM_STAT_GAUGE ? " Pq gauge" : "",
				    stats_rows[i].help);
		fputs(".El\n", out);
	}
}
