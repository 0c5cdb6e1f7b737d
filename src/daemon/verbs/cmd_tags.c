/*
 * cmd_tags.c: names of tags to numbers: G of ms, and peek_invalidate.
 */
#include "daemon/verbs/cmd_private.h"
#include "shm/item.h"

_Static_assert(WIRE_TAGS_MAX == ITEM_TAGS_MAX, "an item has room for all of them");

uint64_t
cmd_tags(const struct wire_request *req)
{
	struct wire_str list = req->tags, name;
	uint32_t tag[WIRE_TAGS_MAX];
	unsigned n = 0;

	while (n < WIRE_TAGS_MAX && wire_next_tag(&list, &name))
		tag[n++] = store_tag(name.p, name.len);
	return store_tags(tag, n);
}

/* Tag by tag: a daemon that is killed meanwhile has invalidated the first of
 * them, and has acknowledged none. */
void
cmd_invalidate(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct wire_str name;
	uint32_t cursor = 0;

	while (wire_next_key(req, &cursor, &name))
		store_invalidate(cmd->store, store_tag(name.p, name.len));
	wire_put_reply(out, WIRE_RE_OK);
}
