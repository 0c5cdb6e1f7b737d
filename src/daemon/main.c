/*
 * main.c: peekd's start and end, in this order, because each step needs the ones before it:
 *
 *   settings; limits; the control socket's directory; privileges dropped; background; lock; sockets, so that clients wait rather than fail;
 *   segment, taken over or handed over; hint page; loop.
 *
 * Every step that fails has said why and gives the exit status (sysexits.h).
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "daemon/heap.h"
#include "daemon/lock.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/segment.h"
#include "daemon/server.h"
#include "daemon/warm.h"
#include "engine/crash.h"

#define FDS_RESERVED 64 /* descriptors that are no connections */

struct daemon {
	struct conf conf;
	struct conf_result given;
	struct access access;
	struct listeners listeners;
	struct clock_shift shift;
	struct segment segment;
	struct hints *hints;
	struct huge huge;
	struct snapshot *snapshot;
	struct cmd cmd;
	struct server *server;
	uint64_t start_us; /* monotonic */
	gid_t gid;
	int lock_fd;
	int ready_fd; /* -d: the parent waits for a byte on it */
};

static uint64_t
monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- before the lock -------------------------------------------------------------------------------------------------- */

static void
raise_limits(struct conf *conf)
{
	struct rlimit rl;
	rlim_t want = (rlim_t)conf->conn_limit + FDS_RESERVED;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur >= want)
		return;
	rl.rlim_cur = want;
	if (rl.rlim_max < want)
		rl.rlim_max = want; /* only root may */
	if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur <= FDS_RESERVED)
		return;
	log_warning("conn_limit (-c) is %" PRIu64 ", but this process may open %" PRIu64 " files (RLIMIT_NOFILE): it is lowered to %" PRIu64,
	    conf->conn_limit, (uint64_t)rl.rlim_cur, (uint64_t)rl.rlim_cur - FDS_RESERVED);
	conf->conn_limit = (uint64_t)rl.rlim_cur - FDS_RESERVED;
}

static int
find_group(const struct conf *conf, gid_t *ret)
{
	const struct group *gr;
	char *end;
	unsigned long number;

	*ret = (gid_t)-1;
	if (conf->group[0] == '\0')
		return 0;
	gr = getgrnam(conf->group);
	number = strtoul(conf->group, &end, 10);
	if (gr == NULL && (*end != '\0' || number >= UINT32_MAX)) {
		log_error("group is \"%s\"; allowed: a group of this host, or a number", conf->group);
		return EX_USAGE;
	}
	*ret = gr != NULL ? gr->gr_gid : (gid_t)number;
	return 0;
}

/* The default control socket's directory has to be made by root and to belong to the user that peekd becomes. */
static int
become_user(const struct conf *conf, char *unix_path)
{
	const struct passwd *pw = NULL;
	int status;

	if (conf->user[0] != '\0') {
		pw = getpwnam(conf->user);
		if (pw == NULL) {
			log_error("user (-u) is \"%s\"; allowed: a user of this host", conf->user);
			return EX_USAGE;
		}
		if (geteuid() != 0) {
			if (pw->pw_uid != geteuid())
				log_warning("user (-u) is %s, but only root can become another: going on as uid %u", conf->user, (unsigned)geteuid());
			pw = NULL;
		}
	}
	status = listen_unix_path(conf, pw != NULL ? pw->pw_uid : geteuid(), pw != NULL ? pw->pw_gid : getegid(), unix_path);
	if (status != 0 || pw == NULL)
		return status;
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0) {
		log_error("can't become %s: %s", conf->user, strerror(errno));
		return EX_OSERR;
	}
	return 0;
}

/* Forks; the parent leaves with the child's status, or 0 once it is ready. */
static int
go_to_background(struct daemon *d)
{
	int ends[2];
	unsigned char status = EX_SOFTWARE;
	pid_t pid;

	if (pipe(ends) != 0 || (pid = fork()) < 0) {
		log_error("can't go to the background: %s", strerror(errno));
		return EX_OSERR;
	}
	if (pid > 0) {
		close(ends[1]);
		if (read(ends[0], &status, 1) != 1)
			status = EX_SOFTWARE;
		_exit(status);
	}
	close(ends[0]);
	setsid();
	d->ready_fd = ends[1];
	return 0;
}

