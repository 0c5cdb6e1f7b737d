/*
 * cmd_ms.c: ms md ma: the meta verbs that change an item.
 */
#include "daemon/verbs/cmd_meta.h"

/* The reply to ms. cas: the new CAS id; 0 where nothing was stored; that of the
 * item that stays where the sum is too large. */
static void
put_stored(const struct cmd *cmd, const struct wire_request *req, enum wire_code code, uint64_t cas,
    struct wire_out *out)
{
	struct store_item item = {.cas = cas, .value_bytes = req->data_bytes};
	struct cmd_shown shown = {.item = &item,
	    .letters = CMD_SENT_FLAGS | WIRE_HAS('c') | WIRE_HAS('s'),
	    .key_encoded = req->base64};

	cmd_put_shown(cmd, req, code, &shown, out);
}

/* For ma, append and prepend C0 compares with nothing. */
static bool
compares_joined(const struct wire_request *req)
{
	return cmd_given(req, 'C') && req->compare_cas != 0;
}

static enum store_mode
ms_mode(char letter)
{
	switch (letter) {
	case 'E':
		return STORE_ADD;
	case 'A':
		return STORE_APPEND;
	case 'P':
		return STORE_PREPEND;
	case 'R':
		return STORE_REPLACE;
	default:
		return STORE_SET;
	}
}

/* A value was stored by who knew the CAS id: the winner, as a rule. */
static void
settle_compared(struct cmd *cmd, const struct store_put *put)
{
	cmd_count(cmd, SHM_STAT_CAS_HITS);
	lease_settle(cmd->leases, put->key.hash, put->compare_cas);
}

void
cmd_ms(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	bool compares = cmd_given(req, 'C');
	uint64_t cas = 0;
	struct store_put put = {
	    .key = cmd_key(cmd, &req->key),
	    .mode = ms_mode(req->mode),
	    .value = req->data,
	    .value_bytes = req->data_bytes,
	    .flags = cmd_given(req, 'F') ? req->client_flags : 0,
	    .expiry_s = cmd_given(req, 'T') ? cmd_expiry(cmd, req->exptime) : 0,
	    .state = (req->base64 ? ITEM_KEY_B64 : 0) | (cmd_given(req, 'G') ? ITEM_TAGS : 0),
	    .tags = cmd_given(req, 'G') ? cmd_tags(req) : 0,
	    .compare_cas = compares ? req->compare_cas : 0,
	    .explicit_cas = cmd_given(req, 'E') ? req->explicit_cas : 0,
	    .has_compare = compares,
	};
	struct store_item old;
	bool joins = put.mode == STORE_APPEND || put.mode == STORE_PREPEND;

	if (joins)
		put.has_compare = compares_joined(req);
	put.invalidate = cmd_given(req, 'I') && put.compare_cas != 0 &&
	    (put.mode == STORE_SET || put.mode == STORE_REPLACE);
	cmd_count(cmd, SHM_STAT_CMD_META);
	cmd_count(cmd, SHM_STAT_CMD_SET);
	enum store_result result = store_put(cmd->store, &put, cmd->now_s, &cas);
	if (joins && (result == STORE_NOT_STORED || result == STORE_NOT_FOUND) &&
	    cmd_given(req, 'N')) {
		put.mode = STORE_ADD;
		put.has_compare = false;
		put.expiry_s = cmd_expiry(cmd, req->vivify);
		result = store_put(cmd->store, &put, cmd->now_s, &cas);
	}
	switch (result) {
	case STORE_OK:
		if (compares)
			settle_compared(cmd, &put);
		if (!req->quiet)
			put_stored(cmd, req, WIRE_RE_HD, cas, out);
		return;
	case STORE_EXISTS:
		cmd_count(cmd, SHM_STAT_CAS_BADVAL);
		put_stored(cmd, req, WIRE_RE_EX, 0, out);
		return;
	case STORE_NOT_FOUND:
		cmd_count(cmd, SHM_STAT_CAS_MISSES);
		put_stored(cmd, req, joins ? WIRE_RE_NS : WIRE_RE_NF, 0, out);
		return;
	case STORE_TOO_LARGE:
		cmd_count(cmd, SHM_STAT_STORE_TOO_LARGE);
		if (!joins)
			wire_put_reply(out, WIRE_RE_TOO_LARGE);
		else /* as memcached; the CAS id shows that the key is there */
			put_stored(cmd, req, WIRE_RE_NS,
			    store_find(cmd->store, &put.key, cmd->now_s, &old, NULL) ? old.cas : 0,
			    out);
		return;
	case STORE_NO_MEMORY:
		cmd_count(cmd, SHM_STAT_STORE_NO_MEMORY);
		if (!joins)
			cmd_drop_old(cmd, req);
		wire_put_reply(out, WIRE_RE_NO_MEMORY);
		return;
	case STORE_BAD_CAS:
		wire_put_reply(out, WIRE_RE_BAD_TOKEN);
		return;
	default:
		break;
	}
	put_stored(cmd, req, WIRE_RE_NS, 0, out);
}

