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
 * The same file under a number above the standard streams', close-on-exec.
 * Takes what open or socket returned, a failure too: then, and if there is no
 * number left, -1 with errno.
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
 * For the first line of main: /dev/null stands where a stream is closed, open
 * the wrong way round, so that reading from it or printing to it goes on
 * failing. Where that can't be done the process ends: going on would be worse,
 * and there may be nowhere to say why.
 */
static inline void
descriptor_fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd < DESCRIPTOR_MIN; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest number that is free is this one. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(DESCRIPTOR_FAILED);
	}
}

#endif
