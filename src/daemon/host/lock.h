/*
 * lock.h: the instance's locks. A process that holds both is the writer.
 *
 * /dev/shm/peekd.NAME.lock is a file of its own with mode 0600, because a
 * reader could hold any whole-file lock of the segment. This lock covers the
 * making of a segment. But somebody can remove the file. So the segment's own
 * inode carries a second lock, a write lock of byte 0 (F_OFD_SETLK), which
 * needs a descriptor that is open for writing. This lock belongs to the open
 * file, so no child inherits the right to it, and it ends with the process. A
 * reader may take a read lock, which keeps the writer from its own lock. Then
 * the heartbeat decides, so that no reader can block a start.
 *
 * Functions return 0, or the exit status (sysexits.h) after having logged why.
 */
#ifndef PEEKD_LOCK_H
#define PEEKD_LOCK_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Takes the lock of the file. EX_TEMPFAIL: a running daemon holds it;
 * EX_NOPERM: it belongs to somebody else; EX_CANTCREAT. The lock is held while
 * *ret_fd is open, so it ends with the process, however that ends. *ret_made:
 * the file was not there before.
 */
int lock_take(const char *name, int *ret_fd, bool *ret_made);

/*
 * Locks the segment that fd has open for writing, as long as fd is open.
 * EX_TEMPFAIL: a running daemon writes it.
 */
int lock_segment(const char *name, int fd);

/*
 * Checks as lock_take does, without taking anything. EX_NOPERM: the lock or the
 * segment belongs to somebody else. *ret_running: a daemon of the instance
 * runs, by what the file says.
 */
int lock_check(const char *name, bool *ret_running);

/* Writes this process's id into the file, for people. A fork changes the id. */
void lock_write_pid(int fd);

/* Removes the file, whose lock is held, if the name still leads to it. */
void lock_remove(const char *name, int fd);

/* Logs why an object in /dev/shm is not believed, and returns EX_NOPERM. */
int lock_not_ours(const char *path, const struct stat *st);

#endif
