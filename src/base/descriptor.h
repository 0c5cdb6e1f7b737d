/*
 * descriptor.h: descriptors 0, 1 and 2 belong to the standard streams, also
 * where they are closed.
 *
 * The kernel gives the lowest free number to whatever is opened next. In a
 * process that was started with one of the three closed, a segment or a
 * connection would get its number, and the next line that is printed would go
 * there. A program fills the three before it opens anything else. A library
 * can't do that for its application: it moves what it opens above them.
 */
#ifndef PEEK_BASE_DESCRIPTOR_H
#define PEEK_BASE_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define DESCRIPTOR_MIN    (STDERR_FILENO + 1)
#define DESCRIPTOR_FAILED 71 /* the exit status EX_OSERR */

/*
 * Returns the same file under a number above the standard streams', with
 * close-on-exec. fd is a result of open or socket, also a failed one. -1 with
 * errno: that failed, or no number is free.
 */
static inline int
descriptor_above(int fd)
{
	if (fd < 0 || fd >= DESCRIPTOR_MIN)
		return fd;
	int above = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN), saved = errno;
	close(fd);
	errno = saved;
	return above;
}

/*
 * For the first line of main. Opens /dev/null as each standard stream that is
 * closed, in the wrong direction, so that reading and printing go on failing.
 * If that fails the process ends: a connection as a standard stream would be
 * worse, and no stream may be left for a message.
 */
static inline void
descriptor_fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd < DESCRIPTOR_MIN; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* fd is the lowest free number, so open returns it. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(DESCRIPTOR_FAILED);
	}
}

#endif
