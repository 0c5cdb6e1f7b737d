/*
 * hint_client.h: attaching to the hint page (shm/hint.h), where the daemon sees
 * what this process reads.
 */
#ifndef PEEK_LIB_HINT_CLIENT_H
#define PEEK_LIB_HINT_CLIENT_H

#include "lib/handle.h"

/* Whether a daemon of `a`'s segment seems to run: it says so, and its heartbeat
 * is fresh. Enters no kernel. */
bool hint_client_writer_runs(const struct attached *a);

/*
 * Asks the daemon for its hint page and publishes an attachment that has it, in
 * place of `a`. Takes hint_lock only if it is free, and at most timeout_ms. 0;
 * or why not, which is no failure of a read: -EAGAIN (another thread is at it,
 * or there was no answer in that time; a later look takes it), -ENOTSUP
 * (switched off, or turned away), -ESTALE (another segment has come meanwhile),
 * -EBADMSG (not what it must be), or as in conn.h.
 */
int hint_client_attach(struct peek *p, const struct attached *a, int64_t timeout_ms);

/* Gives back the memory of a hint page that reads use no more; its addresses
 * stay, since a read may be about to leave a hint. */
void hint_client_retire(struct peek *p, const struct attached *a);

/*
 * Attaches from within a read, if the daemon is another than the one that was
 * attached to: never waits. One look asks, a later one takes the answer; at
 * most one look a tick of the coarse clock enters the kernel, and none for a
 * daemon that doesn't run.
 */
void hint_client_look_after(struct peek *p, const struct attached *a);

#endif
