/* listen.c: see listen.h. */
#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/notify.h"
#include "shm/layout.h"

#define DEFAULT_TCP_PORT 11211

/* ---- the control socket's place ------------------------------------------------------------------------------------- */

/* Makes a directory of our own, or accepts one that nobody else can change. */
static int
make_dir(const char *dir, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(dir, mode) == 0) {
		if (uid != geteuid() && chown(dir, uid, gid) != 0) {
			log_error("%s can't be given to uid %u: %s", dir, (unsigned)uid, strerror(errno));
			return EX_CANTCREAT;
		}
	} else if (errno != EEXIST) {
		log_error("%s can't be made: %s; name a control socket with -s", dir, strerror(errno));
		return EX_CANTCREAT;
	}
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || (st.st_uid != uid && st.st_uid != 0) || (st.st_mode & S_IWOTH) != 0) {
		log_error("%s is not a directory of uid %u's own; name a control socket with -s", dir, (unsigned)uid);
		return EX_NOPERM;
	}
	return 0;
}

/* Root's place, or one beside it where the user that the daemon will be may not make a socket. */
static void
root_dir(uid_t uid, char *dir, size_t dir_cap)
{
	struct stat st;

	snprintf(dir, dir_cap, "/run/peekd");
	if (lstat(dir, &st) == 0 && st.st_uid != uid)
		snprintf(dir, dir_cap, "/run/peekd-%u", (unsigned)uid);
}

int
listen_unix_path(const struct conf *conf, uid_t uid, gid_t gid, char *path)
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
		status = make_dir(dir, geteuid() == 0 ? 0755 : 0700, uid, gid);
		n = snprintf(path, LISTEN_PATH_BYTES, "%s/%s.sock", dir, conf->name);
	}
	if (status == 0 && n >= LISTEN_PATH_BYTES) {
		log_error("unix_socket (-s): the path \"%s%s%s\" is too long; allowed: at most %d bytes from the root", cwd,
		    cwd[0] != '\0' ? "/" : "",
		    conf->unix_socket[0] != '\0' ? conf->unix_socket : conf->name, LISTEN_PATH_BYTES - 1);
		return EX_USAGE;
	}
	return status;
}

/* ---- Unix ---------------------------------------------------------------------------------------------------------- */

static int
add(struct listeners *ls, int fd, bool is_unix)
{
	if (ls->n == LISTENERS_MAX) {
		log_error("more than %d sockets to listen on", LISTENERS_MAX);
		close(fd);
		return EX_USAGE;
	}
	ls->l[ls->n++] = (struct listener){fd, is_unix};
	return 0;
}

/* Removes a socket file whose daemon is gone. setting: what names it, for messages. */
static int
clear_place(const char *setting, const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) != 0)
		return 0; /* nothing there, or bind will say */
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s: %s exists and is no socket: choose another path or remove it", setting, sun->sun_path);
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
		log_error("%s was left by a daemon that is gone, and can't be removed: %s", sun->sun_path, strerror(errno));
		return EX_NOPERM;
	}
	if (r == 0 || r == EAGAIN)
		log_error("%s: %s is in use: somebody listens there", setting, sun->sun_path);
	else
		log_error("%s: %s exists, and whether somebody listens there can't be told: %s", setting, sun->sun_path, strerror(r));
	return r == EACCES || r == EPERM ? EX_NOPERM : EX_TEMPFAIL;
}

/* Makes a Unix socket that listens at `path`, with the mode and group of the control socket. */
static int
make_unix(const struct conf *conf, const char *setting, const char *path, gid_t gid, int *ret_fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
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
	/* born without any right, so that nobody connects before group and mode are what they should be */
	old_mask = umask(0777);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old_mask);
	if (r != 0) {
		log_error("%s: %s can't be made: %s", setting, sun.sun_path, strerror(errno));
		close(fd);
		return EX_CANTCREAT;
	}
	if ((gid != (gid_t)-1 && lchown(sun.sun_path, (uid_t)-1, gid) != 0) || chmod(sun.sun_path, (mode_t)conf->unix_mask) != 0 ||
	    listen(fd, (int)conf->listen_backlog) != 0) {
		log_error("%s: group or mode can't be set: %s", sun.sun_path, strerror(errno));
		unlink(sun.sun_path);
		close(fd);
		return EX_CANTCREAT;
	}
	*ret_fd = fd;
	return 0;
}

