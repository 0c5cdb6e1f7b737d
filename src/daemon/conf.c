/* conf.c: the table of settings, values to and from text, and the command line. The configuration file is conf_file.c's. */
#include "daemon/conf.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_table.h"

#define CONF_MAX_ARGS 64 /* settings on one command line; each may stand there more than once */

const struct conf_setting conf_table[CONF_N_ROWS] = {
#define SETTING(kind, name, short_opt, unit, min, max, dflt, live, help) \
	{#name, unit, dflt, help, min, max, CONF_KIND_##kind, short_opt, live, offsetof(struct conf, name)},
#include "daemon/settings.def"
#undef SETTING
};

/* What the command line gave, kept for conf_reload. The values belong to argv. */
static struct {
	struct {
		size_t row;
		const char *value;
		char as[48]; /* "-m", "--memory-limit" */
	} arg[CONF_MAX_ARGS];
	size_t n_args;
	const char *path;
	unsigned verbose;
} command_line;

enum { OPT_ROW = 256, OPT_FILE = 1000, OPT_CHECK, OPT_HELP, OPT_VERSION, OPT_PRINT, OPT_VERBOSE, OPT_UDP };

static const struct {
	const char *name;
	char short_opt;
	int has_arg;
	int id;
	const char *help;
} plain_opts[] = {
    {"config", 'f', required_argument, OPT_FILE, "read this configuration file; the command line overrides it"},
    {"check", 't', no_argument, OPT_CHECK, "check the configuration and end"},
    {"print-config", 0, no_argument, OPT_PRINT, "print a commented configuration file with the values in force and end"},
    {"verbose", 'v', no_argument, OPT_VERBOSE, "one log level more; may be repeated"},
    {"udp-port", 'U', required_argument, OPT_UDP, "0; there is no UDP"},
    {"help", 'h', no_argument, OPT_HELP, "print this and end"},
    {"version", 'V', no_argument, OPT_VERSION, "print the version and end"},
};
#define N_PLAIN_OPTS (sizeof(plain_opts) / sizeof(plain_opts[0]))

/* ---- values ---------------------------------------------------------------------------------------------------- */

static uint64_t *
number_of(struct conf *conf, const struct conf_setting *s)
{
	return (uint64_t *)(void *)((char *)conf + s->offset);
}

static char **
text_of(struct conf *conf, const struct conf_setting *s)
{
	return (char **)(void *)((char *)conf + s->offset);
}

static uint64_t
number_in(const struct conf *conf, const struct conf_setting *s)
{
	return *(const uint64_t *)(const void *)((const char *)conf + s->offset);
}

static const char *
text_in(const struct conf *conf, const struct conf_setting *s)
{
	return *(char *const *)(const void *)((const char *)conf + s->offset);
}

/* Digits and at most one of b, k, m, g, t. */
static bool
parse_size(const char *text, uint64_t bare_unit, uint64_t *ret)
{
	char *end;
	uint64_t n, unit = bare_unit;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		static const char units[] = "bkmgt";
		const char *at = strchr(units, *end | 0x20);

		if (at == NULL || end[1] != '\0')
			return false;
		unit = UINT64_C(1) << (10 * (at - units));
	}
	return !__builtin_mul_overflow(n, unit, ret);
}

static bool
parse_number(const char *text, int base, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno == 0 && *end == '\0';
}

static bool
parse_flag(const char *text, uint64_t *ret)
{
	static const char *const words[2][4] = {{"no", "off", "false", "0"}, {"yes", "on", "true", "1"}};

	for (unsigned v = 0; v < 2; v++) {
		for (unsigned i = 0; i < 4; i++) {
			if (strcmp(text, words[v][i]) == 0) {
				*ret = v;
				return true;
			}
		}
	}
	return false;
}

