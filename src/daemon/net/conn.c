/* conn.c: see conn.h. */
#include "daemon/net/conn_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "daemon/net/conn_fd.h"
#include "daemon/net/conn_step.h"
#include "daemon/host/log.h"
#include "shm/ring.h"

#define IN_AT_ONCE_BYTES (UINT64_C(2) << 20)
#define RING_READ_BYTES  4096

/* ---- begin and end ------------------------------------------------------- */

void
conn_begin(struct conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->client_idx = HINT_PAGE_NO_CLIENT;
	c->passed_fd = -1;
}

void
conn_end(struct conn *c, struct conn_shared *sh)
{
	lease_end_owner(sh->cmd->leases, &c->leases);
	if (c->client_idx != HINT_PAGE_NO_CLIENT)
		hint_page_detach(sh->hints, c->client_idx);
	free(c->in);
	free(c->out);
	free(c->resumed);
	conn_fd_drop(c);
	close(c->fd);
	if (c->ring != NULL) {
		sh->cmd->stat[SHM_STAT_CURR_RINGS]--;
		conn_ring_end(c->ring);
	}
}

size_t
conn_kept_bytes(const struct conn *c)
{
	CHECK(c->in_at <= c->in_end && c->in_end <= c->in_cap);
	return c->in_end + c->out_cap;
}

bool
conn_is_mid_reply(const struct conn *c)
{
	return c->out != NULL;
}

/* ---- input --------------------------------------------------------------- */

static void
drop_in(struct conn *c)
{
	free(c->in);
	c->in = NULL;
	c->in_at = c->in_end = c->in_cap = 0;
}

/* Makes the kept input's buffer hold at least cap bytes, its content at the
 * front. */
static bool
reserve_in(struct conn *c, size_t cap)
{
	char *in;

	CHECK(c->in_at <= c->in_end && c->in_end <= c->in_cap);
	if (c->in_at > 0) {
		memmove(c->in, c->in + c->in_at, c->in_end - c->in_at);
		c->in_end -= c->in_at;
		c->in_at = 0;
	}
	if (c->in_cap >= cap)
		return true;
	in = realloc(c->in, cap);
	if (in == NULL)
		return false;
	c->in = in;
	c->in_cap = cap;
	return true;
}

/*
 * The room for the input that has begun, of which n bytes are here. It is
 * enough for most values at once, and beyond that it doubles as bytes come. So
 * a client that announces much and sends little takes little of the daemon's
 * memory.
 */
static size_t
cap_for(const struct conn *c, size_t n)
{
	size_t cap = 2 * n > IN_AT_ONCE_BYTES ? 2 * n : IN_AT_ONCE_BYTES;

	if (c->need <= n)
		return 2 * n; /* a line without end */
	return c->need < cap ? (size_t)c->need : cap;
}

/* Keeps n bytes of the shared buffer for the next turn. */
static bool
keep_in(struct conn *c, const char *bytes, size_t n)
{
	size_t cap = c->need > n ? cap_for(c, n) : (n | 255) + 1;

	/* a large request's buffer isn't kept for a small one */
	if (c->in_cap < cap || c->in_cap / 4 > cap) {
		drop_in(c);
		c->in = malloc(cap);
		if (c->in == NULL)
			return false;
		c->in_cap = cap;
	}
	CHECK(n <= c->in_cap);
	memcpy(c->in, bytes, n);
	c->in_at = 0;
	c->in_end = n;
	return true;
}

/* From the ring only as much as some ten requests take, where no more is
 * announced: what a turn leaves would have to be copied. */
static ssize_t
conn_read(struct conn *c, char *to, size_t n, size_t kept)
{
	size_t most = c->need > kept + RING_READ_BYTES ? (size_t)c->need - kept : RING_READ_BYTES;

	if (c->ring == NULL)
		return conn_fd_read(c, to, n);
	return conn_ring_read(c->ring, to, n < most ? n : most);
}

/*
 * Reads once. *ret_window, *ret_len: all the input that there is now, in the
 * shared buffer if it fits, else in the connection's own. 1; 0: the input has
 * ended; or a negative errno.
 */
static int
conn_fill(struct conn *c, struct conn_shared *sh, char **ret_window, size_t *ret_len)
{
	size_t kept = c->in_end - c->in_at, cap;
	bool own = kept > CONN_INPUT_BYTES / 2 || c->need > CONN_INPUT_BYTES;
	char *window = sh->in;
	ssize_t n;

	if (own) {
		cap = cap_for(c, kept); /* a data block is read exactly to its end */
		if (!reserve_in(c, cap))
			return -ENOMEM;
		CHECK(kept <= cap && cap <= c->in_cap);
		window = c->in;
		n = conn_read(c, window + kept, cap - kept, kept);
	} else {
		if (kept > 0)
			memcpy(window, c->in + c->in_at, kept);
		n = conn_read(c, window + kept, CONN_INPUT_BYTES - kept, kept);
	}
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	*sh->bytes_read += (uint64_t)n;
	c->last_active_s = sh->cmd->now_s;
	if (own)
		c->in_end = kept + (size_t)n;
	*ret_window = window;
	*ret_len = kept + (size_t)n;
	return 1;
}