/* md x: the item stays, its value and client flags go. */
static enum store_result
empty_value(struct cmd *cmd, const struct wire_request *req, const struct store_key *key,
    const struct store_item *item)
{
	uint64_t cas;
	struct store_put put = {
	    .key = *key,
	    .mode = STORE_SET,
	    .value = "",
	    .expiry_s = cmd_given(req, 'T') && cmd_given(req, 'I') ? cmd_expiry(cmd, req->exptime)
								   : item->expiry_s,
	    .state =
		(item->state & (ITEM_KEY_B64 | ITEM_TAGS)) | (cmd_given(req, 'I') ? ITEM_STALE : 0),
	    .tags = item->tags,
	    .explicit_cas = cmd_given(req, 'E') ? req->explicit_cas : 0,
	};

	return store_put(cmd->store, &put, cmd->now_s, &cas);
}

static enum store_result
mark_stale(struct cmd *cmd, const struct wire_request *req, const struct store_item *item)
{
	uint64_t cas = store_next_cas(
	    cmd->store, cmd_given(req, 'E') ? req->explicit_cas : 0, item->state, item->tags);

	if (cas == 0)
		return STORE_BAD_CAS;
	store_mark(cmd->store, item, ITEM_STALE, ITEM_WON, cas);
	if (cmd_given(req, 'T'))
		store_touch(cmd->store, item, cmd_expiry(cmd, req->exptime));
	return STORE_OK;
}

void
cmd_md(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	enum store_result result = STORE_OK;

	cmd_count(cmd, SHM_STAT_CMD_META);
	if (!store_find(cmd->store, &key, cmd->now_s, &item, NULL)) {
		cmd_count(cmd, SHM_STAT_DELETE_MISSES);
		cmd_put_bare(cmd, req, WIRE_RE_NF, out);
		return;
	}
	if (cmd_given(req, 'C') && req->compare_cas != item.cas) {
		cmd_count(cmd, SHM_STAT_DELETE_MISSES);
		cmd_put_bare(cmd, req, WIRE_RE_EX, out);
		return;
	}
	lease_settle(cmd->leases, key.hash, item.cas);
	if (cmd_given(req, 'Y')) {
		if ((item.state & ITEM_WON) != 0)
			lease_give_up(cmd->store, &item);
		cmd_put_bare(cmd, req, WIRE_RE_HD, out);
		return;
	}
	if (cmd_given(req, 'x'))
		result = empty_value(cmd, req, &key, &item);
	else if (cmd_given(req, 'I'))
		result = mark_stale(cmd, req, &item);
	else
		store_delete(cmd->store, &item);
	if (result == STORE_BAD_CAS) {
		wire_put_reply(out, WIRE_RE_BAD_TOKEN);
		return;
	}
	if (result != STORE_OK) {
		wire_put_reply(out, WIRE_RE_NO_MEMORY);
		return;
	}
	cmd_count(cmd, SHM_STAT_DELETE_HITS);
	if (!req->quiet)
		cmd_put_bare(cmd, req, WIRE_RE_HD, out);
}

