/*
 * conf.h: the settings: defaults, then the configuration file, then the command
 * line, all through one table (settings.def).
 */
#ifndef PEEKD_CONF_H
#define PEEKD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_TYPE_SIZE      uint64_t
#define CONF_TYPE_MEGABYTES uint64_t
#define CONF_TYPE_NUMBER    uint64_t
#define CONF_TYPE_MODE      uint64_t
#define CONF_TYPE_FLAG      uint64_t
#define CONF_TYPE_CHOICE    uint64_t
#define CONF_TYPE_TEXT      char *
#define CONF_TYPE_NAME      char *

struct conf {
#define SETTING(kind, name, short_opt, unit, min, max, dflt, live, help) CONF_TYPE_##kind name;
#include "daemon/conf/settings.def"
#undef SETTING
};

/* The indices of the rows, for conf_was_given. */
enum conf_row {
#define SETTING(kind, name, short_opt, unit, min, max, dflt, live, help) CONF_ROW_##name,
#include "daemon/conf/settings.def"
#undef SETTING
	CONF_N_ROWS
};

enum { HUGE_PAGES_OFF, HUGE_PAGES_TRY, HUGE_PAGES_REQUIRE };
enum { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* The command line's request, besides settings. */
enum conf_action {
	CONF_RUN,
	CONF_CHECK,
	CONF_HELP,
	CONF_VERSION,
	CONF_PRINT,
	CONF_MANUAL,
	CONF_STATS_MANUAL
};

#define CONF_ERROR_BYTES 512

struct conf_result {
	enum conf_action action;
	unsigned verbose;        /* the number of -v */
	const char *path;        /* of the configuration file; NULL: there is none */
	bool given[CONF_N_ROWS]; /* by the file or the command line */
	/* a sentence that names the place, the setting, the value and the
	 * allowed values */
	char error[CONF_ERROR_BYTES];
};

/*
 * Fills conf. -EINVAL: ret->error says why; free conf all the same. Call it
 * once in a process, because getopt keeps state. conf_reload reads the file
 * again and applies the same command line.
 */
int conf_parse(int argc, char **argv, struct conf *conf, struct conf_result *ret);
int conf_reload(struct conf *conf, struct conf_result *ret);
void conf_free(struct conf *conf);

/*
 * Makes the relative paths of the settings absolute, those of later conf_reload
 * too. Call it before this process leaves its directory. The path of the
 * control socket is not changed (listen_unix_path). -EINVAL: error
 * (CONF_ERROR_BYTES) says why.
 */
int conf_leave_directory(struct conf *conf, char *error);

/* Takes over from `fresh` the settings that can change in a running daemon.
 * Calls `fixed` with the name of each other setting that differs. */
void conf_apply_live(struct conf *conf, struct conf *fresh, void (*fixed)(const char *name));

/* Row i of the table as text: its name and its value, in at most cap bytes with
 * the NUL. */
const char *conf_row_name(size_t row);
void conf_row_value(const struct conf *conf, size_t row, char *buf, size_t cap);

void conf_print_help(FILE *out);

/* A configuration file with every setting, its help, and its value. */
void conf_print_file(const struct conf *conf, FILE *out);

/* peekd.conf(5). */
void conf_print_manual(FILE *out);

#endif
