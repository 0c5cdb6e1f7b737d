/* listen.c: see listen.h. */
#include "daemon/net/listen_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/log.h"
#include "daemon/host/notify.h"
#include "daemon/host/place.h"

#define UNIX_SOCKET "unix_socket (-s)"

/* ---- the control socket's place ------------------------------------------ */

/* A directory that nobody but uid and root can change. */
static int
own_dir(const char *dir, uid_t uid)
{
	struct stat st;

	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_uid == uid || st.st_uid == 0) &&
	    (st.st_mode & S_IWOTH) == 0)
		return 0;
	log_error("%s is no directory that uid %u alone can change; name a control socket with -s",
	    dir, (unsigned)uid);
	return EX_NOPERM;
}

/* Makes a directory of our own, or accepts one that nobody else can change. */
static int
make_dir(const char *dir, mode_t mode, uid_t uid, gid_t gid)
{
	char why[PLACE_WHY_BYTES];

	if (mkdir(dir, mode) == 0) {
		if (uid != geteuid() && chown(dir, uid, gid) != 0) {
			log_error(
			    "%s can't be given to uid %u: %s", dir, (unsigned)uid, strerror(errno));
			return EX_CANTCREAT;
		}
	} else if (errno != EEXIST) {
		log_error("%s can't be made: %s; name a control socket with -s", dir,
		    place_why(dir, errno, why));
		return EX_CANTCREAT;
	}
	return own_dir(dir, uid);
}

/* In a check: a start would make a directory that isn't there yet. */
static int
check_dir(const char *dir, uid_t uid)
{
	char why[PLACE_WHY_BYTES];
	struct stat st;
	int error;

	if (lstat(dir, &st) == 0)
		return own_dir(dir, uid);
	if ((error = place_check(dir)) == 0)
		return 0;
	log_error("%s can't be made: %s; name a control socket with -s", dir,
	    place_why(dir, -error, why));
	return EX_CANTCREAT;
}

/* Root's directory, or one beside it if the daemon's later user may not make a
 * socket there. */
static void
root_dir(uid_t uid, char *dir, size_t dir_cap)
{
	struct stat st;

	snprintf(dir, dir_cap, "/run/peekd");
	if (lstat(dir, &st) == 0 && st.st_uid != uid)
		snprintf(dir, dir_cap, "/run/peekd-%u", (unsigned)uid);
}

int
listen_unix_path(const struct conf *conf, uid_t uid, gid_t gid, bool only_check, char *path)
{
	char dir[LISTEN_PATH_BYTES], cwd[LISTEN_PATH_BYTES] = "";
	const char *service = getenv("RUNTIME_DIRECTORY"), *session = getenv("XDG_RUNTIME_DIR");
	int n, status = 0;

	if (conf->unix_socket[0] == '/')
		n = snprintf(path, LISTEN_PATH_BYTES, "%s", conf->unix_socket);
	else if (conf->unix_socket[0] != '\0') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			n = LISTEN_PATH_BYTES;
		else
			n = snprintf(path, LISTEN_PATH_BYTES, "%s/%s", cwd, conf->unix_socket);
	} else {
		if (service != NULL && service[0] == '/' && strlen(service) < sizeof(dir))
			snprintf(dir, sizeof(dir), "%.107s", service);
		else if (geteuid() == 0)
			root_dir(uid, dir, sizeof(dir));
		else if (session != NULL && session[0] == '/' && strlen(session) < sizeof(dir) - 8)
			snprintf(dir, sizeof(dir), "%.99s/peekd", session);
		else
			snprintf(dir, sizeof(dir), "/tmp/peekd-%u", (unsigned)uid);
		status = only_check ? check_dir(dir, uid)
				    : make_dir(dir, geteuid() == 0 ? 0755 : 0700, uid, gid);
		n = snprintf(path, LISTEN_PATH_BYTES, "%s/%s.sock", dir, conf->name);
	}
	if (status == 0 && n >= LISTEN_PATH_BYTES) {
		log_error("unix_socket (-s): the path \"%s%s%s\" is too long; allowed: at most %d "
			  "bytes from the root",
		    cwd, cwd[0] != '\0' ? "/" : "",
		    conf->unix_socket[0] != '\0' ? conf->unix_socket : conf->name,
		    LISTEN_PATH_BYTES - 1);
		return EX_USAGE;
	}
	return status;
}

/* ---- Unix ---------------------------------------------------------------- */

/* Removes a socket file whose daemon is gone. setting: the name of its setting,
 * for messages. */
