/*
 * listen.h: the sockets that peekd listens on: made here, or passed by the
 * service manager.
 *
 * Functions return 0, or the exit status (sysexits.h) after having logged why.
 */
#ifndef PEEKD_LISTEN_H
#define PEEKD_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/conf/conf.h"

#define LISTENERS_MAX     32
#define LISTEN_PATH_BYTES 108

struct listener {
	int fd;
	bool is_unix;
};

struct listeners {
	struct listener l[LISTENERS_MAX];
	unsigned n;
	char unix_path[LISTEN_PATH_BYTES]; /* absolute: clients in other directories find it */
	mode_t unix_mode;
	bool ours;                            /* made here, and removed at the end */
	ino_t unix_ino;                       /* the socket's inode, if it is ours */
	int metrics_fd;                       /* the socket for metrics; -1: none */
	char metrics_path[LISTEN_PATH_BYTES]; /* of a Unix socket, else empty */
};

/*
 * The control socket's absolute path, by the settings or by default. Makes the
 * default's directory, and gives it to uid if that is another user. only_check:
 * makes nothing. EX_USAGE: the path is too long. EX_CANTCREAT, EX_NOPERM: the
 * directory can't be had.
 */
int listen_unix_path(const struct conf *conf, uid_t uid, gid_t gid, bool only_check, char *path);

/*
 * Opens all sockets, listening, except a control socket of our own: it only
 * checks that this one can be made. n_passed: descriptors from the service
 * manager. A Unix socket among them is the control socket, and settings that
 * were given and don't hold for it (by enum conf_row) are warned of. gid
 * (gid_t)-1: the process's own. A socket file without a listener is removed.
 * EX_TEMPFAIL: a process listens there.
 */
int listen_open(const struct conf *conf, const bool *given, const char *unix_path, gid_t gid,
    int n_passed, struct listeners *ret);

/*
 * Refuses the sockets of our own that listen_open would refuse, without making
 * or taking any. is_running: a daemon of this instance runs, and an address in
 * use is taken for its own.
 */
int listen_check(const struct conf *conf, const char *unix_path, gid_t gid, bool is_running);

/* The loopback addresses among the sockets, as layout_tcp has them; at most
 * n_max. Returns how many. */
size_t listen_tcp(const struct listeners *l, uint64_t *words, size_t n_max);

/*
 * Makes the control socket, unless one was passed. To be called when there is a
 * segment: a client that waits for the socket attaches as soon as it is there.
 */
int listen_control(const struct conf *conf, gid_t gid, struct listeners *l);

/* Closes the sockets; removes the control socket if it was made here. */
void listen_close(struct listeners *l);

#endif
