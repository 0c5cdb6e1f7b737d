/*
 * doctor_settings.c: compares the daemon's settings with the control socket as
 * it is. A service manager that passes the socket made it by its own rules, and
 * the daemon's settings for it have no effect then.
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/control.h"
#include "ctl/doctor.h"

#define UNIT_ADVICE \
	"If the service manager passes the socket, its unit decides (%s), and the daemon's " \
	"setting " \
	"has no effect: set it in the unit. If not, the socket was changed: start the daemon " \
	"again."

struct wanted {
	char unix_socket[256], unix_mask[16], group[64], huge_pages[16];
};

static void
doctor_settings_take(const struct wire_reply *re, struct wanted *ret)
{
	const struct {
		const char *name;
		char *to;
		size_t cap;
	} rows[] = {
	    {"unix_socket", ret->unix_socket, sizeof(ret->unix_socket)},
	    {"unix_mask", ret->unix_mask, sizeof(ret->unix_mask)},
	    {"group", ret->group, sizeof(ret->group)},
	    {"huge_pages", ret->huge_pages, sizeof(ret->huge_pages)},
	};

	if (re->n_args < 2)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (re->arg[0].len == strlen(rows[i].name) &&
		    memcmp(re->arg[0].p, rows[i].name, re->arg[0].len) == 0)
			snprintf(
			    rows[i].to, rows[i].cap, "%.*s", (int)re->arg[1].len, re->arg[1].p);
	}
}

static void
doctor_settings_differs(struct findings *f, const char *unit, const char *setting,
    const char *wanted, const char *path, const char *is)
{
	char advice[320];

	snprintf(advice, sizeof(advice), UNIT_ADVICE, unit);
	finding_print(f, FINDING_NOTE, "settings", advice,
	    "%s is \"%s\", but the control socket %s %s", setting, wanted, path, is);
}

static void
doctor_settings_compare(struct findings *f, const struct wanted *w, const char *path)
{
	const struct group *group = w->group[0] != '\0' ? getgrnam(w->group) : NULL;
	struct stat st, named;
	char is[64];

	if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	if (w->unix_mask[0] != '\0' &&
	    strtoul(w->unix_mask, NULL, 8) != (unsigned long)(st.st_mode & 0777)) {
		snprintf(is, sizeof(is), "has mode %04o", (unsigned)(st.st_mode & 0777));
		doctor_settings_differs(f, "SocketMode=", "unix_mask", w->unix_mask, path, is);
	}
	if (group != NULL && group->gr_gid != st.st_gid) {
		snprintf(is, sizeof(is), "has group %u", (unsigned)st.st_gid);
		doctor_settings_differs(f, "SocketGroup=", "group", w->group, path, is);
	}
	if (w->unix_socket[0] == '/' && strcmp(w->unix_socket, path) != 0 &&
	    (stat(w->unix_socket, &named) != 0 || named.st_dev != st.st_dev ||
		named.st_ino != st.st_ino))
		doctor_settings_differs(f, "ListenStream=", "unix_socket", w->unix_socket, path,
		    "is the one that it serves");
}

void
doctor_settings(struct findings *f, struct ctl *c, const char *path, bool *ret_huge_pages_off)
{
	struct wanted w = {.unix_socket = ""};
	struct wire_reply re;
	int error = control_ask(c->conn, &re, "stats settings");

	for (; error == 0 && re.code == WIRE_RE_STAT; error = control_reply(c->conn, &re))
		doctor_settings_take(&re, &w);
	*ret_huge_pages_off = strcmp(w.huge_pages, "off") == 0;
	if (error == 0 && path != NULL)
		doctor_settings_compare(f, &w, path);
}
