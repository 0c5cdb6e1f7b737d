/*
 * test_lib_live.h: a live daemon of the test's own, and a handle on its
 * instance. PEEKD names the daemon's program.
 */
#ifndef PEEK_TESTS_LIB_LIVE_H
#define PEEK_TESTS_LIB_LIVE_H

#include "proc/test_lib_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "shm/layout.h"

static char dir[] = "/tmp/peek-lib-XXXXXX";
static char name[64], sock_path[108], segment_path[128];
static pid_t daemon_pid;
static const char *live_memory = "64"; /* -m of the next start */
static struct peek *p;

static inline const char *
daemon_program(void)
{
	static char path[PATH_MAX];
	const char *given = getenv("PEEKD");

	if (given != NULL)
		return given;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	assert_true(n > 0);
	path[n] = '\0';
	strcat(dirname(path), "/../../peekd");
	return path;
}

/* A connection of the test's own; waits for the daemon to listen. */
static inline int
raw_connect(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	memcpy(un.sun_path, path, strlen(path) + 1);
	for (int i = 0; i < 1000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fd >= 0);
		if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
			return fd;
		close(fd);
		usleep(20000);
	}
	return -1;
}

static inline void
start_daemon(void)
{
	const char *program = daemon_program();

	daemon_pid = harness_fork();
	if (daemon_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(
		    program, "peekd", "-n", name, "-s", sock_path, "-m", live_memory, (char *)NULL);
		_exit(127);
	}
	/* It listens before it has a segment: what says that it is ready is an
	 * answer. */
	char answer;
	int fd = raw_connect(sock_path);
	assert_true(fd >= 0 && write(fd, "version\r\n", 9) == 9 && read(fd, &answer, 1) == 1);
	close(fd);
}

static inline void
end_daemon(int sig)
{
	int status;

	if (daemon_pid <= 0)
		return;
	kill(daemon_pid, sig);
	waitpid(daemon_pid, &status, 0);
	daemon_pid = 0;
}

static inline int
group_setup(void **state)
{
	char object[80];

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	const char *prefix = getenv("PEEK_TEST_NAME"); /* what tests/run removes, if this fails */
	snprintf(
	    name, sizeof(name), "%.24slibd-%d", prefix != NULL ? prefix : "test-", (int)getpid());
	snprintf(object, sizeof(object), "peekd.%s", name);
	map_object_path(object, segment_path, sizeof(segment_path));
	snprintf(sock_path, sizeof(sock_path), "%s/sock", dir);
	start_daemon();
	return 0;
}

static inline int
group_teardown(void **state)
{
	char path[256];

	(void)state;
	end_daemon(SIGKILL);
	unlink(segment_path);
	snprintf(path, sizeof(path), "%s.lock", segment_path);
	unlink(path);
	unlink(sock_path);
	snprintf(path, sizeof(path), "%s/fake", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}

static inline int
setup(void **state)
{
	(void)state;
	if (daemon_pid == 0)
		start_daemon();
	int r = peek_open(name, 0, &p);
	/* a host under load answers late */
	if (r == 0 && (r = peek_set_timeout(p, 60000)) == 0)
		r = peek_flush(p, 0);
	if (r != 0)
		print_error("# no handle, or no flush: %s\n", peek_strerror(r));
	return r;
}

static inline int
teardown(void **state)
{
	(void)state;
	peek_close(p);
	return 0;
}

static inline uint64_t
stat_of(const char *which)
{
	static char text[1 << 16];
	char want[64];
	int fd = raw_connect(sock_path);
	size_t len = 0;

	assert_true(fd >= 0 && write(fd, "stats\r\n", 7) == 7);
	while (len < 5 || memcmp(text + len - 5, "END\r\n", 5) != 0) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	close(fd);
	text[len] = '\0';
	snprintf(want, sizeof(want), "STAT %s ", which);
	const char *at = strstr(text, want);
	assert_non_null(at);
	return strtoull(at + strlen(want), NULL, 10);
}

/* The layout that the segment claims to be of. */
static inline void
live_set_version(uint64_t version)
{
	int fd = open(segment_path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(
	    pwrite(fd, &version, sizeof(version), (off_t)offsetof(struct header, version)),
	    sizeof(version));
	close(fd);
}

static inline void
check_value(const char *key, const char *want)
{
	char buf[256];
	ssize_t n = peek_get(p, key, strlen(key), buf, sizeof(buf));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, strlen(want));
}

#endif
