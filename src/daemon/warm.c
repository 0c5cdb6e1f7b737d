/* warm.c: see warm.h. */
#include "daemon/warm.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/notify.h"

#define EXTEND_US 30000000 /* what the service manager is asked for, once a second */

/* All slices of a job. The clock goes on, which is the heartbeat that readers look at, and so does the service manager's patience. */
static void
run(struct store *store, struct snapshot *snapshot, const struct clock_shift *shift)
{
	uint32_t told_s = 0;
	enum snapshot_pace pace;

	do {
		uint64_t word = clock_word_now(shift);

		store_tick(store, word);
		if (clock_word_s(word) != told_s) {
			told_s = clock_word_s(word);
			notify_send("EXTEND_TIMEOUT_USEC=%d\nWATCHDOG=1", EXTEND_US);
		}
		pace = snapshot_step(snapshot, clock_word_s(word), (int64_t)time(NULL));
		if (pace == SNAPSHOT_WAIT)
			snapshot_wait(snapshot);
	} while (pace != SNAPSHOT_IDLE);
}

/* A path in the current directory, or as it is. */
static bool
make_absolute(const char *path, char *buf)
{
	size_t len = 0;

	if (path[0] != '/') {
		if (getcwd(buf, PATH_MAX) == NULL)
			return false;
		len = strlen(buf);
	}
	return (size_t)snprintf(buf + len, PATH_MAX - len, "%s%s", len > 0 ? "/" : "", path) < PATH_MAX - len;
}

void
warm_start(const struct conf *conf, struct store *store, struct snapshot *snapshot, const struct clock_shift *shift)
{
	char path[PATH_MAX], aside[PATH_MAX], words[512];
	bool partial = conf->snapshot_damaged != 0;

	if (!make_absolute(conf->snapshot_path, path) || snapshot_load(snapshot, path, partial ? SNAPSHOT_PARTIAL : 0) < 0) {
		log_error("snapshot_path %s can't be loaded: %s", conf->snapshot_path, strerror(errno));
		return;
	}
	notify_send("STATUS=loading %s", path);
	run(store, snapshot, shift);
	snapshot_describe(snapshot, words, sizeof(words));
	switch (snapshot_result(snapshot)->error) {
	case 0:
		log_info("%s: %s", path, words);
		return;
	case -ENOENT:
		log_info("%s isn't there yet: the cache begins empty", path);
		return;
	case -EBADMSG:
	case -ENODATA:
	case -EPROTO:
		if ((size_t)snprintf(aside, sizeof(aside), "%s.damaged", path) < sizeof(aside) && rename(path, aside) == 0)
			log_error("%s: %s; it is kept as %s", path, words, aside);
		else
			log_error("%s: %s", path, words);
		return;
	default:
		log_error("snapshot_path %s can't be loaded: %s", path, words);
	}
}

void
warm_end(const struct conf *conf, struct store *store, struct snapshot *snapshot, const struct clock_shift *shift)
{
	char path[PATH_MAX], words[512];

	snapshot_cancel(snapshot); /* what a client had begun */
	if (!make_absolute(conf->snapshot_path, path) || snapshot_save(snapshot, path, (int64_t)time(NULL)) < 0) {
		log_error("snapshot_path %s can't be saved: %s", conf->snapshot_path, strerror(errno));
		return;
	}
	notify_send("STATUS=saving %s", path);
	run(store, snapshot, shift);
	snapshot_describe(snapshot, words, sizeof(words));
	if (snapshot_result(snapshot)->error == 0)
		log_info("%s: %s", path, words);
	else
		log_error("snapshot_path %s can't be saved: %s", path, words);
}
