/*
 * test_wire.c: the codec's parts against plain definitions. Whole requests and
 * replies are tests/wire's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

#include "wire/wire.h"

#define LIT(s) (s), sizeof(s) - 1

static void
numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} cases[] = {
	    {"0", true, 0},
	    {"00000000000000000000000000007", true, 7},
	    {"18446744073709551615", true, UINT64_MAX},
	    {"18446744073709551616", false, 0},
	    {"18446744073709551620", false, 0},
	    {"28446744073709551615", false, 0},
	    {"99999999999999999999999", false, 0},
	    {"+5", true, 5},
	    {"+", false, 0},
	    {"-1", false, 0},
	    {"", false, 0},
	    {"1 ", false, 0},
	    {"1x", false, 0},
	    {"0x1", false, 0},
	    {"++1", false, 0},
	};
	uint64_t v;
	uint32_t u;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = 42;
		assert_int_equal(wire_u64(cases[i].text, strlen(cases[i].text), &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].value : 42);
	}
	assert_true(wire_u32(LIT("4294967295"), &u) && u == UINT32_MAX);
	assert_false(wire_u32(LIT("4294967296"), &u));
	for (uint64_t n = 1; n != 0 && n < UINT64_MAX / 7; n = n * 7 + 3) {
		char text[24], digits[20];
		int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
		assert_int_equal(wire_digits(digits, n) - digits, len);
		assert_memory_equal(digits, text, (size_t)len);
	}
}

/* A request's exptime as struct wire_request holds it. */
static void
exptimes(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} cases[] = {
	    {"0", true, 0},
	    {"2592000", true, 2592000},
	    {"-5", true, -5},
	    {"-9223372036854775808", true, -(INT64_C(1) << 39)},
	    {"-9223372036854775809", false, 0},
	    {"2147483647", true, 2147483647},
	    {"2147483648", true, 2147483648},
	    {"4292375295", true, 4292375295},
	    {"4292375296", true, -1},
	    {"4294967295", true, -1},
	    {"4294967296", true, 4294967296},
	    {"9223372036854775807", true, INT64_C(1) << 39},
	    {"9223372036854775808", true, -1},
	    {"18446744073709551615", true, -1},
	    {"18446744073709551616", false, 0},
	    {"+9", true, 9 | WIRE_FROM_NOW},
	    {"+4294967295", true, 4294967295 | WIRE_FROM_NOW},
	    {"+4294967296", false, 0},
	    {"", false, 0},
	    {"x", false, 0},
	    {"1x", false, 0},
	    {"\t7", true, 7},
	    {"7\r", true, 7},
	    {"--1", false, 0},
	};
	static struct wire_request req;
	char line[80];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int n = snprintf(line, sizeof(line), "touch k %s\n", cases[i].text);
		enum wire_status status = wire_parse(line, (size_t)n, 0, &req);
		assert_int_equal(status, cases[i].ok ? WIRE_OK : WIRE_BAD);
		if (cases[i].ok)
			assert_true(req.exptime == cases[i].value);
	}
}

static void
base64(void **state)
{
	unsigned char bytes[40], back[40];
	char text[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 250);
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		char *end = wire_base64(text, bytes, len);
		assert_int_equal(end - text, (len + 2) / 3 * 4);
		assert_true(wire_unbase64(text, (size_t)(end - text), back, &n));
		assert_int_equal(n, len);
		assert_memory_equal(back, bytes, len);
	}
	assert_memory_equal((wire_base64(text, "foob", 4), text), "Zm9vYg==", 8);
	assert_false(wire_unbase64(LIT("Zm9"), back, &n));
	assert_false(wire_unbase64(LIT("Zm9!"), back, &n));
	assert_false(wire_unbase64(LIT("Zg==Zg=="), back, &n));
	assert_false(wire_unbase64(LIT("===="), back, &n));
	assert_false(wire_unbase64(LIT(""), back, &n));
}

static void
urls(void **state)
{
	unsigned char bytes[256], back[768];
	char text[768];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	char *end = wire_urlencode(text, bytes, sizeof(bytes));
	for (const char *p = text; p < end; p++)
		assert_true(*p > ' ' && *p < 127);
	assert_true(wire_urldecode(text, (size_t)(end - text), back, &n) && n == 256);
	assert_memory_equal(back, bytes, 256);
	assert_false(wire_urldecode(LIT("%4"), back, &n));
	assert_false(wire_urldecode(LIT("%zz"), back, &n));
}

