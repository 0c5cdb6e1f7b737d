/*
 * cmd_meta.c: the replies and the actions that several meta verbs share.
 */
#include "daemon/verbs/cmd_meta.h"

static char *
put_number(char *p, char letter, uint64_t v)
{
	*p++ = ' ';
	*p++ = letter;
	return wire_digits(p, v);
}

static char *
put_ttl(char *p, int64_t ttl_s)
{
	if (ttl_s >= 0)
		return put_number(p, 't', (uint64_t)ttl_s);
	memcpy(p, " t-1", 4);
	return p + 4;
}

static char *
put_key(char *p, const struct wire_str *key, bool encoded)
{
	memcpy(p, " k", 2);
	p += 2;
	if (!encoded) {
		memcpy(p, key->p, key->len);
		return p + key->len;
	}
	p = wire_base64(p, key->p, key->len);
	memcpy(p, " b", 2);
	return p + 2;
}

static char *
put_opaque(char *p, const struct wire_flag *f)
{
	memcpy(p, " O", 2);
	memcpy(p + 2, f->token, f->len);
	return p + 2 + f->len;
}

/* R wins an item that has less time left than R says, and no winner yet. */
static bool
is_won_by_recache(
    const struct cmd *cmd, const struct wire_request *req, const struct cmd_shown *shown)
{
	const struct store_item *item = shown->item;

	return (item->state & ITEM_WON) == 0 && !shown->created && item->expiry_s != 0 &&
	    item->expiry_s < cmd_expiry(cmd, req->recache);
}

char *
cmd_put_flags(
    const struct cmd *cmd, const struct wire_request *req, struct cmd_shown *shown, char *p)
{
	struct store_item *item = shown->item;

	for (unsigned i = 0; i < req->n_flags; i++) {
		char letter = req->flag[i].letter;
		switch ((shown->letters & WIRE_HAS(letter)) != 0 ? letter : '\0') {
		case 'N':
			if (shown->created)
				item->expiry_s = cmd_expiry(cmd, req->vivify);
			break;
		case 'T':
			item->expiry_s = cmd_expiry(cmd, req->exptime);
			break;
		case 'R':
			shown->won |= is_won_by_recache(cmd, req, shown);
			break;
		case 's':
			p = put_number(p, 's', item->value_bytes);
			break;
		case 't':
			p = put_ttl(p, cmd_ttl(cmd, item->expiry_s));
			break;
		case 'c':
			p = put_number(p, 'c', item->cas);
			break;
		case 'f':
			p = put_number(p, 'f', item->flags);
			break;
		case 'h':
			p = put_number(p, 'h', (item->state & ITEM_FETCHED) != 0);
			break;
		case 'l':
			p = put_number(p, 'l', cmd_age(cmd, item));
			break;
		case 'O':
			p = put_opaque(p, &req->flag[i]);
			break;
		case 'k':
			p = put_key(p, &req->key, shown->key_encoded);
			break;
		default:
			break;
		}
	}
	return p;
}

void
cmd_put_shown(const struct cmd *cmd, const struct wire_request *req, enum wire_code code,
    struct cmd_shown *shown, struct wire_out *out)
{
	char *p = wire_reserve(out, CMD_META_LINE_MAX), *begin = p;

	if (p == NULL)
		return;
	p = cmd_put_flags(cmd, req, shown, wire_reply_text(p, code));
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

void
cmd_put_bare(const struct cmd *cmd, const struct wire_request *req, enum wire_code code,
    struct wire_out *out)
{
	struct store_item none = {0};
	struct cmd_shown shown = {
	    .item = &none, .letters = CMD_SENT_FLAGS, .key_encoded = req->base64};

	cmd_put_shown(cmd, req, code, &shown, out);
}

/* The time of N or that of T: the last of them counts. */
static uint32_t
born_expiry(const struct cmd *cmd, const struct wire_request *req)
{
	uint32_t expiry_s = 0;

	for (unsigned i = 0; i < req->n_flags; i++) {
		if (req->flag[i].letter == 'N')
			expiry_s = cmd_expiry(cmd, req->vivify);
		else if (req->flag[i].letter == 'T')
			expiry_s = cmd_expiry(cmd, req->exptime);
	}
	return expiry_s;
}

bool
cmd_vivify(struct cmd *cmd, const struct wire_request *req, const struct store_key *key,
    const void *value, uint32_t value_bytes, uint32_t state, struct store_item *ret,
    struct wire_out *out)
{
	uint64_t cas;
	struct store_put put = {
	    .key = *key,
	    .mode = STORE_ADD,
	    .value = value,
	    .value_bytes = value_bytes,
	    .expiry_s = born_expiry(cmd, req),
	    .state = state | (req->base64 ? ITEM_KEY_B64 : 0),
	    .explicit_cas = cmd_given(req, 'E') ? req->explicit_cas : 0,
	};
	enum store_result result = store_put(cmd->store, &put, cmd->now_s, &cas);

	if (result == STORE_BAD_CAS) {
		wire_put_reply(out, WIRE_RE_BAD_TOKEN);
		return false;
	}
	if (result != STORE_OK) {
		cmd_count(cmd, SHM_STAT_STORE_NO_MEMORY);
		wire_put_reply(out, WIRE_RE_OUT_OF_MEMORY);
		return false;
	}
	*ret = (struct store_item){.cas = cas,
	    .value_bytes = value_bytes,
	    .last_access_s = cmd->now_s,
	    .state = put.state};
	return true;
}
