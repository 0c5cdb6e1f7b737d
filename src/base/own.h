/*
 * own.h: tells if a file belongs to this process's user.
 *
 * Equal user ids don't prove it. In a user namespace all users without an id of
 * their own show the overflow id, and this process's user may be one of them.
 * So the kernel is asked for O_NOATIME, which it allows only to the owner.
 */
#ifndef PEEK_BASE_OWN_H
#define PEEK_BASE_OWN_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* st is the result of fstat(fd). Leaves O_NOATIME set. */
static inline bool
own_file(int fd, const struct stat *st)
{
	int flags = st->st_uid == geteuid() ? fcntl(fd, F_GETFL) : -1;

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NOATIME) == 0;
}

/* True: the directory is this user's, and nobody else may write to it. */
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
