/*
 * main.c: peekd's start and end, in this order, because each step needs those
 * before it:
 *
 *   settings; limits; the control socket's directory; privileges dropped;
 *   background; then the instance (instance.h).
 *
 * A step that fails has logged why, and gives the exit status (sysexits.h).
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
#include <unistd.h>

#include "base/descriptor.h"
#include "base/now.h"
#include "daemon/host/background.h"
#include "daemon/host/ending.h"
#include "daemon/host/memory.h"
#include "daemon/instance.h"
#include "daemon/host/lock.h"
#include "daemon/host/log.h"
#include "daemon/host/notify.h"
#include "daemon/host/pidfile.h"
#include "daemon/verbs/stats_rows.h"
#include "engine/crash.h"

#define FDS_RESERVED 64 /* descriptors that are no connections */

/* ---- before the lock ----------------------------------------------------- */

static void
raise_limits(struct conf *conf)
{
	struct rlimit rl;
	rlim_t want = (rlim_t)conf->conn_limit + FDS_RESERVED;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur >= want)
		return;
	rl.rlim_cur = want;
	if (rl.rlim_max < want)
		rl.rlim_max = want; /* root alone may do this */
	if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur <= FDS_RESERVED)
		return;
	log_warning("conn_limit (-c) is %" PRIu64 ", but this process may open %" PRIu64
		    " files (RLIMIT_NOFILE): it is lowered to %" PRIu64,
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
		log_error(
		    "group is \"%s\"; allowed: a group of this host, or a number", conf->group);
		return EX_USAGE;
	}
	*ret = gr != NULL ? gr->gr_gid : (gid_t)number;
	return 0;
}

/* True: CAP_CHOWN, bit 0, is among the effective capabilities. */
static bool
may_chown(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return (caps & 1) != 0;
}

/*
 * The user whose the instance is, for a check by root of settings without
 * `user`, as a unit with User= has them. NULL: it is root's, or it has never
 * run.
 */
static const struct passwd *
find_owner(const struct conf *conf)
{
	char lock[MAP_NAME_MAX + 32];
	const struct passwd *pw;
	struct stat st;

	snprintf(lock, sizeof(lock), "/dev/shm/peekd.%s.lock", conf->name);
	if (lstat(lock, &st) != 0 || st.st_uid == 0 || (pw = getpwuid(st.st_uid)) == NULL)
		return NULL;
	log_notice("checking as user %s, the owner of %s", pw->pw_name, lock);
	return pw;
}

/* Becomes the user of the settings. Root makes the default control socket's
 * directory before that, and gives it to the user. */
static int
become_user(const struct conf *conf, bool only_check, char *unix_path)
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
				log_warning("user (-u) is %s, but only root can become another: "
					    "going on as uid %u",
				    conf->user, (unsigned)geteuid());
			pw = NULL;
		}
	} else if (only_check && geteuid() == 0)
		pw = find_owner(conf);
	status = listen_unix_path(conf, pw != NULL ? pw->pw_uid : geteuid(),
	    pw != NULL ? pw->pw_gid : getegid(), only_check, unix_path);
	if (status != 0 || pw == NULL)
		return status;
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
	    setuid(pw->pw_uid) != 0) {
		log_error("can't become %s: %s", pw->pw_name, strerror(errno));
		return EX_OSERR;
	}
	return 0;
}

/* Root gives files to any group; another user without CAP_CHOWN only to one
 * that it is in. The error comes before the segment is made. */
static int
check_group(const struct conf *conf, gid_t gid)
{
	gid_t groups[1024];
	int n = getgroups(1024, groups);
	bool in = gid == (gid_t)-1 || gid == getegid() || geteuid() == 0;

	for (int i = 0; i < n; i++)
		in = in || groups[i] == gid;
	if (in || n < 0 || may_chown())
		return 0;
	log_error(
	    "group is \"%s\", but uid %u is not in it, so it can't give the group the control "
	    "socket and the segment: add the user to the group (usermod -aG), or set "
	    "SupplementaryGroups=%s in a drop-in of the unit",
	    conf->group, (unsigned)geteuid(), conf->group);
	return EX_NOPERM;
}