static int
clear_place(const char *setting, const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) != 0)
		return 0; /* nothing is there, or bind will say why */
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s: %s exists and is no socket: choose another path or remove it",
		    setting, sun->sun_path);
		return EX_CANTCREAT;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		log_error("no socket: %s", strerror(errno));
		return EX_OSERR;
	}
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : errno;
	close(fd);
	if (r == ECONNREFUSED) {
		if (unlink(sun->sun_path) == 0 || errno == ENOENT)
			return 0;
		log_error("%s was left by a daemon that is gone, and can't be removed: %s",
		    sun->sun_path, strerror(errno));
		return EX_NOPERM;
	}
	if (r == 0 || r == EAGAIN)
		log_error("%s: %s is in use: a process listens there", setting, sun->sun_path);
	else
		log_error("%s: %s exists, and it can't be told if a process listens there: %s",
		    setting, sun->sun_path, strerror(r));
	return r == EACCES || r == EPERM ? EX_NOPERM : EX_TEMPFAIL;
}

/* Makes a Unix socket that listens at `path`, with the mode and group of the
 * control socket. */
static int
make_unix(const struct opening *o, const char *setting, const char *path, int *ret_fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char why[PLACE_WHY_BYTES];
	mode_t old_mask;
	int fd, r, status;

	memcpy(sun.sun_path, path, strlen(path));
	if ((status = clear_place(setting, &sun)) != 0)
		return status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		log_error("no socket: %s", strerror(errno));
		return EX_OSERR;
	}
	/* made without any right, so that nobody connects before group and mode
	 * are set */
	old_mask = umask(0777);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old_mask);
	if (r != 0) {
		log_error("%s: %s can't be made: %s", setting, path, place_why(path, errno, why));
		close(fd);
		return EX_CANTCREAT;
	}
	if ((o->gid != (gid_t)-1 && lchown(sun.sun_path, (uid_t)-1, o->gid) != 0) ||
	    chmod(sun.sun_path, (mode_t)o->conf->unix_mask) != 0 ||
	    listen(fd, (int)o->conf->listen_backlog) != 0) {
		log_error("%s: group or mode can't be set: %s", sun.sun_path, strerror(errno));
		unlink(sun.sun_path);
		close(fd);
		return EX_CANTCREAT;
	}
	*ret_fd = fd;
	return 0;
}

/*
 * In a check: refuses the path that make_unix would refuse. A process that
 * listens there is no error, since a check of a running daemon's settings meets
 * that daemon.
 */
static int
check_unix(const char *setting, const char *path)
{
	char why[PLACE_WHY_BYTES];
	struct stat st;
	int error = place_check(path);

	if (error != 0) {
		log_error("%s: %s can't be made: %s", setting, path, place_why(path, -error, why));
		return EX_CANTCREAT;
	}
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		log_error("%s: %s exists and is no socket: choose another path or remove it",
		    setting, path);
		return EX_CANTCREAT;
	}
	return 0;
}

static bool
has_unix(const struct listeners *ls)
{
	for (unsigned i = 0; i < ls->n; i++) {
		if (ls->l[i].is_unix)
			return true;
	}
	return false;
}

/* Checks that the control socket can be made, without making it: another
 * process may listen there, or its directory may not be ours to write to. */
static int
ask_unix(const struct opening *o)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int status;

	if (o->only_check && o->conf->unix_socket[0] == '\0' &&
	    place_check(o->ls->unix_path) == -ENOENT)
		return 0; /* a start makes the directory */
	status = check_unix(UNIX_SOCKET, o->ls->unix_path);
	if (status != 0 || o->only_check)
		return status;
	memcpy(sun.sun_path, o->ls->unix_path, strlen(o->ls->unix_path));
	return clear_place(UNIX_SOCKET, &sun);
}

int
listen_control(const struct conf *conf, gid_t gid, struct listeners *ls)
{
	const struct opening o = {.conf = conf, .gid = gid, .ls = ls};
	struct stat st;
	int fd, status;

	if (has_unix(ls))
		return 0;
	if ((status = make_unix(&o, UNIX_SOCKET, ls->unix_path, &fd)) != 0)
		return status;
	ls->ours = lstat(ls->unix_path, &st) == 0;
	if (ls->ours)
		ls->unix_ino = st.st_ino;
	return listen_add(ls, fd, true);
}

/* ---- metrics ------------------------------------------------------------- */

static int
open_metrics(const struct opening *o)
{
	const char *path = o->conf->metrics;
	int status;

	if (path[0] == '\0')
		return 0;
	if (path[0] != '/')
		return listen_open_metrics_tcp(o, path, &o->ls->metrics_fd);
	if (o->only_check)
		return check_unix("metrics", path);
	status = make_unix(o, "metrics", path, &o->ls->metrics_fd);
	if (status == 0)
		snprintf(o->ls->metrics_path, sizeof(o->ls->metrics_path), "%.107s", path);
	return status;
}

