/* place.c: see place.h. */
#include "daemon/host/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory of path's last name. */
static void
directory_of(const char *path, char dir[static PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int len = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

	snprintf(dir, PATH_MAX, "%.*s", len > 0 ? len : 1, len > 0 ? path : ".");
}

int
place_check(const char *path)
{
	char dir[PATH_MAX];
	struct stat st;

	directory_of(path, dir);
	if (stat(dir, &st) != 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

const char *
place_why(const char *path, int error, char buf[static PLACE_WHY_BYTES])
{
	char dir[PATH_MAX];
	struct stat st;

	directory_of(path, dir);
	if ((error == EACCES || error == EPERM) && stat(dir, &st) == 0)
		snprintf(buf, PLACE_WHY_BYTES,
		    "%s: the directory %.200s is uid %u's with mode %04o, and this is "
		    "uid %u: choose a directory of that user's, or give it this one (chown)",
		    strerror(error), dir, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777),
		    (unsigned)geteuid());
	else if (error == ENOENT && stat(dir, &st) != 0)
		snprintf(buf, PLACE_WHY_BYTES, "there is no directory %.200s", dir);
	else if (error == EROFS)
		snprintf(buf, PLACE_WHY_BYTES,
		    "%s: if a unit has ProtectSystem=strict, choose /run/peekd or "
		    "/var/lib/peekd, or set ReadWritePaths=%.200s in a drop-in",
		    strerror(error), dir);
	else
		snprintf(buf, PLACE_WHY_BYTES, "%s", strerror(error));
	return buf;
}