static bool
parse_choice(const char *choices, const char *text, uint64_t *ret)
{
	size_t len = strlen(text);
	uint64_t i = 0;

	for (const char *at = choices; len > 0; i++) {
		size_t n = strcspn(at, "|");

		if (n == len && memcmp(at, text, n) == 0) {
			*ret = i;
			return true;
		}
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	return false;
}

/* A number as the table's units have it: 64m, 0700, 1024. */
static void
format_number(const struct conf_setting *s, uint64_t v, char *buf, size_t cap)
{
	static const char units[] = "bkmgt";
	unsigned unit = 0;

	switch (s->kind) {
	case CONF_KIND_MODE:
		snprintf(buf, cap, "0%03" PRIo64, v);
		return;
	case CONF_KIND_SIZE:
	case CONF_KIND_MEGABYTES:
		while (v != 0 && (v & 1023) == 0 && unit < 4) {
			v >>= 10;
			unit++;
		}
		snprintf(buf, cap, "%" PRIu64 "%c", v, units[unit]);
		return;
	default:
		snprintf(buf, cap, "%" PRIu64, v);
	}
}

static void
format_allowed(const struct conf_setting *s, char *buf, size_t cap)
{
	char lo[32], hi[32];

	switch (s->kind) {
	case CONF_KIND_FLAG:
		snprintf(buf, cap, "yes or no");
		return;
	case CONF_KIND_CHOICE:
		snprintf(buf, cap, "one of %s", s->unit);
		return;
	case CONF_KIND_TEXT:
		snprintf(buf, cap, "%" PRIu64 " to %" PRIu64 " bytes", s->min, s->max);
		return;
	default:
		format_number(s, s->min, lo, sizeof(lo));
		format_number(s, s->max, hi, sizeof(hi));
		snprintf(buf, cap, "%s to %s%s", lo, hi,
		    s->kind == CONF_KIND_MEGABYTES ? " (a bare number counts MiB)" : s->kind == CONF_KIND_MODE ? ", octal" : "");
	}
}

int
conf_set(struct conf *conf, size_t row, const char *text, const char *place, char *error)
{
	const struct conf_setting *s = &conf_table[row];
	char allowed[128];
	uint64_t v = 0;
	bool ok = false;

	switch (s->kind) {
	case CONF_KIND_SIZE:
		ok = parse_size(text, 1, &v);
		break;
	case CONF_KIND_MEGABYTES:
		ok = parse_size(text, UINT64_C(1) << 20, &v);
		break;
	case CONF_KIND_NUMBER:
		ok = parse_number(text, 10, &v);
		break;
	case CONF_KIND_MODE:
		ok = parse_number(text, 8, &v);
		break;
	case CONF_KIND_FLAG:
		ok = parse_flag(text, &v);
		break;
	case CONF_KIND_CHOICE:
		ok = parse_choice(s->unit, text, &v);
		break;
	case CONF_KIND_TEXT:
		v = strlen(text);
		ok = true;
		break;
	}
	if (!ok || v < s->min || v > s->max) {
		format_allowed(s, allowed, sizeof(allowed));
		snprintf(error, CONF_ERROR_BYTES, "%s: %s is \"%.64s%s\"; allowed: %s (default %s)", place, s->name, text,
		    strlen(text) > 64 ? "..." : "", allowed, s->dflt[0] != '\0' ? s->dflt : "empty");
		return -EINVAL;
	}
	if (s->kind == CONF_KIND_TEXT) {
		char *copy = strdup(text);

		if (copy == NULL) {
			snprintf(error, CONF_ERROR_BYTES, "%s: out of memory", place);
			return -ENOMEM;
		}
		free(*text_of(conf, s));
		*text_of(conf, s) = copy;
	} else
		*number_of(conf, s) = v;
	return 0;
}

const char *
conf_row_name(size_t row)
{
	return conf_table[row].name;
}

void
conf_row_value(const struct conf *conf, size_t row, char *buf, size_t cap)
{
	const struct conf_setting *s = &conf_table[row];
	const char *at;
	uint64_t v;

	if (s->kind == CONF_KIND_TEXT) {
		snprintf(buf, cap, "%s", text_in(conf, s));
		return;
	}
	v = number_in(conf, s);
	switch (s->kind) {
	case CONF_KIND_FLAG:
		snprintf(buf, cap, "%s", v != 0 ? "yes" : "no");
		return;
	case CONF_KIND_CHOICE:
		for (at = s->unit; v > 0; v--)
			at += strcspn(at, "|") + 1;
		snprintf(buf, cap, "%.*s", (int)strcspn(at, "|"), at);
		return;
	default:
		format_number(s, v, buf, cap);
	}
}

void
conf_free(struct conf *conf)
{
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		if (conf_table[i].kind == CONF_KIND_TEXT) {
			free(*text_of(conf, &conf_table[i]));
			*text_of(conf, &conf_table[i]) = NULL;
		}
	}
}

