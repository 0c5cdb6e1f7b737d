/*
 * cmd_refuse.c: the old value of a store that was refused.
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
