/*
 * cmd_crawl.c: lru_crawler and stats cachedump: every key, a line each, as
 * memcached's tools read them. The table is walked in slices, and the other
 * connections have their turn between two of them. A client that doesn't read
 * holds up its own walk alone, and keeps no more than one slice of output. An
 * item that is there throughout is listed once or more.
 */
#include "daemon/verbs/cmd_private.h"

#define SLICE_BUCKETS  4096 /* empty ones included; the other connections wait for one slice */
#define LINE_MAX_BYTES (64 + 3 * WIRE_KEY_MAX + 5 * 21)

enum form { FORM_META, FORM_MG, FORM_CACHE };

struct crawl {
	const struct cmd *cmd;
	struct wire_out *out;
	enum form form;
	uint64_t left; /* cachedump: lines that are wanted */
};

static char *
put_text(char *p, const char *text)
{
	size_t n = strlen(text);

	memcpy(p, text, n);
	return p + n;
}

/* A time of the segment's clock as Unix time. */
static uint64_t
unix_time(const struct cmd *cmd, uint32_t at_s)
{
	int64_t t = cmd->now_unix_s + ((int64_t)at_s - cmd->now_s);

	return t > 0 ? (uint64_t)t : 0;
}

/* As memcached has it, only letters, digits and -._~ stand for themselves. */
static char *
put_escaped(char *p, const unsigned char *key, uint32_t key_len)
{
	for (uint32_t i = 0; i < key_len; i++) {
		if (key[i] != '/' && key[i] != ':' && key[i] != '@') {
			p = wire_urlencode(p, key + i, 1);
			continue;
		}
		p = put_text(p, key[i] == '/' ? "%2F" : key[i] == ':' ? "%3A" : "%40");
	}
	return p;
}

static char *
put_meta_line(char *p, const struct cmd *cmd, const struct store_item *item, const void *key,
    uint32_t key_len)
{
	p = put_escaped(put_text(p, "key="), key, key_len);
	p = put_text(p, " exp=");
	p = item->expiry_s == 0 ? put_text(p, "-1")
				: wire_digits(p, unix_time(cmd, item->expiry_s));
	p = wire_digits(put_text(p, " la="), unix_time(cmd, item->last_access_s));
	p = wire_digits(put_text(p, " cas="), item->cas);
	p = put_text(p, (item->state & ITEM_FETCHED) != 0 ? " fetch=yes" : " fetch=no");
	p = wire_digits(put_text(p, " cls=1 size="), item->item_bytes);
	return put_text(p, "\n");
}

static char *
put_mg_line(char *p, const struct store_item *item, const void *key, uint32_t key_len)
{
	p = put_text(p, "mg ");
	if ((item->state & ITEM_KEY_B64) != 0 || !wire_key_plain(key, key_len))
		return put_text(wire_base64(p, key, key_len), " b\r\n");
	memcpy(p, key, key_len);
	return put_text(p + key_len, "\r\n");
}

static char *
put_cache_line(char *p, const struct cmd *cmd, const struct store_item *item, const void *key,
    uint32_t key_len)
{
	p = wire_reply_text(p, WIRE_RE_ITEM);
	*p++ = ' ';
	memcpy(p, key, key_len);
	p = wire_digits(put_text(p + key_len, " ["), item->value_bytes);
	p = wire_digits(
	    put_text(p, " b; "), item->expiry_s == 0 ? 0 : unix_time(cmd, item->expiry_s));
	return put_text(p, " s]\r\n");
}

static void
put_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct crawl *c = arg;

	if (c->form == FORM_CACHE && (c->left == 0 || !wire_key_plain(key, key_len)))
		return; /* such a line has no form for a key with blanks */
	char *p = wire_reserve(c->out, LINE_MAX_BYTES), *begin = p;
	if (p == NULL)
		return;
	c->left--;
	if (c->form == FORM_META)
		p = put_meta_line(p, c->cmd, item, key, key_len);
	else if (c->form == FORM_MG)
		p = put_mg_line(p, item, key, key_len);
	else
		p = put_cache_line(p, c->cmd, item, key, key_len);
	c->out->len += (size_t)(p - begin);
}

