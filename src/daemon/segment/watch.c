/* watch.c: see watch.h. */
#include "daemon/segment/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/host/log.h"
#include "shm/map.h"

#define LOOK_EVERY_MS 1000

static struct {
	uint32_t looked_ms;
	bool has_looked, segment_said, socket_said;
	ino_t socket_ino; /* at the first look; 0: not seen yet */
} watch;

static bool
segment_is_gone(const char *name, int fd, char *path, size_t path_cap)
{
	char object[MAP_NAME_MAX + 16];
	struct stat ours, there;

	snprintf(object, sizeof(object), "peekd.%s", name);
	if (map_object_path(object, path, path_cap) != 0 || fstat(fd, &ours) != 0)
		return false;
	if (lstat(path, &there) != 0)
		return errno == ENOENT;
	return there.st_ino != ours.st_ino || there.st_dev != ours.st_dev;
}

static bool
socket_is_gone(const char *path)
{
	struct stat st;

	if (path[0] != '/')
		return false;
	if (lstat(path, &st) != 0)
		return errno == ENOENT;
	if (watch.socket_ino == 0)
		watch.socket_ino = st.st_ino;
	return st.st_ino != watch.socket_ino;
}

unsigned
watch_names(const char *name, int segment_fd, const char *socket_path, uint32_t now_ms)
{
	char path[MAP_NAME_MAX + 64];
	bool segment, sock;

	if (watch.has_looked && now_ms - watch.looked_ms < LOOK_EVERY_MS)
		return (unsigned)watch.segment_said + (unsigned)watch.socket_said;
	watch.has_looked = true;
	watch.looked_ms = now_ms;
	segment = segment_is_gone(name, segment_fd, path, sizeof(path));
	sock = socket_is_gone(socket_path);
	if (segment && !watch.segment_said)
		log_error("%s was removed or replaced by somebody while it is in use: readers that "
			  "have it open go on, others find no instance, and its items go at the "
			  "end of this process; peekctl save keeps them, and a restart makes a new "
			  "segment",
		    path);
	if (sock && !watch.socket_said)
		log_error("the control socket %s was removed or replaced by somebody: reads go on, "
			  "nobody else connects; a restart makes it anew",
		    socket_path);
	watch.segment_said = segment;
	watch.socket_said = sock;
	return (unsigned)segment + (unsigned)sock;
}
