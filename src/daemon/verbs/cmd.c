/*
 * cmd.c: from a request to the function that carries it out: is the peer's
 * level enough, is the data block wanted, and what becomes of the connection.
 */
#include "daemon/verbs/cmd_private.h"

static bool
cmd_allowed(
    struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out)
{
	if (level >= req->access)
		return true;
	cmd_count(cmd, SHM_STAT_DENIED);
	if (!req->noreply)
		wire_put_reply_words(out, WIRE_RE_DENIED, "%s needs %s%s",
		    wire_verbs[req->verb].name, wire_access_name(req->access),
		    cmd->over_tcp ? ", which tcp_access doesn't give" : "");
	return false;
}

/* Client flags take room too, but append and prepend keep the old ones. */
static uint32_t
flags_to_store(const struct wire_request *req)
{
	if (req->verb == WIRE_APPEND || req->verb == WIRE_PREPEND)
		return 0;
	if (req->verb != WIRE_MS)
		return req->client_flags;
	bool joins = req->mode == 'A' || req->mode == 'P';
	return !joins && (req->given & WIRE_HAS('F')) != 0 ? req->client_flags : 0;
}

/* True: the value fits, so that its data block is wanted. */
static bool
cmd_fits(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	if (store_fits(cmd->store, req->key.len, req->data_bytes, flags_to_store(req)))
		return true;
	cmd_count(cmd, SHM_STAT_STORE_TOO_LARGE);
	cmd_drop_old(cmd, req);
	if (!req->noreply)
		wire_put_reply(out, WIRE_RE_TOO_LARGE);
	return false;
}

bool
cmd_admit(
    struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out)
{
	return cmd_allowed(cmd, level, req, out) && cmd_fits(cmd, req, out);
}

void
cmd_bad(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	cmd_count(cmd, SHM_STAT_BAD_REQUESTS);
	if (!req->noreply)
		wire_put_reply(out, req->error);
}

static enum cmd_result
shut_down(const struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	if (!cmd->shutdown_allowed) {
		wire_put_reply(out, WIRE_RE_SHUTDOWN_OFF);
		return CMD_DONE;
	}
	if (req->word.len != 0 && (req->word.len != 8 || memcmp(req->word.p, "graceful", 8) != 0)) {
		wire_put_reply(out, WIRE_RE_BAD_SHUTDOWN);
		return CMD_DONE;
	}
	return CMD_SHUTDOWN;
}

static void
say_version(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	(void)cmd;
	(void)req;
	wire_put_reply_words(out, WIRE_RE_VERSION, "%s", PEEKD_VERSION);
}

static void
set_verbosity(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	cmd->verbosity = (unsigned)req->number;
	if (!req->noreply)
		wire_put_reply(out, WIRE_RE_OK);
}

static void
say_metrics(struct cmd *cmd, const struct wire_request *req, struct wire_out *out)
{
	(void)req;
	cmd->work += CMD_STATS_WORK;
	cmd_metrics(cmd, out);
}

/* The verbs that answer at once and leave the connection as it is. */
static const struct {
	void (*run)(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
	bool has_value;
} plain[WIRE_N_VERBS] = {
    [WIRE_SET] = {cmd_store, true},
    [WIRE_ADD] = {cmd_store, true},
    [WIRE_REPLACE] = {cmd_store, true},
    [WIRE_APPEND] = {cmd_store, true},
    [WIRE_PREPEND] = {cmd_store, true},
    [WIRE_CAS] = {cmd_store, true},
    [WIRE_MS] = {cmd_ms, true},
    [WIRE_MD] = {cmd_md, false},
    [WIRE_MA] = {cmd_ma, false},
    [WIRE_ME] = {cmd_me, false},
    [WIRE_DELETE] = {cmd_delete, false},
    [WIRE_INCR] = {cmd_arith, false},
    [WIRE_DECR] = {cmd_arith, false},
    [WIRE_TOUCH] = {cmd_touch, false},
    [WIRE_FLUSH_ALL] = {cmd_flush, false},
    [WIRE_STATS] = {cmd_stats, false},
    [WIRE_VERSION] = {say_version, false},
    [WIRE_VERBOSITY] = {set_verbosity, false},
    [WIRE_PEEK_METRICS] = {say_metrics, false},
    [WIRE_PEEK_INVALIDATE] = {cmd_invalidate, false},
    [WIRE_PEEK_DUMP] = {cmd_dump, false},
};

static enum cmd_result
cmd_carry_out(struct cmd *cmd, enum wire_access level, const struct wire_request *req,
    uint32_t *cursor, struct wire_out *out)
{
	switch (req->verb) {
	case WIRE_GET:
	case WIRE_GETS:
	case WIRE_GAT:
	case WIRE_GATS:
		return cmd_get(cmd, req, cursor, out);
	case WIRE_LRU_CRAWLER:
		return cmd_crawl(cmd, req, cursor, out);
	case WIRE_STATS:
		if (*cursor != 0 ||
		    (req->word.len == 9 && memcmp(req->word.p, "cachedump", 9) == 0))
			return cmd_cachedump(cmd, req, cursor, out);
		break;
	case WIRE_MG:
		cmd_mg(cmd, level, req, out);
		return CMD_DONE;
	case WIRE_MN:
		cmd_count(cmd, SHM_STAT_CMD_META);
		wire_put_reply(out, WIRE_RE_MN);
		return CMD_FLUSH;
	case WIRE_QUIT:
		return CMD_CLOSE;
	case WIRE_SHUTDOWN:
		return shut_down(cmd, req, out);
	case WIRE_PEEK_ATTACH:
		return CMD_ATTACH;
	case WIRE_PEEK_RING:
		return CMD_RING;
	case WIRE_PEEK_SAVE:
	case WIRE_PEEK_LOAD:
	case WIRE_PEEK_LOAD_PART:
		return CMD_SNAPSHOT;
	default:
		break;
	}
	if (plain[req->verb].run == NULL)
		return CMD_CLOSE;
	if (!plain[req->verb].has_value || cmd_fits(cmd, req, out))
		plain[req->verb].run(cmd, req, out);
	return CMD_DONE;
}

enum cmd_result
cmd_execute(struct cmd *cmd, enum wire_access level, const struct wire_request *req,
    uint32_t *cursor, struct wire_out *out)
{
	if (!cmd_allowed(cmd, level, req, out))
		/* tools wait for END or for the end of the connection */
		return out->failed || req->verb == WIRE_LRU_CRAWLER ? CMD_CLOSE : CMD_DONE;
	enum cmd_result result = cmd_carry_out(cmd, level, req, cursor, out);
	return out->failed ? CMD_CLOSE : result;
}
