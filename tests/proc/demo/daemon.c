/*
 * daemon.c: a peekd of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define START_WAIT_NS UINT64_C(10000000000)

int
daemon_prepare(struct daemon *d, const char *program)
{
	const char *tmp = getenv("TMPDIR");

	*d = (struct daemon){.program = program};
	snprintf(d->name, sizeof(d->name), "demo-%ld", (long)getpid());
	int n = snprintf(d->dir, sizeof(d->dir), "%s/peekd-demo-%ld",
	    tmp != NULL && strlen(tmp) < 60 ? tmp : "/tmp", (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(d->dir) || mkdtemp(strcat(d->dir, "-XXXXXX")) == NULL)
		return -errno;
	snprintf(d->socket, sizeof(d->socket), "%s/socket", d->dir);
	snprintf(d->log, sizeof(d->log), "%s/log", d->dir);
	return 0;
}

int
daemon_connect(const struct daemon *d)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", d->socket);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static bool
answers(const struct daemon *d)
{
	char reply[64];
	int fd = daemon_connect(d);
	bool yes = fd >= 0 && send(fd, "version\r\n", 9, MSG_NOSIGNAL) == 9 &&
	    recv(fd, reply, sizeof(reply), 0) > 8 && memcmp(reply, "VERSION ", 8) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

static void
print_log(const struct daemon *d)
{
	char line[512];
	FILE *f = fopen(d->log, "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		fprintf(stderr, "  peekd: %s", line);
	if (f != NULL)
		fclose(f);
}

int
daemon_start(struct daemon *d)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	char memory[32], item[32];
	uint64_t began = now_ns();

	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)d->megabytes);
	snprintf(item, sizeof(item), "%llu", (unsigned long long)d->item_max_bytes);
	d->pid = fork();
	if (d->pid == 0) {
		int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		execl(d->program, "peekd", "-n", d->name, "-s", d->socket, "-m", memory, "-I", item,
		    (char *)NULL);
		fprintf(stderr, "can't run %s: %s\n", d->program, strerror(errno));
		_exit(127);
	}
	if (d->pid < 0) {
		d->pid = 0;
		return -errno;
	}
	while (now_ns() - began < START_WAIT_NS) {
		if (answers(d))
			return 0;
		if (waitpid(d->pid, NULL, WNOHANG) == d->pid) {
			d->pid = 0;
			print_log(d);
			return -ECHILD;
		}
		nanosleep(&pause, NULL);
	}
	print_log(d);
	return -ETIMEDOUT;
}

static void
end(struct daemon *d, int signal_number)
{
	if (d->pid == 0)
		return;
	kill(d->pid, signal_number);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
}

void
daemon_kill(struct daemon *d)
{
	end(d, SIGKILL);
}

static void
remove_matching(const char *pattern)
{
	glob_t g;

	if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		unlink(g.gl_pathv[i]);
	globfree(&g);
}

void
daemon_tidy(struct daemon *d)
{
	char pattern[160];

	end(d, SIGTERM);
	if (d->dir[0] == '\0')
		return;
	snprintf(pattern, sizeof(pattern), "/dev/shm/peekd.%s*", d->name);
	remove_matching(pattern);
	snprintf(pattern, sizeof(pattern), "%s/*", d->dir);
	remove_matching(pattern);
	rmdir(d->dir);
	d->dir[0] = '\0';
}
