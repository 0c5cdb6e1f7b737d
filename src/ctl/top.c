/*
 * top.c: peekctl top: a live screen, or one screen on standard output. The door
 * to ncurses.
 *
 * It reads the segment's own counters. So it shows the last ones of a daemon
 * that hangs or is gone. It asks the daemon for its hint page and for answers,
 * but doesn't wait for a daemon that is silent.
 */
#include <ncurses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/now.h"
#include "ctl/hot.h"
#include "ctl/latency.h"
#include "ctl/look.h"
#include "ctl/probe.h"
#include "ctl/screen.h"

#define ANSWER_WAIT_MS 200 /* once; no wait while an earlier answer is owed */

struct top {
	struct ctl *c;
	struct look l;
	struct probe probe;
	struct hot hot;
	struct latency latency;
	struct sample before, now;
	struct sights sights;
	unsigned interval_ms;
};

static void
top_take_sample(const struct look *l, struct sample *ret)
{
	const struct header *h = l->map.header;

	for (unsigned i = 0; i < SHM_STAT_N; i++)
		ret->value[i] = look_stat(l, (enum shm_stat)i);
	ret->taken_ms = now_monotonic_ms();
	ret->writer_pid = word_load_rlx(&h->writer_pid); /* relaxed: it is only shown */
	ret->generation = l->map.generation;
	ret->silent_ms = look_silent_ms(l);
	ret->retired = look_retired(l);
}

/* Moves to the segment that has the name now, if this one was retired or is
 * silent. */
static void
top_follow(struct top *t)
{
	struct peek *peek;
	struct look next;

	if (!look_retired(&t->l) && look_silent_ms(&t->l) <= CLOCK_SILENT_MS)
		return;
	if (peek_open(t->c->name, PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_NO_FOLLOW, &peek) != 0)
		return;
	if (look_open(t->c, &next) != 0) {
		peek_close(peek);
		return;
	}
	/* it is the same segment, and its pages are mapped already */
	if (next.map.generation == t->l.map.generation && next.map.seed == t->l.map.seed) {
		peek_close(peek);
		look_close(&next);
		return;
	}
	peek_close(t->c->peek);
	look_close(&t->l);
	hot_end(&t->hot); /* its hints belong to the old table */
	probe_end(&t->probe);
	probe_begin(&t->probe);
	t->c->peek = peek;
	t->l = next;
	t->latency.n = 0;
}

/* Asks the daemon for its hint page and for an answer. */
static void
top_ask(struct top *t)
{
	struct peek_status status = {.socket_path = ""};

	peek_status(t->c->peek, &status);
	if (probe_step(&t->probe, &t->l, status.socket_path, ANSWER_WAIT_MS) &&
	    hot_begin(&t->hot, &t->l, t->probe.hints, t->probe.hint_bytes, now_monotonic_ms()) != 0)
		snprintf(t->probe.state.no_hints, sizeof(t->probe.state.no_hints), "no memory");
}

static void
top_measure(struct top *t)
{
	top_follow(t);
	t->before = t->now;
	top_take_sample(&t->l, &t->now); /* first, since the next steps may wait for the daemon */
	top_ask(t);
	latency_time(&t->latency, t->c->peek, &t->sights.gets);
	latency_draw(&t->latency, &t->l, t->c->peek);
	hot_look(&t->hot, &t->l);
	hot_best(&t->hot, &t->l, now_monotonic_ms(), &t->sights.hot);
	t->sights.daemon = t->probe.state;
}

static void
put_stdout(void *arg, enum line_kind kind, const char *line)
{
	(void)arg;
	(void)kind;
	puts(line);
}

static void
put_window(void *arg, enum line_kind kind, const char *line)
{
	int *row = arg;

	if (*row >= LINES)
		return;
	attrset(kind == LINE_HEAD ? A_BOLD : kind == LINE_ALARM ? A_REVERSE | A_BOLD : A_NORMAL);
	mvaddnstr((*row)++, 0, line, COLS);
	attrset(A_NORMAL);
}

static int
top_once(struct top *t)
{
	const struct timespec pause = {0, HOT_LOOK_MS * 1000000L};

	top_measure(t);
	while (now_monotonic_ms() - t->now.taken_ms < t->interval_ms) {
		nanosleep(&pause, NULL);
		hot_look(&t->hot, &t->l);
	}
	top_measure(t);
	screen_lines(t->c->name, &t->before, &t->now, &t->sights, 120, 0, put_stdout, NULL);
	return ctl_flushed(CTL_OK);
}

static void
top_draw(struct top *t)
{
	int row = 0;

	erase();
	screen_lines(t->c->name, &t->before, &t->now, &t->sights, COLS, LINES > 1 ? LINES - 1 : 1,
	    put_window, &row);
	put_window(&row, LINE_PLAIN, "q quits");
	refresh();
}

static void
top_live(struct top *t)
{
	int key = ERR;

	top_measure(t);
	t->before = t->now;
	top_draw(t);
	timeout(HOT_LOOK_MS);
	while ((key = getch()) != 'q' && key != 'Q') {
		bool due = now_monotonic_ms() - t->now.taken_ms >= t->interval_ms;
		if (due)
			top_measure(t);
		else
			hot_look(&t->hot, &t->l);
		if (due || key != ERR) /* a new window size comes as a key */
			top_draw(t);
	}
}

int
ctl_cmd_top(struct ctl *c)
{
	static struct top t; /* large */
	int status = CTL_OK;

	t.c = c;
	t.interval_ms = c->interval_s > 0 ? (unsigned)c->interval_s * 1000 : 1000;
	if (c->json)
		return ctl_error(
		    "peekctl stats --json has the same counters.", "top prints no JSON");
	if (c->socket != NULL)
		return ctl_error(
		    "Choose an instance with -n; peekctl -s PATH stats asks the daemon.",
		    "top reads shared memory, not a socket");
	if (ctl_open_segment(c) != 0)
		return CTL_ERROR;
	int error = look_open(c, &t.l);
	if (error != 0)
		return ctl_error(
		    NULL, "can't read instance \"%s\": %s", c->name, peek_strerror(error));
	probe_begin(&t.probe);
	latency_draw(&t.latency, &t.l, c->peek);
	if (c->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		status = top_once(&t);
	} else {
		SCREEN *screen = newterm(NULL, stdout, stdin);
		if (screen == NULL) {
			status = ctl_error(
			    "Set TERM, or use --once.", "the kind of this terminal is unknown");
		} else {
			cbreak();
			noecho();
			keypad(stdscr, TRUE);
			curs_set(0);
			top_live(&t);
			endwin();
			delscreen(screen);
		}
	}
	hot_end(&t.hot);
	probe_end(&t.probe);
	look_close(&t.l);
	return status;
}
