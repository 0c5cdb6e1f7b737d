/*
 * place.h: a path where a file is to be made: whether that can be, and what to
 * tell an administrator where it can't.
 */
#ifndef PEEKD_PLACE_H
#define PEEKD_PLACE_H

#include <stddef.h>

#define PLACE_WHY_BYTES 512

/*
 * 0: this process may make a file at path, or remove one that is there. Else
 * a negative errno. Takes nothing.
 */
int place_check(const char *path);

/*
 * The error in words, and where the directory is the reason, its owner and
 * mode, and what would help. Returns buf.
 */
const char *place_why(const char *path, int error, char buf[static PLACE_WHY_BYTES]);

#endif
