/*
 * lock.h: the instance's lock, /dev/shm/peekd.NAME.lock: whoever holds it is the writer.
 *
 * A file of its own with mode 0600, because a reader could hold any lock that its read-only descriptor of the segment allows.
 * Functions return 0, or the exit status (sysexits.h) after having logged why.
 */
#ifndef PEEKD_LOCK_H
#define PEEKD_LOCK_H

#include <sys/stat.h>

/*
 * EX_TEMPFAIL: a running daemon holds it; EX_NOPERM: it belongs to somebody else; EX_CANTCREAT. The descriptor is the lock: it ends with
 * the process, whatever ends that.
 */
int lock_take(const char *name, int *ret_fd);

/* Writes this process's id into the file, for people: a fork came between. */
void lock_write_pid(int fd);

/* Removes the file, held. */
void lock_remove(const char *name, int fd);

/* Says why an object in /dev/shm is not to be believed: EX_NOPERM. */
int lock_not_ours(const char *path, const struct stat *st);

#endif
