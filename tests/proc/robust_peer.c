/*
 * robust_peer.c: values, daemons and raw clients. robust_reader.c has the
 * reading process.
 */
#include "proc/robust_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

unsigned
peer_slowness(void)
{
#ifdef __SANITIZE_THREAD__
	return 10;
#else
	return getenv("RUNNER") != NULL ? 10 : 1;
#endif
}

uint64_t
peer_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

unsigned peer_space;

/* ---- values -------------------------------------------------------------- */

uint32_t
peer_key(uint32_t key, char *buf)
{
	uint32_t n = (uint32_t)snprintf(buf, 48, "peer-%u-%.*s", key, (int)(key % 9), "123456789");

	return peer_space == 0 ? n : n + (uint32_t)snprintf(buf + n, 16, "~%u", peer_space);
}

static uint32_t
pattern_len(uint32_t key, uint64_t state)
{
	uint32_t h = (key * 2654435761u) ^ ((uint32_t)state * 40503u);

	if (key < PEER_STABLE)
		return 16 + (h % 8 == 0 ? h % 9000 : h % 200);
	return 16 + (h % 64 == 0 ? h % (PEER_VALUE_MAX - 64) : h % 300);
}

uint32_t
peer_value(uint32_t key, uint64_t state, char *buf)
{
	if (key >= PEER_STABLE && key < PEER_COUNTER)
		return (uint32_t)snprintf(buf, 24, "%llu", (unsigned long long)state - 1);
	if (key >= PEER_COUNTER && key < PEER_GROWING) {
		for (uint64_t i = 0; i < state; i++)
			memcpy(buf + i * 8, &i, 8);
		return (uint32_t)state * 8;
	}
	uint32_t n = pattern_len(key, state);
	memcpy(buf, &state, 8);
	memcpy(buf + 8, &key, 4);
	for (uint32_t i = 12; i < n; i++)
		buf[i] = (char)(state * 31 + key + i);
	return n;
}

uint64_t
peer_state(uint32_t key, const char *value, size_t n)
{
	static _Thread_local char want[PEER_VALUE_MAX];
	uint64_t state;

	if (key >= PEER_STABLE && key < PEER_COUNTER) {
		char *end, text[24] = "";
		if (n == 0 || n >= sizeof(text))
			return PEER_DAMAGED;
		memcpy(text, value, n);
		state = strtoull(text, &end, 10) + 1;
		return *end == '\0' || *end == ' ' ? state : PEER_DAMAGED;
	}
	if (key >= PEER_COUNTER && key < PEER_GROWING) {
		if (n == 0 || n % 8 != 0 || n > sizeof(want))
			return PEER_DAMAGED;
		state = n / 8;
	} else {
		if (n < 16 || n > sizeof(want))
			return PEER_DAMAGED;
		memcpy(&state, value, 8);
		if (state == 0 || pattern_len(key, state) != n)
			return PEER_DAMAGED;
	}
	return peer_value(key, state, want) == n && memcmp(want, value, n) == 0 ? state
										: PEER_DAMAGED;
}

/* ---- a daemon ------------------------------------------------------------ */

void
peer_daemon_init(struct peer_daemon *d, const char *what)
{
	const char *prefix = getenv("PEEK_TEST_NAME"), *tmp = getenv("TMPDIR");

	*d = (struct peer_daemon){0};
	snprintf(d->name, sizeof(d->name), "%.24s%.16s-%d", prefix != NULL ? prefix : "test-", what,
	    (int)getpid());
	if (tmp == NULL || strlen(tmp) > 40)
		tmp = "/tmp";
	snprintf(d->socket, sizeof(d->socket), "%.40s/%.50s.s", tmp, d->name);
	snprintf(d->log, sizeof(d->log), "%.40s/%.60s.log", tmp, d->name);
	unlink(d->log);
}

bool
peer_start(struct peer_daemon *d, const char *const *args, const char *env)
{
	const char *program = getenv("PEEKD");
	const char *argv[24] = {
	    program != NULL ? program : "build/release/peekd", "-n", d->name, "-s", d->socket};
	static struct peer_client c;
	int n = 5;

	while (*args != NULL && n < 23)
		argv[n++] = *args++;
	fflush(stdout);
	d->pid = fork();
	if (d->pid == 0) {
		int fd = open(d->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		if (env != NULL)
			putenv((char *)(uintptr_t)env);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (;;) {
		if (peer_connect(&c, d)) {
			bool answers = peer_send(&c, "version\r\n", 9) && peer_line(&c) != NULL;
			peer_close(&c);
			if (answers)
				return true;
		}
		if (waitpid(d->pid, NULL, WNOHANG) == d->pid) {
			d->pid = 0;
			return false;
		}
		usleep(500);
	}
}

void
peer_kill(struct peer_daemon *d)
{
	if (d->pid == 0)
		return;
	kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
}

int
peer_terminate(struct peer_daemon *d)
{
	int status = -1;

	kill(d->pid, SIGTERM);
	waitpid(d->pid, &status, 0);
	d->pid = 0;
	return status;
}

void
peer_daemon_fini(struct peer_daemon *d)
{
	char pattern[160];
	glob_t g;

	peer_kill(d);
	snprintf(pattern, sizeof(pattern), "/dev/shm/peekd.%s*", d->name);
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	unlink(d->socket);
	unlink(d->log);
}

/* ---- a client ------------------------------------------------------------ */

bool
peer_connect(struct peer_client *c, const struct peer_daemon *d)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", d->socket);
	c->begin = c->end = 0;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	peer_close(c);
	return false;
}

void
peer_close(struct peer_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

bool
peer_send(struct peer_client *c, const void *bytes, size_t n)
{
	for (const char *p = bytes; n > 0;) {
		ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
		if (r < 0 && errno != EINTR)
			return false;
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
	return true;
}

static bool
fill(struct peer_client *c)
{
	if (c->begin > 0) {
		memmove(c->buf, c->buf + c->begin, c->end - c->begin);
		c->end -= c->begin;
		c->begin = 0;
	}
	ssize_t r;
	do
		r = recv(c->fd, c->buf + c->end, sizeof(c->buf) - c->end, 0);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return false;
	c->end += (size_t)r;
	return true;
}

const char *
peer_line(struct peer_client *c)
{
	for (;;) {
		char *lf = memchr(c->buf + c->begin, '\n', c->end - c->begin);
		if (lf != NULL) {
			const char *line = c->buf + c->begin;
			c->begin = (size_t)(lf - c->buf) + 1;
			*lf = '\0';
			if (lf > line && lf[-1] == '\r')
				lf[-1] = '\0';
			return line;
		}
		if (!fill(c))
			return NULL;
	}
}

const char *
peer_data(struct peer_client *c, size_t n)
{
	while (c->end - c->begin < n + 2)
		if (!fill(c))
			return NULL;
	const char *data = c->buf + c->begin;
	c->begin += n + 2;
	return data;
}

uint64_t
peer_stat(struct peer_client *c, const char *name)
{
	uint64_t value = UINT64_MAX;
	const char *line;
	size_t len = strlen(name);

	if (!peer_send(c, "stats\r\n", 7))
		return value;
	while ((line = peer_line(c)) != NULL && strcmp(line, "END") != 0)
		if (strncmp(line, "STAT ", 5) == 0 && strncmp(line + 5, name, len) == 0 &&
		    line[5 + len] == ' ')
			value = strtoull(line + 6 + len, NULL, 10);
	return value;
}
