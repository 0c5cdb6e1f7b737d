/*
 * options.c: parses and prints the table of options.
 */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum kind { COUNT, REAL, TEXT, FLAG };

#define FIRST_LONG 256 /* values of options without a letter */

static const struct row {
	enum kind kind;
	size_t at;
	const char *name;
	int letter;
	const char *argument;
	unsigned commands;
	const char *help;
} rows[] = {
#define ROW(kind, field, name, letter, argument, preset, commands, help) \
	{kind, offsetof(struct options, field), name, letter, argument, commands, help},
    OPTIONS(ROW)};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct options presets = {
#define PRESET(kind, field, name, letter, argument, preset, commands, help) .field = preset,
    OPTIONS(PRESET)};

static bool
parse_count(const char *text, uint64_t *ret, const char **ret_end)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);
	unsigned shift = *end == 'k' ? 10 : *end == 'm' ? 20 : *end == 'g' ? 30 : 0;

	if (end == text || *text == '-' || v > UINT64_MAX >> shift)
		return false;
	*ret = (uint64_t)v << shift;
	*ret_end = end + (shift != 0);
	return true;
}

bool
options_amount(const char *text, uint64_t whole, uint64_t *ret)
{
	const char *end;
	char *after;
	double share = strtod(text, &after);

	if (strcmp(after, "%") == 0 && share > 0 && share <= 1000) {
		*ret = (uint64_t)((double)whole * share / 100 + 0.5);
		return true;
	}
	return parse_count(text, ret, &end) && *end == '\0';
}

void
options_help(unsigned group)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		char left[64];
		if ((rows[i].commands & group) == 0)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name,
		    rows[i].argument != NULL ? " " : "",
		    rows[i].argument != NULL ? rows[i].argument : "");
		printf("  %c%c%c %-20s %s\n", rows[i].letter != 0 ? '-' : ' ',
		    rows[i].letter != 0 ? rows[i].letter : ' ', rows[i].letter != 0 ? ',' : ' ',
		    left, rows[i].help);
	}
}

static bool
options_take(const struct row *row, const char *arg, struct options *o)
{
	char *field = (char *)o + row->at, *after;
	const char *end = "";
	uint64_t count;
	double real;
	bool yes = true;

	switch (row->kind) {
	case COUNT:
		if (!parse_count(arg, &count, &end) || *end != '\0')
			return false;
		memcpy(field, &count, sizeof(count));
		return true;
	case REAL:
		real = strtod(arg, &after);
		if (after == arg || *after != '\0' || !(real >= 0 && real < 1e6))
			return false;
		memcpy(field, &real, sizeof(real));
		return true;
	case TEXT:
		memcpy(field, &arg, sizeof(arg));
		return true;
	case FLAG:
		memcpy(field, &yes, sizeof(yes));
		return true;
	}
	return false;
}

int
options_parse(int argc, char **argv, unsigned group, struct options *ret)
{
	struct option longs[N_ROWS + 2] = {{0}};
	char letters[2 * N_ROWS + 2] = "h", *l = letters + 1;
	size_t n = 0;

	*ret = presets;
	for (size_t i = 0; i < N_ROWS; i++) {
		if ((rows[i].commands & group) == 0)
			continue;
		longs[n++] = (struct option){rows[i].name,
		    rows[i].argument != NULL ? required_argument : no_argument, NULL,
		    FIRST_LONG + (int)i};
		if (rows[i].letter == 0)
			continue;
		*l++ = (char)rows[i].letter;
		if (rows[i].argument != NULL)
			*l++ = ':';
	}
	*l = '\0';
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	for (int c; (c = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		const struct row *row = NULL;
		if (c == 'h')
			return 1;
		if (c == '?')
			return -1;
		for (size_t i = 0; i < N_ROWS && row == NULL; i++)
			if ((rows[i].commands & group) != 0 &&
			    (c == FIRST_LONG + (int)i || c == rows[i].letter))
				row = &rows[i];
		if (row == NULL || !options_take(row, optarg, ret)) {
			fprintf(stderr, "peekbench: --%s doesn't take '%s'\n",
			    row != NULL ? row->name : "?", optarg);
			return -1;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "peekbench: what is '%s'?\n", argv[optind]);
		return -1;
	}
	return 0;
}