/* ---- requests ------------------------------------------------------------ */

static void
log_denied(const struct conn *c, const struct conn_shared *sh, const struct wire_request *req)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	uint64_t suppressed;

	if (!log_allowed(&limit, sh->cmd->now_s, &suppressed))
		return;
	if (c->is_unix)
		log_notice("%s is refused to uid %u, pid %ld, who may only %s%s",
		    wire_verbs[req->verb].name, (unsigned)c->uid, (long)c->pid,
		    wire_access_name(c->level), log_more(suppressed, more));
	else
		log_notice("%s is refused to a TCP connection, which may only %s (tcp_access)%s",
		    wire_verbs[req->verb].name, wire_access_name(c->level),
		    log_more(suppressed, more));
}

static bool
conn_may_have_ring(const struct conn *c, struct conn_shared *sh, const struct wire_request *req)
{
	uint64_t *stat = sh->cmd->stat;

	if (!c->is_unix || c->ring != NULL || req->number != RING_VERSION || sh->rings_max == 0)
		return false;
	if (stat[SHM_STAT_CURR_RINGS] < sh->rings_max)
		return true;
	stat[SHM_STAT_RINGS_REFUSED]++;
	return false;
}

static enum cmd_result
conn_execute(struct conn *c, struct conn_shared *sh, const struct wire_request *req)
{
	enum cmd_result r;

	if (req->access > c->level)
		log_denied(c, sh, req);
	r = cmd_execute(sh->cmd, c->level, req, &c->cursor, &sh->out);
	switch (r) {
	case CMD_ATTACH:
		if (sh->hints != NULL && c->is_unix && c->ring == NULL && req->number == sh->epoch)
			c->passing = CONN_PASSES_HINTS;
		else
			wire_put_reply(&sh->out, WIRE_RE_NO_HINT_PAGE);
		break;
	case CMD_RING:
		if (conn_may_have_ring(c, sh, req))
			c->passing = CONN_PASSES_RING;
		else
			wire_put_reply(&sh->out, WIRE_RE_NO_RING);
		break;
	case CMD_SNAPSHOT:
		/* a TCP client has no user, so it gets no file of the host */
		if (sh->snapshot != NULL && c->is_unix)
			snapshot_request(
			    sh->snapshot, req, &c->passed_fd, sh->cmd->now_unix_s, &sh->out);
		else
			wire_put_reply_words(
			    &sh->out, WIRE_RE_DENIED, "%s", "snapshots are for the Unix socket");
		break;
	case CMD_CLOSE:
		c->closing = true;
		break;
	case CMD_SHUTDOWN:
		c->closing = true;
		sh->shutdown = true;
		break;
	case CMD_DONE:
	case CMD_FLUSH:
	case CMD_AGAIN:
		break;
	}
	if (r != CMD_AGAIN) {
		c->cursor = 0;
		free(c->resumed);
		c->resumed = NULL;
	}
	return r;
}

/*
 * Carries out a request to store and measures it, for the longest one. *mark_us
 * is the time at which the request before this one ended, 0 at first. Requests
 * that follow each other share such a time, so that each costs one look at the
 * clock.
 */
static void
execute_store(
    struct conn *c, struct conn_shared *sh, const struct wire_request *req, uint64_t *mark_us)
{
	uint64_t begin_us = *mark_us != 0 ? *mark_us : sh->now_us();

	conn_execute(c, sh, req);
	*mark_us = sh->now_us();
	if (*mark_us - begin_us > *sh->longest_set_us)
		*sh->longest_set_us = *mark_us - begin_us;
}

/* The request at p. An interrupted request was read before: a line of millions
 * of keys isn't read again in each of its turns. */
static enum wire_status
next_request(struct conn *c, const char *p, size_t len, struct wire_request *ret)
{
	if (c->resumed == NULL)
		return wire_parse(p, len, c->scanned, ret);
	*ret = *c->resumed;
	ret->line = p;
	return WIRE_OK;
}

/* Keeps the request that was read from a get's line, for its next turn. Without
 * memory the line is read again. */
static void
conn_interrupt(struct conn *c, const struct wire_request *req)
{
	c->runnable = true;
	if (c->resumed == NULL)
		c->resumed = malloc(sizeof(*req));
	if (c->resumed != NULL)
		*c->resumed = *req;
}

/*
 * Carries out the requests of [window, window + len) until they, the turn or
 * the connection end. Returns the number of bytes that are done. Sets runnable,
 * need and scanned for the rest.
 */