/* The reply to ma. item: as it is before T sets its time. */
static void
put_sum(const struct cmd *cmd, const struct wire_request *req, struct store_item *item,
    bool created, uint64_t value, struct wire_out *out)
{
	char digits[20], *p = wire_reserve(out, CMD_META_LINE_MAX + sizeof(digits) + 4), *begin = p;
	size_t n = (size_t)(wire_digits(digits, value) - digits);
	bool with_value = cmd_given(req, 'v');
	struct cmd_shown shown = {.item = item,
	    .letters =
		CMD_SENT_FLAGS | WIRE_HAS('N') | WIRE_HAS('T') | WIRE_HAS('t') | WIRE_HAS('c'),
	    .created = created,
	    .key_encoded = req->base64};

	if (p == NULL)
		return;
	p = cmd_put_head(p, with_value, n);
	p = cmd_put_flags(cmd, req, &shown, p);
	memcpy(p, "\r\n", 2);
	p += 2;
	if (with_value) {
		memcpy(p, digits, n);
		memcpy(p + n, "\r\n", 2);
		p += n + 2;
	}
	out->len += (size_t)(p - begin);
}

/* ma on a miss: N creates the counter. Its reply is never hidden. */
static void
start_counter(struct cmd *cmd, const struct wire_request *req, const struct store_key *key,
    struct wire_out *out)
{
	struct store_item item;
	char digits[20];
	uint64_t initial = cmd_given(req, 'J') ? req->initial : 0;
	uint32_t n = (uint32_t)(wire_digits(digits, initial) - digits);

	if (!cmd_vivify(cmd, req, key, digits, n, 0, &item, out))
		return;
	put_sum(cmd, req, &item, true, initial, out);
}

void
cmd_ma(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;
	bool decr = req->mode == 'D' || req->mode == '-';
	uint64_t value, cas;

	cmd_count(cmd, SHM_STAT_CMD_META);
	if (!store_find(cmd->store, &key, cmd->now_s, &item, NULL)) {
		if (cmd_given(req, 'N')) {
			start_counter(cmd, req, &key, out);
			return;
		}
		cmd_count(cmd, decr ? SHM_STAT_DECR_MISSES : SHM_STAT_INCR_MISSES);
		cmd_put_bare(cmd, req, WIRE_RE_NF, out);
		return;
	}
	/* this error comes before the CAS id is compared; that of a value which
	 * is no number comes after it */
	if (item.value_bytes == 0) {
		wire_put_reply(out, WIRE_RE_NON_NUMERIC);
		return;
	}
	if (compares_joined(req) && req->compare_cas != item.cas) {
		cmd_put_bare(cmd, req, WIRE_RE_EX, out);
		return;
	}
	switch (store_arith(cmd->store, &key, &item, decr, cmd_given(req, 'D') ? req->number : 1,
	    cmd_given(req, 'E') ? req->explicit_cas : 0, cmd->now_s, &value, &cas)) {
	case STORE_OK:
		break;
	case STORE_NON_NUMERIC:
		wire_put_reply(out, WIRE_RE_NON_NUMERIC);
		return;
	case STORE_BAD_CAS:
		wire_put_reply(out, WIRE_RE_BAD_TOKEN);
		return;
	default:
		cmd_count(cmd, SHM_STAT_STORE_NO_MEMORY);
		wire_put_reply(out, WIRE_RE_NO_MEMORY);
		return;
	}
	cmd_count(cmd, decr ? SHM_STAT_DECR_HITS : SHM_STAT_INCR_HITS);
	item.cas = cas;
	if (!req->quiet)
		put_sum(cmd, req, &item, false, value, out);
	if (cmd_given(req, 'T') && store_find(cmd->store, &key, cmd->now_s, &item, NULL))
		store_touch(cmd->store, &item, cmd_expiry(cmd, req->exptime));
}
