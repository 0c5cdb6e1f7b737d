/*
 * soak_strict.h: an instance that lets nothing go (-M) and has a snapshot, for
 * two faults of `soak`: a load of the snapshot that is killed, and a hand-over
 * that is refused since not all fits. After each, every item that was
 * acknowledged must be there with its last value, and the file must be whole.
 */
#ifndef PEEK_TESTS_SOAK_STRICT_H
#define PEEK_TESTS_SOAK_STRICT_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/robust_peer.h"

#define STRICT_ITEMS       1200u
#define STRICT_VALUE_BYTES 8000u
#define STRICT_REFUSED     73 /* EX_CANTCREAT */

struct strict {
	struct peer_daemon d;
	char snapshot[160], option[200];
	uint32_t turn[STRICT_ITEMS]; /* of its last value; 0: never stored */
	uint64_t checked, wrong, parts;
	char why[200];
};

static void
strict_args(const struct strict *s, const char *mib, const char *args[8])
{
	const char *all[8] = {"-m", mib, "-M", s->option, "--log-level=warning", NULL};

	memcpy(args, all, sizeof(all));
}

static void
strict_value(uint32_t i, uint32_t turn, char *value)
{
	memset(value, 'a' + (int)((i + turn) % 26), STRICT_VALUE_BYTES);
	int n = snprintf(value, 32, "%u-%u", i, turn);
	value[n] = ' ';
}

static void
strict_failed(struct strict *s, const char *what, uint32_t i)
{
	s->wrong++;
	snprintf(s->why, sizeof(s->why), "%s (item %u)", what, i);
}

/* New values for some items. */
static void
strict_write(struct strict *s, uint32_t n)
{
	static struct peer_client c = {.fd = -1};
	static char request[STRICT_VALUE_BYTES + 128];
	const char *line;

	if (!peer_connect(&c, &s->d))
		strict_failed(s, "no connection", 0);
	for (uint32_t k = 0; k < n && c.fd >= 0; k++) {
		uint32_t i = n == STRICT_ITEMS ? k : (uint32_t)rand() % STRICT_ITEMS;
		int len = snprintf(request, 64, "set k%u 0 0 %u\r\n", i, STRICT_VALUE_BYTES);

		strict_value(i, s->turn[i] + 1, request + len);
		memcpy(request + len + STRICT_VALUE_BYTES, "\r\n", 2);
		if (!peer_send(&c, request, (size_t)len + STRICT_VALUE_BYTES + 2) ||
		    (line = peer_line(&c)) == NULL)
			break;
		if (strcmp(line, "STORED") == 0)
			s->turn[i]++;
		else if (strncmp(line, "SERVER_ERROR out of memory", 26) != 0)
			strict_failed(s, line, i);
	}
	peer_close(&c);
}

/* Every item by a reader of shared memory. */
static void
strict_check(struct strict *s)
{
	static char value[STRICT_VALUE_BYTES], want[STRICT_VALUE_BYTES];
	struct peek *p = NULL;
	char key[16];

	if (peek_open(s->d.name, PEEK_READ_ONLY, &p) != 0) {
		strict_failed(s, "no segment", 0);
		return;
	}
	for (uint32_t i = 0; i < STRICT_ITEMS; i++) {
		int len = snprintf(key, sizeof(key), "k%u", i);
		ssize_t n = peek_get(p, key, (size_t)len, value, sizeof(value));

		strict_value(i, s->turn[i], want);
		if (s->turn[i] == 0
			? n >= 0
			: n != STRICT_VALUE_BYTES || memcmp(value, want, sizeof(want)) != 0)
			strict_failed(s, "an acknowledged value is lost or wrong", i);
		s->checked++;
	}
	peek_close(p);
}

static void
strict_start(struct strict *s)
{
	const char *args[8];

	strict_args(s, "16", args);
	if (!peer_start(&s->d, args, NULL)) {
		strict_failed(s, "it doesn't start", 0);
		exit(2);
	}
}

static void
strict_begin(struct strict *s)
{
	peer_daemon_init(&s->d, "strict");
	snprintf(s->snapshot, sizeof(s->snapshot), "%s.snap", s->d.log);
	snprintf(s->option, sizeof(s->option), "--snapshot-path=%s", s->snapshot);
	strict_start(s);
	strict_write(s, STRICT_ITEMS);
}

/* The segment is lost, and the start that loads the snapshot is killed. */
static void
strict_load_killed(struct strict *s)
{
	struct stat before, after;
	const char *args[8];
	char path[160];

	strict_write(s, 50);
	if (peer_terminate(&s->d) != 0)
		strict_failed(s, "a clean end failed", 0);
	snprintf(path, sizeof(path), "/dev/shm/peekd.%s", s->d.name);
	unlink(path);
	stat(s->snapshot, &before);
	strict_args(s, "16", args);
	for (int i = 0; i < 3; i++) {
		pid_t killer;

		/* peer_start waits for an answer: the killer knows no pid
		 * before */
		s->d.pid = fork();
		if (s->d.pid == 0) {
			const char *program = getenv("PEEKD");

			execl(program != NULL ? program : "build/release/peekd", "peekd", "-n",
			    s->d.name, "-s", s->d.socket, args[0], args[1], args[2], args[3],
			    "--log-level=error", (char *)NULL);
			_exit(127);
		}
		killer = s->d.pid;
		usleep((unsigned)rand() % 25000);
		kill(killer, rand() % 4 == 0 ? SIGTERM : SIGKILL);
		waitpid(killer, NULL, 0);
		s->parts++;
	}
	s->d.pid = 0;
	stat(s->snapshot, &after);
	if (before.st_size > after.st_size + after.st_size / 8)
		strict_failed(s, "a part was written over the snapshot", 0);
	strict_start(s);
	strict_check(s);
}

/* Half the memory: refused, and the old segment is served as before. */
static void
strict_refused(struct strict *s)
{
	const char *args[8];

	strict_write(s, 50);
	peer_kill(&s->d);
	strict_args(s, "6", args);
	if (peer_start(&s->d, args, NULL)) {
		strict_failed(s, "a hand-over that can't fit was not refused", 0);
		peer_kill(&s->d);
	}
	s->d.pid = 0;
	strict_start(s);
	strict_check(s);
}

static void
strict_end(struct strict *s)
{
	peer_daemon_fini(&s->d);
	unlink(s->snapshot);
}

#endif
