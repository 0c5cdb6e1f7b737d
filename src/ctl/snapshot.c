/*
 * snapshot.c: save and load: the daemon does it, in a file that it can reach under that path; peekctl says how it goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/conn.h"
#include "ctl/ctl.h"

#define ASK_AGAIN_MS 50

struct progress {
	uint64_t job;
	char state[16], words[512];
};

/* `stats snapshot`. CTL_OK, or explained. */
static int
ask(struct ctl *c, struct progress *ret)
{
	struct wire_reply re;
	int error = conn_ask(c->conn, &re, "stats snapshot");

	for (; error == 0 && re.code == WIRE_RE_STAT && re.n_args >= 2; error = conn_reply(c->conn, &re)) {
		const struct wire_str *name = &re.arg[0], *value = &re.arg[1];

		if (name->len == 3 && memcmp(name->p, "job", 3) == 0)
			wire_u64(value->p, value->len, &ret->job);
		else if (name->len == 5 && memcmp(name->p, "state", 5) == 0)
			snprintf(ret->state, sizeof(ret->state), "%.*s", (int)value->len, value->p);
		else if (name->len == 5 && memcmp(name->p, "words", 5) == 0)
			snprintf(ret->words, sizeof(ret->words), "%.*s", (int)(re.rest.p + re.rest.len - value->p), value->p);
	}
	if (error != 0)
		return ctl_broken(error);
	return re.code == WIRE_RE_END ? CTL_OK : ctl_unhoped(&re, NULL);
}

static int
run(struct ctl *c, const char *verb, const char *doing)
{
	static const struct timespec pause = {0, ASK_AGAIN_MS * 1000000};
	char cwd[4096] = "", path[8192], word[3 * sizeof(path) + 1];
	bool shown = false;
	struct wire_reply re;
	struct record r;
	struct progress now = {.job = 0};
	uint64_t job;

	if (c->args[0][0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return ctl_error(NULL, "no current directory: %s", strerror(errno));
	int len = snprintf(path, sizeof(path), "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", c->args[0]);
	if (len < 0 || len >= (int)sizeof(path))
		return ctl_error(NULL, "%s: the path is too long", c->args[0]);
	*wire_urlencode(word, path, (size_t)len) = '\0';
	if (strlen(word) > WIRE_LINE_MAX - 32)
		return ctl_error(NULL, "%s: the path is too long", c->args[0]);
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int error = conn_ask(c->conn, &re, "%s %s", verb, word);
	if (error != 0)
		return ctl_broken(error);
	if (re.code != WIRE_RE_NUMBER)
		return ctl_unhoped(&re, NULL);
	job = re.number;
	for (;;) {
		if (ask(c, &now) != CTL_OK)
			return CTL_ERROR;
		if (now.job != job)
			return ctl_error(NULL, "somebody else's snapshot has begun since; the daemon's log says how this one ended");
		if (strcmp(now.state, "saving") != 0 && strcmp(now.state, "loading") != 0)
			break;
		if (isatty(STDERR_FILENO)) {
			fprintf(stderr, "\r%s: ", doing);
			print_text(stderr, now.words, strlen(now.words));
			shown = true;
		}
		nanosleep(&pause, NULL);
	}
	if (shown)
		fprintf(stderr, "\r\033[K");
	if (strcmp(now.state, "failed") == 0)
		return ctl_refused("The daemon opens the file itself: its user, its file system and its sandbox decide what it can reach.", "%s: %s",
		    path, now.words);
	if (c->json) {
		record_begin(&r, true, 0);
		record_text(&r, "path", path);
		record_text(&r, "words", now.words);
		record_end(&r);
	} else {
		print_text(stdout, now.words, strlen(now.words));
		putchar('\n');
	}
	return ctl_flushed(CTL_OK);
}

int
cmd_save(struct ctl *c)
{
	return run(c, "peek_save", "saving");
}

int
cmd_load(struct ctl *c)
{
	return run(c, c->partial ? "peek_load_part" : "peek_load", "loading");
}