/* ---- putting the sources together -------------------------------------------------------------------------------- */

/* What no row can say alone. */
static int
check_together(struct conf *conf, struct conf_result *ret)
{
	uint64_t half = conf->memory_limit / 2;
	char have[32], most[32];

	for (const char *at = conf->name; *at != '\0'; at++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *at) == NULL || conf->name[0] == '.') {
			snprintf(ret->error, CONF_ERROR_BYTES,
			    "name is \"%s\"; allowed: letters, digits, dot, dash and underscore, not beginning with a dot", conf->name);
			return -EINVAL;
		}
	}
	if (conf->max_item_size > half) {
		if (!ret->given[CONF_ROW_max_item_size]) { /* the default follows a small memory */
			conf->max_item_size = half;
			return 0;
		}
		format_number(&conf_table[CONF_ROW_max_item_size], conf->max_item_size, have, sizeof(have));
		format_number(&conf_table[CONF_ROW_max_item_size], half, most, sizeof(most));
		snprintf(ret->error, CONF_ERROR_BYTES, "max_item_size (-I) is %s; allowed: at most half of memory_limit (-m), here %s",
		    have, most);
		return -EINVAL;
	}
	return 0;
}

static int
gather(struct conf *conf, struct conf_result *ret)
{
	int r;

	memset(conf, 0, sizeof(*conf));
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		if ((r = conf_set(conf, i, conf_table[i].dflt, "default", ret->error)) != 0)
			return r;
	}
	ret->path = command_line.path;
	ret->verbose = command_line.verbose;
	if (ret->path != NULL && (r = conf_read_file(conf, ret)) != 0)
		return r;
	for (size_t i = 0; i < command_line.n_args; i++) {
		if ((r = conf_set(conf, command_line.arg[i].row, command_line.arg[i].value, command_line.arg[i].as, ret->error)) != 0)
			return r;
		ret->given[command_line.arg[i].row] = true;
	}
	for (unsigned i = 0; i < ret->verbose; i++) {
		if (conf->log_level < conf_table[CONF_ROW_log_level].max)
			conf->log_level++;
	}
	return check_together(conf, ret);
}

/* Long option `dashed` of row i; cap bytes. */
static void
long_name(size_t row, char *dashed, size_t cap)
{
	snprintf(dashed, cap, "%s", conf_table[row].name);
	for (char *c = dashed; *c != '\0'; c++) {
		if (*c == '_')
			*c = '-';
	}
}

static int
keep_arg(size_t row, const char *value, bool was_long, struct conf_result *ret)
{
	size_t n = command_line.n_args;
	char dashed[40];

	if (n == CONF_MAX_ARGS) {
		snprintf(ret->error, CONF_ERROR_BYTES, "command line: more than %d settings", CONF_MAX_ARGS);
		return -EINVAL;
	}
	long_name(row, dashed, sizeof(dashed));
	command_line.arg[n].row = row;
	command_line.arg[n].value = value != NULL ? value : "yes";
	if (was_long)
		snprintf(command_line.arg[n].as, sizeof(command_line.arg[n].as), "--%s", dashed);
	else
		snprintf(command_line.arg[n].as, sizeof(command_line.arg[n].as), "-%c", conf_table[row].short_opt);
	command_line.n_args++;
	return 0;
}

