/*
 * log.h: the daemon's messages to its administrator.
 *
 * Each event is one line, on stderr or in syslog. If stderr is the journal's
 * (JOURNAL_STREAM names it), each line begins with the priority that
 * sd-daemon(3) describes. On any other stderr it begins with the time, if the
 * setting asks for that, and with the program's name. The engine and the wire
 * don't log: the caller that handles an error logs it, once.
 *
 * A byte that a terminal would obey is written as \xHH: a control character,
 * also of the C1 set, or a byte that is no UTF-8.
 */
#ifndef PEEKD_LOG_H
#define PEEKD_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* syslog(3)'s numbers */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Lines above `level` are dropped. name is not copied, and must stay. */
void log_open(bool to_syslog, enum log_level level, const char *name);
void log_set_level(enum log_level level);
/* on: a line on a stderr that isn't the journal's begins with the time. Off at
 * first. */
void log_set_time(bool on);
/* Lines go to syslog from now on. */
void log_move_to_syslog(void);
bool log_wanted(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * Limits a line that clients can cause as often as they like: at most LOG_BURST
 * lines in LOG_WINDOW_S seconds from one place. False: be silent.
 * *ret_suppressed: the lines that were not written since the last time that
 * this was true. now_s never goes back.
 */
#define LOG_BURST    5
#define LOG_WINDOW_S 10

struct log_limit {
	uint32_t window_s; /* when the window began */
	uint32_t lines;    /* in this window */
	uint64_t suppressed;
};

bool log_allowed(struct log_limit *limit, uint32_t now_s, uint64_t *ret_suppressed);

#define LOG_MORE_BYTES 64

/* " (3 more such lines were not written)", or "" for none. Returns buf. */
const char *log_more(uint64_t suppressed, char buf[static LOG_MORE_BYTES]);

#endif
