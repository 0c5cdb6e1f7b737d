/*
 * output.c: prints records as lines or as JSON.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "wire/wire.h"

static bool
is_utf8(const unsigned char *p, size_t n)
{
	size_t bytes;

	for (size_t i = 0; i < n; i += bytes)
		if ((bytes = utf8_bytes(p + i, n - i)) == 0)
			return false;
	return true;
}

/* Bytes that are no UTF-8 become \xHH: a foreign daemon may send a field with
 * such a name. */
static void
json_string(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t len;

	putchar('"');
	for (size_t i = 0; i < n; i++) {
		if ((len = utf8_bytes(p + i, n - i)) == 0)
			printf("\\\\x%02x", p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			printf("\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			printf("\\u%04x", p[i]);
		else if (utf8_is_control(p + i, n - i))
			printf("\\u%04x", p[++i]);
		else {
			fwrite(p + i, 1, len, stdout);
			i += len - 1;
		}
	}
	putchar('"');
}

void
output_begin(struct output *r, bool json, int width)
{
	*r = (struct output){.json = json, .width = width};
	if (json)
		putchar('{');
}

static void
output_field(struct output *r, const char *field)
{
	if (!r->json) {
		printf("%-*s ", r->width, field);
		return;
	}
	if (r->begun)
		putchar(',');
	r->begun = true;
	json_string(field, strlen(field));
	putchar(':');
}

static void
output_line_end(const struct output *r)
{
	if (!r->json)
		putchar('\n');
}

void
output_u64(struct output *r, const char *field, uint64_t value)
{
	output_field(r, field);
	printf("%" PRIu64, value);
	output_line_end(r);
}

void
output_i64(struct output *r, const char *field, int64_t value)
{
	output_field(r, field);
	printf("%" PRId64, value);
	output_line_end(r);
}

void
output_bool(struct output *r, const char *field, bool value)
{
	output_field(r, field);
	fputs(r->json ? (value ? "true" : "false") : (value ? "yes" : "no"), stdout);
	output_line_end(r);
}

void
output_null(struct output *r, const char *field)
{
	output_field(r, field);
	fputs("null", stdout);
	output_line_end(r);
}

void
output_text(struct output *r, const char *field, const char *value)
{
	output_bytes(r, field, value, strlen(value));
}

void
output_bytes(struct output *r, const char *field, const void *bytes, size_t n)
{
	if (!r->json) {
		output_field(r, field);
		output_escaped(stdout, bytes, n);
		output_line_end(r);
		return;
	}
	if (is_utf8(bytes, n)) {
		output_field(r, field);
		json_string(bytes, n);
		return;
	}
	char name[64];
	char *encoded = malloc((n + 2) / 3 * 4 + 1);
	snprintf(name, sizeof(name), "%s_base64", field);
	if (encoded == NULL) {
		output_null(r, name);
		return;
	}
	output_field(r, name);
	json_string(encoded, (size_t)(wire_base64(encoded, bytes, n) - encoded));
	free(encoded);
}

void
output_key(struct output *r, const struct ctl *c, struct wire_str key)
{
	if (c->escape)
		output_text(r, "key", ctl_shown(&key).text);
	else
		output_bytes(r, "key", key.p, key.len);
}

void
output_guess(struct output *r, const char *field, const char *value, size_t value_len)
{
	size_t at = value_len > 0 && value[0] == '-', digits = 0, dots = 0;

	for (size_t i = at; i < value_len; i++) {
		digits += isdigit((unsigned char)value[i]) != 0;
		dots += value[i] == '.' && i > at && i + 1 < value_len;
	}
	bool number = digits > 0 && dots <= 1 && at + digits + dots == value_len &&
	    (value[at] != '0' || value_len == at + 1 || value[at + 1] == '.');
	if (!r->json || !number) {
		output_bytes(r, field, value, value_len);
		return;
	}
	output_field(r, field);
	fwrite(value, 1, value_len, stdout);
}

void
output_end(struct output *r)
{
	if (r->json)
		fputs("}\n", stdout);
}
