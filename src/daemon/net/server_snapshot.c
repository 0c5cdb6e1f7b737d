/* server_snapshot.c: slices of a snapshot between requests: one each
 * millisecond, which takes a few hundred microseconds at most (snapshot.h). */
#include "daemon/host/log.h"
#include "daemon/net/server_private.h"

#define SLICE_EVERY_US 1000
#define WAIT_US        5000 /* while the file's thread works */

static void
server_snapshot_report(struct server *s)
{
	const struct snapshot_result *r = snapshot_result(s->a.snapshot);
	uint64_t *stat = s->a.stat;
	char words[512];

	snapshot_describe(s->a.snapshot, words, sizeof(words));
	if (r->error != 0) {
		stat[SHM_STAT_SNAPSHOT_FAILURES]++;
		log_error("snapshot: %s", words);
	} else
		log_info("snapshot: %s", words);
	if (r->state == SNAPSHOT_SAVED) {
		stat[SHM_STAT_SNAPSHOT_SAVED_S] = (uint64_t)s->a.cmd->now_unix_s;
		stat[SHM_STAT_SNAPSHOT_ITEMS] = r->items;
	}
}

void
server_on_slice(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct timeval again = {0, SLICE_EVERY_US};

	(void)fd;
	(void)what;
	server_tell_time(s);
	switch (snapshot_step(s->a.snapshot, s->a.cmd->now_s, s->a.cmd->now_unix_s)) {
	case SNAPSHOT_IDLE:
		s->slicing = false;
		server_snapshot_report(s);
		return;
	case SNAPSHOT_WAIT:
		again.tv_usec = WAIT_US;
		break;
	case SNAPSHOT_MORE:
		break;
	}
	s->slicing = event_add(&s->slice, &again) == 0;
}
