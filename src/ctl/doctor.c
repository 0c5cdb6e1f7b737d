/*
 * doctor.c: peekctl doctor: checks everything that may be wrong with an
 * instance, prints each finding, and what to do about it.
 *
 * The checks run from the segment itself to things that only cost speed. If the
 * segment can't be opened, no later check can run.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/control.h"
#include "ctl/doctor.h"
#include "ctl/orphan.h"

#define REFUSALS_MANY 10 /* fewer are no warning, whatever their share */

/* ---- the segment: may this user open it, and trust its owner? ------------ */

static void
names_of(const struct stat *st, char *buf, size_t cap)
{
	const struct passwd *user = getpwuid(st->st_uid);
	int n = user != NULL ? snprintf(buf, cap, "owner %s", user->pw_name)
			     : snprintf(buf, cap, "owner %u", (unsigned)st->st_uid);
	const struct group *group = getgrgid(st->st_gid);

	if (group != NULL)
		snprintf(buf + n, cap - (size_t)n, ", group %s", group->gr_name);
	else
		snprintf(buf + n, cap - (size_t)n, ", group %u", (unsigned)st->st_gid);
}

static void
say_absent(struct findings *f, struct ctl *c, const char *path, int error)
{
	struct start_advice start;
	char how[320], advice[256];

	if (error == ENOENT && orphan_find(c, how, sizeof(how))) {
		finding_print(f, FINDING_BAD, "segment", ORPHAN_ADVICE,
		    "%s: the name was removed, and %s", path, how);
		return;
	}
	snprintf(advice, sizeof(advice),
	    "peekctl list shows the instances of this host. To start this one: %s",
	    ctl_how_to_start(c->name, &start));
	finding_print(f, FINDING_BAD, "segment", advice, "%s: %s", path, strerror(error));
}

/* False: the segment can't be read. */
static bool
check_segment(struct findings *f, struct ctl *c)
{
	struct stat st;
	char path[128], names[128], advice[256];

	if (!map_name_ok(c->name)) {
		finding_print(f, FINDING_BAD, "segment",
		    "A name has 1 to 64 letters, digits, dots, dashes and underscores, and doesn't "
		    "begin with a dot.",
		    "\"%s\" can't name an instance", c->name);
		return false;
	}
	snprintf(path, sizeof(path), "/dev/shm/peekd.%s", c->name);
	if (lstat(path, &st) != 0) {
		say_absent(f, c, path, errno);
		return false;
	}
	names_of(&st, names, sizeof(names));
	int error = peek_open(c->name, PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_NO_FOLLOW, &c->peek);
	const char *what = "can be opened, and its owner is trusted";
	advice[0] = '\0';
	switch (error) {
	case 0:
	case -EPROTO:
	case -EBADMSG: /* not a matter of permissions */
		break;
	case -EACCES:
		what = "may not be opened by you";
		snprintf(advice, sizeof(advice),
		    "Join its group, or change the daemon's settings group, unix_mask and "
		    "shm_mask.");
		break;
	case -EPERM:
		what = !S_ISREG(st.st_mode) ? "is not a regular file"
		    : st.st_nlink > 1       ? "has a second name, a hard link"
		    : (st.st_mode & 022) != 0
		    ? "may be written by others"
		    : "belongs to a user whom libpeek doesn't trust: not root, not you, not an "
		      "owner that you named";
		snprintf(advice, sizeof(advice),
		    "Readers refuse it. If you trust its owner, set PEEK_OWNER=%u, or write the "
		    "uid "
		    "into /etc/peekd/owner. If not, remove the segment and start the daemon again.",
		    (unsigned)st.st_uid);
		break;
	default:
		what = peek_strerror(error);
	}
	bool ok = error == 0 || error == -EPROTO || error == -EBADMSG;
	finding_print(f, ok ? FINDING_OK : FINDING_BAD, "permissions",
	    advice[0] != '\0' ? advice : NULL, "%s: %s, mode %04o; it %s", path, names,
	    (unsigned)st.st_mode & 07777, what);
	if (!ok)
		return false;
	if (error == -EPROTO)
		finding_print(f, FINDING_BAD, "layout",
		    "Install the same version of peekd, peekctl and libpeek, and start the daemon "
		    "again. Readers follow to the new segment.",
		    "the segment was written by a daemon of another layout than peekctl %s knows",
		    peek_version());
	else if (error == -EBADMSG)
		finding_print(f, FINDING_BAD, "layout",
		    "Start the daemon: it sets this segment aside and makes a new one.",
		    "the segment is damaged");
	return error == 0;
}