/* ---- while it runs ------------------------------------------------------- */

static void
say_fixed(const char *name)
{
	log_notice("%s has changed in the configuration: the next start takes the new value", name);
}

/* SIGHUP: reads the settings again. A file with an error changes nothing. */
static void
on_hangup(void *arg)
{
	struct daemon *d = arg;
	struct conf fresh;
	struct conf_result given;
	struct access access;

	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_monotonic_us());
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

/* The log stays on stderr if the settings say so, or if stderr is a file. Else
 * it goes to syslog, since the terminal of the start may go away. */
static void
on_ready(struct daemon *d)
{
	bool keep = d->given.given[CONF_ROW_log_to] ? d->conf.log_to == LOG_TO_STDERR
						    : background_stderr_is_file();

	if (d->ready_fd >= 0 && !keep && d->conf.log_to != LOG_TO_SYSLOG)
		log_move_to_syslog();
	background_tell(&d->ready_fd, 0, keep);
}

/* ---- all together -------------------------------------------------------- */

/* Becomes the user of the settings, and checks the settings that depend on it.
 * only_check: nothing is made. */
static int
main_prepare(struct daemon *d, bool only_check, char *unix_path)
{
	int status;

	if ((status = find_group(&d->conf, &d->gid)) != 0 ||
	    (status = become_user(&d->conf, only_check, unix_path)) != 0 ||
	    (status = check_group(&d->conf, d->gid)) != 0)
		return status;
	/* `self` is the user that the process has become */
	if (access_resolve(&d->conf, &d->access, d->given.error) != 0) {
		log_error("%s", d->given.error);
		return EX_USAGE;
	}
	return startup_check(&d->conf);
}

/* Refuses the settings that a start would refuse, as far as it can tell without
 * taking anything. */
static int
main_check(struct daemon *d)
{
	char unix_path[LISTEN_PATH_BYTES];
	bool is_running;
	int status;

	if ((status = main_prepare(d, true, unix_path)) != 0 ||
	    (status = lock_check(d->conf.name, &is_running)) != 0 ||
	    (status = listen_check(&d->conf, unix_path, d->gid, is_running)) != 0 ||
	    (status = pidfile_check(d->conf.pidfile)) != 0)
		return status;
	printf("the configuration is right\n");
	return 0;
}

static int
go_to_background(struct daemon *d)
{
	if (conf_leave_directory(&d->conf, d->given.error) != 0) {
		log_error("%s", d->given.error);
		return EX_OSERR;
	}
	return background_begin(&d->ready_fd);
}

static int
main_start(struct daemon *d)
{
	char unix_path[LISTEN_PATH_BYTES];
	int status, n_passed = notify_listen_fds();

	log_open(d->conf.log_to == LOG_TO_SYSLOG,
	    (enum log_level)(d->conf.log_level + LOG_LEVEL_ERROR), "peekd");
	log_set_time(d->conf.log_time != 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error, with words */
	ending_begin();
	/* before the user changes: /proc/self would be root's after it */
	clock_read_shift(&d->shift);
	raise_limits(&d->conf);
	if ((status = main_prepare(d, false, unix_path)) != 0)
		return status;
	if (d->conf.daemon != 0 && (status = go_to_background(d)) != 0)
		return status;
	status = instance_run(d, unix_path, n_passed);
	/* does nothing if the daemon has served */
	background_tell(&d->ready_fd, status != 0 ? status : EX_TEMPFAIL, true);
	return status;
}

int
main(int argc, char **argv)
{
	static struct daemon d = {
	    .ready_fd = -1,
	    .lock_fd = -1,
	    .on_hangup = on_hangup,
	    .on_ready = on_ready,
	};
	int status = 0;

	descriptor_fill_standard();
	memory_init();
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
	case CONF_STATS_MANUAL:
		stats_print_manual(stdout);
		break;
	case CONF_CHECK:
		status = main_check(&d);
		break;
	case CONF_RUN:
		status = main_start(&d);
		break;
	}
	conf_free(&d.conf);
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
		log_error("standard output can't be written: %s", strerror(errno));
		status = EX_IOERR;
	}
	return status;
}
