/*
 * own.h: whether a file is this process's user's.
 *
 * A number is not enough. In a user namespace everybody who has no number there
 * shows the overflow user's, and so does this process, if its user has none. So
 * the kernel is asked for something that it allows to the owner alone.
 */
#ifndef PEEK_BASE_OWN_H
#define PEEK_BASE_OWN_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* st is what fstat says of fd. Leaves O_NOATIME set. */
static inline bool
own_file(int fd, const struct stat *st)
{
	int flags = st->st_uid == geteuid() ? fcntl(fd, F_GETFL) : -1;

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NOATIME) == 0;
}

/* A directory that nobody else may write either. */
static inline bool
own_directory(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool own = fd >= 0 && fstat(fd, &st) == 0 && own_file(fd, &st) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;

	if (fd >= 0)
		close(fd);
	return own;
}

#endif