static void
check_layout(struct findings *f, const struct look *l)
{
	const struct header *h = l->map.header;
	bool retired = look_retired(l);

	finding_print(f, retired ? FINDING_WARN : FINDING_OK, "layout",
	    "No segment has replaced it, and its keys are gone. Start the daemon.",
	    "version %" PRIu64 ", generation %" PRIu64 "%s; %" PRIu64 " MiB for items",
	    word_load_rlx(&h->version), l->map.generation, retired ? ", retired" : "",
	    l->map.arena_bytes >> 20);
}

/* ---- the daemon ---------------------------------------------------------- */

/* The state's letter, as ps shows it; '?': this host has no such process. */
static char
process_state(uint64_t pid)
{
	char path[64], line[512], state = '?';

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return '?';
	const char *after = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
	if (after != NULL && sscanf(after + 1, " %c", &state) != 1)
		state = '?';
	fclose(f);
	return state;
}

static bool
check_heartbeat(struct findings *f, const struct ctl *c, const struct look *l)
{
	uint64_t pid = word_load_rlx(&l->map.header->writer_pid); /* relaxed: it is only shown */
	uint64_t silent = look_silent_ms(l);
	struct start_advice start;
	char advice[256];

	if (pid == 0) {
		snprintf(advice, sizeof(advice), "Reads go on. To start the daemon: %s",
		    ctl_how_to_start(c->name, &start));
		finding_print(
		    f, FINDING_BAD, "heartbeat", advice, "no daemon: the last one ended cleanly");
		return false;
	}
	if (silent <= CLOCK_SILENT_MS) {
		finding_print(f, FINDING_OK, "heartbeat", NULL,
		    "%" PRIu64 " ms ago, process %" PRIu64, silent, pid);
		return true;
	}
	char state = process_state(pid);
	if (state == 'T' || state == 't')
		snprintf(advice, sizeof(advice),
		    "Reads go on. Process %" PRIu64 " is stopped: kill -CONT %" PRIu64, pid, pid);
	else if (state == '?')
		snprintf(advice, sizeof(advice),
		    "Reads go on. This process namespace has no process %" PRIu64
		    ". If it ended, start the daemon again.",
		    pid);
	else
		snprintf(advice, sizeof(advice),
		    "Reads go on. Process %" PRIu64
		    " runs but hangs (state %c). Read its log, then end it and start it again.",
		    pid, state);
	finding_print(f, FINDING_BAD, "heartbeat", advice, "silent for %" PRIu64 ".%" PRIu64 " s",
	    silent / 1000, silent % 1000 / 100);
	return false;
}

static void
check_clock(struct findings *f, const struct look *l)
{
	int64_t theirs = clock_word_s(word_load_rlx(&l->map.header->clock)),
		ours = clock_word_s(clock_word_now(&l->shift));
	int64_t apart = ours > theirs ? ours - theirs : theirs - ours, now = (int64_t)time(NULL);

	if (apart > 2) {
		finding_print(f, FINDING_BAD, "clock",
		    "One of them lets items expire at the wrong time. Check that both run on one "
		    "host, and that /proc is mounted here.",
		    "the daemon's clock and this process's are %" PRId64 " s apart", apart);
		return;
	}
	int64_t started = (int64_t)word_load_rlx(&l->map.header->writer_started_unix_s);
	finding_print(f, started > now + 2 ? FINDING_WARN : FINDING_OK, "clock",
	    "Times to live that clients send as dates count by the wall clock. Check the host's "
	    "NTP client.",
	    started > now + 2 ? "the wall clock was set back behind the daemon's start"
			      : "the daemon's clock and this process's agree");
}

