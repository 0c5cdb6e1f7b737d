/*
 * hint_client.h: attaching to the hint page (shm/hint.h), where the daemon sees
 * what this process reads.
 */
#ifndef PEEK_LIB_HINT_CLIENT_H
#define PEEK_LIB_HINT_CLIENT_H

#include "lib/handle.h"

/* Says whether a daemon of `a`'s segment seems to run: the segment names a
 * writer, and its heartbeat is fresh. No system call. */
bool hint_client_writer_runs(const struct attached *a);

/*
 * Asks the daemon for its hint page and publishes an attachment that has it, in
 * place of `a`. Takes hint_lock only if it is free, and at most timeout_ms. 0,
 * or a reason that is no failure of a read: -EAGAIN (another thread does the
 * same, or there was no answer in that time; a later look takes it), -ENOTSUP
 * (switched off, or turned away), -ESTALE (another segment has come meanwhile),
 * -EBADMSG (the page is not as it must be), or an error of sock.h.
 */
int hint_client_attach(struct peek *p, const struct attached *a, int64_t timeout_ms);

/* Gives back the memory of a hint page that new reads no longer use. Its
 * addresses stay mapped, since a read may be about to leave a hint there. */
void hint_client_retire(struct peek *p, const struct attached *a);

/*
 * Attaches from within a read, if the daemon is another than the one that was
 * attached to. It never waits: one look asks, and a later one takes the answer.
 * At most one look in a tick of the coarse clock enters the kernel, and none
 * does while no daemon runs.
 */
void hint_client_look_after(struct peek *p, const struct attached *a);

#endif
