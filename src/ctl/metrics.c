/*
 * metrics.c: metrics: prints the daemon's counters in Prometheus's format, or a
 * JSON object for each sample.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/ctl.h"

/* The last "# HELP" and "# TYPE", which hold for the samples after them. */
struct family {
	struct wire_str help, type;
};

static struct wire_str
metrics_cut(const char *from, const char *to)
{
	return (struct wire_str){from, (uint32_t)(to - from)};
}

/* The first byte of [p, end) that is among stops, or end. */
static const char *
metrics_find(const char *p, const char *end, const char *stops)
{
	while (p < end && strchr(stops, *p) == NULL)
		p++;
	return p;
}

/* Prints name="value",...} as a JSON object. Returns the byte after the
 * brace. */
static const char *
print_labels(const char *p, const char *end)
{
	struct output r;
	char value[256], name[64];

	printf(",\"labels\":");
	output_begin(&r, true, 0);
	while (p < end && *p != '}') {
		const char *equals = metrics_find(p, end, "=");
		size_t len = 0;
		snprintf(name, sizeof(name), "%.*s", (int)(equals - p), p);
		for (p = equals + 2; p < end && *p != '"'; p++) {
			if (*p == '\\' && p + 1 < end)
				p++;
			if (len < sizeof(value))
				value[len++] = p[-1] == '\\' && *p == 'n' ? '\n' : *p;
		}
		output_bytes(&r, name, value, len);
		p = p + 1 < end && p[1] == ',' ? p + 2 : p + 1;
	}
	putchar('}');
	return p < end ? p + 1 : end;
}

/* Prints name{labels} value as a JSON object. */
static void
print_sample(const char *p, const char *end, const struct family *f)
{
	struct output r;
	const char *name_end = metrics_find(p, end, "{ ");

	output_begin(&r, true, 0);
	output_bytes(&r, "name", p, (size_t)(name_end - p));
	p = name_end < end && *name_end == '{' ? print_labels(name_end + 1, end) : name_end;
	p += p < end && *p == ' ';
	size_t len = (size_t)(metrics_find(p, end, " ") - p);
	if (len > 0 && p[len - 1] >= 'A') /* NaN, +Inf */
		output_null(&r, "value");
	else
		output_guess(&r, "value", p, len);
	output_bytes(&r, "type", f->type.p, f->type.len);
	output_bytes(&r, "help", f->help.p, f->help.len);
	output_end(&r);
}

static void
print_json(const char *text, size_t len)
{
	const char *p = text, *last = text + len, *end;
	struct family f = {{"", 0}, {"untyped", 7}};

	for (; p < last; p = end + 1) {
		end = metrics_find(p, last, "\n");
		const char *word = end - p > 7 ? metrics_find(p + 7, end, " ") : end;
		struct wire_str rest = metrics_cut(word < end ? word + 1 : end, end);
		if (end - p > 7 && memcmp(p, "# HELP ", 7) == 0)
			f.help = rest;
		else if (end - p > 7 && memcmp(p, "# TYPE ", 7) == 0)
			f.type = rest;
		else if (p < end && *p != '#')
			print_sample(p, end, &f);
	}
}

int
ctl_cmd_metrics(struct ctl *c)
{
	struct wire_reply re;

	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int error = control_ask(c->conn, &re, "peek_metrics");
	if (error != 0)
		return ctl_broken(error);
	if (re.code != WIRE_RE_VALUE)
		return ctl_unhoped(&re, NULL);
	if (c->json)
		print_json(re.data, re.data_bytes);
	else
		fwrite(re.data, 1, re.data_bytes, stdout);
	error = control_reply(c->conn, &re);
	if (error != 0)
		return ctl_broken(error);
	return ctl_flushed(re.code == WIRE_RE_END ? CTL_OK : ctl_unhoped(&re, NULL));
}
