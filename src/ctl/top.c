/*
 * top.c: peekctl top: a live screen, or one on standard output. The door to ncurses.
 *
 * It reads the segment's own counters, without a word to the daemon, so that it shows the last ones of a daemon that hangs or is gone.
 */
#include <ncurses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/look.h"
#include "ctl/screen.h"

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
take(const struct look *l, struct sample *ret)
{
	const struct header *h = l->map.header;

	for (unsigned i = 0; i < SHM_STAT_N; i++)
		ret->value[i] = look_stat(l, (enum shm_stat)i);
	ret->taken_ms = now_ms();
	ret->now_unix_s = (int64_t)time(NULL);
	ret->started_unix_s = (int64_t)word_load_rlx(&h->writer_started_unix_s); /* relaxed: words for people */
	ret->writer_pid = word_load_rlx(&h->writer_pid);
	ret->generation = l->map.generation;
	ret->silent_ms = look_silent_ms(l);
	ret->retired = look_retired(l);
}

/* When the segment was retired or is silent: what the name means by now, if that is another one. */
static void
follow(struct ctl *c, struct look *l)
{
	struct look next;

	if (!look_retired(l) && look_silent_ms(l) <= CLOCK_SILENT_MS)
		return;
	peek_close(c->peek);
	c->peek = NULL;
	if (peek_open(c->name, PEEK_NO_HINTS | PEEK_NO_FALLBACK | PEEK_NO_FOLLOW, &c->peek) != 0 || look_open(c, &next) != 0)
		return;
	look_close(l);
	*l = next;
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
once(struct ctl *c, struct look *l, unsigned interval_ms)
{
	const struct timespec pause = {interval_ms / 1000, interval_ms % 1000 * 1000000L};
	struct sample before, now;

	take(l, &before);
	nanosleep(&pause, NULL);
	follow(c, l);
	take(l, &now);
	screen_lines(c->name, &before, &now, 120, put_stdout, NULL);
	return ctl_flushed(CTL_OK);
}

static void
live(struct ctl *c, struct look *l, unsigned interval_ms)
{
	struct sample before, now;
	int key = ERR;

	take(l, &before);
	now = before;
	do {
		int row = 0;
		if (now_ms() - now.taken_ms >= interval_ms) {
			before = now;
			follow(c, l);
			take(l, &now);
		}
		erase();
		screen_lines(c->name, &before, &now, COLS, put_window, &row);
		put_window(&row, LINE_PLAIN, "");
		put_window(&row, LINE_PLAIN, "q quits");
		refresh();
		int64_t left_ms = interval_ms - (now_ms() - now.taken_ms);
		timeout(left_ms > 0 ? (int)left_ms : 0);
		key = getch(); /* also a change of the window's size */
	} while (key != 'q' && key != 'Q');
}

int
cmd_top(struct ctl *c)
{
	unsigned interval_ms = c->interval_s > 0 ? (unsigned)c->interval_s * 1000 : 1000;
	struct look l;
	int status = CTL_OK;

	if (c->json)
		return ctl_error("peekctl stats --json has the same counters.", "top prints no JSON");
	if (c->socket != NULL)
		return ctl_error("Choose an instance with -n; peekctl -s PATH stats asks the daemon.", "top reads shared memory, not a socket");
	if (ctl_open_segment(c) != 0)
		return CTL_ERROR;
	int error = look_open(c, &l);
	if (error != 0)
		return ctl_error(NULL, "can't look into instance \"%s\": %s", c->name, peek_strerror(error));
	if (c->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		status = once(c, &l, interval_ms);
	} else {
		SCREEN *screen = newterm(NULL, stdout, stdin);
		if (screen == NULL) {
			status = ctl_error("Set TERM, or use --once.", "this terminal's kind is not known");
		} else {
			cbreak();
			noecho();
			keypad(stdscr, TRUE);
			curs_set(0);
			live(c, &l, interval_ms);
			endwin();
			delscreen(screen);
		}
	}
	look_close(&l);
	return status;
}