static enum cmd_result
walk_slice(struct crawl *c, uint32_t *cursor, enum wire_code end)
{
	struct cmd *cmd = (struct cmd *)c->cmd;
	uint64_t at = *cursor;
	size_t begin = c->out->len;

	for (unsigned i = 0; i < SLICE_BUCKETS && !cmd_work_done(cmd); i++) {
		cmd->work++;
		at = store_walk(cmd->store, at, cmd->now_s, put_item, c);
		if (at == 0 || at > UINT32_MAX || c->left == 0) {
			wire_put_reply(c->out, end);
			return CMD_DONE;
		}
		if (c->out->failed ||
		    (cmd->reply_bytes_max != 0 && c->out->len - begin > cmd->reply_bytes_max))
			break;
	}
	*cursor = (uint32_t)at;
	return CMD_AGAIN;
}

static bool
word_is(const struct wire_str *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->p, text, word->len) == 0;
}

/* all, hash, or classes 1 to 63, separated by commas. *ret_ours: class 1, the
 * only one, is among them. */
static bool
parse_classes(const struct wire_str *word, bool *ret_ours)
{
	*ret_ours = word_is(word, "all") || word_is(word, "hash");
	for (uint32_t at = 0; !*ret_ours && at < word->len;) {
		const char *p = word->p + at, *comma = memchr(p, ',', word->len - at);
		uint32_t len = comma != NULL ? (uint32_t)(comma - p) : word->len - at, id;
		if (!wire_u32(p, len, &id) || id < 1 || id > 63)
			return false;
		*ret_ours = id == 1;
		at += len + 1;
	}
	return true;
}

enum cmd_result
cmd_crawl(struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out)
{
	bool is_mg = req->number == WIRE_CRAWL_MG, ours;
	enum wire_code end = is_mg ? WIRE_RE_EN : WIRE_RE_END;
	struct crawl c = {cmd, out, is_mg ? FORM_MG : FORM_META, UINT64_MAX};
	const struct wire_str *what = &req->word, *argument = &req->word2;
	uint32_t number;

	if (*cursor != 0) /* the walk goes on: the request's words may be gone */
		return walk_slice(&c, cursor, end);
	if (req->number != WIRE_CRAWL_NONE && argument->len != 0) {
		if (!parse_classes(argument, &ours))
			wire_put_reply(out, WIRE_RE_BAD_CLASS);
		else if (ours)
			return walk_slice(&c, cursor, end);
		else
			wire_put_reply(out, end);
	} else if (argument->len == 0 && (word_is(what, "enable") || word_is(what, "disable"))) {
		wire_put_reply(out, WIRE_RE_OK);
	} else if (argument->len != 0 && (word_is(what, "sleep") || word_is(what, "tocrawl"))) {
		wire_put_reply(out,
		    wire_u32(argument->p, argument->len, &number) ? WIRE_RE_OK
								  : WIRE_RE_BAD_FORMAT);
	} else if (argument->len != 0 && word_is(what, "crawl")) {
		wire_put_reply(
		    out, parse_classes(argument, &ours) ? WIRE_RE_OK : WIRE_RE_BAD_CLASS);
	} else {
		wire_put_reply(out, WIRE_RE_ERROR);
	}
	return CMD_DONE;
}

enum cmd_result
cmd_cachedump(
    struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out)
{
	bool all = req->number2 == 0;
	struct crawl c = {cmd, out, FORM_CACHE, all ? UINT64_MAX : req->number2};

	if (req->number == 1 && walk_slice(&c, cursor, WIRE_RE_END) == CMD_DONE)
		return CMD_DONE;
	if (req->number == 1 && all)
		return CMD_AGAIN;
	wire_put_reply(out, WIRE_RE_END); /* the lines that were asked for, or one slice */
	return CMD_DONE;
}
