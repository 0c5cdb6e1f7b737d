/*
 * cmd_mg.c: mg and me: the meta verbs that read an item. mg also writes what a
 * reader of shared memory can't: the mark that the item was read, its winner,
 * its last access.
 */
#include "daemon/verbs/cmd_meta.h"

static void
count_get(struct cmd *cmd, const struct wire_request *req, bool hit, enum store_gone gone)
{
	cmd_count(cmd, SHM_STAT_CMD_GET);
	if (hit && cmd_given(req, 'T')) {
		cmd_count(cmd, SHM_STAT_CMD_TOUCH);
		cmd_count(cmd, SHM_STAT_TOUCH_HITS);
		return;
	}
	cmd_count(cmd, hit ? SHM_STAT_GET_HITS : SHM_STAT_GET_MISSES);
	if (gone != STORE_ABSENT)
		cmd_count(cmd, gone == STORE_EXPIRED ? SHM_STAT_GET_EXPIRED : SHM_STAT_GET_FLUSHED);
}

/* Looks the item up. A winner whose lease is over has lost it. */
static bool
find_or_end_lease(
    struct cmd *cmd, const struct store_key *key, struct store_item *item, enum store_gone *gone)
{
	bool hit = store_find(cmd->store, key, cmd->now_s, item, gone);

	if (!hit || (item->state & ITEM_WON) == 0 ||
	    !lease_is_over(cmd->leases, key->hash, item, cmd->now_ms))
		return hit;
	lease_settle(cmd->leases, key->hash, item->cas);
	lease_give_up(cmd->store, item);
	return store_find(cmd->store, key, cmd->now_s, item, gone);
}

static char *
put_mark(char *p, char letter)
{
	*p++ = ' ';
	*p++ = letter;
	return p;
}

void
cmd_mg(
    struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	enum store_gone gone = STORE_ABSENT;
	bool hit = find_or_end_lease(cmd, &key, &item, &gone), created = false;

	cmd_count(cmd, SHM_STAT_CMD_META);
	if (!hit && cmd_given(req, 'N')) {
		if (!cmd_vivify(cmd, req, &key, "", 0, ITEM_WON | ITEM_ABSENT, &item, out))
			return;
		created = true;
		gone = STORE_ABSENT;
	}
	count_get(cmd, req, hit || created, gone);
	if (!hit && !created) {
		if (!req->quiet)
			cmd_put_bare(cmd, req, WIRE_RE_EN, out);
		return;
	}

	bool sent = !created && (item.state & ITEM_WON) != 0, with_value = cmd_given(req, 'v');
	bool is_stale = (item.state & ITEM_STALE) != 0;
	struct cmd_shown shown = {.item = &item,
	    .letters = ~UINT64_C(0),
	    .created = created,
	    .key_encoded = (item.state & ITEM_KEY_B64) != 0,
	    .won = created};
	uint32_t old_expiry_s = item.expiry_s;
	char *p = wire_reserve(out, CMD_META_LINE_MAX + (size_t)item.value_bytes + 2), *begin = p;
	if (p == NULL)
		return;
	p = cmd_put_head(p, with_value, item.value_bytes);
	p = cmd_put_flags(cmd, req, &shown, p);
	bool won = shown.won || (is_stale && !sent && level >= WIRE_ACCESS_WRITE);
	if (sent)
		p = put_mark(p, 'Z');
	if (is_stale)
		p = put_mark(p, 'X');
	if (won)
		p = put_mark(p, 'W');
	memcpy(p, "\r\n", 2);
	p += 2;
	if (with_value) {
		if (!created)
			store_read(cmd->store, &item, 0, item.value_bytes, p);
		p += item.value_bytes;
		memcpy(p, "\r\n", 2);
		p += 2;
	}
	out->len += (size_t)(p - begin);

	if (created && !cmd_given(req, 'u') &&
	    !store_find(cmd->store, &key, cmd->now_s, &item, NULL))
		return; /* born expired */
	if (won)
		lease_begin(cmd->leases, cmd->owner, key.hash, item.cas,
		    cmd_given(req, 'Y') ? cmd->now_ms + req->lease_ms : 0);
	if (!cmd_given(req, 'u'))
		store_bump(cmd->store, &item, cmd->now_s);
	if (won && !created)
		store_mark(cmd->store, &item, ITEM_WON, 0, 0);
	if (cmd_given(req, 'T') && !created && item.expiry_s != old_expiry_s)
		store_touch(cmd->store, &item, cmd_expiry(cmd, req->exptime));
}

void
cmd_me(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	char name[WIRE_KEY_B64_MAX + 1], *end = name;
	int64_t exp_s; /* seconds since it expired, so negative while it lives; -1: never does */

	cmd_count(cmd, SHM_STAT_CMD_META);
	if (!store_find(cmd->store, &key, cmd->now_s, &item, NULL)) {
		wire_put_reply(out, WIRE_RE_EN);
		return;
	}
	if ((item.state & ITEM_KEY_B64) != 0)
		end = wire_base64(name, req->key.p, req->key.len);
	else
		end = (char *)memcpy(name, req->key.p, req->key.len) + req->key.len;
	*end = '\0';
	exp_s = item.expiry_s == 0 ? -1 : (int64_t)cmd->now_s - item.expiry_s;
	wire_put_reply_words(out, WIRE_RE_ME, "%s exp=%lld la=%u cas=%llu fetch=%s cls=1 size=%u",
	    name, (long long)exp_s,
	    cmd->now_s > item.last_access_s ? cmd->now_s - item.last_access_s : 0,
	    (unsigned long long)item.cas, (item.state & ITEM_FETCHED) != 0 ? "yes" : "no",
	    item.item_bytes);
}
