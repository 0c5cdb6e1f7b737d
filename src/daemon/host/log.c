/* log.c: see log.h. */
#include "daemon/host/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static struct {
	const char *name;
	enum log_level level;
	bool to_syslog;
	bool to_journal;
	bool with_time;
} log_state = {.name = "peekd", .level = LOG_LEVEL_INFO};

/* A child inherits JOURNAL_STREAM even if its stderr was redirected since. So
 * the device and the inode of stderr are compared with it. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 ||
	    fstat(STDERR_FILENO, &st) != 0)
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
		log_move_to_syslog();
}

void
log_set_level(enum log_level level)
{
	log_state.level = level;
}

void
log_set_time(bool on)
{
	log_state.with_time = on;
}

void
log_move_to_syslog(void)
{
	log_state.to_syslog = true;
	openlog(log_state.name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

bool
log_wanted(enum log_level level)
{
	return level <= log_state.level;
}

/* The length of the UTF-8 character at p, of which n bytes are there; 0: no
 * character that a line may hold. */
static size_t
log_printable(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1
	    : p[0] < 0xc2        ? 0
	    : p[0] < 0xe0        ? 2
	    : p[0] < 0xf0        ? 3
	    : p[0] < 0xf5        ? 4
				 : 0;

	if (len > n || p[0] < ' ' || p[0] == 0x7f || (p[0] == 0xc2 && n > 1 && p[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Copies text to line[at, cap), so that a client can begin no line of its own
 * and no terminal obeys its bytes. Returns the end. */
static size_t
put_printable(char *line, size_t at, size_t cap, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = log_printable((const unsigned char *)text, left), used = n > 0 ? n : 1;

		if (at + (n > 0 ? n : 4) >= cap)
			break;
		if (n > 0)
			memcpy(line + at, text, n);
		else
			snprintf(line + at, 5, "\\x%02x", (unsigned char)*text);
		at += n > 0 ? n : 4;
		text += used;
		left -= used;
	}
	line[at] = '\0';
	return at;
}

/* Local time with its zone: 2026-11-26T17:00:00.123+0100. */
static size_t
put_time(char *line, size_t cap)
{
	struct timespec ts;
	struct tm tm;
	char zone[8];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (localtime_r(&ts.tv_sec, &tm) == NULL || strftime(zone, sizeof(zone), "%z", &tm) == 0)
		return 0;
	n = strftime(line, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(line + n, cap - n, ".%03ld%s ", ts.tv_nsec / 1000000, zone);
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE_BYTES], line[LOG_LINE_BYTES];
	size_t len = 0;
	va_list ap;

	if (!log_wanted(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_state.to_syslog) {
		put_printable(line, 0, sizeof(line), text);
		syslog((int)level, "%s", line);
		return;
	}
	if (log_state.to_journal)
		len = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	else {
		if (log_state.with_time)
			len = put_time(line, sizeof(line));
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", log_state.name);
	}
	len = put_printable(line, len, sizeof(line) - 1, text);
	line[len++] = '\n';
	/* one write for each line; nobody could be told of a failure */
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

const char *
log_more(uint64_t suppressed, char buf[static LOG_MORE_BYTES])
{
	buf[0] = '\0';
	if (suppressed > 0)
		snprintf(buf, LOG_MORE_BYTES, " (%" PRIu64 " more such line%s not written)",
		    suppressed, suppressed == 1 ? " was" : "s were");
	return buf;
}
