/* conf_print.c: prints the table of settings: --help, a configuration file, and
 * its manual page. */
#include <string.h>

#include "daemon/conf/conf_table.h"

/* Prints text in lines of at most `width`. Each line after the first begins
 * with `indent`. */
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

	fprintf(out,
	    "Usage: peekd [options]\n"
	    "A cache in shared memory for all processes of this host.\n\nSettings, here or in a "
	    "configuration file:\n");
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
		snprintf(shown + n, sizeof(shown) - (size_t)n, "%s",
		    s->kind == CONF_KIND_FLAG         ? "[=no]"
			: conf_is_text(s)             ? "=TEXT"
			: s->kind == CONF_KIND_CHOICE ? "=WORD"
			: s->kind == CONF_KIND_MODE   ? "=MODE"
						      : "=N");
		const char *dflt = s->dflt[0] != '\0' ? s->dflt : "empty";

		if (s->kind == CONF_KIND_CHOICE)
			snprintf(help, sizeof(help), "%s: %s (%s)", s->help, s->unit, dflt);
		else
			snprintf(help, sizeof(help), "%s (%s%s)", s->help, dflt,
			    s->kind == CONF_KIND_MEGABYTES ? " MiB" : "");
		if (strlen(shown) < sizeof(indent) - 2)
			fprintf(out, "%-32s", shown);
		else
			fprintf(out, "%s\n%s", shown, indent);
		print_wrapped(out, help, 88, indent);
	}
	fprintf(out,
	    "\nOther options:\n"
	    "  -f, --config=FILE             read this configuration file; the command line "
	    "overrides it\n"
	    "  -t, --check                   check all that a start checks, and end\n"
	    "      --print-config            print a commented configuration file with the values "
	    "in force, and end\n"
	    "  -v, --verbose                 raise the log level by one; may be repeated\n"
	    "  -U, --udp-port=0              accepted as memcached's option; there is no UDP\n"
	    "  -h, --help                    print this and end\n"
	    "  -V, --version                 print the version and end\n"
	    "\nSizes take k, m, g or t. Exit status: 0 ended cleanly; 64 usage or configuration; "
	    "70 internal error; 71 the kernel\n"
	    "refused something; 73 segment, socket or lock can't be made (shared memory full); 75 "
	    "the name or the socket is in use by a\n"
	    "running daemon; 77 an object belongs to somebody else.\n");
}

static bool
is_default(const struct conf *conf, size_t row)
{
	struct conf other;
	char now[1100], dflt[1100], error[CONF_ERROR_BYTES];

	memset(&other, 0, sizeof(other));
	if (conf_set(&other, row, conf_table[row].dflt, "", error) != 0)
		return false;
	conf_row_value(conf, row, now, sizeof(now));
	conf_row_value(&other, row, dflt, sizeof(dflt));
	conf_free(&other);
	return strcmp(now, dflt) == 0;
}

void
conf_print_file(const struct conf *conf, FILE *out)
{
	fprintf(out,
	    "# peekd's configuration. Every setting is here; lines with a # show its default. See "
	    "peekd.conf(5).\n"
	    "# The command line overrides this file. SIGHUP reads it again; settings marked (live) "
	    "change then, the others at the next start.\n"
	    "# Sizes take k, m, g or t.\n");
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		char value[1100];
		bool quoted = conf_is_text(s);

		conf_row_value(conf, i, value, sizeof(value));
		fprintf(out, "\n# ");
		print_wrapped(out, s->help, 108, "# ");
		if (s->kind == CONF_KIND_CHOICE || s->live)
			fprintf(out, "# %s%s%s\n", s->kind == CONF_KIND_CHOICE ? s->unit : "",
			    s->kind == CONF_KIND_CHOICE && s->live ? " " : "",
			    s->live ? "(live)" : "");
		fprintf(out, "%s%s = %s%s%s\n", is_default(conf, i) ? "#" : "", s->name,
		    quoted ? "\"" : "", value, quoted ? "\"" : "");
	}
}

/* ---- peekd.conf(5) ------------------------------------------------------- */

/* Prints text as mdoc: no line begins with a control character, backslashes are
 * escaped, sentences end lines. */
static void
print_mdoc(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\\')
			fputs("\\e", out);
		else if (*c == ';' && c[1] == ' ') {
			fputs(";\n", out);
			c++;
		} else
			fputc(*c, out);
	}
	fputc('\n', out);
}

