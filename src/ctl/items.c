/*
 * items.c: commands on one key: get, set, touch, incr, decr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "ctl/control.h"
#include "ctl/ctl.h"

/* The protocol takes a larger number of seconds for a date, unless it is sent
 * with a sign. */

#define READ_FIRST_BYTES 65536

/* Sends a meta request and takes its reply. CTL_OK, or explained. */
static int
ask_meta(struct ctl *c, enum wire_verb verb, struct wire_str key, const void *value,
    int64_t value_len, const char *flags, struct wire_reply *re)
{
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	wire_put_meta(&c->conn->out, verb, key.p, key.len, value_len, flags);
	int error = control_send(c->conn, value, value_len > 0 ? (size_t)value_len : 0);
	if (error == 0 && value_len >= 0)
		error = control_send(c->conn, "\r\n", 2);
	/* a daemon that refuses may hang up while the value is sent */
	int answered = control_reply(c->conn, re);
	if (answered != 0)
		return ctl_broken(error != 0 && error != -EPIPE ? error : answered);
	return CTL_OK;
}

/* ---- get ----------------------------------------------------------------- */

static int
write_value(const struct ctl *c, const void *value, size_t len)
{
	if (c->output == NULL) {
		if (isatty(STDOUT_FILENO))
			print_value(value, len);
		else
			fwrite(value, 1, len, stdout);
		return ctl_flushed(CTL_OK);
	}
	FILE *to = fopen(c->output, "we");
	bool ok = to != NULL && fwrite(value, 1, len, to) == len;
	ok = to != NULL && fclose(to) == 0 && ok;
	return ok ? CTL_OK : ctl_error(NULL, "can't write %s: %s", c->output, strerror(errno));
}

static int
items_show(
    const struct ctl *c, struct wire_str key, const void *value, const struct peek_info *info)
{
	struct output r;

	if (!c->json || c->output != NULL)
		return write_value(c, value, info->value_len);
	output_begin(&r, true, 0);
	output_key(&r, c, key);
	output_u64(&r, "length", info->value_len);
	output_u64(&r, "flags", info->flags);
	output_i64(&r, "ttl_s", info->ttl_s);
	output_u64(&r, "cas", info->cas);
	output_bool(&r, "stale", (info->stale & PEEK_STALE) != 0);
	output_bytes(&r, "value", value, info->value_len);
	output_end(&r);
	return ctl_flushed(CTL_OK);
}

static int
get_by_socket(struct ctl *c, struct wire_str key)
{
	struct wire_reply re;
	int status = ask_meta(c, WIRE_MG, key, NULL, -1, "v f t c", &re);

	if (status != CTL_OK)
		return status;
	if (re.code != WIRE_RE_VA)
		return ctl_unhoped(&re, &key);
	struct wire_item_reply item = wire_reply_item(&re);
	const struct peek_info info = {
	    .value_len = re.data_bytes,
	    .flags = item.flags,
	    .cas = item.cas,
	    .ttl_s = item.ttl_s,
	    .stale = item.stale,
	};
	return items_show(c, key, re.data, &info);
}

int
ctl_cmd_get(struct ctl *c)
{
	struct peek_info info;
	struct wire_str key;
	size_t cap = 1 << 16;

	if (ctl_key(c, c->args[0], &key) != CTL_OK)
		return CTL_ERROR;
	if (c->socket != NULL)
		return get_by_socket(c, key);
	if (ctl_open_segment(c) != 0)
		return CTL_ERROR;
	for (;;) {
		char *buf = malloc(cap);
		if (buf == NULL)
			return ctl_error(NULL, "no memory for a value of %zu bytes", cap);
		ssize_t n = peek_get_info(c->peek, key.p, key.len, buf, cap, &info);
		if (n >= 0) {
			int status = items_show(c, key, buf, &info);
			free(buf);
			return status;
		}
		free(buf);
		switch ((int)n) {
		case -ENOSPC:
			cap = info.value_len > cap ? info.value_len : cap * 2;
			continue;
		case -ENOENT:
			return ctl_refused(NULL, "%s: no such key", ctl_shown(&key).text);
		case -EAGAIN:
			return get_by_socket(c, key);
		default:
			return ctl_error(
			    NULL, "%s: %s", ctl_shown(&key).text, peek_strerror((int)n));
		}
	}
}

