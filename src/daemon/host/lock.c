/* lock.c: see lock.h. */
#include "daemon/host/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/now.h"
#include "base/own.h"
#include "daemon/host/log.h"
#include "daemon/host/limits.h"
#include "shm/map.h"

#define OBJECT_BYTES (MAP_NAME_MAX + 16)
#define PATH_BYTES   (OBJECT_BYTES + 16)

int
lock_not_ours(const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		log_error("%s is no plain file: remove it, or choose another --name", path);
	else if (st->st_uid != geteuid())
		log_error("%s is not this user's (it is uid %u's with mode %04o, this daemon's uid "
			  "is %u): start as that user, choose another --name, or remove it",
		    path, (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777),
		    (unsigned)geteuid());
	else
		log_error("%s is not believed (mode %04o, %u links): others may have written it; "
			  "remove it",
		    path, (unsigned)(st->st_mode & 07777), (unsigned)st->st_nlink);
	return EX_NOPERM;
}

static void
lock_path(const char *name, char *path)
{
	char object[OBJECT_BYTES];

	snprintf(object, sizeof(object), "peekd.%s.lock", name);
	if (map_object_path(object, path, PATH_BYTES) != 0)
		path[0] = '\0'; /* the name was checked */
}

/* True: the name still leads to the file that fd has open. A daemon that ends
 * with --unlink removes the file that it holds. */
static bool
is_linked(int fd, const char *path)
{
	struct stat by_fd, by_path;

	return fstat(fd, &by_fd) == 0 && lstat(path, &by_path) == 0 &&
	    by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

static int
lock_held(const char *name, int fd)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	log_error("instance \"%s\" is in use by a running daemon%s%s", name,
	    pid[0] != '\0' ? ", pid " : "", pid);
	return EX_TEMPFAIL;
}

void
lock_write_pid(int fd)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* the lock holds without it */
	if (fchmod(fd, 0600) != 0 || ftruncate(fd, 0) != 0 ||
	    pwrite(fd, text, (size_t)len, 0) != len)
		log_warning("the lock file can't be written: %s", strerror(errno));
}

int
lock_take(const char *name, int *ret_fd, bool *ret_made)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd;

	lock_path(name, path);
	for (;;) {
		*ret_made = false;
		/*
		 * not O_CREAT at once: in a sticky directory the kernel refuses
		 * that for a file of another user, and the message could not
		 * name its owner
		 */
		fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && errno == ENOENT) {
			fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
			*ret_made = fd >= 0;
		}
		if (fd < 0 && errno == EEXIST)
			continue; /* another start was faster */
		if (fd < 0) {
			int saved = errno;

			if ((saved == EACCES || saved == ELOOP || saved == EISDIR) &&
			    lstat(path, &st) == 0)
				return lock_not_ours(path, &st);
			return limits_no_file(path, saved);
		}
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			int status = lock_held(name, fd);

			close(fd);
			return status;
		}
		if (is_linked(fd, path))
			break;
		close(fd);
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || !own_file(fd, &st)) {
		int status = lock_not_ours(path, &st);

		close(fd);
		return status;
	}
	lock_write_pid(fd);
	*ret_fd = fd;
	return 0;
}

/* Checks an object in /dev/shm: 0 if it is not there, or if a start of this
 * user takes it. */
static int
check_object(const char *object, char *path)
{
	struct stat st;

	if (map_object_path(object, path, PATH_BYTES) != 0 || lstat(path, &st) != 0 ||
	    (S_ISREG(st.st_mode) && st.st_uid == geteuid()))
		return 0;
	return lock_not_ours(path, &st);
}

int
lock_check(const char *name, bool *ret_running)
{
	char object[OBJECT_BYTES], path[PATH_BYTES], text[24] = "";
	int fd, status;
	long pid;

	*ret_running = false;
	snprintf(object, sizeof(object), "peekd.%s", name);
	if ((status = check_object(object, path)) != 0)
		return status;
	snprintf(object, sizeof(object), "peekd.%s.lock", name);
	if ((status = check_object(object, path)) != 0)
		return status;
	if ((fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) < 0)
		return 0;
	/* not by the lock itself: a start at this very moment would find it
	 * held */
	if (pread(fd, text, sizeof(text) - 1, 0) > 0 && (pid = strtol(text, NULL, 10)) > 0)
		*ret_running = kill((pid_t)pid, 0) == 0 || errno == EPERM;
	close(fd);
	return 0;
}

void
lock_remove(const char *name, int fd)
{
	char path[PATH_BYTES];

	lock_path(name, path);
	if (is_linked(fd, path))
		unlink(path);
	close(fd);
}

/* ---- the segment's own --------------------------------------------------- */

#define WATCH_MS 400 /* the heartbeat comes every 100 ms */

struct sign {
	bool known; /* the segment has this layout, so pid and clock are its own */
	uint64_t pid, clock;
};

static struct sign
read_sign(int fd)
{
	struct sign sign = {.known = false};
	uint64_t word[3];

	if (pread(fd, word, sizeof(word), 0) == (ssize_t)sizeof(word) && word[0] == LAYOUT_MAGIC &&
	    word[2] == LAYOUT_FINGERPRINT &&
	    pread(fd, &sign.pid, 8, offsetof(struct header, writer_pid)) == 8 &&
	    pread(fd, &sign.clock, 8, offsetof(struct header, clock)) == 8)
		sign.known = true;
	return sign;
}

static int
written_by_other(const char *name, int fd)
{
	struct sign sign = read_sign(fd);
	char words[120] = "";

	if (sign.known)
		snprintf(words, sizeof(words), ", pid %llu, whose heartbeat is %lu ms old",
		    (unsigned long long)sign.pid,
		    (unsigned long)((uint32_t)now_monotonic_ms() - (uint32_t)sign.clock));
	log_error(
	    "instance \"%s\" is in use by a running daemon%s. It holds the segment, though not "
	    "/dev/shm/peekd.%s.lock: somebody has removed or replaced that file",
	    name, words, name);
	return EX_TEMPFAIL;
}

/* True: the clock in the header goes on, so its writer lives. */
static bool
has_heartbeat(int fd)
{
	const struct timespec pause = {0, 20 * 1000 * 1000};
	struct sign first = read_sign(fd);

	for (int i = 0; first.known && i < WATCH_MS / 20; i++) {
		nanosleep(&pause, NULL);
		if (read_sign(fd).clock != first.clock)
			return true;
	}
	return false;
}

int
lock_segment(const char *name, int fd)
{
	struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	for (int i = 0; i < 3; i++) {
		struct flock other = byte;

		if (fcntl(fd, F_OFD_SETLK, &byte) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES) {
			log_warning("the segment can't be locked: %s", strerror(errno));
			return 0; /* the lock file holds */
		}
		if (fcntl(fd, F_OFD_GETLK, &other) != 0 || other.l_type == F_UNLCK)
			continue;
		if (other.l_type == F_WRLCK || has_heartbeat(fd))
			return written_by_other(name, fd);
		log_warning(
		    "a reader holds a lock of the segment: the writer goes on without its own");
		return 0;
	}
	return written_by_other(name, fd);
}
