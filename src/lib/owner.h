/*
 * owner.h: the user whom this host's administrator has named as the owner of
 * segments, for all processes.
 */
#ifndef PEEK_LIB_OWNER_H
#define PEEK_LIB_OWNER_H

#include <sys/types.h>

#include "shm/map.h"

/* A test's own file in place of it; only libraries that are built for tests can
 * be told. */
#ifdef PEEK_HOOKS
extern const char *owner_file;
#endif

/* Whom a handle believes besides root and the process's own user; (uid_t)-1:
 * nobody. */
struct owner {
	uid_t named;   /* by PEEK_OWNER */
	uid_t service; /* by /etc/peekd/owner */
};

/*
 * Whom /etc/peekd/owner names: a uid or a user's name, in a plain file of
 * root's that nobody else may write. May ask name services, which is nothing
 * for a read: a handle asks when it is opened. (uid_t)-1: nobody, or nobody who
 * is to be believed; also where the number stands for all users that this user
 * namespace has none for.
 */
uid_t owner_of_service(void);

/* map_open and map_peek_socket for a reader. */
int owner_map_open(const char *object, const struct owner *owner, struct map *ret);
int owner_map_peek_socket(const char *object, const struct owner *owner, char *buf, size_t buf_cap);

#endif