/* ---- set ----------------------------------------------------------------- */

static int
read_value(const char *path, char **ret, size_t *ret_len)
{
	bool standard = path == NULL || strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, cap = 0;
	char *buf = NULL;

	if (fd < 0)
		return ctl_error(NULL, "can't read %s: %s", path, strerror(errno));
	for (;;) {
		if (len == cap) {
			int error = len > PEEK_VALUE_MAX_BYTES
			    ? -EFBIG
			    : buffer_grow(&buf, &cap, len + 1, READ_FIRST_BYTES);
			if (error != 0) {
				errno = -error;
				break;
			}
		}
		ssize_t n = read(fd, buf + len, cap - len);
		if (n > 0)
			len += (size_t)n;
		else if (n == 0) {
			if (!standard)
				close(fd);
			*ret = buf;
			*ret_len = len;
			return CTL_OK;
		} else if (errno != EINTR)
			break;
	}
	int saved = errno;
	free(buf);
	if (!standard)
		close(fd);
	if (saved == EFBIG)
		return ctl_refused(NULL, "the value is larger than an item may be (%d bytes)",
		    PEEK_VALUE_MAX_BYTES);
	return ctl_error(
	    NULL, "can't read %s: %s", standard ? "standard input" : path, strerror(saved));
}

static void
put_ttl(char *buf, size_t cap, uint64_t ttl_s)
{
	snprintf(buf, cap, ttl_s > WIRE_EXPTIME_DELTA_MAX_S ? "T+%llu" : "T%llu",
	    (unsigned long long)ttl_s);
}

static bool
tag_ok(const char *name, size_t len)
{
	if (wire_tag_ok(name, len))
		return true;
	ctl_error("A tag is a name of 1 to 128 bytes, without a comma, a blank or a control "
		  "character.",
	    "\"%.*s\" is no tag", (int)(len < 200 ? len : 200), name);
	return false;
}

/* --tag: names with commas between them. Tells what is wrong. */
static bool
tags_ok(const char *tags)
{
	unsigned n = 1;

	for (const char *comma; (comma = strchr(tags, ',')) != NULL; tags = comma + 1, n++)
		if (!tag_ok(tags, (size_t)(comma - tags)))
			return false;
	if (!tag_ok(tags, strlen(tags)))
		return false;
	if (n > WIRE_TAGS_MAX)
		ctl_error(NULL, "an item has at most %u tags", WIRE_TAGS_MAX);
	return n <= WIRE_TAGS_MAX;
}

