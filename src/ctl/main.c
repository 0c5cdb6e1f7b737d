/*
 * main.c: peekctl's command line, parsed by the tables of options and commands.
 */
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/descriptor.h"
#include "ctl/control.h"
#include "ctl/ctl.h"

#define COMMON_OPTIONS "nsjthV"

static const struct command {
	const char *name;
	int args_min, args_max;
	const char *options, *args, *help;
	int (*run)(struct ctl *c);
} commands[] = {
#define COMMAND(id, name, args_min, args_max, options, args, help) \
	{name, args_min, args_max, options, args, help, ctl_cmd_##id},
#include "ctl/commands.def"
#undef COMMAND
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct option_row {
	char id, letter;
	const char *name, *arg, *help;
} options[] = {
#define OPTION(id, letter, name, arg, help) {id, letter, name, arg, help},
#include "ctl/options.def"
#undef OPTION
};
#define N_OPTIONS (sizeof(options) / sizeof(*options))

/* ---- help ---------------------------------------------------------------- */

static void
print_options(const char *ids)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &options[i];
		char left[64];
		if (strchr(ids, o->id) == NULL)
			continue;
		int n = o->letter != 0 ? snprintf(left, sizeof(left), "-%c, ", o->letter)
				       : snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		printf("  %-22s  %s\n", left, o->help);
	}
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

/* Prints a JSON object for each command, or for one. */
static int
help_json(const struct command *only)
{
	struct output r;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (only != NULL && only != &commands[i])
			continue;
		output_begin(&r, true, 0);
		output_text(&r, "command", commands[i].name);
		output_text(&r, "args", commands[i].args);
		output_text(&r, "help", commands[i].help);
		output_end(&r);
	}
	return ctl_flushed(CTL_OK);
}

int
ctl_help(const char *name, bool json)
{
	const struct command *cmd = name != NULL ? find_command(name) : NULL;

	if (name != NULL && cmd == NULL)
		return ctl_error(
		    "peekctl help lists the commands.", "there is no command \"%s\"", name);
	if (json)
		return help_json(cmd);
	if (cmd != NULL) {
		printf("usage: peekctl [options] %s %s\n\n%s\n", cmd->name, cmd->args, cmd->help);
		if (cmd->options[0] != '\0')
			printf("\n");
		print_options(cmd->options);
		return ctl_flushed(CTL_OK);
	}
	printf("usage: peekctl [-n NAME | -s PATH] [options] COMMAND ...\n\ncommands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		char left[80];
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].args);
		if (strlen(left) > 18)
			printf("  %s\n  %-18s  %s\n", left, "", commands[i].help);
		else
			printf("  %-18s  %s\n", left, commands[i].help);
	}
	printf("\noptions:\n");
	print_options(COMMON_OPTIONS);
	printf("\npeekctl help COMMAND shows a command's own options. After -- each word is an "
	       "argument.\n"
	       "Exit status: 0 done; 1 not found, not stored or refused; 2 any error.\n");
	return ctl_flushed(CTL_OK);
}

int
ctl_cmd_help(struct ctl *c)
{
	return ctl_help(c->n_args > 0 ? c->args[0] : NULL, c->json);
}

/* ---- the command line ---------------------------------------------------- */

static int
bad_value(const char *option, const char *value, const char *allowed)
{
	return ctl_error(NULL, "--%s: found \"%s\", allowed is %s", option, value, allowed);
}

/* Options that are a word or a flag, and their fields in struct ctl. */
static const struct {
	char id;
	bool flag;
	size_t at; /* of a const char * or a bool */
} plain_options[] = {
    {'n', false, offsetof(struct ctl, name)},
    {'s', false, offsetof(struct ctl, socket)},
    {'o', false, offsetof(struct ctl, output)},
    {'f', false, offsetof(struct ctl, file)},
    {'M', false, offsetof(struct ctl, mode)},
    {'<', false, offsetof(struct ctl, from)},
    {'>', false, offsetof(struct ctl, to)},
    {'p', false, offsetof(struct ctl, prefix)},
    {'G', false, offsetof(struct ctl, tags)},
    {'j', true, offsetof(struct ctl, json)},
    {'x', true, offsetof(struct ctl, escape)},
    {'D', true, offsetof(struct ctl, dry_run)},
    {'S', true, offsetof(struct ctl, sort)},
    {'P', true, offsetof(struct ctl, partial)},
    {'0', true, offsetof(struct ctl, null)},
    {'O', true, offsetof(struct ctl, once)},
};

static bool
take_plain_option(struct ctl *c, char id, const char *value)
{
	for (size_t i = 0; i < sizeof(plain_options) / sizeof(*plain_options); i++) {
		if (plain_options[i].id != id)
			continue;
		void *to = (char *)c + plain_options[i].at;
		if (plain_options[i].flag)
			*(bool *)to = true;
		else
			*(const char **)to = value;
		return true;
	}
	return false;
}

