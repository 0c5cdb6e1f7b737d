/*
 * orphan.h: a daemon that runs on a segment whose name was removed.
 */
#ifndef PEEKCTL_ORPHAN_H
#define PEEKCTL_ORPHAN_H

#include "ctl/ctl.h"

#define ORPHAN_ADVICE \
	"Readers that begin can't find it. Its items go when it ends: end the daemon, then start " \
	"it again."

/*
 * To be asked where there is no object of c's name: by the sockets that such a
 * daemon listens on unless it is told otherwise, and by what processes map, as
 * far as this user may see it. True: there is one; *words says how it is known.
 */
bool orphan_find(const struct ctl *c, char *words, size_t cap);

#endif
