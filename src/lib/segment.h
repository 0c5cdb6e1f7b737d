/*
 * segment.h: attaching to a segment, and following to its successor. These
 * functions enter the kernel: they are the exceptions to the promise that a
 * read makes no system call.
 */
#ifndef PEEK_LIB_SEGMENT_H
#define PEEK_LIB_SEGMENT_H

#include "lib/handle.h"

/* The first attachment. Waits some milliseconds for a name that is being
 * replaced. Errors as peek_open. */
int segment_first(struct peek *p);

/* For a process that has no attachment of its own yet: a child after fork(). 0;
 * -EPROTO: the layout is foreign; -ENOMEM. */
int segment_ready(struct peek *p);

/*
 * Attaches to the segment that the name now means, since `from` was found
 * retired. 0: p->own.now has changed (NULL: the layout is foreign). -ENOENT:
 * there is no successor; other errors as peek_open.
 */
int segment_follow(struct peek *p, const struct attached *from);

/* With a foreign layout: attaches again if the name now means a segment that
 * can be read. */
void segment_come_home(struct peek *p);

/* Unmaps all attachments of the handle. */
void segment_close_all(struct peek *p);

/*
 * Maps the part of the table that has grown beyond the mapping of `from`, and
 * publishes an attachment with it in place of `from`, unless another was
 * published meanwhile. 0: load p->own.now again. -EBADMSG: the table has not
 * grown, so the segment is damaged; -ENOMEM; -EIO.
 */
int segment_extend(struct peek *p, const struct attached *from);

#endif
