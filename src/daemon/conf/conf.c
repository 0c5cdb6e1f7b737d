/* conf.c: the command line, and the order of the sources. conf_table.c has the
 * values, conf_file.c the configuration file. */
#include "daemon/conf/conf.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf_memcached.h"
#include "daemon/conf/conf_table.h"
#include "wire/wire.h"

#define CONF_MAX_ARGS 64 /* settings on one command line, repeated ones included */

/* The settings of the command line, kept for conf_reload. The values belong to
 * argv. */
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

enum {
	OPT_ROW = 256,
	OPT_FILE = 1000,
	OPT_CHECK,
	OPT_HELP,
	OPT_VERSION,
	OPT_PRINT,
	OPT_VERBOSE,
	OPT_UDP,
	OPT_MANUAL
};

static const struct {
	const char *name;
	char short_opt;
	int has_arg;
	int id;
} plain_opts[] = {
    {"config", 'f', required_argument, OPT_FILE},
    {"check", 't', no_argument, OPT_CHECK},
    {"print-config", 0, no_argument, OPT_PRINT},
    {"print-manual", 0, optional_argument, OPT_MANUAL},
    {"verbose", 'v', no_argument, OPT_VERBOSE},
    {"udp-port", 'U', required_argument, OPT_UDP},
    {"help", 'h', no_argument, OPT_HELP},
    {"version", 'V', no_argument, OPT_VERSION},
};
#define N_PLAIN_OPTS (sizeof(plain_opts) / sizeof(plain_opts[0]))

/* ---- putting the sources together ---------------------------------------- */

/* Checks that memory_limit holds max_item_size, whose default becomes smaller
 * in a small memory. */
static int
check_item_size(struct conf *conf, struct conf_result *ret)
{
	uint64_t half = conf->memory_limit / 2;
	char have[32], most[32];

	if (conf->max_item_size <= half)
		return 0;
	if (!ret->given[CONF_ROW_max_item_size]) {
		conf->max_item_size = half;
		return 0;
	}
	conf_format_number(
	    &conf_table[CONF_ROW_max_item_size], conf->max_item_size, have, sizeof(have));
	conf_format_number(&conf_table[CONF_ROW_max_item_size], half, most, sizeof(most));
	snprintf(ret->error, CONF_ERROR_BYTES,
	    "max_item_size (-I) is %s; allowed: at most half of memory_limit (-m), here %s", have,
	    most);
	return -EINVAL;
}

/* Checks that conn_memory holds as much as one connection can need: a request,
 * and a reply beyond the limit. Its default grows to that. */
static int
check_conn_memory(struct conf *conf, struct conf_result *ret)
{
	uint64_t least = conf->output_limit + 2 * conf->max_item_size + WIRE_GET_LINE_MAX;
	char have[32], need[32];

	least = (least + (1 << 20) - 1) >> 20 << 20;
	if (conf->conn_memory >= least)
		return 0;
	if (!ret->given[CONF_ROW_conn_memory]) {
		conf->conn_memory = least;
		return 0;
	}
	conf_format_number(
	    &conf_table[CONF_ROW_conn_memory], conf->conn_memory, have, sizeof(have));
	conf_format_number(&conf_table[CONF_ROW_conn_memory], least, need, sizeof(need));
	snprintf(ret->error, CONF_ERROR_BYTES,
	    "conn_memory is %s; allowed: at least %s, which one connection can need with this "
	    "output_limit and max_item_size (-I)",
	    have, need);
	return -EINVAL;
}

/* Checks that concern two settings, which no row can express. */
static int
check_together(struct conf *conf, struct conf_result *ret)
{
	int r = check_item_size(conf, ret);

	return r != 0 ? r : check_conn_memory(conf, ret);
}

/*
 * Makes a path of the settings absolute, if the process has left its directory.
 */
static int
make_absolute(struct conf *conf, size_t row, const char *path, char *error)
{
	char whole[2 * PATH_MAX];

	if (conf_start_dir[0] == '\0' || path[0] == '\0' || path[0] == '/')
		return 0;
	snprintf(whole, sizeof(whole), "%s/%s", conf_start_dir, path);
	return conf_set(conf, row, whole, conf_start_dir, error);
}

static int
make_all_absolute(struct conf *conf, char *error)
{
	int r = make_absolute(conf, CONF_ROW_snapshot_path, conf->snapshot_path, error);

	return r != 0 ? r : make_absolute(conf, CONF_ROW_pidfile, conf->pidfile, error);
}

int
conf_leave_directory(struct conf *conf, char *error)
{
	static char path[2 * PATH_MAX];

	if (getcwd(conf_start_dir, sizeof(conf_start_dir)) == NULL) {
		conf_start_dir[0] = '\0';
		snprintf(error, CONF_ERROR_BYTES, "the current directory has no path: %s",
		    strerror(errno));
		return -EINVAL;
	}
	if (command_line.path != NULL && command_line.path[0] != '/') {
		snprintf(path, sizeof(path), "%s/%s", conf_start_dir, command_line.path);
		command_line.path = path;
	}
	return make_all_absolute(conf, error);
}

static int
conf_gather(struct conf *conf, struct conf_result *ret)
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
		if ((r = conf_set(conf, command_line.arg[i].row, command_line.arg[i].value,
			 command_line.arg[i].as, ret->error)) != 0)
			return r;
		ret->given[command_line.arg[i].row] = true;
	}
	for (unsigned i = 0; i < ret->verbose; i++) {
		if (conf->log_level < conf_table[CONF_ROW_log_level].max)
			conf->log_level++;
	}
	if ((r = make_all_absolute(conf, ret->error)) != 0)
		return r;
	return check_together(conf, ret);
}

