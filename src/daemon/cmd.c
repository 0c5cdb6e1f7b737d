/*
 * cmd.c: from a request to the function that carries it out: who may, what is wanted, what the answer means for the
 * connection.
 */
#include "daemon/cmd_private.h"

static bool
allowed(struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out)
{
	if (level >= req->access)
		return true;
	cmd_count(cmd, SHM_STAT_DENIED);
	if (!req->noreply)
		wire_put_linef(out, "CLIENT_ERROR permission denied: %s needs %s", wire_verbs[req->verb].name,
		    wire_access_name(req->access));
	return false;
}

/* A value that is too large leaves nothing behind that a client would take for it: the old one goes, for set and for
 * ms. */
static bool
fits(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	struct store_item item;

	if (store_fits(cmd->store, req->key.len, req->data_bytes, 0))
		return true;
	cmd_count(cmd, SHM_STAT_STORE_TOO_LARGE);
	if (req->verb == WIRE_SET || req->verb == WIRE_MS) {
		struct store_key key = cmd_key(cmd, &req->key);
		if (store_find(cmd->store, &key, cmd->now_s, &item, NULL))
			store_delete(cmd->store, &item);
	}
	if (!req->noreply)
		wire_put_line(out, CMD_TOO_LARGE);
	return false;
}

bool
cmd_admit(struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out)
{
	return allowed(cmd, level, req, out) && fits(cmd, req, out);
}

void
cmd_bad(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	cmd_count(cmd, SHM_STAT_BAD_REQUESTS);
	if (!req->noreply)
		wire_put_line(out, req->error);
}

static enum cmd_result
shut_down(const struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	if (!cmd->shutdown_allowed) {
		wire_put_text(out, "ERROR: shutdown not enabled\r\n");
		return CMD_DONE;
	}
	if (req->word.len != 0 && (req->word.len != 8 || memcmp(req->word.p, "graceful", 8) != 0)) {
		wire_put_text(out, "CLIENT_ERROR invalid shutdown mode\r\n");
		return CMD_DONE;
	}
	return CMD_SHUTDOWN;
}

static enum cmd_result
execute(struct cmd *cmd, enum wire_access level, const struct wire_request *req, uint32_t *cursor, struct wire_out *out)
{
	switch (req->verb) {
	case WIRE_GET:
	case WIRE_GETS:
	case WIRE_GAT:
	case WIRE_GATS:
		return cmd_get(cmd, req, cursor, out);
	case WIRE_SET:
	case WIRE_ADD:
	case WIRE_REPLACE:
	case WIRE_APPEND:
	case WIRE_PREPEND:
	case WIRE_CAS:
		if (fits(cmd, req, out))
			cmd_store(cmd, req, out);
		return CMD_DONE;
	case WIRE_MG:
		cmd_mg(cmd, level, req, out);
		return CMD_DONE;
	case WIRE_MS:
		if (fits(cmd, req, out))
			cmd_ms(cmd, req, out);
		return CMD_DONE;
	case WIRE_MD:
		cmd_md(cmd, req, out);
		return CMD_DONE;
	case WIRE_MA:
		cmd_ma(cmd, req, out);
		return CMD_DONE;
	case WIRE_ME:
		cmd_me(cmd, req, out);
		return CMD_DONE;
	case WIRE_MN:
		cmd_count(cmd, SHM_STAT_CMD_META);
		wire_put_text(out, "MN\r\n");
		return CMD_FLUSH;
	case WIRE_DELETE:
		cmd_delete(cmd, req, out);
		return CMD_DONE;
	case WIRE_INCR:
	case WIRE_DECR:
		cmd_arith(cmd, req, out);
		return CMD_DONE;
	case WIRE_TOUCH:
		cmd_touch(cmd, req, out);
		return CMD_DONE;
	case WIRE_FLUSH_ALL:
		cmd_flush(cmd, req, out);
		return CMD_DONE;
	case WIRE_STATS:
		cmd_stats(cmd, req, out);
		return CMD_DONE;
	case WIRE_VERSION:
		wire_put_text(out, "VERSION " PEEKD_VERSION "\r\n");
		return CMD_DONE;
	case WIRE_VERBOSITY:
		cmd->verbosity = (unsigned)req->number;
		if (!req->noreply)
			wire_put_text(out, "OK\r\n");
		return CMD_DONE;
	case WIRE_QUIT:
		return CMD_CLOSE;
	case WIRE_SHUTDOWN:
		return shut_down(cmd, req, out);
	case WIRE_PEEK_ATTACH:
		return CMD_ATTACH;
	case WIRE_PEEK_SAVE:
	case WIRE_PEEK_LOAD:
	case WIRE_PEEK_LOAD_PART:
		return CMD_SNAPSHOT;
	case WIRE_PEEK_METRICS:
		cmd_metrics(cmd, out);
		return CMD_DONE;
	case WIRE_PEEK_DUMP:
		cmd_dump(cmd, req, out);
		return CMD_DONE;
	case WIRE_N_VERBS:
		break;
	}
	return CMD_CLOSE;
}

enum cmd_result
cmd_execute(struct cmd *cmd, enum wire_access level, const struct wire_request *req, uint32_t *cursor,
    struct wire_out *out)
{
	if (!allowed(cmd, level, req, out))
		return out->failed ? CMD_CLOSE : CMD_DONE;
	enum cmd_result result = execute(cmd, level, req, cursor, out);
	return out->failed ? CMD_CLOSE : result;
}