/* ---- all ----------------------------------------------------------------- */

static int
take_passed(int n_passed, struct listeners *ls)
{
	for (int fd = NOTIFY_LISTEN_FD_0; fd < NOTIFY_LISTEN_FD_0 + n_passed; fd++) {
		struct sockaddr_storage ss;
		struct stat st;
		const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)&ss;
		socklen_t len = sizeof(ss);
		int listening = 0, status;
		socklen_t listening_len = sizeof(listening);

		memset(&ss, 0, sizeof(ss));
		if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) != 0 ||
		    listening == 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
			log_error("the service manager passed descriptor %d, which is no listening "
				  "stream socket",
			    fd);
			return EX_USAGE;
		}
		if (ss.ss_family == AF_UNIX && sun->sun_path[0] == '/') {
			snprintf(ls->unix_path, sizeof(ls->unix_path), "%.107s", sun->sun_path);
			if (stat(ls->unix_path, &st) == 0)
				ls->unix_mode = st.st_mode & 0777;
		}
		if ((status = listen_add(ls, fd, ss.ss_family == AF_UNIX)) != 0)
			return status;
	}
	return 0;
}

/* Says which settings the service manager's socket makes meaningless. */
static void
say_ignored(const struct opening *o, const bool *given)
{
	const struct listeners *ls = o->ls;
	struct stat st;

	if (ls->ours || ls->unix_path[0] != '/' || stat(ls->unix_path, &st) != 0)
		return;
	if (given[CONF_ROW_unix_mask] && (st.st_mode & 0777) != o->conf->unix_mask)
		log_warning("unix_mask is %04o, but the service manager made the control socket "
			    "%s, with mode "
			    "%04o: SocketMode= of the socket unit decides it",
		    (unsigned)o->conf->unix_mask, ls->unix_path, (unsigned)(st.st_mode & 0777));
	if (given[CONF_ROW_group] && o->gid != (gid_t)-1 && st.st_gid != o->gid)
		log_warning(
		    "group is \"%s\", but the service manager made the control socket %s, with "
		    "group %u: "
		    "SocketGroup= of the socket unit decides it, and group the segment's alone",
		    o->conf->group, ls->unix_path, (unsigned)st.st_gid);
	if (given[CONF_ROW_unix_socket] && strcmp(o->conf->unix_socket, ls->unix_path) != 0)
		log_warning(
		    "unix_socket is \"%s\", but the service manager made the control socket %s: "
		    "ListenStream= of the socket unit decides it",
		    o->conf->unix_socket, ls->unix_path);
}

static void
listen_empty(const struct conf *conf, const char *unix_path, struct listeners *ret)
{
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->unix_path, sizeof(ret->unix_path), "%s", unix_path);
	ret->unix_mode = (mode_t)conf->unix_mask;
	ret->metrics_fd = -1;
}

int
listen_open(const struct conf *conf, const bool *given, const char *unix_path, gid_t gid,
    int n_passed, struct listeners *ret)
{
	const struct opening o = {.conf = conf, .gid = gid, .ls = ret};
	int status;

	listen_empty(conf, unix_path, ret);
	status = take_passed(n_passed, ret);
	if (status == 0 && has_unix(ret))
		say_ignored(&o, given);
	else if (status == 0)
		status = ask_unix(&o);
	if (status == 0)
		status = listen_open_tcp(&o);
	if (status == 0)
		status = open_metrics(&o);
	if (status != 0)
		listen_close(ret);
	return status;
}

int
listen_check(const struct conf *conf, const char *unix_path, gid_t gid, bool is_running)
{
	struct listeners none;
	const struct opening o = {
	    .conf = conf,
	    .gid = gid,
	    .only_check = true,
	    .is_running = is_running,
	    .ls = &none,
	};
	int status;

	listen_empty(conf, unix_path, &none);
	if ((status = ask_unix(&o)) != 0 || (status = listen_open_tcp(&o)) != 0)
		return status;
	return open_metrics(&o);
}

void
listen_close(struct listeners *ls)
{
	struct stat st;

	/* the name may be another socket's by now */
	if (ls->ours && lstat(ls->unix_path, &st) == 0 && st.st_ino == ls->unix_ino)
		unlink(ls->unix_path);
	for (unsigned i = 0; i < ls->n; i++)
		close(ls->l[i].fd);
	if (ls->metrics_path[0] != '\0')
		unlink(ls->metrics_path);
	if (ls->metrics_fd >= 0)
		close(ls->metrics_fd);
	ls->metrics_fd = -1;
	ls->metrics_path[0] = '\0';
	ls->n = 0;
	ls->ours = false;
}
