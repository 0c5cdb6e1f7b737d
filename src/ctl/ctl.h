/*
 * ctl.h: what peekctl's commands share.
 *
 * A command gets a struct ctl and returns peekctl's exit status. The function
 * that finds an error tells it, and what to do about it. Its callers tell
 * nothing more: "explained" in a contract means this.
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
	char *from, *to, *prefix, *tags;
	uint64_t ttl_s, flags, cas, limit, interval_s;
	bool has_cas, sort, null, partial, once, escape, dry_run;
	/* the words after the command */
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

/* ---- say.c: what a failure means, and what to do ------------------------- */

/*
 * Prints "peekctl: " and the text on standard error, then the advice in a line
 * of its own; advice may be NULL. A byte that is no printable ASCII is printed
 * as \xHH. Returns CTL_ERROR.
 */
int ctl_error(const char *advice, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, but returns CTL_REFUSED. */
int ctl_refused(const char *advice, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Flushes standard output. Returns status, or CTL_ERROR if that failed, as on a
 * full disk. */
int ctl_flushed(int status);

/* Explains a reply that is not the expected one. key may be NULL. The exit
 * status. */
int ctl_unhoped(const struct wire_reply *re, const struct wire_str *key);
/* The daemon refused this connection, since it has conn_limit connections. */
bool ctl_is_full(const struct wire_reply *re);
#define FULL_ADVICE \
	"Try again, see who leaves connections open (peekctl stats conns), or raise conn_limit."
/* Explains why no reply came; error is one of control.h. The exit status. */
int ctl_broken(int error);

/* ---- word.c: words of the command line ----------------------------------- */

/* A time in seconds: 90, 90s, 15m, 12h, 30d; at most 2^32 - 1. False: the text
 * is no time. */
bool ctl_duration(const char *text, uint64_t *ret_s);
/* Decimal digits alone, of a number up to max. */
bool ctl_number(const char *text, uint64_t max, uint64_t *ret);

/*
 * A word that is a key, or the beginning of a key. With -x its \xHH are decoded
 * in place, so that a word may be given here only once. CTL_OK, or explained.
 * ctl_key refuses an empty word.
 */
int ctl_word(const struct ctl *c, char *word, struct wire_str *ret);
int ctl_key(const struct ctl *c, char *word, struct wire_str *ret);

/* ---- instance.c ---------------------------------------------------------- */

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
 * The command that starts this instance on this host. It is systemctl's, if the
 * host has a unit and a configuration file for the instance. A segment that is
 * there belongs to the user who must start it. Returns ret->text.
 */
const char *ctl_how_to_start(const char *name, struct start_advice *ret);

/* ---- output.c ------------------------------------------------------------ */

/* One record: a line for each field, or one JSON object. */
struct output {
	bool json;
	bool begun;
	int width; /* of the column with the names */
};
void output_begin(struct output *r, bool json, int width);
void output_u64(struct output *r, const char *field, uint64_t value);
void output_i64(struct output *r, const char *field, int64_t value);
void output_bool(struct output *r, const char *field, bool value);
void output_null(struct output *r, const char *field);
void output_text(struct output *r, const char *field, const char *value);
/* Any bytes. JSON names them field_base64 if they are no UTF-8. */
void output_bytes(struct output *r, const char *field, const void *bytes, size_t n);
/* A key, in the field "key": with -x as \xHH, else as output_bytes does. */
void output_key(struct output *r, const struct ctl *c, struct wire_str key);
/* A number, if the value looks like one. */
void output_guess(struct output *r, const char *field, const char *value, size_t value_len);
void output_end(struct output *r);

/* ---- escape.c ------------------------------------------------------------ */

/* Bytes of the UTF-8 character at p. 0: there is no valid one, also a
 * surrogate, an overlong form or one above U+10FFFF. */
size_t utf8_bytes(const unsigned char *p, size_t n);
/* U+0080 to U+009F, which terminals obey as they obey ESC. */
bool utf8_is_control(const unsigned char *p, size_t n);

/* A key for a message, in the form that -x reads: ctl_shown(&key).text */
struct shown {
	char text[4 * PEEK_KEY_MAX_BYTES + 1];
};
struct shown ctl_shown(const struct wire_str *key);

/*
 * Bytes for a terminal. A byte that is no printable ASCII, and the backslash,
 * become \xHH. escape_byte does that for one byte: `to` has room for 4 and a
 * NUL; it returns the length.
 */
void output_escaped(FILE *to, const void *bytes, size_t n);
size_t escape_byte(char *to, unsigned char byte);

/*
 * A value for a terminal, with a line feed at its end. Control characters
 * except line feed and tab, and bytes that are no UTF-8, become \xHH.
 */
void print_value(const void *bytes, size_t n);

/* Text for a terminal. A byte that is no printable ASCII becomes \xHH; the
 * backslash stays. */
void print_text(FILE *to, const char *text, size_t n);

#endif
