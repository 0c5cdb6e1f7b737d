/*
 * owner.h: the user whom this host's administrator has named as the owner of segments, for all processes.
 */
#ifndef PEEK_LIB_OWNER_H
#define PEEK_LIB_OWNER_H

#include <sys/types.h>

#include "shm/map.h"

/* A test's own file in place of it; only libraries that are built for tests can be told. */
#ifdef PEEK_HOOKS
extern const char *owner_file;
#endif

/*
 * map_open and map_peek_socket for a reader, which believe root, the process's own user, owner_uid ((uid_t)-1: none), and whom
 * /etc/peekd/owner names: a uid or a user's name, in a plain file of root's that nobody else may write. The file is looked at only where the
 * others don't do.
 */
int owner_map_open(const char *object, uid_t owner_uid, struct map *ret);
int owner_map_peek_socket(const char *object, uid_t owner_uid, char *buf, size_t buf_cap);

#endif