static int
take_option(struct ctl *c, char id, char *value)
{
	uint64_t number;

	if (take_plain_option(c, id, value))
		return CTL_OK;
	switch (id) {
	case 'i':
		if (!ctl_duration(value, &c->interval_s) || c->interval_s < 1 ||
		    c->interval_s > 3600)
			return bad_value("interval", value, "1 to 3600 seconds");
		return CTL_OK;
	case 't':
		if (!ctl_duration(value, &number) || number < 1 || number > 86400)
			return bad_value("timeout", value, "1 to 86400 seconds");
		c->timeout_ms = (unsigned)number * 1000;
		return CTL_OK;
	case 'T':
		return ctl_duration(value, &c->ttl_s)
		    ? CTL_OK
		    : bad_value("ttl", value, "a number of seconds, or of m, h, d: 15m");
	case 'F':
		return ctl_number(value, UINT32_MAX, &c->flags)
		    ? CTL_OK
		    : bad_value("flags", value, "0 to 4294967295");
	case 'C':
		c->has_cas = true;
		return ctl_number(value, UINT64_MAX, &c->cas) ? CTL_OK
							      : bad_value("cas", value, "a number");
	case 'L':
		if (!ctl_number(value, UINT64_MAX, &c->limit) || c->limit == 0)
			return bad_value("limit", value, "a number above 0");
		return CTL_OK;
	default:
		return CTL_ERROR;
	}
}

/* Explains an option that getopt_long refused. */
static int
bad_option(int got, const char *word)
{
	const char *advice = "peekctl help lists the commands, peekctl help COMMAND its options. "
			     "After -- each word is an argument.";

	if (strncmp(word, "--", 2) != 0)
		return ctl_error(advice,
		    got == ':' ? "option -%c needs a value" : "there is no option -%c", optopt);
	if (got == ':')
		return ctl_error(advice, "option \"%s\" needs a value", word);
	if (strchr(word, '=') != NULL && optopt != 0)
		return ctl_error(
		    advice, "option \"%.*s\" takes no value", (int)strcspn(word, "="), word);
	return ctl_error(advice, "there is no option \"%s\", or several begin so", word);
}

/* Fills c, and ids with the ids of the given options, at most cap - 1. CTL_OK,
 * or the exit status. */
static int
main_parse_words(struct ctl *c, int argc, char **argv, char *ids, size_t cap)
{
	struct option longs[N_OPTIONS + 1] = {0};
	char shorts[64] = ":";
	size_t n_ids = 0, n_shorts = 1;
	int got;

	opterr = 0;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &options[i];
		longs[i] = (struct option){
		    o->name, o->arg != NULL ? required_argument : no_argument, NULL, o->id};
		if (o->letter != 0) {
			shorts[n_shorts++] = o->letter;
			if (o->arg != NULL)
				shorts[n_shorts++] = ':';
		}
	}
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (got == '?' || got == ':')
			return bad_option(got, argv[optind - 1]);
		if (n_ids < cap - 1)
			ids[n_ids++] = (char)got;
		if (got == 'h' || got == 'V')
			continue;
		int status = take_option(c, (char)got, optarg);
		if (status != CTL_OK)
			return status;
	}
	ids[n_ids] = '\0';
	return CTL_OK;
}

int
main(int argc, char **argv)
{
	descriptor_fill_standard();
	const char *env_name = getenv("PEEK_NAME");
	struct ctl c = {.name = env_name != NULL ? env_name : "default", .timeout_ms = 5000};
	char ids[64];
	int status = main_parse_words(&c, argc, argv, ids, sizeof(ids));

	if (status != CTL_OK)
		return status;
	const char *name = optind < argc ? argv[optind] : NULL;
	if (strchr(ids, 'h') != NULL)
		return ctl_help(name, c.json);
	if (strchr(ids, 'V') != NULL) {
		printf(c.json ? "{\"peekctl\":\"%s\"}\n" : "peekctl %s\n", peek_version());
		return ctl_flushed(CTL_OK);
	}
	if (name == NULL) {
		fputs("usage: peekctl [-n NAME | -s PATH] [options] COMMAND ...\n  peekctl help "
		      "lists the commands.\n",
		    stderr);
		return CTL_ERROR;
	}
	const struct command *cmd = find_command(name);
	if (cmd == NULL)
		return ctl_error(
		    "peekctl help lists the commands.", "there is no command \"%s\"", name);
	c.args = argv + optind + 1;
	c.n_args = argc - optind - 1;
	if (c.n_args < cmd->args_min || c.n_args > cmd->args_max)
		return ctl_error(NULL, "usage: peekctl %s %s", cmd->name, cmd->args);
	for (const char *id = ids; *id != '\0'; id++) {
		if (strchr(COMMON_OPTIONS, *id) != NULL || strchr(cmd->options, *id) != NULL)
			continue;
		for (size_t i = 0; i < N_OPTIONS; i++)
			if (options[i].id == *id)
				return ctl_error(
				    NULL, "%s has no option --%s", cmd->name, options[i].name);
	}
	status = cmd->run(&c);
	control_close(c.conn);
	peek_close(c.peek);
	return status == CTL_ERROR ? status : ctl_flushed(status);
}