static const char *
kind_words(const struct conf_setting *s)
{
	switch (s->kind) {
	case CONF_KIND_SIZE:
		return "bytes; k, m, g, t";
	case CONF_KIND_MEGABYTES:
		return "MiB; or with b, k, m, g, t";
	case CONF_KIND_NUMBER:
		return s->unit[0] != '\0' ? s->unit : "number";
	case CONF_KIND_MODE:
		return "octal";
	case CONF_KIND_FLAG:
		return "yes or no";
	case CONF_KIND_CHOICE:
		return s->unit;
	case CONF_KIND_TEXT:
	case CONF_KIND_NAME:
		break;
	}
	return "text";
}

void
conf_print_manual(FILE *out)
{
	fputs(
	    ".\\\" Made from settings.def by peekd --print-manual.\n"
	    ".Dd November 21, 2026\n.Dt PEEKD.CONF 5\n.Os\n.Sh NAME\n.Nm peekd.conf\n.Nd "
	    "settings of peekd\n.Sh DESCRIPTION\n"
	    "A line of the file sets one setting:\n.Pp\n.Dl name = value\n.Pp\n"
	    "A value that holds anything but letters, digits, dots and slashes stands in "
	    "double quotes.\n"
	    "A number sign begins a comment.\nBetween the quotes\n.Ic ${NAME}\nstands for an "
	    "environment variable, and\n.Ic include(\"file\")\nfor another file.\n"
	    "If a setting stands twice, the later line wins.\nEach setting is also a long option; "
	    "the command line wins over the file.\n"
	    "An unknown setting or a value out of range is an error, and nothing starts;\n.Ql "
	    "peekd -t\nchecks all that a start checks.\n.Pp\n"
	    "Settings marked\n.Em live\nchange in a running daemon at\n.Dv SIGHUP .\n.Bl -tag "
	    "-width Ds\n",
	    out);
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		char lo[32], hi[32];

		fprintf(out, ".It Ic %s Pq %s\n", s->name, kind_words(s));
		print_mdoc(out, s->help);
		fputs(".br\n", out);
		if (s->kind == CONF_KIND_SIZE || s->kind == CONF_KIND_MEGABYTES ||
		    s->kind == CONF_KIND_NUMBER || s->kind == CONF_KIND_MODE) {
			conf_format_number(s, s->min, lo, sizeof(lo));
			conf_format_number(s, s->max, hi, sizeof(hi));
			fprintf(out, "%s to %s; ", lo, hi);
		}
		fprintf(out, "default %s", s->dflt[0] != '\0' ? s->dflt : "empty");
		if (s->short_opt != 0)
			fprintf(out, "; also\n.Fl %c%s", s->short_opt, s->live ? " ;\nlive" : "");
		else
			fputs(s->live ? "; live" : "", out);
		fputc('\n', out);
	}
	fputs(".El\n.Sh WHO MAY DO WHAT\n"
	      "The mode and group of the control socket decide who may connect; the mode and "
	      "group of the segment decide who may read it.\n"
	      "The three access settings then give each connection a level, by the user and the "
	      "groups of the process that made it.\n"
	      "Each setting is a list of words: a user's name or number, a group's name or number "
	      "behind an at sign,\n.Ic self\nfor the user that peekd runs as, "
	      "an asterisk for everybody.\nA level includes those below it.\n"
	      "A request above the level is answered with an error, and logged with uid and pid.\n"
	      ".Bl -column -offset indent \"write\" \"x\"\n.It read Ta get, mg without changes, "
	      "stats, version\n"
	      ".It write Ta set and its kin, delete, incr, touch\n.It admin Ta flush_all, "
	      "verbosity, shutdown, stats reset, dumps of keys, snapshots\n.El\n"
	      ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/peekd/peekd.conf\n"
	      "The file of the service peekd, for the instance \"default\".\n"
	      "A daemon that no service starts reads the file that\n.Fl f\nnames, and no file "
	      "without that option.\n"
	      ".It Pa /etc/peekd/ Ns Ar NAME Ns Pa .conf\nThe file of the service peekd@NAME.\n"
	      ".It Pa /etc/peekd/owner\n"
	      "User ids whose segments readers believe, besides root's and the reader's own:\n.Xr "
	      "libpeek 3 .\n.El\n"
	      ".Sh EXAMPLES\n.Bd -literal -offset indent\nmemory_limit = 1g\nunix_mask = "
	      "0770\ngroup = www\n"
	      "access_write = \"@www-admin, deploy\"\n.Ed\n"
	      ".Sh SEE ALSO\n.Xr peekd 8\n",
	    out);
}