/* Reads the daemon's settings too, of which the caller wants huge_pages. */
static void
check_socket(struct findings *f, struct ctl *c, bool *ret_huge_pages_off)
{
	struct peek_status status = {.socket_path = ""};
	struct wire_reply re;
	char advice[256];
	const char *path = c->socket;

	if (path == NULL && peek_status(c->peek, &status) == 0)
		path = status.socket_path;
	int error = control_open(path != NULL ? path : "", c->timeout_ms, &c->conn);
	if (error != 0) {
		snprintf(advice, sizeof(advice), "%s",
		    error == -EACCES
			? "Its mode and group decide who may connect. The settings are unix_mask "
			  "and "
			  "group."
			: "Writes need it, reads don't. It may be removed, or lie in another mount "
			  "namespace. A daemon that starts makes it again.");
		finding_print(f, FINDING_BAD, "socket", advice, "%s: %s", path, strerror(-error));
		return;
	}
	error = control_ask(c->conn, &re, "version");
	if (error == 0 && wire_reply_is_error(&re) && re.rest.len > 0) {
		bool full = ctl_is_full(&re);
		finding_print(f, full ? FINDING_WARN : FINDING_BAD, "socket",
		    full ? FULL_ADVICE
			 : "The daemon's settings access_read, access_write and access_admin "
			   "decide.",
		    "%s: the daemon says: %.*s", path, (int)re.rest.len, re.rest.p);
		return;
	}
	if (error != 0 || re.code != WIRE_RE_VERSION) {
		finding_print(f, FINDING_BAD, "socket",
		    "Something listens there, but it hangs or is not peekd.", "%s: %s", path,
		    error != 0 ? strerror(-error) : "it answered something else than a version");
		return;
	}
	finding_print(f, FINDING_OK, "socket", NULL, "%s answers", path);
	bool same = re.rest.len == strlen(peek_version()) &&
	    memcmp(re.rest.p, peek_version(), re.rest.len) == 0;
	finding_print(f, same ? FINDING_OK : FINDING_WARN, "versions",
	    "The two understand each other. Start the daemon again to run the newer version.",
	    "daemon %.*s, peekctl and its libpeek %s", (int)re.rest.len, re.rest.p, peek_version());
	doctor_settings(f, c, c->socket == NULL ? path : NULL, ret_huge_pages_off);
}

/* A warning, if the last snapshot failed. */
static void
check_snapshot(struct findings *f, struct ctl *c)
{
	struct wire_reply re;
	char words[256] = "";
	bool failed = false;

	if (c->conn == NULL)
		return;
	int error = control_ask(c->conn, &re, "stats snapshot");
	for (; error == 0 && re.code == WIRE_RE_STAT && re.n_args >= 2;
	     error = control_reply(c->conn, &re)) {
		const struct wire_str *name = &re.arg[0], *value = &re.arg[1];
		if (name->len == 5 && memcmp(name->p, "state", 5) == 0)
			failed = value->len == 6 && memcmp(value->p, "failed", 6) == 0;
		else if (name->len == 5 && memcmp(name->p, "words", 5) == 0)
			snprintf(words, sizeof(words), "%.*s",
			    (int)(re.rest.p + re.rest.len - value->p), value->p);
	}
	if (failed)
		finding_print(f, FINDING_WARN, "snapshot",
		    "The daemon's log tells more. Remove the cause, then run peekctl save FILE "
		    "once.",
		    "the last snapshot failed: %s", words);
}

/* ---- requests and connections that were refused -------------------------- */

/* Requests over the socket, of the kinds that have a counter. */
static uint64_t
doctor_requests(const struct look *l)
{
	static const enum shm_stat kinds[] = {SHM_STAT_CMD_GET, SHM_STAT_CMD_SET,
	    SHM_STAT_CMD_TOUCH, SHM_STAT_DELETE_HITS, SHM_STAT_DELETE_MISSES, SHM_STAT_INCR_HITS,
	    SHM_STAT_INCR_MISSES, SHM_STAT_DECR_HITS, SHM_STAT_DECR_MISSES, SHM_STAT_DENIED,
	    SHM_STAT_BAD_REQUESTS};
	uint64_t sum = 0, shm_gets = look_stat(l, SHM_STAT_SHM_GETS);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		sum += look_stat(l, kinds[i]);
	return sum > shm_gets ? sum - shm_gets : 0;
}

static uint64_t
doctor_stores(const struct look *l)
{
	/* a value that is too large is refused before cmd_set counts it */
	return look_stat(l, SHM_STAT_CMD_SET) + look_stat(l, SHM_STAT_STORE_TOO_LARGE);
}

