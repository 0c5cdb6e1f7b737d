/*
 * ctl.h: what peekctl's commands share.
 *
 * A command gets a struct ctl and returns peekctl's exit status. Whoever finds
 * an error says it, once, with what to do about it.
 */
#ifndef PEEKCTL_CTL_H
#define PEEKCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "peek.h"
#include "wire/wire.h"

enum { CTL_OK, CTL_REFUSED, CTL_ERROR }; /* exit statuses; 1: not found, not stored, not allowed */

struct control;

struct ctl {
	/* common options */
	const char *name;
	const char *socket; /* NULL: the segment says */
	bool json;
	unsigned timeout_ms;
	/* options of some commands */
	const char *output, *file, *mode;
	char *from, *to, *prefix;
	uint64_t ttl_s, flags, cas, limit, interval_s;
	bool has_cas, sort, null, partial, once, escape, dry_run;
	/* words behind the command */
	int n_args;
	char **args;
	/* opened when a command first needs them; main closes them */
	struct peek *peek;
	struct control *conn;
};

#define COMMAND(id, name, args_min, args_max, options, args, help) int ctl_cmd_##id(struct ctl *c);
#include "ctl/commands.def"
#undef COMMAND

/* Prints the commands, or the one that is named. */
int ctl_help(const char *command, bool json);

/* ---- say.c, number.c ----------------------------------------------------- */

/*
 * "peekctl: what" on standard error, and in a line of its own what to do;
 * advice may be NULL. Bytes that are no printable ASCII stand as \xHH.
 * Returns CTL_ERROR.
 */
int ctl_error(const char *advice, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, and returns CTL_REFUSED. */
int ctl_refused(const char *advice, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Flushes standard output: a full disk is an error. Returns status, or
 * CTL_ERROR. */
int ctl_flushed(int status);

/* A time in seconds: 90, 90s, 15m, 12h, 30d; at most 2^32 - 1. False: it is
 * none. */
bool ctl_duration(const char *text, uint64_t *ret_s);
/* Decimal digits only, at most max. */
bool ctl_number(const char *text, uint64_t max, uint64_t *ret);

/* ---- key.c --------------------------------------------------------------- */

/*
 * A word that is a key, or the beginning of one; under -x its \xHH are decoded,
 * in place: once for each word. CTL_OK, or explained. ctl_key: not empty.
 */
int ctl_word(const struct ctl *c, char *word, struct wire_str *ret);
int ctl_key(const struct ctl *c, char *word, struct wire_str *ret);

/* ---- instance.c: which instance, and is it there? ------------------------ */

/* Opens the segment for reading. 0, or a negative errno that has been
 * explained. */
int ctl_open_segment(struct ctl *c);
/* Connects. 0, or a negative errno that has been explained. */
int ctl_connect(struct ctl *c);

/* ---- start.c ------------------------------------------------------------- */

struct start_advice {
	char text[160];
};
/*
 * The command that starts this instance here: the service's where a unit and a
 * configuration file are for it, and in place of a segment's owner that user's.
 * Returns ret->text.
 */
const char *ctl_how_to_start(const char *name, struct start_advice *ret);

/* ---- answer.c: explained; returns the exit status ------------------------ */

/* A reply other than the one hoped for. key may be NULL. */
int ctl_unhoped(const struct wire_reply *re, const struct wire_str *key);
/* The daemon has as many connections as it takes. */
bool ctl_is_full(const struct wire_reply *re);
#define FULL_ADVICE \
	"Try again, see who leaves connections open (peekctl stats conns), or raise conn_limit."
/* No reply: an error of conn.h. */
int ctl_broken(int error);

/* ---- output.c ------------------------------------------------------------ */

/* Fields of one record: a line each, or a JSON object. */
struct output {
	bool json;
	bool begun;
	int width; /* of the names' column */
};
void output_begin(struct output *r, bool json, int width);
void output_u64(struct output *r, const char *field, uint64_t value);
void output_i64(struct output *r, const char *field, int64_t value);
void output_bool(struct output *r, const char *field, bool value);
void output_null(struct output *r, const char *field);
void output_text(struct output *r, const char *field, const char *value);
/* Any bytes; in JSON as field, or as field_base64 where they are no UTF-8. */
void output_bytes(struct output *r, const char *field, const void *bytes, size_t n);
/* A key as field "key": with -x, its \xHH; else as output_bytes. */
void output_key(struct output *r, const struct ctl *c, struct wire_str key);
/* A number where it looks like one. */
void output_guess(struct output *r, const char *field, const char *value, size_t value_len);
void output_end(struct output *r);

/* ---- escape.c ------------------------------------------------------------ */

/* Bytes of the UTF-8 character at p. 0: it is none, or a surrogate, overlong or
 * above U+10FFFF. */
size_t utf8_bytes(const unsigned char *p, size_t n);
/* U+0080 to U+009F: terminals obey them as they do ESC. */
bool utf8_is_control(const unsigned char *p, size_t n);

/* A key for a message, as -x reads it: ctl_shown(&key).text */
struct shown {
	char text[4 * PEEK_KEY_MAX_BYTES + 1];
};
struct shown ctl_shown(const struct wire_str *key);

/*
 * Bytes for a terminal: as \xHH what is no printable ASCII, and the backslash.
 * escape_byte: of one byte at to, which has room for 4 and a NUL; the length.
 */
void output_escaped(FILE *to, const void *bytes, size_t n);
size_t escape_byte(char *to, unsigned char byte);

/*
 * A value for a terminal, with a line feed at its end: control characters, but
 * line feed and tab, and what is no UTF-8 stand as \xHH.
 */
void print_value(const void *bytes, size_t n);

/* Text for a terminal: as \xHH what is no printable ASCII. The backslash
 * stays. */
void print_text(FILE *to, const char *text, size_t n);

#endif