static int
open_unix(const struct conf *conf, gid_t gid, struct listeners *ls)
{
	int fd, status = make_unix(conf, "unix_socket (-s)", ls->unix_path, gid, &fd);

	if (status != 0)
		return status;
	ls->ours = true;
	return add(ls, fd, true);
}

/* ---- TCP ----------------------------------------------------------------------------------------------------------- */

static bool
is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* Tells of an address that others than this host may reach. */
static void
warn_if_reachable(const struct conf *conf, const struct sockaddr *sa, const char *shown)
{
	static const char *const may[3] = {"read", "read and change", "read, change, list and flush"};

	if (!is_loopback(sa))
		log_warning("%s is not a loopback address: everybody who reaches it can %s the cache "
		    "(tcp_access), and nothing is encrypted", shown, may[conf->tcp_access]);
}

static int
open_tcp_address(const struct conf *conf, const struct addrinfo *ai, const char *shown, struct listeners *ls)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), status;

	if (fd < 0 && errno == EAFNOSUPPORT)
		return 0;
	if (fd < 0) {
		log_error("no socket: %s", strerror(errno));
		return EX_OSERR;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, (int)conf->listen_backlog) != 0) {
		status = errno == EADDRINUSE ? EX_TEMPFAIL : EX_CANTCREAT;
		log_error("listen (-l, -p): %s: %s", shown, strerror(errno));
		close(fd);
		return status;
	}
	warn_if_reachable(conf, ai->ai_addr, shown);
	return add(ls, fd, false);
}

/* word: ADDR, ADDR:PORT, [ADDR6]:PORT, or ADDR6. */
static int
open_tcp(const struct conf *conf, const char *word, unsigned port, struct listeners *ls)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *all;
	char host[256], service[16], *colon, *end;
	int r, status = 0;

	snprintf(host, sizeof(host), "%s", word);
	snprintf(service, sizeof(service), "%u", port);
	colon = strrchr(host, ':');
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		if (colon != NULL && colon > end)
			snprintf(service, sizeof(service), "%.15s", colon + 1);
		*end = '\0';
		memmove(host, host + 1, strlen(host));
	} else if (colon != NULL && strchr(host, ':') == colon) {
		snprintf(service, sizeof(service), "%.15s", colon + 1);
		*colon = '\0';
	}
	r = getaddrinfo(host, service, &hints, &all);
	if (r != 0) {
		log_error("listen (-l) is \"%s\": %s; allowed: ADDR, ADDR:PORT, [ADDR6]:PORT", word, gai_strerror(r));
		return EX_USAGE;
	}
	for (const struct addrinfo *ai = all; ai != NULL && status == 0; ai = ai->ai_next)
		status = open_tcp_address(conf, ai, word, ls);
	freeaddrinfo(all);
	return status;
}

static int
open_all_tcp(const struct conf *conf, struct listeners *ls)
{
	unsigned port = conf->port != 0 ? (unsigned)conf->port : DEFAULT_TCP_PORT;
	const char *at = conf->listen;
	int status;

	if (conf->port != 0 && at[0] == '\0')
		at = "127.0.0.1";
	while (*(at += strspn(at, ", ")) != '\0') {
		char word[256];
		size_t len = strcspn(at, ", ");

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		at += len;
		if ((status = open_tcp(conf, word, port, ls)) != 0)
			return status;
	}
	return 0;
}

/* ---- metrics ------------------------------------------------------------------------------------------------------- */

