/*
 * log.h: what the daemon tells its administrator.
 *
 * One line an event, to stderr or syslog. Where stderr is the journal's
 * (JOURNAL_STREAM names it), each line begins with the priority that
 * sd-daemon(3) describes; on any other stderr, with the time, where that is
 * asked for, and the program's name. Not for the engine or the wire: whoever
 * stops an error logs it, once.
 *
 * A byte that a terminal would obey (a control character, also one of the C1
 * set, or what is no UTF-8) is written as \xHH.
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

/* Lines above `level` are dropped. name is kept as it is, not copied. */
void log_open(bool to_syslog, enum log_level level, const char *name);
void log_set_level(enum log_level level);
/* Lines on a stderr that isn't the journal's begin with the time. Off at
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
 * For what clients can bring about as often as they like: at most LOG_BURST
 * lines in LOG_WINDOW_S seconds from one place. False: be silent.
 * *ret_suppressed is what was not said since the last time that it was true.
 * now_s never goes back.
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
