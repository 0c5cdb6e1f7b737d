/*
 * snapshot.c: save and load. peekctl opens the file with the rights of its
 * user, and passes the descriptor to the daemon: the path may lead the daemon
 * to another file, or to none. A save goes to FILE.new-XXXXXX, which is renamed
 * to FILE when the daemon has saved all.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/control.h"
#include "ctl/ctl.h"

#define ASK_AGAIN_MS 50
#define PATH_BYTES   8192

struct progress {
	uint64_t job;
	char state[16], words[512];
};

/* Asks for `stats snapshot`. CTL_OK, or explained. */
static int
snapshot_ask(struct ctl *c, struct progress *ret)
{
	struct wire_reply re;
	int error = control_ask(c->conn, &re, "stats snapshot");

	for (; error == 0 && re.code == WIRE_RE_STAT && re.n_args >= 2;
	     error = control_reply(c->conn, &re)) {
		const struct wire_str *name = &re.arg[0], *value = &re.arg[1];

		if (name->len == 3 && memcmp(name->p, "job", 3) == 0)
			wire_u64(value->p, value->len, &ret->job);
		else if (name->len == 5 && memcmp(name->p, "state", 5) == 0)
			snprintf(ret->state, sizeof(ret->state), "%.*s", (int)value->len, value->p);
		else if (name->len == 5 && memcmp(name->p, "words", 5) == 0)
			snprintf(ret->words, sizeof(ret->words), "%.*s",
			    (int)(re.rest.p + re.rest.len - value->p), value->p);
	}
	if (error != 0)
		return ctl_broken(error);
	return re.code == WIRE_RE_END ? CTL_OK : ctl_unhoped(&re, NULL);
}

/* ---- the file ------------------------------------------------------------ */

static char fresh_path[PATH_BYTES + 16];

/* Removes the unfinished file. */
static void
on_signal(int sig)
{
	unlink(fresh_path);
	_exit(128 + sig);
}

static void
drop_fresh(void)
{
	if (fresh_path[0] != '\0')
		unlink(fresh_path);
	fresh_path[0] = '\0';
}

/* True: path is no file, an empty file or a snapshot, which a save may
 * replace. */
static bool
may_replace(const char *path)
{
	char magic[8];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool may;

	if (fd < 0)
		return errno == ENOENT;
	may = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_size == 0 ||
		(read(fd, magic, 8) == 8 && memcmp(magic, WIRE_SNAPSHOT_MAGIC, 8) == 0));
	close(fd);
	return may;
}

/* The descriptor; -1: explained. */
static int
open_file(const char *path, bool saves)
{
	struct sigaction act = {.sa_handler = on_signal};
	int fd;

	if (!saves)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	else if (!may_replace(path)) {
		ctl_refused(NULL, "%s is a file that is no snapshot. It was left alone", path);
		return -1;
	} else {
		snprintf(fresh_path, sizeof(fresh_path), "%s.new-XXXXXX", path);
		fd = mkostemp(fresh_path, O_CLOEXEC);
		if (fd < 0)
			fresh_path[0] = '\0';
		else {
			sigemptyset(&act.sa_mask);
			sigaction(SIGINT, &act, NULL);
			sigaction(SIGTERM, &act, NULL);
			sigaction(SIGHUP, &act, NULL);
		}
	}
	if (fd < 0)
		ctl_refused(
		    NULL, "%s can't be %s: %s", path, saves ? "made" : "opened", strerror(errno));
	return fd;
}

/* Renames the file to path, on the disk too. CTL_OK, or explained. */
static int
finish_file(const char *path)
{
	char dir[PATH_BYTES];

	if (rename(fresh_path, path) != 0) {
		int status = ctl_refused(
		    NULL, "%s can't be renamed to %s: %s", fresh_path, path, strerror(errno));

		drop_fresh();
		return status;
	}
	fresh_path[0] = '\0';
	snprintf(dir, sizeof(dir), "%s", path);
	dir[strrchr(dir, '/') == dir ? 1 : strrchr(dir, '/') - dir] = '\0';
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd); /* not every file system can do that */
		close(fd);
	}
	return CTL_OK;
}

