/*
 * cmd_refuse.c: what a store that can't be done does to the old value.
 */
#include "daemon/verbs/cmd_private.h"

void
cmd_drop_old(struct cmd *cmd, const struct wire_request *req)
{
	struct store_key key = cmd_key(cmd, &req->key);
	struct store_item item;

	if (req->verb != WIRE_SET && req->verb != WIRE_MS)
		return;
	if (store_find(cmd->store, &key, cmd->now_s, &item, NULL))
		store_delete(cmd->store, &item);
}
