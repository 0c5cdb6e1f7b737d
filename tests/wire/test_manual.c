/*
 * test_manual.c: the lists of peekd-protocol(7) are the rows of verbs.def and
 * replies.def. With --write it writes them into the page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/wire.h"

#define PAGE "src/wire/peekd-protocol.7"

static const struct {
	enum wire_kind kind;
	const char *text, *args, *error, *help;
	int status;
} replies[] = {
#define REPLY(id, kind, text, args, error, status, help) \
	{WIRE_KIND_##kind, text, args, #error, help, status},
#include "wire/replies.def"
#undef REPLY
};

/* Each sentence ends its line. */
static void
put_help(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		fputc(*c, out);
		if (*c == '.' && c[1] == ' ') {
			fputc('\n', out);
			c++;
		}
	}
	fputc('\n', out);
}

static bool
verb_is_own(const struct wire_verb_info *info)
{
	return strncmp(info->name, "peek_", 5) == 0;
}

static bool
verb_is_meta(const struct wire_verb_info *info)
{
	return info->name[0] == 'm' && info->name[2] == '\0';
}

static void
put_verbs(FILE *out, const char *title, bool meta, bool own)
{
	fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", title);
	for (unsigned v = 0; v < WIRE_N_VERBS; v++) {
		const struct wire_verb_info *info = &wire_verbs[v];
		if (verb_is_meta(info) != meta || verb_is_own(info) != own)
			continue;
		fprintf(out, ".It Ic %s", info->name);
		if (info->args[0] != '\0')
			fprintf(out, " Ar \"%s\"", info->args);
		fprintf(out, " Pq %s\n", wire_access_name(info->access));
		put_help(out, info->help);
	}
	fputs(".El\n", out);
}

static void
put_requests(FILE *out)
{
	put_verbs(out, "Classic requests", false, false);
	put_verbs(out, "Meta requests", true, false);
	put_verbs(out, "peekd's own requests", false, true);
}

static void
put_kind(FILE *out, const char *title, enum wire_kind kind)
{
	fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", title);
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		if (replies[i].kind != kind)
			continue;
		fputs(".It", out);
		if (replies[i].text[0] != '\0')
			fprintf(out, " Ic \"%s\"", replies[i].text);
		if (replies[i].args[0] != '\0')
			fprintf(out, " Ar \"%s\"", replies[i].args);
		fputc('\n', out);
		put_help(out, replies[i].help);
		fprintf(out, ".br\nlibpeek: %s; peekctl: %d.\n",
		    strcmp(replies[i].error, "0") == 0 ? "success" : replies[i].error,
		    replies[i].status);
	}
	fputs(".El\n", out);
}

static void
put_replies(FILE *out)
{
	put_kind(out, "Replies to meta requests", WIRE_KIND_META);
	put_kind(out, "Replies to classic requests", WIRE_KIND_CLASSIC);
	put_kind(out, "Replies to peekd's own requests", WIRE_KIND_OWN);
	put_kind(out, "Errors of words and of connections", WIRE_KIND_ERROR);
	put_kind(out, "Errors of a request", WIRE_KIND_CLIENT_ERROR);
	put_kind(out, "Errors of the daemon", WIRE_KIND_SERVER_ERROR);
}

/* The page as it should be: each part from a line `.\" begin NAME` to
 * `.\" end` is printed from the tables. */
static char *
printed_page(FILE *page)
{
	char line[1024], *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	bool skips = false;

	assert_non_null(out);
	while (fgets(line, sizeof(line), page) != NULL) {
		if (strncmp(line, ".\\\" end", 7) == 0)
			skips = false;
		if (!skips)
			fputs(line, out);
		if (strncmp(line, ".\\\" begin requests", 18) == 0)
			put_requests(out);
		else if (strncmp(line, ".\\\" begin replies", 17) == 0)
			put_replies(out);
		skips = skips || strncmp(line, ".\\\" begin", 9) == 0;
	}
	fclose(out);
	return text;
}

static char *
read_page(void)
{
	FILE *page = fopen(PAGE, "re");
	char *text = NULL;
	size_t n = 0;

	assert_non_null(page);
	assert_true(getdelim(&text, &n, '\0', page) > 0);
	fclose(page);
	return text;
}

static void
the_page_s_lists_are_the_tables(void **state)
{
	FILE *page = fopen(PAGE, "re");
	char *is = read_page(), *should;

	(void)state;
	assert_non_null(page);
	should = printed_page(page);
	fclose(page);
	if (strcmp(is, should) != 0)
		fail_msg("%s is not what the tables say: run make protocol-manual", PAGE);
	free(is);
	free(should);
}

static int
write_page(void)
{
	FILE *page = fopen(PAGE, "re");
	char *text;

	if (page == NULL)
		return 1;
	text = printed_page(page);
	fclose(page);
	page = fopen(PAGE, "we");
	if (page == NULL)
		return 1;
	fputs(text, page);
	free(text);
	return fclose(page) != 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_page_s_lists_are_the_tables),
	};

	if (argc > 1 && strcmp(argv[1], "--write") == 0)
		return write_page();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
