/* snapshot_place.h: looks at the place where a snapshot is to be saved, and
 * keeps a file that must not be replaced. */
#ifndef PEEKD_SNAPSHOT_PLACE_H
#define PEEKD_SNAPSHOT_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum snapshot_place {
	SNAPSHOT_PLACE_FREE,     /* nothing, or an empty file */
	SNAPSHOT_PLACE_SNAPSHOT, /* a file with the magic */
	SNAPSHOT_PLACE_DIRECTORY,
	SNAPSHOT_PLACE_LINK,    /* a symbolic link, which a save would replace */
	SNAPSHOT_PLACE_FOREIGN, /* anything else */
	SNAPSHOT_PLACE_UNKNOWN, /* it can't be opened; errno says why */
};

enum snapshot_place snapshot_place(const char *path);

/* NULL: the path may be the setting snapshot_path. Otherwise words that say
 * what stands there, for "snapshot_path PATH is ...". */
const char *snapshot_place_wrong(const char *path);

/*
 * Gives the file a second name beside it, PATH.ENDING or PATH.ENDING-2 to
 * PATH.ENDING-9. It never replaces a file, and a file that has such a name
 * keeps it. move: the name PATH goes. Returns 0 and the name, or a negative
 * errno; -EEXIST: all nine names are taken.
 */
int snapshot_keep(const char *path, const char *ending, bool move, char *ret, size_t cap);

/* Takes away the second name that snapshot_keep gave to this very file. */
void snapshot_keep_no_more(const char *path, const char *ending);

#endif
