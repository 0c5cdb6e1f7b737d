/*
 * out.c: bytes into an output buffer that somebody else owns.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/wire.h"

char *
wire_out_grow(struct wire_out *out, size_t n)
{
	if (out->failed)
		return NULL;
	if (n > SIZE_MAX - out->len || out->grow == NULL || out->grow(out, out->len + n) < 0 ||
	    out->cap - out->len < n) {
		out->failed = true;
		return NULL;
	}
	return out->buf + out->len;
}

void
wire_put_line(struct wire_out *out, const char *text)
{
	size_t n = strlen(text);
	char *p = wire_reserve(out, n + 2);

	if (p == NULL)
		return;
	memcpy(p, text, n);
	memcpy(p + n, "\r\n", 2);
	out->len += n + 2;
}

void
wire_put_linef(struct wire_out *out, const char *fmt, ...)
{
	va_list ap;
	char *p = wire_reserve(out, WIRE_REPLY_LINE_MAX);

	if (p == NULL)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(p, WIRE_REPLY_LINE_MAX - 2, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if (n > (int)WIRE_REPLY_LINE_MAX - 3)
		n = (int)WIRE_REPLY_LINE_MAX - 3;
	memcpy(p + n, "\r\n", 2);
	out->len += (size_t)n + 2;
}

void
wire_put_stat_u64(struct wire_out *out, const char *name, uint64_t value)
{
	wire_put_linef(out, "STAT %s %llu", name, (unsigned long long)value);
}

void
wire_put_stat_str(struct wire_out *out, const char *name, const char *value)
{
	wire_put_linef(out, "STAT %s %s", name, value);
}

void
wire_put_stat_word(struct wire_out *out, const char *name, const char *value)
{
	char word[WIRE_REPLY_LINE_MAX], *p = word;

	for (const char *c = value; *c != '\0' && p < word + sizeof(word) - 4; c++) {
		if ((unsigned char)*c > ' ' && *c != '%' && *c != 0x7f)
			*p++ = *c;
		else
			p += snprintf(p, 4, "%%%02X", (unsigned char)*c);
	}
	*p = '\0';
	wire_put_stat_str(out, name, p == word ? "NULL" : word);
}

void
wire_put_attached(struct wire_out *out, uint64_t client_idx, uint64_t total_bytes,
    uint64_t n_clients_max, uint64_t epoch)
{
	wire_put_linef(out, "ATTACHED %llu %llu %llu %llu", (unsigned long long)client_idx,
	    (unsigned long long)total_bytes, (unsigned long long)n_clients_max,
	    (unsigned long long)epoch);
}
