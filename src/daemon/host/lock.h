/*
 * lock.h: the instance's locks: whoever holds both is the writer.
 *
 * /dev/shm/peekd.NAME.lock is a file of its own with mode 0600, because a
 * reader could hold any whole-file lock of the segment. It covers the making of
 * a segment. But a file can be removed: so the segment's own inode carries a
 * lock besides, a write lock of byte 0 (F_OFD_SETLK), for which a descriptor
 * must be open for writing. It belongs to the open file, and so to nobody's
 * child, and ends with the process. A reader may take a read lock and keep a
 * writer from its lock: then the heartbeat decides, and no reader can block a
 * start.
 *
 * Functions return 0, or the exit status (sysexits.h) after having logged why.
 */
#ifndef PEEKD_LOCK_H
#define PEEKD_LOCK_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * EX_TEMPFAIL: a running daemon holds it; EX_NOPERM: it belongs to somebody
 * else; EX_CANTCREAT. The descriptor is the lock: it ends with the process,
 * whatever ends that. *ret_made: the file was not there before.
 */
int lock_take(const char *name, int *ret_fd, bool *ret_made);

/*
 * Locks the segment that fd has open for writing, as long as fd is open.
 * EX_TEMPFAIL: a running daemon writes it.
 */
int lock_segment(const char *name, int fd);

/*
 * What a start would find, without taking anything: EX_NOPERM where the lock
 * or the segment belongs to somebody else. *ret_running: a daemon of the
 * instance runs, as far as the file tells.
 */
int lock_check(const char *name, bool *ret_running);

/* Writes this process's id into the file, for people: a fork came between. */
void lock_write_pid(int fd);

/* Removes the file, held, if the name still leads to it. */
void lock_remove(const char *name, int fd);

/* Says why an object in /dev/shm is not to be believed: EX_NOPERM. */
int lock_not_ours(const char *path, const struct stat *st);

#endif
