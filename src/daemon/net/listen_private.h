/*
 * listen_private.h: what listen.c shares with listen_tcp.c. No other file
 * includes it.
 */
#ifndef PEEKD_LISTEN_PRIVATE_H
#define PEEKD_LISTEN_PRIVATE_H

#include "daemon/net/listen.h"

struct opening {
	const struct conf *conf;
	gid_t gid;       /* (gid_t)-1: the process's own */
	bool only_check; /* nothing is made or taken */
	bool is_running; /* in a check: an address in use is the daemon's own */
	struct listeners *ls;
};

/* listen_tcp.c: each returns an exit status, having logged why. */

/* EX_USAGE: there are too many sockets; fd is closed. */
int listen_add(struct listeners *ls, int fd, bool is_unix);

/* All of the settings `listen` and `port`. */
int listen_open_tcp(const struct opening *o);

/* word: ADDR:PORT. *ret_fd: -1 in a check. */
int listen_open_metrics_tcp(const struct opening *o, const char *word, int *ret_fd);

#endif
