/* snapshot_place.c: see snapshot_place.h. */
#include "daemon/snapshot/snapshot_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/snapshot/snapshot_file.h"

#define NAMES_MAX 9

enum snapshot_place
snapshot_place(const char *path)
{
	char magic[8];
	struct stat st;
	enum snapshot_place place = SNAPSHOT_PLACE_FOREIGN;
	int fd;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? SNAPSHOT_PLACE_FREE : SNAPSHOT_PLACE_UNKNOWN;
	if (S_ISDIR(st.st_mode))
		return SNAPSHOT_PLACE_DIRECTORY;
	if (S_ISLNK(st.st_mode))
		return SNAPSHOT_PLACE_LINK;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return S_ISREG(st.st_mode) ? SNAPSHOT_PLACE_UNKNOWN : SNAPSHOT_PLACE_FOREIGN;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (st.st_size == 0)
			place = SNAPSHOT_PLACE_FREE;
		else if (read(fd, magic, 8) == 8 && memcmp(magic, SNAPSHOT_MAGIC, 8) == 0)
			place = SNAPSHOT_PLACE_SNAPSHOT;
	}
	close(fd);
	return place;
}

const char *
snapshot_place_wrong(const char *path)
{
	switch (snapshot_place(path)) {
	case SNAPSHOT_PLACE_DIRECTORY:
		return "a directory: name a file in it";
	case SNAPSHOT_PLACE_LINK:
		return "a symbolic link, which a save would replace: name the file that it leads "
		       "to";
	case SNAPSHOT_PLACE_FOREIGN:
		return "no snapshot, and a save would replace it: name another file, or move this "
		       "one away";
	case SNAPSHOT_PLACE_FREE:
	case SNAPSHOT_PLACE_SNAPSHOT:
	case SNAPSHOT_PLACE_UNKNOWN:
		break;
	}
	return NULL;
}

/* ---- second names -------------------------------------------------------- */

static bool
name_beside(const char *path, const char *ending, unsigned n, char *ret, size_t cap)
{
	int len = n == 1 ? snprintf(ret, cap, "%s.%s", path, ending)
			 : snprintf(ret, cap, "%s.%s-%u", path, ending, n);

	return len > 0 && (size_t)len < cap;
}

static bool
is_same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_ino == sb.st_ino &&
	    sa.st_dev == sb.st_dev;
}

int
snapshot_keep(const char *path, const char *ending, bool move, char *ret, size_t cap)
{
	for (unsigned n = 1; n <= NAMES_MAX; n++) {
		if (!name_beside(path, ending, n, ret, cap))
			return -ENAMETOOLONG;
		if (is_same_file(path, ret) || link(path, ret) == 0)
			return move && unlink(path) != 0 ? -errno : 0;
		if (errno == EEXIST)
			continue;
		/* not every file system has second names */
		if (move && renameat2(AT_FDCWD, path, AT_FDCWD, ret, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

void
snapshot_keep_no_more(const char *path, const char *ending)
{
	char name[PATH_MAX];

	for (unsigned n = 1; n <= NAMES_MAX; n++) {
		if (name_beside(path, ending, n, name, sizeof(name)) && is_same_file(path, name))
			unlink(name);
	}
}