static void
tell_parent(struct daemon *d, int status)
{
	unsigned char byte = (unsigned char)status;

	if (d->ready_fd < 0)
		return;
	(void)!write(d->ready_fd, &byte, 1); /* a parent that is gone needs no answer */
	close(d->ready_fd);
	d->ready_fd = -1;
}

static int
write_pidfile(const struct conf *conf)
{
	FILE *f;

	if (conf->pidfile[0] == '\0')
		return 0;
	f = fopen(conf->pidfile, "we");
	if (f == NULL || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0) {
		log_error("pidfile (-P): %s can't be written: %s", conf->pidfile, strerror(errno));
		return EX_CANTCREAT;
	}
	return 0;
}

/* ---- the segment -------------------------------------------------------------------------------------------------------- */

/* Whoever may connect may read, unless the setting says otherwise. */
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

/* One page at once where they are required; the others come in the background. */
static int
begin_huge(struct daemon *d)
{
	uint64_t n_bytes;

	huge_init(&d->huge, d->conf.huge_pages == HUGE_PAGES_OFF ? NULL : &d->segment.map,
	    d->hints != NULL ? hints_bytes(d->hints, &n_bytes) : NULL);
	if (d->conf.huge_pages != HUGE_PAGES_REQUIRE)
		return 0;
	if (huge_step(&d->huge) && d->huge.huge_bytes > 0)
		return 0;
	log_error("huge_pages is \"require\", and the kernel gives none (%s); \"try\" does without", strerror(errno));
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
	    .store = {.evict = d->conf.disable_evictions == 0, .item_max_bytes = (uint32_t)d->conf.max_item_size},
	};
	struct segment *s = &d->segment;
	struct byte *bytes;
	uint64_t n_bytes, word;
	int status;

	word = clock_word_now(&d->shift);
	status = segment_open(&sc, clock_word_s(word), (int64_t)time(NULL), s);
	if (status != 0)
		return status;
	/* readers take the clock for the heartbeat: it must not be the dead writer's */
	store_tick(s->store, clock_word_now(&d->shift));
	if (hints_create(&s->map, (uint32_t)d->conf.conn_limit, &d->hints) == 0) {
		bytes = hints_bytes(d->hints, &n_bytes);
		store_set_hints(s->store, bytes, n_bytes);
	} else
		log_warning("no hint page: %s; reads through shared memory are not counted, nor do they keep items", strerror(errno));
	return begin_huge(d);
}

static void
fill_cmd(struct daemon *d)
{
	struct cmd *cmd = &d->cmd;

	cmd->name = d->conf.name;
	cmd->store = d->segment.store;
	cmd->limit_maxbytes = d->segment.map.arena_bytes;
	cmd->item_max_bytes = (uint32_t)d->conf.max_item_size;
	cmd->flush_allowed = d->conf.disable_flush_all == 0;
	cmd->shutdown_allowed = d->conf.enable_shutdown != 0;
	cmd->started_unix_s = (int64_t)time(NULL);
	cmd->pid = (long)getpid();
	cmd->stat[SHM_STAT_RECOVERED_ITEMS] = word_load_rlx(&d->segment.map.header->recovered_items); /* relaxed: own store */
	cmd->stat[SHM_STAT_RECOVERED_DROPPED] = d->segment.recovery.dropped_damaged + d->segment.recovery.dropped_expired +
	    d->segment.recovery.dropped_double + d->segment.not_carried;
	cmd->stat[SHM_STAT_RECOVERED_BUCKETS] = d->segment.recovery.repaired_buckets;
	cmd->stat[SHM_STAT_RECOVERY_US] = monotonic_us() - d->start_us;
}

