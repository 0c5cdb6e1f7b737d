/*
 * look.c: see look.h.
 */
#include "ctl/look.h"

#include <errno.h>
#include <stdio.h>

int
look_open(const struct ctl *c, struct look *ret)
{
	struct look l = {.path = ""};
	struct stat st;
	char object[80];

	snprintf(object, sizeof(object), "peekd.%s", c->name);
	int error = map_object_path(object, l.path, sizeof(l.path));
	if (error != 0)
		return error;
	if (lstat(l.path, &st) != 0)
		return -errno;
	/* libpeek has believed this owner: nobody else can put an object in the place of one that is there. */
	error = map_open(object, false, st.st_uid, &l.map);
	if (error != 0)
		return error;
	clock_read_shift(&l.shift);
	*ret = l;
	return 0;
}

void
look_close(struct look *l)
{
	map_close(&l->map);
}

uint32_t
look_silent_ms(const struct look *l)
{
	/* relaxed: each word is exact for its moment */
	uint32_t silent = clock_coarse_ms(&l->shift) - clock_word_ms(word_load_rlx(&l->map.header->clock));

	return silent <= UINT32_MAX - 1000 ? silent : 0; /* the daemon's coarse clock may be a tick ahead */
}

bool
look_retired(const struct look *l)
{
	return (word_load_rlx(&l->map.header->count) & COUNT_RETIRED) != 0; /* relaxed: a moment later is as good */
}

uint64_t
look_stat(const struct look *l, enum shm_stat stat)
{
	return word_load_rlx(&l->map.stats->value[stat]); /* relaxed: a set of them is no snapshot (stats.h) */
}
