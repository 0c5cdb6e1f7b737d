/*
 * instance.c: from the lock to the end (instance.h), in this order:
 *
 *   lock; sockets; segment, taken over or handed over; hint page; snapshot;
 *   loop.
 */
#include "daemon/instance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/now.h"
#include "daemon/host/ending.h"
#include "daemon/host/lock.h"
#include "daemon/host/log.h"
#include "daemon/host/notify.h"
#include "daemon/host/pidfile.h"
#include "daemon/segment/watch.h"
#include "engine/crash.h"

/* ---- the segment --------------------------------------------------------- */

/* A user who may connect may read the segment, unless the setting says
 * otherwise. */
static mode_t
segment_mode(const struct conf *conf, mode_t unix_mode)
{
	mode_t mode = 0600;

	if (conf->shm_mask != 0)
		return ((mode_t)conf->shm_mask & 0644) | 0600;
	if ((unix_mode & 0070) != 0)
		mode |= 0040;
	if ((unix_mode & 0007) != 0)
		mode |= 0004;
	return mode;
}

/* Makes one huge page at once if they are required; the others come in the
 * background. */
static int
begin_huge(struct daemon *d)
{
	uint64_t n_bytes;

	huge_init(&d->huge, d->conf.huge_pages == HUGE_PAGES_OFF ? NULL : &d->segment.map,
	    d->hints != NULL ? hint_page_bytes(d->hints, &n_bytes) : NULL);
	if (d->conf.huge_pages != HUGE_PAGES_REQUIRE)
		return 0;
	if (huge_step(&d->huge) && d->huge.huge_bytes > 0)
		return 0;
	if (d->huge.error == 0)
		log_error("huge_pages is \"require\", but memory_limit (-m) is smaller than one "
			  "huge page, 2m; \"try\" starts without huge pages");
	else
		log_error("huge_pages is \"require\", but the kernel gives no huge page (%s); "
			  "\"try\" starts without them",
		    strerror(-d->huge.error));
	return EX_OSERR;
}

static int
open_segment(struct daemon *d)
{
	const struct segment_conf sc = {
	    .name = d->conf.name,
	    .arena_bytes = d->conf.memory_limit,
	    .mode = segment_mode(&d->conf, d->listeners.unix_mode),
	    .gid = d->gid,
	    .socket_path = d->listeners.unix_path,
	    .will_load = d->conf.snapshot_path[0] != '\0',
	    .store = {.evict = d->conf.disable_evictions == 0,
		.item_max_bytes = (uint32_t)d->conf.max_item_size,
		.stat = d->stat},
	};
	struct segment *s = &d->segment;
	struct byte *bytes;
	uint64_t n_bytes, word, tcp[LAYOUT_TCP_WORDS];
	int status;

	word = clock_word_now(&d->shift);
	status = segment_open(&sc, clock_word_s(word), (int64_t)time(NULL), s);
	if (status != 0)
		return status;
	map_set_tcp(&s->map, tcp, listen_tcp(&d->listeners, tcp, LAYOUT_TCP_WORDS));
	/* readers take the clock for the heartbeat: it must not stay that of
	 * the dead writer */
	store_tick(s->store, clock_word_now(&d->shift));
	if (hint_page_create(&s->map, (uint32_t)d->conf.conn_limit, &d->hints) == 0) {
		bytes = hint_page_bytes(d->hints, &n_bytes);
		store_set_hints(s->store, bytes, n_bytes);
	} else
		log_warning("no hint page: %s; reads through shared memory are not counted, and "
			    "don't keep items from eviction",
		    strerror(errno));
	return 0;
}

