/* pidfile.h: the file of the setting pidfile. */
#ifndef PEEKD_PIDFILE_H
#define PEEKD_PIDFILE_H

/*
 * Writes this process's id, but only to a plain file that is empty or holds a
 * number, and never through a symbolic link. "" writes nothing. Returns 0, or
 * EX_CANTCREAT after having logged why.
 */
int pidfile_write(const char *path);

/* Checks as pidfile_write does, without writing. */
int pidfile_check(const char *path);

/* Removes the file if it still holds this process's id. */
void pidfile_remove(const char *path);

#endif