/* One line with everything that matters. */
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
		snprintf(found, sizeof(found), "took over %" PRIu64 " items (dropped: %" PRIu64 " expired, %" PRIu64 " damaged, %" PRIu64
		    " double; %" PRIu64 " buckets repaired)", r->items, r->dropped_expired, r->dropped_damaged, r->dropped_double,
		    r->repaired_buckets);
		break;
	case SEGMENT_HANDED_OVER:
		n = snprintf(found, sizeof(found), "handed over %" PRIu64 " items from a segment of %" PRIu64 " MiB", s->carried,
		    s->old_arena_bytes >> 20);
		if (s->not_carried > 0)
			snprintf(found + n, sizeof(found) - (size_t)n, ", %" PRIu64 " didn't fit", s->not_carried);
		break;
	}
	if (d->listeners.n > 1)
		snprintf(tcp, sizeof(tcp), " and %u more", d->listeners.n - 1);
	log_info("peekd " PEEKD_VERSION " serves \"%s\": %" PRIu64 " MiB in segments of %u KiB, items up to %" PRIu64 " KiB; %s in %" PRIu64
	    ".%03" PRIu64 " ms; socket %s%s, mode %04o, %" PRIu64 " connections; pid %ld", d->conf.name, s->map.arena_bytes >> 20,
	    1u << (s->map.seg_shift - 10), d->conf.max_item_size >> 10, found, d->cmd.stat[SHM_STAT_RECOVERY_US] / 1000,
	    d->cmd.stat[SHM_STAT_RECOVERY_US] % 1000, d->listeners.unix_path, tcp, (unsigned)d->listeners.unix_mode, d->conf.conn_limit,
	    (long)getpid());
}

/* ---- while it runs -------------------------------------------------------------------------------------------------------- */

static void
on_tick(void *arg, uint32_t now_ms)
{
	const struct daemon *d = arg;

	segment_give_back(d->conf.name, now_ms);
}

static void
say_fixed(const char *name)
{
	log_notice("%s has changed in the configuration, and changes at the next start", name);
}

/* SIGHUP. A file with an error changes nothing. */
static void
on_hangup(void *arg)
{
	struct daemon *d = arg;
	struct conf fresh;
	struct conf_result given;
	struct access access;

	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_us());
	if (conf_reload(&fresh, &given) != 0 || access_resolve(&fresh, &access, given.error) != 0)
		log_error("%s; nothing is changed", given.error);
	else {
		conf_apply_live(&d->conf, &fresh, say_fixed);
		d->access = access;
		log_set_level((enum log_level)(d->conf.log_level + LOG_LEVEL_ERROR));
		log_set_time(d->conf.log_time != 0);
		raise_limits(&d->conf);
		log_info("the configuration was read again");
	}
	conf_free(&fresh);
	notify_send("READY=1");
}

/* ---- all together --------------------------------------------------------------------------------------------------------- */

static int
serve(struct daemon *d)
{
	struct server_args args = {
	    .conf = &d->conf,
	    .access = &d->access,
	    .listeners = &d->listeners,
	    .cmd = &d->cmd,
	    .map = &d->segment.map,
	    .hints = d->hints,
	    .epoch = d->segment.epoch,
	    .shift = &d->shift,
	    .on_tick = on_tick,
	    .on_hangup = on_hangup,
	    .arg = d,
	};

	if (snapshot_new(d->segment.store, d->conf.snapshot_compress != 0, &d->snapshot) != 0) {
		log_error("no memory for snapshots");
		return EX_OSERR;
	}
	if (d->conf.snapshot_path[0] != '\0' && d->segment.origin == SEGMENT_CREATED)
		warm_start(&d->conf, d->segment.store, d->snapshot, &d->shift);
	fill_cmd(d);
	args.snapshot = d->snapshot;
	args.huge = &d->huge;
	if (server_create(&args, &d->server) != 0) {
		log_error("no memory for the event loop");
		return EX_OSERR;
	}
	log_start(d);
	notify_send("READY=1\nMAINPID=%ld\nSTATUS=%" PRIu64 " items taken over", (long)getpid(), d->cmd.stat[SHM_STAT_RECOVERED_ITEMS]);
	tell_parent(d, 0);
	server_run(d->server);
	notify_send("STOPPING=1");
	server_free(d->server);
	if (d->conf.snapshot_path[0] != '\0')
		warm_end(&d->conf, d->segment.store, d->snapshot, &d->shift);
	return 0;
}

