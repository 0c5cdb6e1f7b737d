/*
 * out.c: bytes into an output buffer of the caller's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "wire/wire.h"

char *
wire_out_grow(struct wire_out *out, size_t n)
{
	CHECK(out->len <= out->cap);
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
wire_put_reply(struct wire_out *out, enum wire_code code)
{
	char *p = wire_reserve(out, (size_t)wire_replies[code].text_len + 2), *begin = p;

	if (p == NULL)
		return;
	p = wire_reply_text(p, code);
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

void
wire_put_reply_words(struct wire_out *out, enum wire_code code, const char *fmt, ...)
{
	char *p = wire_reserve(out, WIRE_REPLY_LINE_MAX), *begin = p;
	va_list ap;

	if (p == NULL)
		return;
	p = wire_reply_text(p, code);
	if (p > begin) /* a number is all of its line */
		*p++ = ' ';
	size_t room = WIRE_REPLY_LINE_MAX - 2 - (size_t)(p - begin);
	va_start(ap, fmt);
	int n = vsnprintf(p, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	p += (size_t)n < room ? (size_t)n : room - 1;
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

void
wire_put_stat_u64(struct wire_out *out, const char *name, uint64_t value)
{
	wire_put_reply_words(out, WIRE_RE_STAT, "%s %llu", name, (unsigned long long)value);
}

void
wire_put_stat_str(struct wire_out *out, const char *name, const char *value)
{
	wire_put_reply_words(out, WIRE_RE_STAT, "%s %s", name, value);
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
	wire_put_reply_words(out, WIRE_RE_ATTACHED, "%llu %llu %llu %llu",
	    (unsigned long long)client_idx, (unsigned long long)total_bytes,
	    (unsigned long long)n_clients_max, (unsigned long long)epoch);
}

void
wire_put_ring(struct wire_out *out, uint64_t total_bytes, uint64_t spin_us)
{
	wire_put_reply_words(out, WIRE_RE_RING, "%llu %llu", (unsigned long long)total_bytes,
	    (unsigned long long)spin_us);
}