/* ---- the daemon ---------------------------------------------------------- */

/* Sends the request, with the descriptor on its first byte, and takes the
 * reply. */
static int
ask_with(struct control *conn, const char *verb, const char *word, int fd, struct wire_reply *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	char line[WIRE_LINE_MAX + 64];
	int len = snprintf(line, sizeof(line), "%s -%s\r\n", verb, word);
	struct iovec iov = {line, (size_t)len};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	ssize_t n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	int error = n < len ? control_send(conn, line + n, (size_t)(len - n)) : 0;
	return error != 0 ? error : control_reply(conn, ret);
}

/* Asks for the job's progress until it has ended. CTL_OK, or explained. */
static int
wait_for(struct ctl *c, uint64_t job, const char *doing, struct progress *now)
{
	static const struct timespec pause = {0, ASK_AGAIN_MS * 1000000};
	bool shown = false;

	for (;;) {
		if (snapshot_ask(c, now) != CTL_OK)
			return CTL_ERROR;
		if (now->job != job)
			return ctl_error(NULL,
			    "another snapshot has begun since; the daemon's log tells how this one "
			    "ended");
		if (strcmp(now->state, "saving") != 0 && strcmp(now->state, "loading") != 0)
			break;
		if (isatty(STDERR_FILENO)) {
			fprintf(stderr, "\r%s: ", doing);
			print_text(stderr, now->words, strlen(now->words));
			shown = true;
		}
		nanosleep(&pause, NULL);
	}
	if (shown)
		fprintf(stderr, "\r\033[K");
	return CTL_OK;
}

/* Runs the job on the open file. CTL_OK: it is done; or explained. */
static int
run_job(struct ctl *c, const char *verb, const char *doing, const char *path, int fd,
    struct progress *now)
{
	char word[3 * PATH_BYTES + 1];
	struct wire_reply re;
	int error, status;

	*wire_urlencode(word, path, strlen(path)) = '\0';
	if (strlen(word) > WIRE_LINE_MAX - 32)
		return ctl_error(NULL, "%s: the path is too long", path);
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	if ((error = ask_with(c->conn, verb, word, fd, &re)) != 0)
		return ctl_broken(error);
	if (re.code != WIRE_RE_NUMBER)
		return ctl_unhoped(&re, NULL);
	if ((status = wait_for(c, re.number, doing, now)) != CTL_OK)
		return status;
	if (strcmp(now->state, "failed") == 0)
		return ctl_refused(NULL, "%s: %s", path, now->words);
	return CTL_OK;
}

static int
snapshot_run(struct ctl *c, const char *verb, const char *doing, bool saves)
{
	char cwd[4096] = "", path[PATH_BYTES];
	struct progress now = {.job = 0};
	struct output r;
	int fd, status;

	if (c->args[0][0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return ctl_error(NULL, "no current directory: %s", strerror(errno));
	int len =
	    snprintf(path, sizeof(path), "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", c->args[0]);
	if (len < 0 || len >= (int)sizeof(path))
		return ctl_error(NULL, "%s: the path is too long", c->args[0]);
	if ((fd = open_file(path, saves)) < 0)
		return CTL_REFUSED;
	status = run_job(c, verb, doing, path, fd, &now);
	close(fd);
	if (status == CTL_OK && saves)
		status = finish_file(path);
	drop_fresh();
	if (status != CTL_OK)
		return status;
	if (c->json) {
		output_begin(&r, true, 0);
		output_text(&r, "path", path);
		output_text(&r, "words", now.words);
		output_end(&r);
	} else {
		print_text(stdout, now.words, strlen(now.words));
		putchar('\n');
	}
	return ctl_flushed(CTL_OK);
}

int
ctl_cmd_save(struct ctl *c)
{
	return snapshot_run(c, "peek_save", "saving", true);
}

int
ctl_cmd_load(struct ctl *c)
{
	return snapshot_run(c, c->partial ? "peek_load_part" : "peek_load", "loading", false);
}