static void
fill_cmd(struct daemon *d)
{
	struct cmd *cmd = &d->cmd;
	uint64_t *stat = d->stat;

	cmd->name = d->conf.name;
	cmd->store = d->segment.store;
	cmd->stat = stat;
	cmd->limit_maxbytes = d->segment.map.arena_bytes;
	cmd->item_max_bytes = (uint32_t)d->conf.max_item_size;
	cmd->flush_allowed = d->conf.disable_flush_all == 0;
	cmd->evicts = d->conf.disable_evictions == 0;
	cmd->shutdown_allowed = d->conf.enable_shutdown != 0;
	cmd->started_unix_s = (int64_t)time(NULL);
	cmd->started_s = clock_word_s(clock_word_now(&d->shift));
	cmd->pid = (long)getpid();
	/* relaxed: own store */
	stat[SHM_STAT_RECOVERED_ITEMS] = word_load_rlx(&d->segment.map.header->recovered_items);
	stat[SHM_STAT_RECOVERED_DROPPED] = d->segment.recovery.dropped_damaged +
	    d->segment.recovery.dropped_expired + d->segment.recovery.dropped_double +
	    d->segment.not_carried;
	stat[SHM_STAT_RECOVERED_BUCKETS] = d->segment.recovery.repaired_buckets;
	stat[SHM_STAT_SNAPSHOT_AGE_S] = d->startup.age_s;
	stat[SHM_STAT_RECOVERY_US] = (uint64_t)now_monotonic_us() - d->start_us;
}

/* Logs one line with everything that matters. */
static void
log_start(const struct daemon *d)
{
	const struct segment *s = &d->segment;
	const struct store_recovery *r = &s->recovery;
	char found[256], tcp[32] = "";
	int n;

	switch (s->origin) {
	case SEGMENT_CREATED:
		snprintf(found, sizeof(found), "new segment");
		break;
	case SEGMENT_TAKEN_OVER:
		snprintf(found, sizeof(found),
		    "took over %" PRIu64 " items (dropped: %" PRIu64 " expired, %" PRIu64
		    " damaged, %" PRIu64 " double; %" PRIu64 " buckets repaired)",
		    r->items, r->dropped_expired, r->dropped_damaged, r->dropped_double,
		    r->repaired_buckets);
		break;
	case SEGMENT_HANDED_OVER:
		n = snprintf(found, sizeof(found),
		    "handed over %" PRIu64 " items from a segment of %" PRIu64 " MiB", s->carried,
		    s->old_arena_bytes >> 20);
		if (s->not_carried > 0)
			snprintf(found + n, sizeof(found) - (size_t)n, ", %" PRIu64 " didn't fit",
			    s->not_carried);
		break;
	}
	if (d->listeners.n > 1)
		snprintf(tcp, sizeof(tcp), " and %u more", d->listeners.n - 1);
	log_info("peekd " PEEKD_VERSION " serves \"%s\": %" PRIu64
		 " MiB in blocks of %u KiB, items up to %" PRIu64 " KiB; %s in %" PRIu64
		 ".%03" PRIu64 " ms; socket %s%s, mode %04o, %" PRIu64 " connections; pid %ld",
	    d->conf.name, s->map.arena_bytes >> 20, 1u << (s->map.block_shift - 10),
	    d->conf.max_item_size >> 10, found, d->stat[SHM_STAT_RECOVERY_US] / 1000,
	    d->stat[SHM_STAT_RECOVERY_US] % 1000, d->listeners.unix_path, tcp,
	    (unsigned)d->listeners.unix_mode, d->conf.conn_limit, (long)getpid());
}

/* ---- while it runs ------------------------------------------------------- */

static void
on_tick(void *arg, uint32_t now_ms)
{
	struct daemon *d = arg;

	retired_give_back(&d->retired, d->conf.name, now_ms);
	d->stat[SHM_STAT_NAMES_GONE] =
	    watch_names(d->conf.name, d->segment.map.fd, d->listeners.unix_path, now_ms);
	room_watch(&d->room, d->segment.store, d->conf.disable_evictions == 0);
}

/* ---- all together -------------------------------------------------------- */

/* Loads the snapshot into a new segment, or into one that an earlier start was
 * filling. False: a signal ended it, and the segment stays a part. */
static bool
instance_fill(struct daemon *d)
{
	bool is_new = d->segment.origin == SEGMENT_CREATED;

	d->startup = (struct startup){&d->conf, d->segment.store, d->snapshot, &d->shift, 0, false};
	if (d->segment.is_filling && d->conf.snapshot_path[0] == '\0')
		log_warning(
		    "an earlier start ended while it loaded a snapshot, and snapshot_path is not "
		    "set now: only a part of the items is there");
	else if (d->segment.is_filling) {
		if (!is_new)
			log_notice(
			    "an earlier start ended while it loaded the snapshot: the snapshot is "
			    "loaded again, and keys that are there keep their values");
		if (!startup_begin(&d->startup, is_new ? 0 : SNAPSHOT_KEEP))
			return false;
	}
	segment_filled(&d->segment);
	CRASH_POINT("startup:filled");
	return ending_signal() == 0;
}