static size_t
conn_run(struct conn *c, struct conn_shared *sh, const char *window, size_t len)
{
	struct wire_request req;
	struct wire_out *out = &sh->out;
	uint64_t set_us = 0;
	size_t at = 0;

	c->runnable = false;
	for (uint32_t n_reqs = 0;; n_reqs++) {
		if (c->swallow > 0)
			at += conn_step_swallow(c, window + at, len - at);
		if (at == len || c->closing || c->passing != CONN_PASSES_NONE)
			break;
		if (len - at < c->need)
			return at;
		if (n_reqs == sh->max_reqs || out->len > sh->output_limit ||
		    cmd_work_done(sh->cmd)) {
			c->runnable = true;
			return at;
		}
		switch (next_request(c, window + at, len - at, &req)) {
		case WIRE_OK:
			c->scanned = 0;
			if (conn_step_hangs_up(c, sh, &req))
				break;
			if (req.data != NULL && sh->now_us != NULL)
				execute_store(c, sh, &req, &set_us);
			else if (conn_execute(c, sh, &req) == CMD_AGAIN) {
				conn_interrupt(c, &req);
				return at;
			} else
				set_us = 0;
			c->need = 0;
			at += (size_t)req.total_bytes;
			break;
		case WIRE_MORE:
			c->scanned = len - at;
			return at;
		case WIRE_DATA:
			c->scanned = 0;
			if (conn_step_hangs_up(c, sh, &req))
				break;
			if (req.access > c->level)
				log_denied(c, sh, &req);
			if (cmd_admit(sh->cmd, c->level, &req, out)) {
				c->need = req.total_bytes;
				return at;
			}
			c->swallow = req.total_bytes;
			c->swallows_block = false;
			break;
		case WIRE_BAD:
			c->scanned = 0;
			c->need = 0;
			cmd_bad(sh->cmd, &req, out);
			conn_step_bad(c, &req);
			break;
		case WIRE_CLOSE:
			conn_step_binary(c, sh, window[at]);
			c->closing = true;
			break;
		}
		if (out->failed)
			c->closing = true;
	}
	c->runnable = at < len && !c->closing;
	return at;
}

/* Fills the window, or goes on with it, carries out its requests, and keeps the
 * rest. False: the connection can't be kept. */
static bool
take_input(struct conn *c, struct conn_shared *sh, enum conn_want *ret_want)
{
	char *window = NULL;
	size_t len = 0, done;

	if (c->runnable) {
		window = c->in + c->in_at;
		len = c->in_end - c->in_at;
	} else {
		int r = conn_fill(c, sh, &window, &len);

		if (r == -EAGAIN || r == -EINTR)
			return true;
		if (r <= 0) {
			*ret_want = CONN_CLOSE;
			return false;
		}
	}
	done = conn_run(c, sh, window, len);
	CHECK(done <= len);
	if (done == len || c->closing) {
		if (c->in != NULL)
			drop_in(c);
	} else if (window != sh->in)
		c->in_at += done;
	else if (!keep_in(c, window + done, len - done))
		return false;
	return true;
}

/* Passes a descriptor. False: not yet. */
static bool
conn_pass(struct conn *c, struct conn_shared *sh)
{
	if (c->passing == CONN_PASSES_HINTS)
		return conn_send_attached(c, sh);
	if (!conn_send_ring(c, sh))
		return false;
	if (c->ring != NULL) { /* what stood behind the request is no request */
		drop_in(c);
		c->runnable = false;
		c->need = c->scanned = 0;
	}
	return true;
}

static enum conn_want
conn_take_turn(struct conn *c, struct conn_shared *sh)
{
	enum conn_want want = CONN_READ;

	sh->out.failed = false;
	sh->cmd->over_tcp = !c->is_unix;
	sh->cmd->owner = &c->leases;
	sh->cmd->work = 0;
	if (!conn_send_kept(c, sh))
		return CONN_WRITE;
	if (c->closing)
		return CONN_CLOSE;
	if (c->passing != CONN_PASSES_NONE) {
		if (!conn_pass(c, sh))
			return CONN_WRITE;
	} else if (!take_input(c, sh, &want)) {
		sh->out.len = 0;
		return CONN_CLOSE;
	}
	if (!conn_send_replies(c, sh))
		return CONN_CLOSE;
	if (c->out != NULL)
		return CONN_WRITE;
	if (c->closing)
		return CONN_CLOSE;
	return c->runnable || c->passing != CONN_PASSES_NONE ? CONN_AGAIN : want;
}

enum conn_want
conn_turn(struct conn *c, struct conn_shared *sh)
{
	enum conn_want want = conn_take_turn(c, sh);

	if (c->ring != NULL)
		conn_ring_wake(c->ring);
	return want;
}
