/*
 * owner.c: see owner.h.
 */
#include "lib/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "wire/wire.h"

#define OWNER_FILE      "/etc/peekd/owner"
#define OWNER_CAP       256
#define PASSWD_CAP      (16u << 10)
#define PASSWD_CAP_MAX  (1u << 20)

#ifdef PEEK_HOOKS
const char *owner_file = OWNER_FILE;
#else
#define owner_file OWNER_FILE
#endif

static uid_t
uid_of_user(const char *name)
{
	uid_t uid = (uid_t)-1;
	int r = ERANGE;

	for (size_t cap = PASSWD_CAP; r == ERANGE && cap <= PASSWD_CAP_MAX; cap *= 2) {
		struct passwd row, *found = NULL;
		char *buf = malloc(cap);
		if (buf == NULL)
			break;
		r = getpwnam_r(name, &row, buf, cap, &found);
		if (r == 0 && found != NULL)
			uid = row.pw_uid;
		free(buf);
	}
	return uid;
}

/* (uid_t)-1: nobody, or nobody who is to be believed. */
static uid_t
owner_of_service(void)
{
	char word[OWNER_CAP];
	struct stat st;
	uint32_t uid;
	/* Neither waits for a pipe nor follows a link, which may lead to something else of root's; so may a second name. */
	int fd = descriptor_above(open(owner_file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));

	if (fd < 0)
		return (uid_t)-1;
	ssize_t n = -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		n = read(fd, word, sizeof(word) - 1);
	close(fd);
	if (n == (ssize_t)sizeof(word) - 1) /* there may be more */
		return (uid_t)-1;
	while (n > 0 && strchr(" \t\r\n", word[n - 1]) != NULL)
		n--;
	if (n <= 0)
		return (uid_t)-1;
	word[n] = '\0';
	if (strlen(word) != (size_t)n || strpbrk(word, " \t\r\n") != NULL)
		return (uid_t)-1;
	return wire_u32(word, (size_t)n, &uid) ? uid : uid_of_user(word);
}

int
owner_map_open(const char *object, uid_t owner_uid, struct map *ret)
{
	int r = map_open(object, false, owner_uid, ret);
	uid_t named = r == -EPERM ? owner_of_service() : (uid_t)-1;

	return named != (uid_t)-1 ? map_open(object, false, named, ret) : r;
}

int
owner_map_peek_socket(const char *object, uid_t owner_uid, char *buf, size_t buf_cap)
{
	int r = map_peek_socket(object, owner_uid, buf, buf_cap);
	uid_t named = r == -EPERM ? owner_of_service() : (uid_t)-1;

	return named != (uid_t)-1 ? map_peek_socket(object, named, buf, buf_cap) : r;
}