static int
take_option(int id, bool was_long, struct conf_result *ret)
{
	if (id >= OPT_ROW && id < OPT_ROW + CONF_N_ROWS)
		return keep_arg((size_t)(id - OPT_ROW), optarg, was_long, ret);
	switch (id) {
	case OPT_FILE:
		command_line.path = optarg;
		return 0;
	case OPT_CHECK:
		ret->action = CONF_CHECK;
		return 0;
	case OPT_PRINT:
		ret->action = CONF_PRINT;
		return 0;
	case OPT_VERBOSE:
		command_line.verbose++;
		return 0;
	case OPT_UDP:
		if (strcmp(optarg, "0") == 0)
			return 0;
		snprintf(ret->error, CONF_ERROR_BYTES, "-U is \"%s\"; allowed: 0, since there is no UDP", optarg);
		return -EINVAL;
	case OPT_HELP:
		ret->action = CONF_HELP;
		return 0;
	case OPT_VERSION:
		ret->action = CONF_VERSION;
		return 0;
	default:
		return -EINVAL;
	}
}

int
conf_parse(int argc, char **argv, struct conf *conf, struct conf_result *ret)
{
	char names[CONF_N_ROWS][40], shorts[2 * (CONF_N_ROWS + N_PLAIN_OPTS) + 2], *s = shorts;
	struct option longs[CONF_N_ROWS + N_PLAIN_OPTS + 1];
	int by_short[128] = {0}, c, at, r;
	size_t n = 0;

	memset(ret, 0, sizeof(*ret));
	memset(conf, 0, sizeof(*conf));
	memset(longs, 0, sizeof(longs));
	*s++ = ':';
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		bool flag = conf_table[i].kind == CONF_KIND_FLAG;

		long_name(i, names[i], sizeof(names[i]));
		longs[n++] = (struct option){names[i], flag ? optional_argument : required_argument, NULL, OPT_ROW + (int)i};
		if (conf_table[i].short_opt != 0) {
			by_short[(int)conf_table[i].short_opt] = OPT_ROW + (int)i;
			*s++ = conf_table[i].short_opt;
			if (!flag)
				*s++ = ':';
		}
	}
	for (size_t i = 0; i < N_PLAIN_OPTS; i++) {
		longs[n++] = (struct option){plain_opts[i].name, plain_opts[i].has_arg, NULL, plain_opts[i].id};
		if (plain_opts[i].short_opt != 0) {
			by_short[(int)plain_opts[i].short_opt] = plain_opts[i].id;
			*s++ = plain_opts[i].short_opt;
			if (plain_opts[i].has_arg == required_argument)
				*s++ = ':';
		}
	}
	*s = '\0';
	opterr = 0;
	while (at = optind, (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = optind - 1 >= at ? argv[optind - 1] : argv[at];

		if (c == '?' && optopt > 0 && optopt < 128 && by_short[optopt] == 0)
			snprintf(ret->error, CONF_ERROR_BYTES, "unknown option -%c; --help lists them", optopt);
		else if (c == '?')
			conf_unknown(word, "unknown option", ret->error);
		else if (c == ':')
			snprintf(ret->error, CONF_ERROR_BYTES, "option %s needs a value", word);
		if (c == '?' || c == ':')
			return -EINVAL;
		if ((r = take_option(c < 128 ? by_short[c] : c, c >= 128, ret)) != 0)
			return r;
	}
	if (optind < argc) {
		snprintf(ret->error, CONF_ERROR_BYTES, "unexpected argument \"%.64s\"; --help lists the options", argv[optind]);
		return -EINVAL;
	}
	if (ret->action == CONF_HELP || ret->action == CONF_VERSION)
		return 0;
	return gather(conf, ret);
}

int
conf_reload(struct conf *conf, struct conf_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	return gather(conf, ret);
}

void
conf_apply_live(struct conf *conf, struct conf *fresh, void (*fixed)(const char *name))
{
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		bool text = s->kind == CONF_KIND_TEXT;
		bool same = text ? strcmp(text_in(conf, s), text_in(fresh, s)) == 0 : number_in(conf, s) == number_in(fresh, s);

		if (same)
			continue;
		if (!s->live)
			fixed(s->name);
		else if (text) {
			char *old = *text_of(conf, s);

			*text_of(conf, s) = *text_of(fresh, s);
			*text_of(fresh, s) = old;
		} else
			*number_of(conf, s) = number_in(fresh, s);
	}
}
