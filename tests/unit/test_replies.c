/*
 * test_replies.c: each row of replies.def from end to end: the text that the
 * daemon writes, the errno that libpeek makes of it, and peekctl's exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

#include "ctl/ctl.h"
#include "lib/write_request.h"
#include "wire/wire.h"

#define KINDS "SCERAPDTNF" /* of libpeek's writes (lib/request.h) */

struct row {
	enum wire_code code;
	enum wire_kind kind;
	const char *text, *args;
	int error, status;
};

static const struct row rows[] = {
#define REPLY(id, kind, text, args, error, status, help) \
	{WIRE_RE_##id, WIRE_KIND_##kind, text, args, -(error), status},
#include "wire/replies.def"
#undef REPLY
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

/* A line as the daemon writes it. */
static void
put_row(const struct row *row, struct wire_out *out)
{
	if (row->args[0] == '\0')
		wire_put_reply(out, row->code);
	else if (row->code == WIRE_RE_VALUE)
		wire_put_reply_words(out, row->code, "%s", "k 0 1\r\nx");
	else if (row->code == WIRE_RE_VA)
		wire_put_reply_words(out, row->code, "%s", "1 c5\r\nx");
	else
		wire_put_reply_words(out, row->code, "%s", "77");
}

static void
read_row(const struct row *row, struct wire_reply *ret)
{
	static char line[2 * WIRE_REPLY_LINE_MAX];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};

	put_row(row, &out);
	assert_false(out.failed);
	assert_memory_equal(line, row->text, strlen(row->text));
	assert_memory_equal(line + out.len - 2, "\r\n", 2);
	assert_int_equal(wire_parse_reply(line, out.len, ret, NULL), 1);
	assert_int_equal(ret->total_bytes, out.len);
}

static void
a_line_is_read_as_its_row(void **state)
{
	struct wire_reply re;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		read_row(&rows[i], &re);
		assert_int_equal(re.code, rows[i].code);
		assert_int_equal(wire_reply_is_error(&re), rows[i].kind >= WIRE_KIND_ERROR);
		assert_int_equal(wire_replies[re.code].error, rows[i].error);
		assert_int_equal(wire_replies[re.code].status, rows[i].status);
	}
}

/* The errno is the row's for at least one kind of write, and for the others one
 * of those that any write may return. */
static void
an_errno_is_the_row_s(void **state)
{
	struct wire_reply re;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		bool found = false;
		int other = rows[i].kind == WIRE_KIND_SERVER_ERROR ? -EIO : -EBADMSG;
		read_row(&rows[i], &re);
		for (const char *kind = KINDS; *kind != '\0'; kind++) {
			int r = request_verdict(&re, *kind);
			if (r == rows[i].error)
				found = true;
			else if (rows[i].code == WIRE_RE_NS && strchr("RAP", *kind) != NULL)
				assert_int_equal(r, -ENOENT);
			else
				assert_int_equal(r, other);
		}
		if (!found)
			fail_msg("no write returns the errno of \"%s\"", rows[i].text);
	}
}

/* An answer that was hoped for by nobody is an error. */
static void
an_exit_status_is_the_row_s(void **state)
{
	struct wire_reply re;

	(void)state;
	assert_non_null(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < N_ROWS; i++) {
		read_row(&rows[i], &re);
		int status = ctl_unhoped(&re, NULL);
		assert_int_equal(status, rows[i].status == CTL_OK ? CTL_ERROR : rows[i].status);
		assert_int_equal(ctl_is_full(&re), rows[i].error == -ECONNREFUSED);
	}
}

/* A daemon of another release has texts of its own: they are read as the
 * general row of their kind. */
static void
unknown_texts(void **state)
{
	static const struct {
		const char *line;
		enum wire_code code;
	} cases[] = {
	    {"ERROR\r\n", WIRE_RE_ERROR},
	    {"ERROR something new\r\n", WIRE_RE_ERROR},
	    {"ERROR Too many open connections!\r\n", WIRE_RE_ERROR},
	    {"CLIENT_ERROR\r\n", WIRE_RE_CLIENT_ERROR},
	    {"CLIENT_ERROR object too large for cache\r\n", WIRE_RE_CLIENT_ERROR},
	    {"CLIENT_ERROR permission denied\r\n", WIRE_RE_CLIENT_ERROR},
	    {"SERVER_ERROR object too large for cache.\r\n", WIRE_RE_SERVER_ERROR},
	    {"SERVER_ERROR object too large\r\n", WIRE_RE_SERVER_ERROR},
	    {"SERVER_ERROR out of memory: words\r\n", WIRE_RE_SERVER_ERROR},
	};
	struct wire_reply re;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    wire_parse_reply(cases[i].line, strlen(cases[i].line), &re, NULL), 1);
		assert_int_equal(re.code, cases[i].code);
		for (const char *kind = KINDS; *kind != '\0'; kind++)
			assert_int_equal(request_verdict(&re, *kind),
			    re.code == WIRE_RE_SERVER_ERROR ? -EIO : -EBADMSG);
	}
	assert_int_equal(wire_parse_reply("ERRORS\r\n", 8, &re, NULL), -EBADMSG);
}

/* append to a key that is there: the CAS id shows that the sum is too large. */
static void
a_sum_that_is_too_large(void **state)
{
	struct wire_reply re;

	(void)state;
	assert_int_equal(wire_parse_reply("NS c5\r\n", 7, &re, NULL), 1);
	assert_int_equal(request_verdict(&re, 'A'), -EMSGSIZE);
	assert_int_equal(request_verdict(&re, 'P'), -EMSGSIZE);
	assert_int_equal(request_verdict(&re, 'R'), -ENOENT);
	assert_int_equal(wire_parse_reply("NS c0\r\n", 7, &re, NULL), 1);
	assert_int_equal(request_verdict(&re, 'A'), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_read_as_its_row),
	    cmocka_unit_test(an_errno_is_the_row_s),
	    cmocka_unit_test(unknown_texts),
	    cmocka_unit_test(a_sum_that_is_too_large),
	    cmocka_unit_test(an_exit_status_is_the_row_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
