/*
 * instance.c: opens the instance that a command means, or explains why it can't
 * be opened. The commands status and list.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/ctl.h"
#include "ctl/orphan.h"
#include "shm/map.h"

#define OBJECT_DIR    "/dev/shm"
#define OBJECT_PREFIX "peekd."
#define NAMES_BYTES   512

/* Calls visit for every object that is a segment. error: why this user can't
 * open it, for lack of rights or since its layout is another; then p is
 * NULL. */
static void
each_instance(void (*visit)(void *arg, const char *name, struct peek *p, int error), void *arg)
{
	struct dirent **entries;
	int n = scandir(OBJECT_DIR, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		const char *object = entries[i]->d_name;
		if (strncmp(object, OBJECT_PREFIX, strlen(OBJECT_PREFIX)) == 0 &&
		    !map_name_is_beside(object)) {
			const char *name = object + strlen(OBJECT_PREFIX);
			struct peek *p = NULL;
			int error = peek_open(name,
			    PEEK_READ_ONLY | PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_NO_FOLLOW, &p);
			if (error == 0 || error == -EACCES || error == -EPERM || error == -EPROTO)
				visit(arg, name, p, error);
			peek_close(p);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

struct name_list {
	char text[NAMES_BYTES];
	unsigned n_more; /* names that the text has no room for */
};

static void
append_name(void *arg, const char *name, struct peek *p, int error)
{
	struct name_list *list = arg;
	size_t len = strlen(list->text);

	(void)p;
	(void)error;
	if (list->n_more == 0 && len + strlen(name) + 3 <= NAMES_BYTES)
		snprintf(list->text + len, NAMES_BYTES - len, "%s%s", len > 0 ? ", " : "", name);
	else
		list->n_more++;
}

static void
explain_absent(const struct ctl *c)
{
	struct name_list list = {.text = ""};
	char more[64] = "", advice[1024];
	struct start_advice start;

	if (orphan_find(c, advice, 320)) {
		ctl_error(ORPHAN_ADVICE, "the name of instance \"%s\" was removed, and %s", c->name,
		    advice);
		return;
	}
	each_instance(append_name, &list);
	if (list.n_more > 0)
		snprintf(more, sizeof(more), " and %u more, which peekctl list shows", list.n_more);
	if (list.text[0] != '\0')
		snprintf(advice, sizeof(advice),
		    "This host has %s%s (choose with -n). To start this one: %s", list.text, more,
		    ctl_how_to_start(c->name, &start));
	else
		snprintf(advice, sizeof(advice), "This host has no instance. To start one: %s",
		    ctl_how_to_start(c->name, &start));
	ctl_error(advice, "no instance is named \"%s\"", c->name);
}

int
ctl_open_segment(struct ctl *c)
{
	struct start_advice start;
	char advice[256];
	int error;

	if (c->peek != NULL)
		return 0;
	error = peek_open(c->name, PEEK_NO_HINTS, &c->peek);
	switch (error) {
	case 0:
		return 0;
	case -ENOENT:
		explain_absent(c);
		return error;
	case -EINVAL:
		ctl_error("A name has 1 to 64 letters, digits, dots, dashes and underscores, and "
			  "doesn't begin with a dot.",
		    "\"%s\" can't name an instance", c->name);
		return error;
	case -EACCES:
		snprintf(advice, sizeof(advice),
		    "ls -l %s/%s%s shows who may open it. peekd's settings group and unix_mask "
		    "decide.",
		    OBJECT_DIR, OBJECT_PREFIX, c->name);
		break;
	case -EPERM:
		snprintf(advice, sizeof(advice),
		    "%s/%s%s belongs to neither root nor you. If you trust its owner, set "
		    "PEEK_OWNER=<uid>, or write the uid into /etc/peekd/owner.",
		    OBJECT_DIR, OBJECT_PREFIX, c->name);
		break;
	case -EPROTO:
		snprintf(advice, sizeof(advice),
		    "The segment was written by a daemon of another layout than peekctl %s knows. "
		    "-s "
		    "PATH asks the daemon directly.",
		    peek_version());
		break;
	case -EBADMSG:
		snprintf(advice, sizeof(advice),
		    "A daemon that starts sets this segment aside and makes a new one: %s",
		    ctl_how_to_start(c->name, &start));
		break;
	default:
		advice[0] = '\0';
	}
	ctl_error(advice[0] != '\0' ? advice : NULL, "can't open instance \"%s\": %s", c->name,
	    peek_strerror(error));
	return error;
}

int
ctl_connect(struct ctl *c)
{
	struct peek_status status = {.socket_path = ""};
	struct start_advice start;
	char advice[256];
	const char *path = c->socket;
	int error;

	if (c->conn != NULL)
		return 0;
	if (path == NULL) {
		error = ctl_open_segment(c);
		if (error == 0)
			error = peek_status(c->peek, &status);
		if (error != 0)
			return error;
		path = status.socket_path;
	}
	error = control_open(path, c->timeout_ms, &c->conn);
	switch (error) {
	case 0:
		return 0;
	case -ENOENT:
	case -ECONNREFUSED:
		if (c->socket != NULL)
			snprintf(advice, sizeof(advice),
			    "peekctl list shows the instances of this host.");
		else
			snprintf(advice, sizeof(advice),
			    "Its items can be read. To start the daemon: %s",
			    ctl_how_to_start(c->name, &start));
		ctl_error(advice, "no daemon listens on %s", path);
		break;
	case -EACCES:
		snprintf(advice, sizeof(advice),
		    "ls -l %s shows who may connect. peekd's settings unix_mask and group decide.",
		    path);
		ctl_error(advice, "you may not connect to %s", path);
		break;
	case -EINVAL:
		ctl_error(
		    "A socket's path has at most 107 bytes.", "\"%s\" can't be a socket", path);
		break;
	case -ETIMEDOUT:
		ctl_error("It is stopped or hangs. peekctl doctor tells more.",
		    "the daemon doesn't accept connections on %s", path);
		break;
	default:
		ctl_error(NULL, "can't connect to %s: %s", path, strerror(-error));
	}
	return error;
}

/* ---- commands ------------------------------------------------------------ */

/* A reader's view of the segment. It asks no daemon, so it works while the
 * daemon hangs. */
static void
print_status(struct output *r, const char *name, const struct peek_status *s)
{
	output_text(r, "name", name);
	output_text(r, "socket", s->socket_path);
	output_bool(r, "daemon_present", s->writer_present != 0);
	output_i64(r, "daemon_pid", s->writer_pid);
	output_u64(r, "daemon_silent_ms", s->writer_silent_ms);
	output_bool(r, "foreign_layout", s->fallback != 0);
	output_u64(r, "generation", s->generation);
	output_u64(r, "buckets", s->n_buckets);
	output_u64(r, "arena_bytes", s->arena_bytes);
}

static int
no_daemon(const char *name, const struct peek_status *s)
{
	unsigned long long silent_s = s->writer_silent_ms / 1000,
			   tenths = s->writer_silent_ms % 1000 / 100;
	struct start_advice start;
	char advice[256];

	if (s->fallback)
		return ctl_refused("The daemon answers on its socket. Install the same version of "
				   "peekd and peekctl to see more.",
		    "the segment of \"%s\" has another layout than peekctl %s knows", name,
		    peek_version());
	if (s->writer_pid == 0) {
		snprintf(advice, sizeof(advice), "Its items can be read. To start the daemon: %s",
		    ctl_how_to_start(name, &start));
		return ctl_refused(advice, "the daemon of \"%s\" ended cleanly %llu.%llu s ago",
		    name, silent_s, tenths);
	}
	snprintf(advice, sizeof(advice),
	    "Reads go on. Look at process %lld; if it is gone, start the daemon: %s",
	    (long long)s->writer_pid, ctl_how_to_start(name, &start));
	return ctl_refused(
	    advice, "no daemon has written to \"%s\" for %llu.%llu s", name, silent_s, tenths);
}

int
ctl_cmd_status(struct ctl *c)
{
	struct peek_status status;
	struct output r;

	if (ctl_open_segment(c) != 0)
		return CTL_ERROR;
	int error = peek_status(c->peek, &status);
	if (error != 0)
		return ctl_error(
		    "peekctl doctor tells more.", "no status: %s", peek_strerror(error));
	output_begin(&r, c->json, 16);
	print_status(&r, c->name, &status);
	output_end(&r);
	if (ctl_flushed(CTL_OK) != CTL_OK)
		return CTL_ERROR;
	return status.writer_present ? CTL_OK : no_daemon(c->name, &status);
}

struct list {
	bool json;
	unsigned n;
};

static void
list_one(void *arg, const char *name, struct peek *p, int error)
{
	struct list *l = arg;
	struct peek_status s = {.socket_path = ""};
	struct output r;

	l->n++;
	if (p != NULL)
		error = peek_status(p, &s);
	if (l->json) {
		output_begin(&r, true, 0);
		if (error == 0)
			print_status(&r, name, &s);
		else {
			output_text(&r, "name", name);
			output_text(&r, "error", peek_strerror(error));
		}
		output_end(&r);
		return;
	}
	printf("%-24s ", name);
	if (error != 0)
		printf("%s\n", peek_strerror(error));
	else if (s.writer_present)
		printf("%8llu MiB  pid %-8lld ", (unsigned long long)(s.arena_bytes >> 20),
		    (long long)s.writer_pid);
	else
		printf("%8llu MiB  no daemon    ", (unsigned long long)(s.arena_bytes >> 20));
	if (error == 0) {
		print_text(stdout, s.socket_path, strlen(s.socket_path));
		putchar('\n');
	}
}

int
ctl_cmd_list(struct ctl *c)
{
	struct list l = {.json = c->json};

	each_instance(list_one, &l);
	if (l.n == 0)
		return ctl_refused("To start one: peekd -n NAME", "this host has no instance");
	return ctl_flushed(CTL_OK);
}
