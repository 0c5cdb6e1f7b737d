/*
 * activate.h: peek_open where there is no segment: a service manager may hold
 * the control socket and start the daemon at the first connection, or a daemon
 * may be building its segment.
 */
#ifndef PEEK_LIB_ACTIVATE_H
#define PEEK_LIB_ACTIVATE_H

#include "lib/handle.h"

/*
 * Connects to the control socket of the handle's instance (PEEK_SOCKET; else
 * where its daemon listens by default), asks, and waits until the segment is
 * there, at most ACTIVATE_MS. As segment_first; -ENOENT: nobody listens, or
 * who listens has made no segment. Before there is another thread.
 */
int activate_instance(struct peek *p);

#endif
