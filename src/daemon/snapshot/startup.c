/* startup.c: see startup.h. */
#include "daemon/snapshot/startup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "daemon/host/ending.h"
#include "daemon/host/log.h"
#include "daemon/host/notify.h"
#include "daemon/snapshot/snapshot_place.h"
#include "engine/crash.h"

#define EXTEND_US 30000000 /* more time that the service manager is asked for, once a second */

/*
 * Does all slices of a job; false: a signal came, and the job is cancelled. The
 * clock goes on meanwhile, because readers take it for the heartbeat. The
 * service manager is asked for more time.
 */
static bool
startup_run(struct startup *s)
{
	uint32_t told_s = 0;
	enum snapshot_pace pace;

	do {
		uint64_t word = clock_word_now(s->shift);

		if (ending_signal() != 0) {
			snapshot_cancel(s->snapshot);
			return false;
		}
		store_tick(s->store, word);
		if (clock_word_s(word) != told_s) {
			told_s = clock_word_s(word);
			notify_send("EXTEND_TIMEOUT_USEC=%d\nWATCHDOG=1", EXTEND_US);
		}
		pace = snapshot_step(s->snapshot, clock_word_s(word), (int64_t)time(NULL));
		CRASH_POINT("startup:slice");
		if (pace == SNAPSHOT_WAIT)
			snapshot_wait(s->snapshot);
	} while (pace != SNAPSHOT_IDLE);
	return true;
}

/* Makes a relative path absolute; other paths stay as they are. */
static bool
make_absolute(const char *path, char *buf)
{
	size_t len = 0;

	if (path[0] != '/') {
		if (getcwd(buf, PATH_MAX) == NULL)
			return false;
		len = strlen(buf);
	}
	if ((size_t)snprintf(buf + len, PATH_MAX - len, "%s%s", len > 0 ? "/" : "", path) <
	    PATH_MAX - len)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int
startup_check(const struct conf *conf)
{
	char path[PATH_MAX];
	const char *wrong;

	if (conf->snapshot_path[0] == '\0' || !make_absolute(conf->snapshot_path, path) ||
	    (wrong = snapshot_place_wrong(path)) == NULL)
		return 0;
	log_error("snapshot_path %s is %s", path, wrong);
	return EX_USAGE;
}

/* ---- the start ----------------------------------------------------------- */

static void
keep_damaged(const char *path, const char *words)
{
	char aside[PATH_MAX];
	int r = snapshot_keep(path, "damaged", true, aside, sizeof(aside));

	if (r == 0)
		log_error("%s: %s; it is kept as %s", path, words, aside);
	else
		log_error("%s: %s; it can't be renamed: %s", path, words, strerror(-r));
}

static void
keep_old(struct startup *s, const char *path)
{
	char aside[PATH_MAX];
	int r = snapshot_keep(path, "old", false, aside, sizeof(aside));

	if (r == 0)
		log_notice("%s is kept as %s too, since it was not loaded whole", path, aside);
	else
		s->keep_file = r != -ENOENT;
}

/* "saved 7200 s ago: " */
static void
describe_age(struct startup *s, char *buf, size_t cap)
{
	uint64_t saved = snapshot_result(s->snapshot)->saved_unix_s, now = (uint64_t)time(NULL);

	buf[0] = '\0';
	s->age_s = saved > 0 && saved < now ? now - saved : 0;
	if (saved > 0)
		snprintf(buf, cap, "saved %" PRIu64 " s ago: ", s->age_s);
}

static void
report_start(struct startup *s, const char *path)
{
	const struct snapshot_result *r = snapshot_result(s->snapshot);
	char words[512], age[48];

	snapshot_describe(s->snapshot, words, sizeof(words));
	describe_age(s, age, sizeof(age));
	switch (r->error) {
	case 0:
		log_info("%s: %s%s", path, age, words);
		if (r->refused > 0)
			keep_old(s, path);
		else
			snapshot_keep_no_more(path, "old");
		return;
	case -ENOENT:
		log_info("%s isn't there yet: the cache begins empty", path);
		return;
	case -EBADMSG:
	case -ENODATA:
	case -EPROTO:
		keep_damaged(path, words);
		break;
	case -ESTALE:
		log_warning("%s is not loaded: %sit is older than snapshot_max_age, %" PRIu64 " s; "
			    "the cache begins empty",
		    path, age, s->conf->snapshot_max_age);
		keep_old(s, path);
		break;
	default:
		log_error("snapshot_path %s can't be loaded: %s", path, words);
		keep_old(s, path);
	}
	if (r->state == SNAPSHOT_FAILED)
		s->age_s = 0;
}

bool
startup_begin(struct startup *s, unsigned how)
{
	char path[PATH_MAX];
	const struct snapshot_source from = {
	    .path = path,
	    .fd = -1,
	    .max_age_s = s->conf->snapshot_max_age,
	};

	if (s->conf->snapshot_damaged != 0)
		how |= SNAPSHOT_PARTIAL;
	int64_t r = make_absolute(s->conf->snapshot_path, path)
	    ? snapshot_load(s->snapshot, &from, how, (int64_t)time(NULL))
	    : -errno;
	if (r < 0) {
		log_error("snapshot_path %s can't be loaded: %s", s->conf->snapshot_path,
		    strerror((int)-r));
		s->keep_file = true;
		return true;
	}
	notify_send("STATUS=loading %s", path);
	if (!startup_run(s)) {
		log_notice("%s: ending; %s is not loaded whole, and the next start loads it again",
		    ending_name(), path);
		return false;
	}
	report_start(s, path);
	return true;
}

/* ---- the end ------------------------------------------------------------- */

/* True: the file with the name may be replaced by now. */
static bool
make_way(const struct startup *s, const char *path)
{
	char aside[PATH_MAX];
	int r;

	if (!s->keep_file)
		return true;
	r = snapshot_keep(path, "old", true, aside, sizeof(aside));
	if (r == 0)
		log_notice("%s was not loaded whole: it is kept as %s", path, aside);
	else if (r != -ENOENT)
		log_error("snapshot_path %s is not saved: the file that is there was not loaded "
			  "whole, and can't be kept as %s: %s",
		    path, aside, strerror(-r));
	return r == 0 || r == -ENOENT;
}

bool
startup_end(struct startup *s)
{
	char path[PATH_MAX], words[512];
	const struct snapshot_source to = {.path = path, .fd = -1};
	int64_t r;

	snapshot_cancel(s->snapshot); /* a job that a client had begun */
	if (!make_absolute(s->conf->snapshot_path, path)) {
		log_error(
		    "snapshot_path %s can't be saved: %s", s->conf->snapshot_path, strerror(errno));
		return false;
	}
	if (!make_way(s, path))
		return false;
	if ((r = snapshot_save(s->snapshot, &to, (int64_t)time(NULL))) < 0) {
		log_error("snapshot_path %s can't be saved: %s", path, strerror((int)-r));
		return false;
	}
	notify_send("STATUS=saving %s", path);
	ending_forget();
	if (!startup_run(s)) {
		log_error("%s again: snapshot_path %s is not saved", ending_name(), path);
		return false;
	}
	snapshot_describe(s->snapshot, words, sizeof(words));
	if (snapshot_result(s->snapshot)->error != 0) {
		log_error("snapshot_path %s can't be saved: %s", path, words);
		return false;
	}
	log_info("%s: %s", path, words);
	return true;
}