/* Writes the long option of the row to `dashed`, of cap bytes. */
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
		snprintf(ret->error, CONF_ERROR_BYTES, "command line: more than %d settings",
		    CONF_MAX_ARGS);
		return -EINVAL;
	}
	long_name(row, dashed, sizeof(dashed));
	command_line.arg[n].row = row;
	command_line.arg[n].value = value != NULL ? value : "yes";
	if (was_long)
		snprintf(command_line.arg[n].as, sizeof(command_line.arg[n].as), "--%s", dashed);
	else
		snprintf(command_line.arg[n].as, sizeof(command_line.arg[n].as), "-%c",
		    conf_table[row].short_opt);
	command_line.n_args++;
	return 0;
}

/* --print-manual[=stats] */
static int
take_manual(struct conf_result *ret)
{
	ret->action = optarg == NULL ? CONF_MANUAL : CONF_STATS_MANUAL;
	if (optarg == NULL || strcmp(optarg, "stats") == 0)
		return 0;
	snprintf(ret->error, CONF_ERROR_BYTES,
	    "--print-manual is \"%.64s\"; allowed: stats, or no value", optarg);
	return -EINVAL;
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
	case OPT_MANUAL:
		return take_manual(ret);
	case OPT_VERBOSE:
		command_line.verbose++;
		return 0;
	case OPT_UDP:
		if (strcmp(optarg, "0") == 0)
			return 0;
		snprintf(ret->error, CONF_ERROR_BYTES,
		    "-U is \"%s\"; allowed: 0, since there is no UDP", optarg);
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

/* The options as getopt_long wants them, and the id behind each letter. */
struct conf_options {
	char names[CONF_N_ROWS][40], shorts[2 * (CONF_N_ROWS + N_PLAIN_OPTS) + 2];
	struct option longs[CONF_N_ROWS + N_PLAIN_OPTS + 1];
	int by_short[128];
};

static void
list_options(struct conf_options *o)
{
	char *s = o->shorts;
	size_t n = 0;

	memset(o, 0, sizeof(*o));
	*s++ = ':';
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		bool flag = conf_table[i].kind == CONF_KIND_FLAG;

		long_name(i, o->names[i], sizeof(o->names[i]));
		o->longs[n++] = (struct option){o->names[i],
		    flag ? optional_argument : required_argument, NULL, OPT_ROW + (int)i};
		if (conf_table[i].short_opt != 0) {
			o->by_short[(int)conf_table[i].short_opt] = OPT_ROW + (int)i;
			*s++ = conf_table[i].short_opt;
			if (!flag)
				*s++ = ':';
		}
	}
	for (size_t i = 0; i < N_PLAIN_OPTS; i++) {
		o->longs[n++] = (struct option){
		    plain_opts[i].name, plain_opts[i].has_arg, NULL, plain_opts[i].id};
		if (plain_opts[i].short_opt != 0) {
			o->by_short[(int)plain_opts[i].short_opt] = plain_opts[i].id;
			*s++ = plain_opts[i].short_opt;
			if (plain_opts[i].has_arg == required_argument)
				*s++ = ':';
		}
	}
	*s = '\0';
}

int
conf_parse(int argc, char **argv, struct conf *conf, struct conf_result *ret)
{
	struct conf_options o;
	const int *by_short = o.by_short;
	int c, at, r;

	memset(ret, 0, sizeof(*ret));
	memset(conf, 0, sizeof(*conf));
	list_options(&o);
	opterr = 0;
	while (at = optind, (c = getopt_long(argc, argv, o.shorts, o.longs, NULL)) != -1) {
		const char *word = optind - 1 >= at ? argv[optind - 1] : argv[at];

		const char *has = c != '?'                      ? NULL
		    : strncmp(word, "--", 2) == 0               ? conf_memcached_word(word)
		    : optopt > 0 && by_short[optopt & 127] == 0 ? conf_memcached_letter(optopt)
								: NULL;
		if (has != NULL) {
			snprintf(ret->error, CONF_ERROR_BYTES, "%.40s is memcached's; peekd has %s",
			    word, has);
			return -EINVAL;
		}
		if (c == '?' && optopt > 0 && optopt < 128 && by_short[optopt] == 0)
			snprintf(ret->error, CONF_ERROR_BYTES,
			    "unknown option -%c; --help lists them", optopt);
		else if (c == '?')
			conf_unknown(word, "unknown option", ret->error);
		else if (c == ':')
			snprintf(ret->error, CONF_ERROR_BYTES, "option %s needs a value", word);
		if (c == '?' || c == ':')
			return -EINVAL;
		if ((r = take_option(c < 128 ? by_short[c] : c, c >= 128, ret)) != 0)
			return r;
	}
	const char *has =
	    optind < argc ? conf_memcached_argument(argv[optind], ret->action == CONF_CHECK) : NULL;
	if (has != NULL) {
		snprintf(ret->error, CONF_ERROR_BYTES, "-t %.20s is memcached's; peekd has %s",
		    argv[optind], has);
		return -EINVAL;
	}
	if (optind < argc) {
		snprintf(ret->error, CONF_ERROR_BYTES,
		    "unexpected argument \"%.64s\"; --help lists the options", argv[optind]);
		return -EINVAL;
	}
	if (ret->action == CONF_HELP || ret->action == CONF_VERSION || ret->action == CONF_MANUAL ||
	    ret->action == CONF_STATS_MANUAL)
		return 0;
	return conf_gather(conf, ret);
}

int
conf_reload(struct conf *conf, struct conf_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	return conf_gather(conf, ret);
}