static void
keys_of_any_bytes(void **state)
{
	static struct wire_request req;
	unsigned char key[WIRE_KEY_MAX];
	char line[WIRE_KEY_B64_MAX + 64];

	(void)state;
	for (size_t len = 1; len <= WIRE_KEY_MAX; len++) {
		for (size_t i = 0; i < len; i++)
			key[i] = (unsigned char)(i + len);
		struct wire_out out = {.buf = line, .cap = sizeof(line)};
		wire_put_meta(&out, WIRE_MS, key, len, 0, "T60 c");
		assert_false(out.failed);
		wire_put(&out, "\r\n", 2);
		assert_int_equal(wire_parse(line, out.len, 0, &req), WIRE_OK);
		assert_int_equal(req.total_bytes, out.len);
		assert_int_equal(req.key.len, len);
		assert_memory_equal(req.key.p, key, len);
		assert_int_equal(req.exptime, 60);
	}
}

static void
replies(void **state)
{
	static struct wire_reply re;
	static const char va[] = "VA 3 c17 W t-1\r\nabc\r\nEN\r\n";
	struct wire_str token;
	uint64_t need = 99;

	(void)state;
	for (size_t len = 0; len < 21; len++)
		assert_int_equal(wire_parse_reply(va, len, &re, &need), 0);
	assert_int_equal(need, 21);
	assert_int_equal(wire_parse_reply(va, sizeof(va) - 1, &re, NULL), 1);
	assert_int_equal(re.code, WIRE_RE_VA);
	assert_int_equal(re.total_bytes, 21);
	assert_int_equal(re.data_bytes, 3);
	assert_memory_equal(re.data, "abc", 3);
	assert_true(
	    wire_reply_flag(&re, 'c', &token) && token.len == 2 && memcmp(token.p, "17", 2) == 0);
	assert_true(wire_reply_flag(&re, 'W', &token) && token.len == 0);
	assert_false(wire_reply_flag(&re, 'X', &token));
	assert_false(wire_reply_flag(&re, '3', &token));
	assert_int_equal(wire_parse_reply(LIT("VA 3\r\nabcd\r\n"), &re, NULL), -EBADMSG);
	assert_int_equal(wire_parse_reply(LIT("VA\r\n"), &re, NULL), -EBADMSG);
	assert_int_equal(wire_parse_reply(LIT("VA 99999999999\r\n"), &re, NULL), -EBADMSG);
	assert_int_equal(wire_parse_reply(LIT("what\r\n"), &re, NULL), -EBADMSG);
	assert_int_equal(wire_parse_reply(LIT("\r\n"), &re, NULL), -EBADMSG);
	assert_int_equal(wire_parse_reply(LIT("77\r\n"), &re, NULL), 1);
	assert_true(re.code == WIRE_RE_NUMBER && re.number == 77);
	assert_int_equal(wire_parse_reply(LIT("SERVER_ERROR no room here\r\n"), &re, NULL), 1);
	assert_true(re.code == WIRE_RE_SERVER_ERROR && re.rest.len == 12 &&
	    memcmp(re.rest.p, "no room here", 12) == 0);
	assert_int_equal(wire_parse_reply(LIT("VALUE k 7 2 9\r\nab\r\n"), &re, NULL), 1);
	assert_true(re.code == WIRE_RE_VALUE && re.data_bytes == 2 && re.n_args == 4);
}

static int
refuse(struct wire_out *out, size_t cap_min)
{
	(void)out;
	(void)cap_min;
	return -ENOMEM;
}

static void
a_full_buffer(void **state)
{
	char buf[8];
	struct wire_out out = {.buf = buf, .cap = sizeof(buf), .grow = refuse};

	(void)state;
	wire_put(&out, "12345678", 8);
	assert_false(out.failed);
	wire_put(&out, "9", 1);
	assert_true(out.failed && out.len == 8);
	wire_put_reply(&out, WIRE_RE_OK);
	assert_int_equal(out.len, 8);
}

/* The level that a peer needs follows from the request, not from its verb
 * alone. */
