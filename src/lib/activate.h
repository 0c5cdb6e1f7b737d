/*
 * activate.h: peek_open of an instance that has no segment. A service manager
 * may hold the control socket and start the daemon at the first connection, or
 * a daemon may be building its segment.
 */
#ifndef PEEK_LIB_ACTIVATE_H
#define PEEK_LIB_ACTIVATE_H

#include "lib/handle.h"

/*
 * Connects to the control socket of the handle's instance (PEEK_SOCKET; else
 * the place where its daemon listens by default), asks, and waits until the
 * segment is there, at most ACTIVATE_MS. Returns as segment_first; -ENOENT:
 * nobody listens, or the listener has made no segment. Call it before the
 * process has another thread.
 */
int activate_instance(struct peek *p);

#endif
