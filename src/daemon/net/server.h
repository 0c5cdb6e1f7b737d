/*
 * server.h: the event loop: it accepts connections, gives them their turns, and
 * keeps the clock. It is the one door to libevent, and the only reader of
 * clocks.
 */
#ifndef PEEKD_SERVER_H
#define PEEKD_SERVER_H

#include <stdint.h>

#include "daemon/conf/access.h"
#include "daemon/verbs/cmd.h"
#include "daemon/conf/conf.h"
#include "daemon/segment/hint_page.h"
#include "daemon/host/huge.h"
#include "daemon/net/listen.h"
#include "daemon/snapshot/snapshot.h"
#include "shm/clock.h"

struct server;

/* All belong to the caller and stay until server_free. */
struct server_args {
	const struct conf *conf;
	const struct access *access;
	const struct listeners *listeners;
	struct cmd *cmd;
	uint64_t *stat;          /* cmd's counters: the server keeps rows of its own */
	const struct map *map;   /* where counters are published */
	struct hint_page *hints; /* NULL: none */
	struct snapshot *snapshot;
	struct huge *huge;
	uint64_t epoch;
	const struct clock_shift *shift;
	/* ten times a second; now_ms may wrap */
	void (*on_tick)(void *arg, uint32_t now_ms);
	void (*on_hangup)(void *arg); /* SIGHUP: settings may have changed when it returns */
	void *arg;
};

/* -ENOMEM. */
int server_create(const struct server_args *args, struct server **ret);

/* Serves until TERM, INT, or a client's shutdown. */
void server_run(struct server *s);

/* Closes all connections. */
void server_free(struct server *s);

#endif
