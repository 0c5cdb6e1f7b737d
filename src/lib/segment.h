/*
 * segment.h: attaching to a segment, and following to its successor. Enters the
 * kernel: the exceptions that a read names.
 */
#ifndef PEEK_LIB_SEGMENT_H
#define PEEK_LIB_SEGMENT_H

#include "lib/handle.h"

/* The first attachment. Waits some milliseconds for a name that is being
 * replaced. Errors as peek_open. */
int segment_first(struct peek *p);

/* For a process without an attachment of its own: a child after fork(). 0;
 * -EPROTO: the layout is foreign; -ENOMEM. */
int segment_ready(struct peek *p);

/*
 * `from` was found retired: attaches to what its name now means. 0: p->own.now
 * has changed (NULL: the layout is foreign). -ENOENT: there is no successor;
 * other errors as peek_open.
 */
int segment_follow(struct peek *p, const struct attached *from);

/* With a foreign layout: whether the name has one that can be read by now. */
void segment_come_home(struct peek *p);

/* Unmaps all. */
void segment_close_all(struct peek *p);

/*
 * The table has grown beyond what `from` has mapped: maps the rest and puts an
 * attachment that knows it in the place of `from`, unless another has come
 * there meanwhile. 0: read p->own.now anew. -EBADMSG: nothing has grown, so
 * that it is damage; -ENOMEM; -EIO.
 */
int segment_extend(struct peek *p, const struct attached *from);

#endif
