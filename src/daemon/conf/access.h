/* access.h: resolves the settings access_read, access_write and access_admin to
 * ids, and finds a peer's level by them. */
#ifndef PEEKD_ACCESS_H
#define PEEKD_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/conf/conf.h"
#include "wire/wire.h"

#define ACCESS_RULES_MAX 64 /* of one level */

struct access_rule {
	enum { ACCESS_ANYBODY, ACCESS_UID, ACCESS_GID } kind;
	unsigned id;
};

struct access {
	struct access_rule rule[3][ACCESS_RULES_MAX]; /* by enum wire_access */
	unsigned n_rules[3];
};

/*
 * Resolves the three lists. Their words are separated by commas or blanks: *,
 * self (the daemon's effective user), a user's name or number, @group. -EINVAL:
 * error (CONF_ERROR_BYTES) names the unknown word.
 */
int access_resolve(const struct conf *conf, struct access *ret, char *error);

/*
 * Finds the level of the peer of a connected Unix socket, also by its
 * supplementary groups, and its ids. False: it may not even read. Each level
 * includes those below it.
 */
bool access_of_peer(const struct access *access, int fd, enum wire_access *ret_level,
    pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid);

#endif