static uint64_t
doctor_connections(const struct look *l)
{
	return look_stat(l, SHM_STAT_TOTAL_CONNECTIONS) +
	    look_stat(l, SHM_STAT_REJECTED_CONNECTIONS);
}

/*
 * Refusals since the start. Fewer than REFUSALS_MANY of a kind, or less than a
 * hundredth of all such requests, are a note; more are a warning. The warning
 * ends when the share has fallen, or with `stats reset`.
 */
static const struct refusal {
	enum shm_stat stat;
	uint64_t (*all)(const struct look *l); /* NULL: always a note */
	const char *what, *of, *advice;
} refusal_rows[] = {
    {SHM_STAT_STORE_NO_MEMORY, doctor_stores, "values refused for lack of room", "stores",
	"Raise memory_limit, or let the daemon evict: disable_evictions no."},
    {SHM_STAT_STORE_TOO_LARGE, doctor_stores, "values refused for their size", "stores",
	"Raise max_item_size."},
    {SHM_STAT_REJECTED_CONNECTIONS, doctor_connections, "connections refused", "connections",
	"The daemon's log names users who may not connect. If there are none, raise conn_limit, "
	"or see who leaves connections open (peekctl stats conns)."},
    {SHM_STAT_DENIED, doctor_requests, "requests denied for the peer's level", "requests",
	"The settings access_read, access_write and access_admin decide who may do what."},
    {SHM_STAT_BAD_REQUESTS, doctor_requests, "malformed requests", "requests",
	"A client speaks another protocol than memcached's text protocol, or sent a key or "
	"value that the protocol doesn't allow."},
    {SHM_STAT_IDLE_KICKS, NULL, "idle connections closed", "connections",
	"Their pauses are longer than idle_timeout. The clients connect again."},
    {SHM_STAT_CONN_MEMORY_CLOSED, doctor_connections,
	"connections closed for the memory that they held", "connections",
	"These clients send requests and don't read the replies. If they should be served, raise "
	"conn_memory."},
    {SHM_STAT_SNAPSHOT_FAILURES, NULL, "snapshots failed", NULL,
	"The daemon's log tells why. peekctl stats snapshot shows how the last one ended."},
    {SHM_STAT_CHAIN_EVICTIONS, doctor_stores, "items evicted because their bucket's chain was full",
	"stores", "A client may choose keys that collide."},
    {SHM_STAT_TABLE_REFUSED, doctor_stores, "values refused because their bucket's chain was full",
	"stores", "A client may choose keys that collide, or /dev/shm has no room for the table."},
};

static void
check_refusals(struct findings *f, const struct look *l)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(refusal_rows) / sizeof(*refusal_rows); i++) {
		const struct refusal *row = &refusal_rows[i];
		uint64_t value = look_stat(l, row->stat), all = row->all != NULL ? row->all(l) : 0;
		bool much = row->all != NULL && value >= REFUSALS_MANY && value >= all / 100;
		char of[64] = "";
		if (value == 0)
			continue;
		if (row->all != NULL)
			snprintf(of, sizeof(of), " (%" PRIu64 " %s)", all, row->of);
		finding_print(f, much ? FINDING_WARN : FINDING_NOTE, "refusals", row->advice,
		    "%" PRIu64 " %s since the start%s", value, row->what, of);
		n++;
	}
	if (n == 0)
		finding_print(f, FINDING_OK, "refusals", NULL, "none since the start");
}

int
ctl_cmd_doctor(struct ctl *c)
{
	struct findings f = {.json = c->json};
	struct look l;
	bool huge_pages_off = false;

	if (check_segment(&f, c)) {
		int error = look_open(c, &l);
		if (error != 0) {
			finding_print(&f, FINDING_BAD, "layout",
			    "The segment was replaced at this moment. Run peekctl doctor again.",
			    "%s", peek_strerror(error));
			return ctl_flushed(findings_status(&f));
		}
		check_layout(&f, &l);
		if (check_heartbeat(&f, c, &l))
			check_clock(&f, &l);
		check_socket(&f, c, &huge_pages_off);
		check_snapshot(&f, c);
		check_refusals(&f, &l);
		doctor_host(&f, &l, huge_pages_off);
		look_close(&l);
	}
	return ctl_flushed(findings_status(&f));
}
