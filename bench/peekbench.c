/*
 * peekbench: load and measurements.
 */
#include <stdio.h>
#include <string.h>

#include "base/descriptor.h"
#include "commands.h"

static const struct command {
	const char *name;
	int (*run)(const struct options *o);
	unsigned group;
	const char *help;
} commands[] = {
#define COMMAND_ROW(name, group, help) {#name, command_##name, group, help},
    COMMANDS(COMMAND_ROW)};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
peekbench_usage(void)
{
	printf("usage: peekbench COMMAND [options]; peekbench COMMAND --help\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
}

static int
peekbench_run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";
	struct options o;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		peekbench_usage();
		return argc > 1 ? 0 : 2;
	}
	if (strcmp(name, "--version") == 0) {
		printf("peekbench %s\n", PEEKD_VERSION);
		return 0;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		int r = options_parse(argc - 1, argv + 1, commands[i].group, &o);
		if (r > 0) {
			printf("usage: peekbench %s [options]: %s\n\n", name, commands[i].help);
			options_help(commands[i].group);
		}
		return r == 0 ? commands[i].run(&o) : r < 0 ? 2 : 0;
	}
	fprintf(stderr, "peekbench: there is no command '%s'; peekbench --help lists them\n", name);
	return 2;
}

int
main(int argc, char **argv)
{
	descriptor_fill_standard();
	int status = peekbench_run(argc, argv);

	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	fprintf(stderr, "peekbench: standard output can't be written\n");
	return status != 0 ? status : 2;
}
