/* watch.h: watches whether the segment still has its name, and the control
 * socket its path. Other programs than the daemon can remove them. */
#ifndef PEEKD_WATCH_H
#define PEEKD_WATCH_H

#include <stdint.h>

/*
 * Looks once a second, and logs once for each name that it is gone or leads
 * elsewhere. Call it ten times a second; now_ms may wrap. segment_fd: of the
 * segment that is served; socket_path: "" for none. Returns how many of the two
 * are gone.
 */
unsigned watch_names(const char *name, int segment_fd, const char *socket_path, uint32_t now_ms);

#endif
