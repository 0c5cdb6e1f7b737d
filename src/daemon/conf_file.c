/*
 * conf_file.c: the configuration file, read and written: the one door to libConfuse.
 *
 * libConfuse, because it is small (one shared object that needs libc alone), is in every distribution, has quoting, comments, environment
 * variables and includes, and says file and line at each value. libucl brings a second syntax, signatures and an HTTP client.
 * Every setting is a string to it, so that a value means the same here and on the command line.
 */
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf_table.h"

/* libConfuse's callbacks take no argument of the caller's. */
static struct {
	struct conf *conf;
	struct conf_result *ret;
} reading;

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char *error = reading.ret->error, what[256], place[128];

	if (error[0] != '\0')
		return; /* the first says most */
	snprintf(place, sizeof(place), "%.100s:%d", cfg != NULL && cfg->filename != NULL ? cfg->filename : reading.ret->path,
	    cfg != NULL ? cfg->line : 0);
	if (strncmp(fmt, "no such option", 14) == 0) {
		snprintf(what, sizeof(what), "%s: unknown setting", place);
		conf_unknown(va_arg(ap, const char *), what, error);
		return;
	}
	vsnprintf(what, sizeof(what), fmt, ap);
	snprintf(error, CONF_ERROR_BYTES, "%s: %s", place, what);
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	char place[128];
	const char *value = cfg_opt_getstr(opt);

	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		if (strcmp(conf_table[i].name, cfg_opt_name(opt)) != 0)
			continue;
		snprintf(place, sizeof(place), "%.100s:%d", cfg->filename, cfg->line);
		reading.ret->given[i] = true;
		return conf_set(reading.conf, i, value != NULL ? value : "", place, reading.ret->error) == 0 ? 0 : -1;
	}
	return -1;
}

int
conf_read_file(struct conf *conf, struct conf_result *ret)
{
	cfg_opt_t opts[CONF_N_ROWS + 1];
	cfg_t *cfg;
	int r;

	/* a directory would be read as an empty file */
	if (access(ret->path, R_OK) != 0) {
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: can't be read: %s", ret->path, strerror(errno));
		return -EINVAL;
	}
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		opts[i] = (cfg_opt_t)CFG_STR(conf_table[i].name, NULL, CFGF_NODEFAULT);
	opts[CONF_N_ROWS] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts, CFGF_NONE);
	if (cfg == NULL) {
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: out of memory", ret->path);
		return -EINVAL;
	}
	reading.conf = conf;
	reading.ret = ret;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		cfg_set_validate_func(cfg, conf_table[i].name, on_value);
	r = cfg_parse(cfg, ret->path);
	cfg_free(cfg);
	if (r == CFG_SUCCESS && ret->error[0] == '\0')
		return 0;
	if (ret->error[0] == '\0')
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: %s", ret->path, r == CFG_FILE_ERROR ? strerror(errno) : "syntax error");
	return -EINVAL;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

/* Prints text in lines of at most `width`, each after the first beginning with `indent`. */
static void
print_wrapped(FILE *out, const char *text, size_t width, const char *indent)
{
	while (strlen(text) > width) {
		size_t n = width;

		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			break;
		fprintf(out, "%.*s\n%s", (int)n, text, indent);
		text += n + 1;
	}
	fprintf(out, "%s\n", text);
}

void
conf_print_help(FILE *out)
{
	static const char indent[] = "                                ";

	fprintf(out, "Usage: peekd [options]\n"
	    "A cache in shared memory for all processes of this host.\n\nSettings, here or in a configuration file:\n");
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		char shown[80], help[512];
		int n;

		if (s->short_opt != 0)
			n = snprintf(shown, sizeof(shown), "  -%c, --", s->short_opt);
		else
			n = snprintf(shown, sizeof(shown), "      --");
		for (const char *c = s->name; *c != '\0'; c++)
			shown[n++] = *c == '_' ? '-' : *c;
		snprintf(shown + n, sizeof(shown) - (size_t)n, "%s", s->kind == CONF_KIND_FLAG ? "" : s->kind == CONF_KIND_TEXT ? "=TEXT" :
		    s->kind == CONF_KIND_CHOICE ? "=WORD" : s->kind == CONF_KIND_MODE ? "=MODE" : "=N");
		snprintf(help, sizeof(help), "%s%s%s%s%s%s%s", s->help, s->kind == CONF_KIND_CHOICE ? ": " : "",
		    s->kind == CONF_KIND_CHOICE ? s->unit : "", s->kind == CONF_KIND_FLAG ? "" : " (", s->kind == CONF_KIND_FLAG ? "" :
		    s->dflt[0] != '\0' ? s->dflt : "empty", s->kind == CONF_KIND_MEGABYTES ? " MiB" : "", s->kind == CONF_KIND_FLAG ? "" : ")");
		if (strlen(shown) < sizeof(indent) - 2)
			fprintf(out, "%-32s", shown);
		else
			fprintf(out, "%s\n%s", shown, indent);
		print_wrapped(out, help, 88, indent);
	}
	fprintf(out, "\nOther options:\n"
	    "  -f, --config=FILE             read this configuration file; the command line overrides it\n"
	    "  -t, --check                   check the configuration and end\n"
	    "      --print-config            print a commented configuration file with the values in force and end\n"
	    "  -v, --verbose                 one log level more; may be repeated\n"
	    "  -U, --udp-port=0              accepted for memcached's sake; there is no UDP\n"
	    "  -h, --help                    print this and end\n"
	    "  -V, --version                 print the version and end\n"
	    "\nSizes take k, m, g or t. Exit status: 0 ended cleanly; 64 usage or configuration; 70 internal error; 71 the kernel\n"
	    "refused something; 73 segment, socket or lock can't be made (shared memory full); 75 the name or the socket is in use by a\n"
	    "running daemon; 77 an object belongs to somebody else.\n");
}

void
conf_print_file(const struct conf *conf, FILE *out)
{
	fprintf(out, "# peekd's configuration. Every setting is here with its default; see peekd.conf(5).\n"
	    "# The command line overrides this file. SIGHUP reads it again; what is marked (live) changes then, the rest at the next start.\n"
	    "# Sizes take k, m, g or t.\n");
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		char value[1100];
		bool quoted = s->kind == CONF_KIND_TEXT;

		conf_row_value(conf, i, value, sizeof(value));
		fprintf(out, "\n# ");
		print_wrapped(out, s->help, 108, "# ");
		if (s->kind == CONF_KIND_CHOICE || s->live)
			fprintf(out, "# %s%s%s\n", s->kind == CONF_KIND_CHOICE ? s->unit : "", s->kind == CONF_KIND_CHOICE && s->live ? " " : "",
			    s->live ? "(live)" : "");
		fprintf(out, "%s = %s%s%s\n", s->name, quoted ? "\"" : "", value, quoted ? "\"" : "");
	}
}
