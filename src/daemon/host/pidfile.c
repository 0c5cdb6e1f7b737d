/* pidfile.c: see pidfile.h. */
#include "daemon/host/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/log.h"
#include "daemon/host/place.h"

#define TEXT_BYTES 24

/* The process id that the file holds; 0: it is empty; -1: it holds something
 * else. */
static long
id_in(int fd)
{
	char text[TEXT_BYTES + 1], *end;
	struct stat st;
	ssize_t n;
	long pid;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_size > TEXT_BYTES || (n = pread(fd, text, TEXT_BYTES, 0)) < 0)
		return -1;
	text[n] = '\0';
	if (n == 0)
		return 0;
	pid = strtol(text, &end, 10);
	return end > text && end[strspn(end, " \n")] == '\0' && pid > 0 ? pid : -1;
}

int
pidfile_write(const char *path)
{
	char text[TEXT_BYTES];
	int fd, len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	char why[PLACE_WHY_BYTES];
	bool ok;

	if (path[0] == '\0')
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd >= 0 && id_in(fd) < 0) {
		log_error("pidfile (-P): %s is no file with a process id, and is left alone: "
			  "choose another path or remove it",
		    path);
		close(fd);
		return EX_CANTCREAT;
	}
	ok = fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
	if (!ok)
		log_error("pidfile (-P): %s can't be written: %s", path,
		    errno == ELOOP ? "it is a symbolic link" : place_why(path, errno, why));
	if (fd >= 0)
		close(fd);
	return ok ? 0 : EX_CANTCREAT;
}

int
pidfile_check(const char *path)
{
	char why[PLACE_WHY_BYTES];
	int fd, error;
	bool ok = true;

	if (path[0] == '\0')
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0) {
		ok = id_in(fd) >= 0;
		close(fd);
		error = EEXIST;
	} else {
		error = errno == ENOENT ? -place_check(path) : errno;
		ok = error == 0;
	}
	if (!ok)
		log_error("pidfile (-P): %s can't be written: %s", path,
		    error == ELOOP        ? "it is a symbolic link"
			: error == EEXIST ? "it is no file with a process id"
					  : place_why(path, error, why));
	return ok ? 0 : EX_CANTCREAT;
}

void
pidfile_remove(const char *path)
{
	int fd;
	bool ours;

	if (path[0] == '\0' ||
	    (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
		return;
	ours = id_in(fd) == (long)getpid();
	close(fd);
	if (ours)
		unlink(path);
}