static void
access_levels(void **state)
{
	static const struct {
		const char *line;
		enum wire_access access;
	} cases[] = {
	    {"get a\r\n", WIRE_ACCESS_READ},
	    {"gat 0 a\r\n", WIRE_ACCESS_WRITE},
	    {"mg a v\r\n", WIRE_ACCESS_READ},
	    {"mg a T1\r\n", WIRE_ACCESS_WRITE},
	    {"mg a N1\r\n", WIRE_ACCESS_WRITE},
	    {"mg a R1\r\n", WIRE_ACCESS_WRITE},
	    {"md a\r\n", WIRE_ACCESS_WRITE},
	    {"stats\r\n", WIRE_ACCESS_READ},
	    {"stats reset\r\n", WIRE_ACCESS_ADMIN},
	    {"stats settings\r\n", WIRE_ACCESS_READ},
	    {"flush_all\r\n", WIRE_ACCESS_ADMIN},
	    {"version\r\n", WIRE_ACCESS_READ},
	    {"peek_dump 0 1\r\n", WIRE_ACCESS_ADMIN},
	    {"peek_attach 0\r\n", WIRE_ACCESS_READ},
	    {"shutdown\r\n", WIRE_ACCESS_ADMIN},
	};
	static struct wire_request req;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    wire_parse(cases[i].line, strlen(cases[i].line), 0, &req), WIRE_OK);
		assert_int_equal(req.access, cases[i].access);
	}
}

/* Every row can be parsed by its name, and is itself. */
static void
rows(void **state)
{
	static struct wire_request req;

	(void)state;
	for (unsigned v = 0; v < WIRE_N_VERBS; v++) {
		char line[64];
		int len = snprintf(line, sizeof(line), "%s 1 0 0 0 0\r\n\r\n", wire_verbs[v].name);
		req.verb = WIRE_N_VERBS;
		enum wire_status status = wire_parse(line, (size_t)len, 0, &req);
		assert_true(status == WIRE_OK || status == WIRE_BAD);
		assert_int_equal(req.verb, v);
		assert_true(wire_verbs[v].help[0] != '\0');
	}
}

static void
a_cursor_survives_a_move(void **state)
{
	static struct wire_request req;
	char first[] = "get  one two three\r\n", second[sizeof(first)];
	struct wire_str key;
	uint32_t cursor = 0;

	(void)state;
	assert_int_equal(wire_parse(LIT(first), 0, &req), WIRE_OK);
	assert_true(
	    wire_next_key(&req, &cursor, &key) && key.len == 3 && memcmp(key.p, "one", 3) == 0);
	memcpy(second, first, sizeof(first));
	memset(first, 'x', sizeof(first));
	assert_int_equal(wire_parse(LIT(second), 0, &req), WIRE_OK);
	assert_true(wire_next_key(&req, &cursor, &key) && memcmp(key.p, "two", 3) == 0);
	assert_true(wire_next_key(&req, &cursor, &key) && memcmp(key.p, "three", 5) == 0);
	assert_false(wire_next_key(&req, &cursor, &key));
}

/* Every byte at every place, beside bytes that carry and borrow. */
static void
plain_keys_have_neither_blanks_nor_controls(void **state)
{
	static const unsigned char beside[] = {0x21, 0x22, 0x7e, 0x80, 0xa1, 0xff};
	unsigned char key[20];

	(void)state;
	for (size_t len = 1; len <= sizeof(key); len++) {
		for (size_t b = 0; b < sizeof(beside); b++) {
			memset(key, beside[b], sizeof(key));
			assert_true(wire_key_plain(key, len));
			for (size_t at = 0; at < len; at++) {
				for (unsigned v = 0; v < 256; v++) {
					key[at] = (unsigned char)v;
					assert_int_equal(
					    wire_key_plain(key, len), v > ' ' && v != 0x7f);
				}
				key[at] = beside[b];
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_keys_have_neither_blanks_nor_controls),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(exptimes),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(urls),
	    cmocka_unit_test(keys_of_any_bytes),
	    cmocka_unit_test(replies),
	    cmocka_unit_test(a_full_buffer),
	    cmocka_unit_test(access_levels),
	    cmocka_unit_test(rows),
	    cmocka_unit_test(a_cursor_survives_a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
