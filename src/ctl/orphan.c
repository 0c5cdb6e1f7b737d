/*
 * orphan.c: see orphan.h.
 */
#include "ctl/orphan.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/control.h"

#define ANSWER_WAIT_MS 500

static bool
orphan_answers(const char *path)
{
	struct control *conn;
	struct wire_reply re;

	if (control_open(path, ANSWER_WAIT_MS, &conn) != 0)
		return false;
	bool ok = control_ask(conn, &re, "version") == 0 && re.code == WIRE_RE_VERSION;
	control_close(conn);
	return ok;
}

static bool
find_socket(const struct ctl *c, char *path, size_t cap)
{
	const char *session = getenv("XDG_RUNTIME_DIR");

	snprintf(path, cap, "/run/peekd/%s.sock", c->name);
	if (orphan_answers(path))
		return true;
	snprintf(path, cap, "/tmp/peekd-%u/%s.sock", (unsigned)geteuid(), c->name);
	if (orphan_answers(path))
		return true;
	if (session == NULL || session[0] != '/')
		return false;
	snprintf(path, cap, "%s/peekd/%s.sock", session, c->name);
	return orphan_answers(path);
}

/* True: the process has mapped the object for writing, and the object has lost
 * its name. */
static bool
writes_to(const char *pid, const char *object)
{
	char path[300], line[512];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		const char *mode = strchr(line, ' '), *at = strstr(line, object);
		found = mode != NULL && strncmp(mode, " rw", 3) == 0 && at != NULL &&
		    strcmp(at + strlen(object), " (deleted)\n") == 0;
	}
	fclose(f);
	return found;
}

bool
orphan_find(const struct ctl *c, char *words, size_t cap)
{
	char path[256], object[128];
	bool found = false;

	if (find_socket(c, path, sizeof(path))) {
		snprintf(words, cap, "its daemon answers on %s", path);
		return true;
	}
	snprintf(object, sizeof(object), "/dev/shm/peekd.%s", c->name);
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return false;
	for (struct dirent *e; !found && (e = readdir(dir)) != NULL;) {
		found = isdigit((unsigned char)e->d_name[0]) && writes_to(e->d_name, object);
		if (found)
			snprintf(words, cap, "its daemon runs: process %.20s", e->d_name);
	}
	closedir(dir);
	return found;
}