/* From the lock on; undoes what it did. */
static int
run(struct daemon *d, const char *unix_path, int n_passed)
{
	bool remove = d->conf.unlink != 0;
	int status;

	if ((status = lock_take(d->conf.name, &d->lock_fd)) != 0)
		return status;
	d->start_us = monotonic_us();
	if ((status = listen_open(&d->conf, unix_path, d->gid, n_passed, &d->listeners)) != 0)
		return status;
	if ((status = open_segment(d)) == 0) {
		if ((status = write_pidfile(&d->conf)) == 0)
			status = serve(d);
		snapshot_free(d->snapshot);
		if (d->hints != NULL) {
			store_set_hints(d->segment.store, NULL, 0);
			hints_destroy(d->hints);
		}
		segment_close(&d->segment, d->conf.name, remove);
		if (remove)
			segment_drop_aside(d->conf.name);
		if (d->conf.pidfile[0] != '\0' && status == 0)
			unlink(d->conf.pidfile);
	}
	listen_close(&d->listeners);
	if (remove && status == 0)
		lock_remove(d->conf.name, d->lock_fd);
	if (status == 0)
		log_info("ended; the segment %s", remove ? "is removed" : "stays for the next start");
	return status;
}

static int
start(struct daemon *d)
{
	char unix_path[LISTEN_PATH_BYTES];
	int status, n_passed = notify_listen_fds();

	log_open(d->conf.log_to == LOG_TO_SYSLOG, (enum log_level)(d->conf.log_level + LOG_LEVEL_ERROR), "peekd");
	log_set_time(d->conf.log_time != 0);
	signal(SIGPIPE, SIG_IGN);
	clock_read_shift(&d->shift); /* of a process that has changed its user, /proc/self is root's */
	raise_limits(&d->conf);
	if ((status = find_group(&d->conf, &d->gid)) != 0 || (status = become_user(&d->conf, unix_path)) != 0)
		return status;
	/* `self` is who it has become */
	if (access_resolve(&d->conf, &d->access, d->given.error) != 0) {
		log_error("%s", d->given.error);
		return EX_USAGE;
	}
	if (d->conf.daemon != 0 && (status = go_to_background(d)) != 0)
		return status;
	status = run(d, unix_path, n_passed);
	tell_parent(d, status);
	return status;
}

int
main(int argc, char **argv)
{
	static struct daemon d = {.ready_fd = -1, .lock_fd = -1};
	int status = 0;

	descriptor_fill_standard();
	heap_init();
	CRASH_BY_ENVIRONMENT();
	log_open(false, LOG_LEVEL_INFO, "peekd");
	if (conf_parse(argc, argv, &d.conf, &d.given) != 0) {
		log_error("%s", d.given.error);
		return EX_USAGE;
	}
	switch (d.given.action) {
	case CONF_HELP:
		conf_print_help(stdout);
		break;
	case CONF_VERSION:
		printf("peekd " PEEKD_VERSION "\n");
		break;
	case CONF_PRINT:
		conf_print_file(&d.conf, stdout);
		break;
	case CONF_MANUAL:
		conf_print_manual(stdout);
		break;
	case CONF_CHECK:
		if (access_resolve(&d.conf, &d.access, d.given.error) != 0) {
			log_error("%s", d.given.error);
			status = EX_USAGE;
		} else
			printf("the configuration is right\n");
		break;
	case CONF_RUN:
		status = start(&d);
		break;
	}
	conf_free(&d.conf);
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
		log_error("standard output can't be written: %s", strerror(errno));
		status = EX_IOERR;
	}
	return status;
}
