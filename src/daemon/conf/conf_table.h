/* conf_table.h: shared by conf_table.c, conf_file.c, conf_print.c and conf.c.
 * No other file includes it. */
#ifndef PEEKD_CONF_TABLE_H
#define PEEKD_CONF_TABLE_H

#include <limits.h>

#include "daemon/conf/conf.h"

enum conf_kind {
	CONF_KIND_SIZE,
	CONF_KIND_MEGABYTES,
	CONF_KIND_NUMBER,
	CONF_KIND_MODE,
	CONF_KIND_FLAG,
	CONF_KIND_CHOICE,
	CONF_KIND_TEXT,
	CONF_KIND_NAME,
};

struct conf_setting {
	const char *name;
	const char *unit;
	const char *dflt;
	const char *help;
	uint64_t min, max;
	enum conf_kind kind;
	char short_opt;
	bool live;
	size_t offset; /* in struct conf */
};

/* True: its value is a string; false: a number. */
static inline bool
conf_is_text(const struct conf_setting *s)
{
	return s->kind == CONF_KIND_TEXT || s->kind == CONF_KIND_NAME;
}

extern const struct conf_setting conf_table[CONF_N_ROWS];

/* Parses text into a row. An error begins with `place`: "file:line", "-m".
 * -EINVAL, -ENOMEM: error is filled. */
int conf_set(struct conf *conf, size_t row, const char *text, const char *place, char *error);

/* Writes a number in the row's units: 64m, 0700, 1024. */
void conf_format_number(const struct conf_setting *s, uint64_t v, char *buf, size_t cap);

/* The directory that the process has left; relative paths are in it. "": it has
 * not left. */
extern char conf_start_dir[PATH_MAX];

/* Reads ret->path into conf. -EINVAL: ret->error is filled. */
int conf_read_file(struct conf *conf, struct conf_result *ret);

/* Fills error with "what: word", and with the nearest name of a setting if
 * there is one. */
void conf_unknown(const char *word, const char *what, char *error);

#endif