int
ctl_cmd_set(struct ctl *c)
{
	static const char *const modes[] = {"set", "add", "replace", "append", "prepend"};
	char flags[WIRE_LINE_MAX], ttl[32], *read = NULL;
	struct wire_reply re;
	struct wire_str key;
	size_t len = 0, mode = 0;

	while (c->mode != NULL && strcmp(c->mode, modes[mode]) != 0)
		if (++mode == sizeof(modes) / sizeof(*modes))
			return ctl_error("Modes are set, add, replace, append and prepend.",
			    "there is no mode \"%s\"", c->mode);
	if (c->tags != NULL && !tags_ok(c->tags))
		return CTL_ERROR;
	if (c->n_args == 2 && c->file != NULL)
		return ctl_error(NULL, "the value is given twice: as a word and by -f");
	if (ctl_key(c, c->args[0], &key) != CTL_OK || ctl_connect(c) != 0)
		return CTL_ERROR;
	const char *value = c->n_args == 2 ? c->args[1] : NULL;
	if (value != NULL)
		len = strlen(value);
	else {
		int status = read_value(c->file, &read, &len);
		if (status != CTL_OK)
			return status;
		value = read;
	}
	put_ttl(ttl, sizeof(ttl), c->ttl_s);
	int n = snprintf(
	    flags, sizeof(flags), "%s F%llu M%c", ttl, (unsigned long long)c->flags, "SERAP"[mode]);
	if (c->has_cas)
		n += snprintf(
		    flags + n, sizeof(flags) - (size_t)n, " C%llu", (unsigned long long)c->cas);
	if (c->tags != NULL)
		snprintf(flags + n, sizeof(flags) - (size_t)n, " G%s", c->tags);
	int status = ask_meta(c, WIRE_MS, key, value, (int64_t)len, flags, &re);
	free(read);
	if (status != CTL_OK)
		return status;
	return re.code == WIRE_RE_HD ? CTL_OK : ctl_unhoped(&re, &key);
}

/* ---- the rest ------------------------------------------------------------ */

/* One request for each tag: a line has room for fifteen. */
int
ctl_cmd_invalidate(struct ctl *c)
{
	struct wire_reply re;

	for (int i = 0; i < c->n_args; i++)
		if (!tag_ok(c->args[i], strlen(c->args[i])))
			return CTL_ERROR;
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	for (int i = 0; i < c->n_args; i++) {
		int error = control_ask(c->conn, &re, "peek_invalidate %s", c->args[i]);
		if (error != 0)
			return ctl_broken(error);
		if (re.code != WIRE_RE_OK)
			return ctl_unhoped(&re, NULL);
	}
	return CTL_OK;
}

int
ctl_cmd_touch(struct ctl *c)
{
	struct wire_reply re;
	struct wire_str key;
	uint64_t ttl_s;
	char flags[32];

	if (ctl_key(c, c->args[0], &key) != CTL_OK)
		return CTL_ERROR;
	if (!ctl_duration(c->args[1], &ttl_s))
		return ctl_error(
		    "A time is a number of seconds, or a number with s, m, h or d: 15m.",
		    "\"%s\" is not a time", c->args[1]);
	put_ttl(flags, sizeof(flags), ttl_s);
	int status = ask_meta(c, WIRE_MG, key, NULL, -1, flags, &re);
	if (status != CTL_OK)
		return status;
	return re.code == WIRE_RE_HD ? CTL_OK : ctl_unhoped(&re, &key);
}

static int
items_arithmetic(struct ctl *c, char mode)
{
	struct wire_reply re;
	struct wire_str key;
	struct output r;
	uint64_t delta = 1;
	char flags[48];

	if (ctl_key(c, c->args[0], &key) != CTL_OK)
		return CTL_ERROR;
	if (c->n_args == 2 && !ctl_number(c->args[1], UINT64_MAX, &delta))
		return ctl_error(
		    NULL, "\"%s\" is not a number from 0 to 18446744073709551615", c->args[1]);
	snprintf(flags, sizeof(flags), "v D%llu M%c", (unsigned long long)delta, mode);
	int status = ask_meta(c, WIRE_MA, key, NULL, -1, flags, &re);
	if (status != CTL_OK)
		return status;
	if (re.code != WIRE_RE_VA)
		return ctl_unhoped(&re, &key);
	if (c->json) {
		output_begin(&r, true, 0);
		output_guess(&r, "value", re.data, re.data_bytes);
		output_end(&r);
	} else {
		print_text(stdout, re.data, re.data_bytes);
		putchar('\n');
	}
	return ctl_flushed(CTL_OK);
}

int
ctl_cmd_incr(struct ctl *c)
{
	return items_arithmetic(c, 'I');
}

int
ctl_cmd_decr(struct ctl *c)
{
	return items_arithmetic(c, 'D');
}
