/* conn_step.c: see conn_step.h. */
#include "daemon/net/conn_step.h"

#include "daemon/host/log.h"

size_t
conn_step_swallow(struct conn *c, const char *bytes, size_t len)
{
	size_t n = c->swallow < len ? (size_t)c->swallow : len;

	for (unsigned left = 1; c->swallows_block && left <= 2 && left <= c->swallow; left++) {
		uint64_t at = c->swallow - left;
		if (at < n && bytes[at] != "\n\r"[left - 1])
			c->lost = true;
	}
	c->swallow -= n;
	return n;
}

void
conn_step_bad(struct conn *c, const struct wire_request *req)
{
	c->swallow = req->total_bytes;
	c->swallows_block = req->data == NULL && req->total_bytes > req->line_bytes;
	c->lost |= req->lost;
}

bool
conn_step_hangs_up(struct conn *c, struct conn_shared *sh, const struct wire_request *req)
{
	if (!c->lost || req->verb == WIRE_VERSION || req->verb == WIRE_MN || req->verb == WIRE_QUIT)
		return false;
	sh->cmd->stat[SHM_STAT_BAD_REQUESTS]++;
	wire_put_reply(&sh->out, WIRE_RE_LOST);
	c->closing = true;
	return true;
}

void
conn_step_binary(const struct conn *c, struct conn_shared *sh, char first)
{
	if ((unsigned char)first != 0x80)
		return;
	if (sh->cmd->stat[SHM_STAT_BINARY_CLIENTS]++ == 0)
		log_notice("a client (pid %ld) speaks memcached's binary protocol; peekd speaks "
			   "text alone, and closes each such connection: set the client to text "
			   "(PHP's sessions: memcached.sess_binary_protocol = 0); stats counts "
			   "these connections as binary_clients",
		    (long)c->pid);
}
