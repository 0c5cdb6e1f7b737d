/* pidfile.h: the file of the setting pidfile. */
#ifndef PEEKD_PIDFILE_H
#define PEEKD_PIDFILE_H

/*
 * Writes this process's id. Only a plain file that is empty or holds a number
 * is written to, never through a symbolic link. "" writes nothing. 0, or
 * EX_CANTCREAT, having logged why.
 */
int pidfile_write(const char *path);

/* What pidfile_write would refuse, without writing. */
int pidfile_check(const char *path);

/* Removes it, if it still holds this process's id. */
void pidfile_remove(const char *path);

#endif
