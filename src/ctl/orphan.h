/*
 * orphan.h: a daemon that runs on a segment whose name was removed.
 */
#ifndef PEEKCTL_ORPHAN_H
#define PEEKCTL_ORPHAN_H

#include "ctl/ctl.h"

#define ORPHAN_ADVICE \
	"New readers can't find its segment, and its items are lost when it ends. End the " \
	"daemon, " \
	"then start it again."

/*
 * Looks for such a daemon when there is no object of c's name. It tries the
 * default sockets, then the mappings of all processes that this user may read.
 * True: there is one; words tells how it was found.
 */
bool orphan_find(const struct ctl *c, char *words, size_t cap);

#endif
