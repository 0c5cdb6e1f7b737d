/*
 * support.c: helpers of several adapters: records, a server process, buffered
 * input.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

#define POOL_SPARE 65536

static struct {
	char *base;
	size_t record_bytes;
	uint64_t n_records, n_taken;
	void **free; /* [POOL_SPARE] */
	uint32_t n_free, first_free;
} pool;

void
pool_open(uint64_t n_records, size_t record_bytes)
{
	pool.record_bytes = (record_bytes + 7) & ~(size_t)7;
	pool.n_records = n_records + POOL_SPARE;
	pool.base = mmap(NULL, pool.n_records * pool.record_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pool.free = malloc(POOL_SPARE * sizeof(*pool.free));
	if (pool.base == MAP_FAILED || pool.free == NULL)
		abort();
}

/* Hands out unused records first, so that a replaced record stays whole for a
 * while. */
void *
pool_take(void)
{
	if (pool.n_taken < pool.n_records)
		return pool.base + pool.n_taken++ * pool.record_bytes;
	if (pool.n_free == 0)
		return NULL;
	void *record = pool.free[pool.first_free];
	pool.first_free = (pool.first_free + 1) % POOL_SPARE;
	pool.n_free--;
	return record;
}

void
pool_give(void *record)
{
	if (pool.n_free < POOL_SPARE)
		pool.free[(pool.first_free + pool.n_free++) % POOL_SPARE] = record;
}

int
server_dial(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -1;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

pid_t
server_start(const char *const argv[], const char *path, int *ret_fd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	for (int tries = 0; tries < 500; tries++) {
		struct timespec nap = {.tv_nsec = 10000000};
		if ((*ret_fd = server_dial(path)) >= 0)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -1;
		nanosleep(&nap, NULL);
	}
	server_end(pid);
	return -1;
}

void
server_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

int
server_send(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -1;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static bool
stream_more(struct stream *s)
{
	if (s->at == s->end)
		s->at = s->end = 0;
	if (s->end == sizeof(s->buf)) {
		memmove(s->buf, s->buf + s->at, s->end - s->at);
		s->end -= s->at;
		s->at = 0;
	}
	ssize_t n;
	do
		n = recv(s->fd, s->buf + s->end, sizeof(s->buf) - s->end, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	s->end += (size_t)n;
	return true;
}

const char *
stream_bytes(struct stream *s, size_t n)
{
	while (s->end - s->at < n)
		if (n > sizeof(s->buf) || !stream_more(s))
			return NULL;
	s->at += n;
	return s->buf + s->at - n;
}

const char *
stream_line(struct stream *s, size_t *ret_len)
{
	for (size_t seen = 0;;) {
		char *from = s->buf + s->at;
		char *lf = memchr(from + seen, '\n', s->end - s->at - seen);
		if (lf != NULL) {
			s->at += (size_t)(lf + 1 - from);
			*ret_len = (size_t)(lf - from) - (lf > from && lf[-1] == '\r');
			return from;
		}
		seen = s->end - s->at;
		if (seen == sizeof(s->buf) || !stream_more(s))
			return NULL;
	}
}

int
stream_expect(struct stream *s, size_t n, const char *want)
{
	size_t want_len = strlen(want), len;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		const char *line = stream_line(s, &len);
		if (line == NULL || len != want_len || memcmp(line, want, len) != 0)
			rc = -EIO;
	}
	return rc;
}
