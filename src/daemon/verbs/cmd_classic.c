/*
 * cmd_classic.c: get gets gat gats set add replace append prepend cas delete
 * incr decr touch flush_all.
 */
#include "daemon/verbs/cmd_private.h"

/* VALUE, key, three numbers, two ends of line */
#define VALUE_LINE_MAX (6 + WIRE_KEY_MAX + 3 * 21 + 4)

static void
put_value(struct cmd *cmd, const struct wire_str *key, const struct store_item *item, bool with_cas,
    struct wire_out *out)
{
	char *p = wire_reserve(out, VALUE_LINE_MAX + item->value_bytes), *begin = p;

	if (p == NULL)
		return;
	p = wire_reply_text(p, WIRE_RE_VALUE);
	*p++ = ' ';
	memcpy(p, key->p, key->len);
	p += key->len;
	*p++ = ' ';
	p = wire_digits(p, item->flags);
	*p++ = ' ';
	p = wire_digits(p, item->value_bytes);
	if (with_cas) {
		*p++ = ' ';
		p = wire_digits(p, item->cas);
	}
	memcpy(p, "\r\n", 2);
	store_read(cmd->store, item, 0, item->value_bytes, p + 2);
	p += 2 + item->value_bytes;
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

static void
count_miss(struct cmd *cmd, enum store_gone gone)
{
	cmd_count(cmd, SHM_STAT_GET_MISSES);
	if (gone != STORE_ABSENT)
		cmd_count(cmd, gone == STORE_EXPIRED ? SHM_STAT_GET_EXPIRED : SHM_STAT_GET_FLUSHED);
}

enum cmd_result
cmd_get(struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out)
{
	bool with_cas = req->verb == WIRE_GETS || req->verb == WIRE_GATS;
	bool touch = req->verb == WIRE_GAT || req->verb == WIRE_GATS;
	struct wire_str word;

	while (wire_next_key(req, cursor, &word)) {
		struct store_key key = cmd_key(cmd, &word);
		struct store_item item;
		enum store_gone gone = STORE_ABSENT;
		bool hit = store_find(cmd->store, &key, cmd->now_s, &item, &gone);

		cmd_count(cmd, touch ? SHM_STAT_CMD_TOUCH : SHM_STAT_CMD_GET);
		cmd->work++;
		if (!hit && touch)
			cmd_count(cmd, SHM_STAT_TOUCH_MISSES);
		else if (!hit)
			count_miss(cmd, gone);
		else {
			put_value(cmd, &word, &item, with_cas, out);
			store_bump(cmd->store, &item, cmd->now_s);
			if (touch)
				store_touch(cmd->store, &item, cmd_expiry(cmd, req->exptime));
			cmd_count(cmd, touch ? SHM_STAT_TOUCH_HITS : SHM_STAT_GET_HITS);
			if (out->failed)
				return CMD_CLOSE;
			if (cmd->reply_bytes_max != 0 && out->len > cmd->reply_bytes_max)
				return CMD_AGAIN;
		}
		if (cmd_work_done(cmd))
			return CMD_AGAIN;
	}
	wire_put_reply(out, WIRE_RE_END);
	return CMD_DONE;
}

static enum wire_code
store_reply(struct cmd *cmd, const struct wire_request *req, enum store_result result)
{
	bool is_cas = req->verb == WIRE_CAS;
	bool joins = req->verb == WIRE_APPEND || req->verb == WIRE_PREPEND;

	switch (result) {
	case STORE_OK:
		if (is_cas)
			cmd_count(cmd, SHM_STAT_CAS_HITS);
		return WIRE_RE_STORED;
	case STORE_EXISTS:
		cmd_count(cmd, SHM_STAT_CAS_BADVAL);
		return WIRE_RE_EXISTS;
	case STORE_NOT_FOUND:
		cmd_count(cmd, SHM_STAT_CAS_MISSES);
		return WIRE_RE_NOT_FOUND;
	case STORE_TOO_LARGE:
		cmd_count(cmd, SHM_STAT_STORE_TOO_LARGE);
		/* the new bytes fit, but the sum doesn't */
		return joins ? WIRE_RE_NOT_STORED : WIRE_RE_TOO_LARGE;
	case STORE_NO_MEMORY:
		cmd_count(cmd, SHM_STAT_STORE_NO_MEMORY);
		cmd_drop_old(cmd, req);
		return WIRE_RE_NO_MEMORY;
	default:
		return WIRE_RE_NOT_STORED;
	}
}

void
cmd_store(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	uint64_t cas;
	struct store_put put = {
	    .key = cmd_key(cmd, &req->key),
	    .mode = req->verb == WIRE_ADD   ? STORE_ADD
		: req->verb == WIRE_REPLACE ? STORE_REPLACE
		: req->verb == WIRE_APPEND  ? STORE_APPEND
		: req->verb == WIRE_PREPEND ? STORE_PREPEND
					    : STORE_SET,
	    .value = req->data,
	    .value_bytes = req->data_bytes,
	    .flags = req->client_flags,
	    .expiry_s = cmd_expiry(cmd, req->exptime),
	    .compare_cas = req->number,
	    .has_compare = req->verb == WIRE_CAS,
	};

	cmd_count(cmd, SHM_STAT_CMD_SET);
	enum store_result result = store_put(cmd->store, &put, cmd->now_s, &cas);
	if (result == STORE_OK && !req->noreply && req->verb == WIRE_SET) {
		wire_put_reply(out, WIRE_RE_STORED);
		return;
	}
	enum wire_code reply = store_reply(cmd, req, result);
	if (!req->noreply)
		wire_put_reply(out, reply);
}

void
cmd_delete(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	bool hit = store_find(cmd->store, &key, cmd->now_s, &item, NULL);

	cmd_count(cmd, hit ? SHM_STAT_DELETE_HITS : SHM_STAT_DELETE_MISSES);
	if (hit)
		store_delete(cmd->store, &item);
	if (!req->noreply)
		wire_put_reply(out, hit ? WIRE_RE_DELETED : WIRE_RE_NOT_FOUND);
}

static void
put_number(uint64_t value, struct wire_out *out)
{
	char text[22], *end = wire_digits(text, value);

	memcpy(end, "\r\n", 2);
	wire_put(out, text, (size_t)(end + 2 - text));
}

void
cmd_arith(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	bool decr = req->verb == WIRE_DECR;
	uint64_t value, cas;
	enum wire_code reply;

	if (!store_find(cmd->store, &key, cmd->now_s, &item, NULL)) {
		cmd_count(cmd, decr ? SHM_STAT_DECR_MISSES : SHM_STAT_INCR_MISSES);
		if (!req->noreply)
			wire_put_reply(out, WIRE_RE_NOT_FOUND);
		return;
	}
	switch (
	    store_arith(cmd->store, &key, &item, decr, req->number, 0, cmd->now_s, &value, &cas)) {
	case STORE_OK:
		cmd_count(cmd, decr ? SHM_STAT_DECR_HITS : SHM_STAT_INCR_HITS);
		if (!req->noreply)
			put_number(value, out);
		return;
	case STORE_NON_NUMERIC:
		reply = WIRE_RE_NON_NUMERIC;
		break;
	default:
		cmd_count(cmd, SHM_STAT_STORE_NO_MEMORY);
		reply = WIRE_RE_NO_MEMORY;
		break;
	}
	if (!req->noreply)
		wire_put_reply(out, reply);
}

void
cmd_touch(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	bool hit = store_find(cmd->store, &key, cmd->now_s, &item, NULL);

	cmd_count(cmd, SHM_STAT_CMD_TOUCH);
	cmd_count(cmd, hit ? SHM_STAT_TOUCH_HITS : SHM_STAT_TOUCH_MISSES);
	if (hit) {
		store_bump(cmd->store, &item, cmd->now_s);
		store_touch(cmd->store, &item, cmd_expiry(cmd, req->exptime));
	}
	if (!req->noreply)
		wire_put_reply(out, hit ? WIRE_RE_TOUCHED : WIRE_RE_NOT_FOUND);
}

void
cmd_flush(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	uint32_t at_s = cmd_expiry(cmd, req->exptime);

	cmd_count(cmd, SHM_STAT_CMD_FLUSH);
	if (!cmd->flush_allowed) {
		if (!req->noreply)
			wire_put_reply(out, WIRE_RE_FLUSH_OFF);
		return;
	}
	if (at_s <= cmd->now_s)
		store_flush(cmd->store);
	else
		store_flush_at(cmd->store, at_s);
	if (!req->noreply)
		wire_put_reply(out, WIRE_RE_OK);
}
