/*
 * owner.c: see owner.h.
 */
#include "lib/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "wire/wire.h"

#define OWNER_FILE     "/etc/peekd/owner"
#define OWNER_CAP      256
#define OVERFLOW_UID   65534 /* if /proc doesn't say */
#define PASSWD_CAP     (16u << 10)
#define PASSWD_CAP_MAX (1u << 20)

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

/* A small file's text, NUL-terminated. */
static bool
read_text(const char *path, char *text, size_t cap)
{
	int fd = descriptor_above(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n = fd >= 0 ? read(fd, text, cap - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/*
 * Says whether the number stands for every user who has none in this process's
 * user namespace. Then it is the overflow user's, and the map doesn't hold all
 * 2^32 - 1 users, as the host's does.
 */
static bool
is_anybody(uid_t uid)
{
	char text[4096];
	unsigned long n_users, n_mapped = 0, overflow = OVERFLOW_UID;
	int at = 0, used;

	if (read_text("/proc/sys/kernel/overflowuid", text, sizeof(text)))
		overflow = strtoul(text, NULL, 10);
	if (uid != overflow)
		return false;
	read_text("/proc/self/uid_map", text, sizeof(text));
	for (; sscanf(text + at, "%*u %*u %lu%n", &n_users, &used) == 1; at += used)
		n_mapped += n_users;
	return n_mapped != UINT32_MAX;
}

uid_t
owner_of_service(void)
{
	char word[OWNER_CAP];
	struct stat st;
	uint32_t uid;
	/* O_NONBLOCK: a pipe must not make it wait. O_NOFOLLOW: a link may lead
	 * to another file of root's. A second name may do so too, so st_nlink
	 * must be 1. */
	int fd = descriptor_above(
	    open(owner_file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));

	if (fd < 0)
		return (uid_t)-1;
	ssize_t n = -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
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
	if (!wire_u32(word, (size_t)n, &uid))
		uid = uid_of_user(word);
	return is_anybody(uid) ? (uid_t)-1 : uid;
}

int
owner_map_open(const char *object, const struct owner *owner, struct map *ret)
{
	int r = map_open(object, false, owner->named, ret);

	return r == -EPERM && owner->service != (uid_t)-1
	    ? map_open(object, false, owner->service, ret)
	    : r;
}

int
owner_map_peek_socket(const char *object, const struct owner *owner, char *buf, size_t buf_cap)
{
	int r = map_peek_socket(object, owner->named, buf, buf_cap);

	return r == -EPERM && owner->service != (uid_t)-1
	    ? map_peek_socket(object, owner->service, buf, buf_cap)
	    : r;
}
