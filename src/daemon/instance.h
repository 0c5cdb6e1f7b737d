/*
 * instance.h: one instance, from its lock to its end.
 */
#ifndef PEEKD_INSTANCE_H
#define PEEKD_INSTANCE_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/conf/access.h"
#include "daemon/verbs/cmd.h"
#include "daemon/conf/conf.h"
#include "daemon/segment/hint_page.h"
#include "daemon/host/huge.h"
#include "daemon/net/listen.h"
#include "daemon/host/room.h"
#include "daemon/segment/segment.h"
#include "daemon/net/server.h"
#include "daemon/snapshot/snapshot.h"
#include "daemon/snapshot/startup.h"
#include "shm/clock.h"

struct daemon {
	struct conf conf;
	struct conf_result given;
	struct access access;
	struct listeners listeners;
	struct clock_shift shift;
	struct segment segment;
	struct retired retired;
	struct hint_page *hints;
	struct huge huge;
	struct room_watch room;
	struct snapshot *snapshot;
	struct startup startup;
	struct cmd cmd;
	uint64_t stat[SHM_STAT_N]; /* the one copy of the counters; all parts count into it */
	struct server *server;
	uint64_t start_us; /* monotonic */
	gid_t gid;
	int lock_fd;
	int ready_fd;                 /* -d: the parent waits for a byte on it */
	void (*on_hangup)(void *arg); /* reads the settings again */
	void (*on_ready)(struct daemon *d);
};

/*
 * Takes the lock, opens the sockets and the segment, serves until it is ended,
 * and undoes what it did. Returns the exit status, having logged why.
 */
int instance_run(struct daemon *d, const char *unix_path, int n_passed);

#endif