static int
instance_loop(struct daemon *d)
{
	struct server_args args = {
	    .conf = &d->conf,
	    .access = &d->access,
	    .listeners = &d->listeners,
	    .cmd = &d->cmd,
	    .stat = d->stat,
	    .map = &d->segment.map,
	    .hints = d->hints,
	    .snapshot = d->snapshot,
	    .huge = &d->huge,
	    .epoch = d->segment.epoch,
	    .shift = &d->shift,
	    .on_tick = on_tick,
	    .on_hangup = d->on_hangup,
	    .arg = d,
	};

	fill_cmd(d);
	if (leases_create(d->segment.store, d->stat, &d->cmd.leases) != 0 ||
	    server_create(&args, &d->server) != 0) {
		leases_free(d->cmd.leases);
		log_error("no memory for the event loop");
		return EX_OSERR;
	}
	if (ending_hangup())
		d->on_hangup(d);
	log_start(d);
	room_check(&d->segment.map, d->segment.store);
	notify_send("READY=1\nMAINPID=%ld\nSTATUS=%" PRIu64 " items taken over", (long)getpid(),
	    d->stat[SHM_STAT_RECOVERED_ITEMS]);
	d->on_ready(d);
	if (ending_signal() == 0)
		server_run(d->server);
	notify_send("STOPPING=1");
	server_free(d->server);
	leases_free(d->cmd.leases);
	return 0;
}

/* EX_IOERR: the last save failed. */
static int
instance_serve(struct daemon *d)
{
	int status;

	if (snapshot_new(d->segment.store, d->conf.snapshot_compress != 0, &d->snapshot) != 0) {
		log_error("no memory for snapshots");
		return EX_OSERR;
	}
	if (!instance_fill(d))
		return 0; /* a part of a snapshot must not be saved */
	if ((status = instance_loop(d)) != 0)
		return status;
	return d->conf.snapshot_path[0] == '\0' || startup_end(&d->startup) ? 0 : EX_IOERR;
}

/* Opens the segment, serves it, and undoes what it did. */
static int
use_segment(struct daemon *d)
{
	bool remove = d->conf.unlink != 0;
	int status = open_segment(d);

	if (status != 0)
		return status == SEGMENT_ENDED ? 0 : status;
	if ((status = listen_control(&d->conf, d->gid, &d->listeners)) == 0 &&
	    (status = begin_huge(d)) == 0 && (status = pidfile_write(d->conf.pidfile)) == 0) {
		status = instance_serve(d);
		pidfile_remove(d->conf.pidfile);
	}
	if (status == EX_IOERR) {
		if (remove)
			log_notice("--unlink: nothing is removed, since the items are not saved");
		remove = false;
	} else if (status != 0 && d->segment.origin == SEGMENT_CREATED)
		remove = true; /* the segment never served */
	snapshot_free(d->snapshot);
	if (d->hints != NULL) {
		store_set_hints(d->segment.store, NULL, 0);
		hint_page_destroy(d->hints);
	}
	segment_close(&d->segment, d->conf.name, remove);
	if (remove)
		retired_drop(&d->retired, d->conf.name);
	return status;
}

/* From the lock on; undoes what it did. */
int
instance_run(struct daemon *d, const char *unix_path, int n_passed)
{
	bool made;
	int status;

	if ((status = lock_take(d->conf.name, &d->lock_fd, &made)) != 0)
		return status;
	d->start_us = (uint64_t)now_monotonic_us();
	status = listen_open(&d->conf, d->given.given, unix_path, d->gid, n_passed, &d->listeners);
	if (status == 0) {
		/* with a segment to attach to, clients wait from now on in
		 * place of failing */
		if (segment_is_there(d->conf.name))
			status = listen_control(&d->conf, d->gid, &d->listeners);
		if (status == 0)
			status = use_segment(d);
		listen_close(&d->listeners);
	}
	/* a failed start leaves nothing behind that wasn't there before */
	if ((d->conf.unlink != 0 || (made && status != 0)) && !segment_is_there(d->conf.name))
		lock_remove(d->conf.name, d->lock_fd);
	if (status == 0)
		log_info("ended; the segment %s",
		    segment_is_there(d->conf.name) ? "stays for the next start" : "is removed");
	return status;
}