/* ADDR:PORT. What is told there is for whoever can reach it: loopback only. */
static int
open_metrics_tcp(const char *word, int *ret_fd)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *ai = NULL;
	char host[128];
	const char *colon = strrchr(word, ':'), *begin = word;
	size_t len = colon != NULL ? (size_t)(colon - word) : 0;
	int fd, one = 1, status = 0;

	if (len > 2 && word[0] == '[' && word[len - 1] == ']') {
		begin++;
		len -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, begin);
	if (len == 0 || getaddrinfo(host, colon + 1, &hints, &ai) != 0 || !is_loopback(ai->ai_addr)) {
		log_error("metrics is \"%s\"; allowed: the path of a Unix socket, or ADDR:PORT or [ADDR6]:PORT of loopback", word);
		status = EX_USAGE;
	} else if ((fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0) {
		log_error("no socket: %s", strerror(errno));
		status = EX_OSERR;
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 16) == 0)
			*ret_fd = fd;
		else {
			status = errno == EADDRINUSE ? EX_TEMPFAIL : EX_CANTCREAT;
			log_error("metrics: %s: %s", word, strerror(errno));
			close(fd);
		}
	}
	if (ai != NULL)
		freeaddrinfo(ai);
	return status;
}

static int
open_metrics(const struct conf *conf, gid_t gid, struct listeners *ls)
{
	int status;

	if (conf->metrics[0] == '\0')
		return 0;
	if (conf->metrics[0] != '/')
		return open_metrics_tcp(conf->metrics, &ls->metrics_fd);
	status = make_unix(conf, "metrics", conf->metrics, gid, &ls->metrics_fd);
	if (status == 0)
		snprintf(ls->metrics_path, sizeof(ls->metrics_path), "%.107s", conf->metrics);
	return status;
}

/* ---- all ----------------------------------------------------------------------------------------------------------- */

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
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) != 0 || listening == 0 ||
		    fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
			log_error("the service manager passed descriptor %d, which is no listening stream socket", fd);
			return EX_USAGE;
		}
		if (ss.ss_family == AF_UNIX && sun->sun_path[0] == '/') {
			snprintf(ls->unix_path, sizeof(ls->unix_path), "%.107s", sun->sun_path);
			if (stat(ls->unix_path, &st) == 0)
				ls->unix_mode = st.st_mode & 0777;
		}
		if ((status = add(ls, fd, ss.ss_family == AF_UNIX)) != 0)
			return status;
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

int
listen_open(const struct conf *conf, const char *unix_path, gid_t gid, int n_passed, struct listeners *ret)
{
	int status;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->unix_path, sizeof(ret->unix_path), "%s", unix_path);
	ret->unix_mode = (mode_t)conf->unix_mask;
	ret->metrics_fd = -1;
	status = take_passed(n_passed, ret);
	if (status == 0 && !has_unix(ret))
		status = open_unix(conf, gid, ret);
	if (status == 0)
		status = open_all_tcp(conf, ret);
	if (status == 0)
		status = open_metrics(conf, gid, ret);
	if (status != 0)
		listen_close(ret);
	return status;
}

/* 0: a client on this host can't be sure to reach it by a loopback address. */
static uint64_t
tcp_word(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)ss;
		uint32_t at = ntohl(in->sin_addr.s_addr);
		return at == 0 || at >> 24 == 127 ? layout_tcp(4, at, ntohs(in->sin_port)) : 0;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)ss;
	if (ss->ss_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		return layout_tcp(6, 1, ntohs(in6->sin6_port));
	return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) ? layout_tcp(6, 0, ntohs(in6->sin6_port)) : 0;
}

size_t
listen_tcp(const struct listeners *l, uint64_t *words, size_t n_max)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && n < n_max; i++) {
		struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(ss);
		if (!l->l[i].is_unix && getsockname(l->l[i].fd, (struct sockaddr *)&ss, &len) == 0 && tcp_word(&ss) != 0)
			words[n++] = tcp_word(&ss);
	}
	return n;
}

void
listen_close(struct listeners *ls)
{
	if (ls->ours)
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
