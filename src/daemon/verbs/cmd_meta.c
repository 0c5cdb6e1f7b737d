/*
 * cmd_meta.c: what several meta verbs answer or do.
 */
#include "daemon/verbs/cmd_meta.h"

void
cmd_put_bare(const struct wire_request *req, enum wire_code code, struct wire_out *out)
{
	char *p = wire_reserve(out, CMD_META_LINE_MAX), *begin = p;

	if (p == NULL)
		return;
	p = wire_reply_text(p, code);
	for (unsigned i = 0; i < req->n_flags; i++) {
		if (req->flag[i].letter == 'O')
			p = cmd_put_opaque(p, &req->flag[i]);
		else if (req->flag[i].letter == 'k')
			p = cmd_put_key(p, &req->key, req->base64);
	}
	memcpy(p, "\r\n", 2);
	out->len += (size_t)(p + 2 - begin);
}

/* N's time, or T's, whichever comes last. */
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
