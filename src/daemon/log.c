/* log.c: see log.h. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static struct {
	const char *name;
	enum log_level level;
	bool to_syslog;
	bool to_journal;
} log_state = {.name = "peekd", .level = LOG_LEVEL_INFO};

/* JOURNAL_STREAM is inherited by children whose stderr was redirected since; the device and inode tell. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) != 0)
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void
log_open(bool to_syslog, enum log_level level, const char *name)
{
	log_state.name = name;
	log_state.level = level;
	log_state.to_syslog = to_syslog;
	log_state.to_journal = stderr_is_journal();
	if (to_syslog)
		openlog(name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_set_level(enum log_level level)
{
	log_state.level = level;
}

bool
log_wanted(enum log_level level)
{
	return level <= log_state.level;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	size_t len = 0;
	int n;
	va_list ap;

	if (!log_wanted(level))
		return;
	va_start(ap, fmt);
	if (log_state.to_syslog) {
		vsyslog((int)level, fmt, ap);
		va_end(ap);
		return;
	}
	if (log_state.to_journal)
		n = snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		n = snprintf(line, sizeof(line), "%s: ", log_state.name);
	if (n > 0)
		len = (size_t)n;
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = 0; i < len; i++) { /* what a client sent must not begin a line of its own */
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	/* one write a line; a log that can't be written can't be complained about */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

bool
log_allowed(struct log_limit *limit, uint32_t now_s, uint64_t *ret_suppressed)
{
	if (now_s - limit->window_s >= LOG_WINDOW_S) {
		limit->window_s = now_s;
		limit->lines = 0;
	}
	if (limit->lines >= LOG_BURST) {
		limit->suppressed++;
		return false;
	}
	limit->lines++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
