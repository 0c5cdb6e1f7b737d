/* place.h: checks a path where a file is to be made, and tells an administrator
 * what is wrong with it. */
#ifndef PEEKD_PLACE_H
#define PEEKD_PLACE_H

#include <stddef.h>

#define PLACE_WHY_BYTES 512

/* 0: this process may make a file at path, or remove one that is there.
 * Otherwise a negative errno. Changes nothing. */
int place_check(const char *path);

/* The error in words. If the directory is the reason, the words name its owner
 * and mode, and a remedy. Returns buf. */
const char *place_why(const char *path, int error, char buf[static PLACE_WHY_BYTES]);

#endif
