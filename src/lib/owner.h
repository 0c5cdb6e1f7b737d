/*
 * owner.h: the user whom this host's administrator has named as the owner of
 * segments, for all processes.
 */
#ifndef PEEK_LIB_OWNER_H
#define PEEK_LIB_OWNER_H

#include <sys/types.h>

#include "shm/map.h"

/* The file's path, which a test may change. It is a variable only in libraries
 * that are built for tests. */
#ifdef PEEK_HOOKS
extern const char *owner_file;
#endif

/* The owners that a handle trusts besides root and the process's own user.
 * (uid_t)-1: none. */
struct owner {
	uid_t named;   /* by PEEK_OWNER */
	uid_t service; /* by /etc/peekd/owner */
};

/*
 * The user that /etc/peekd/owner names, by uid or by name. The file must be a
 * plain file that belongs to root and that nobody else may write. This may ask
 * name services, which a read must not do: a handle asks when it is opened.
 * (uid_t)-1: the file names nobody, or is not to be trusted; also if the uid is
 * the one that stands for all users whom this user namespace has no number for.
 */
uid_t owner_of_service(void);

/* map_open and map_peek_socket for a reader. */
int owner_map_open(const char *object, const struct owner *owner, struct map *ret);
int owner_map_peek_socket(const char *object, const struct owner *owner, char *buf, size_t buf_cap);

#endif
