/*
 * start.c: the command that starts an instance on this host, for advice.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define PLACE_BYTES 160

static bool
has_unit(void)
{
	static const char *const places[] = {"/etc/systemd/system/peekd.service",
	    "/usr/local/lib/systemd/system/peekd.service", "/lib/systemd/system/peekd.service"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			return access("/run/systemd/system", F_OK) == 0;
	return false;
}

const char *
ctl_how_to_start(const char *name, struct start_advice *ret)
{
	char conf[PLACE_BYTES], object[PLACE_BYTES], *text = ret->text;
	bool is_default = strcmp(name, "default") == 0;
	bool is_root = geteuid() == 0, is_there, is_others;
	struct passwd *owner;
	struct stat st;

	snprintf(conf, sizeof(conf), "/etc/peekd/%s.conf", is_default ? "peekd" : name);
	snprintf(object, sizeof(object), "/dev/shm/peekd.%s", name);
	is_there = stat(object, &st) == 0;
	is_others = is_there && st.st_uid != geteuid();
	if ((!is_there || is_others) && has_unit() && access(conf, F_OK) == 0)
		snprintf(text, sizeof(ret->text), "systemctl start peekd%s%s.service%s",
		    is_default ? "" : "@", is_default ? "" : name, is_root ? "" : " (as root)");
	else if (is_others && (owner = getpwuid(st.st_uid)) != NULL)
		snprintf(text, sizeof(ret->text),
		    is_root ? "peekd -n %s -u %s" : "peekd -n %s (as user %s)", name,
		    owner->pw_name);
	else if (is_others)
		snprintf(
		    text, sizeof(ret->text), "peekd -n %s (as uid %u)", name, (unsigned)st.st_uid);
	else
		snprintf(text, sizeof(ret->text), "peekd -n %s", name);
	return text;
}
