/*
 * conn_out.c: bytes out: the buffers that connections share, and the replies of
 * a turn, which are sent or kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/check.h"
#include "daemon/net/conn_private.h"
#include "shm/ring.h"

/* of the shared output buffer, at first and again after a large reply */
#define OUT_BYTES      (UINT64_C(64) << 10)
#define OUT_KEPT_BYTES (UINT64_C(2) << 20)
/* a rest of this many bytes isn't copied: the connection keeps the buffer */
#define OUT_STEAL_BYTES 16384

/* ---- shared buffers ---------------------------------------------------- */

static int
grow_out(struct wire_out *out, size_t cap_min)
{
	return buffer_grow(&out->buf, &out->cap, cap_min, OUT_BYTES);
}

int
conn_shared_init(struct conn_shared *sh)
{
	sh->in = malloc(CONN_INPUT_BYTES);
	sh->out = (struct wire_out){.grow = grow_out};
	if (sh->in == NULL || grow_out(&sh->out, OUT_BYTES) != 0) {
		free(sh->in);
		return -ENOMEM;
	}
	return 0;
}

void
conn_shared_free(struct conn_shared *sh)
{
	free(sh->in);
	free(sh->out.buf);
}

/* ---- output ------------------------------------------------------------ */

static ssize_t
conn_write(const struct conn *c, const char *bytes, size_t n)
{
	return c->ring != NULL ? conn_ring_write(c->ring, bytes, n) : write(c->fd, bytes, n);
}

bool
conn_send_kept(struct conn *c, struct conn_shared *sh)
{
	ssize_t n;

	if (c->out == NULL)
		return true;
	CHECK(c->out_at < c->out_end && c->out_end <= c->out_cap);
	n = conn_write(c, c->out + c->out_at, c->out_end - c->out_at);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		c->closing = true;
	else {
		*sh->bytes_written += (uint64_t)n;
		c->last_active_s = sh->cmd->now_s;
		c->out_at += (size_t)n;
		if (c->out_at < c->out_end)
			return false;
	}
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_end = c->out_cap = 0;
	return true;
}

bool
conn_send_replies(struct conn *c, struct conn_shared *sh)
{
	struct wire_out *out = &sh->out;
	size_t len = out->len, sent = 0;
	ssize_t n;

	if (len == 0)
		return true;
	n = conn_write(c, out->buf, len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->closing = true;
		sent = len;
	} else if (n > 0) {
		*sh->bytes_written += (uint64_t)n;
		sent = (size_t)n;
	}
	out->len = 0;
	if (sent < len && len - sent >= OUT_STEAL_BYTES && len - sent >= len / 2) {
		char *less = realloc(out->buf, len); /* as a rule the buffer shrinks in place */

		if (less != NULL) {
			out->buf = less;
			out->cap = len;
		}
		c->out = out->buf;
		c->out_cap = out->cap;
		c->out_at = sent;
		c->out_end = len;
		*out = (struct wire_out){.grow = grow_out};
		return grow_out(out, OUT_BYTES) == 0;
	}
	if (sent < len) {
		c->out = malloc(len - sent);
		if (c->out == NULL)
			return false;
		memcpy(c->out, out->buf + sent, len - sent);
		c->out_at = 0;
		c->out_end = c->out_cap = len - sent;
	}
	if (out->cap > OUT_KEPT_BYTES) {
		free(out->buf);
		*out = (struct wire_out){.grow = grow_out};
		return grow_out(out, OUT_BYTES) == 0;
	}
	return true;
}

/* Sends the shared output, with a descriptor on its first byte. As write(2). */
static ssize_t
send_with_fd(const struct conn *c, struct conn_shared *sh, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {sh->out.buf, sh->out.len};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	if (n > 0)
		*sh->bytes_written += (uint64_t)n;
	return n;
}

bool
conn_send_attached(struct conn *c, struct conn_shared *sh)
{
	struct wire_out *out = &sh->out;
	ssize_t n;

	if (c->client_idx == HINT_PAGE_NO_CLIENT &&
	    hint_page_attach(sh->hints, &c->client_idx) != 0) {
		c->passing = CONN_PASSES_NONE;
		wire_put_reply(out, WIRE_RE_NO_HINT_PAGE);
		return true;
	}
	wire_put_attached(out, c->client_idx, hint_page_total_bytes(sh->hints),
	    hint_page_clients_max(sh->hints), sh->epoch);
	n = send_with_fd(c, sh, hint_page_fd(sh->hints));
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		out->len = 0;
		return false;
	}
	c->passing = CONN_PASSES_NONE;
	if (n < 0)
		c->closing = true;
	if (n < 0 || (size_t)n == out->len)
		out->len = 0;
	else { /* the descriptor went with the first byte */
		memmove(out->buf, out->buf + n, out->len - (size_t)n);
		out->len -= (size_t)n;
	}
	return true;
}

bool
conn_send_ring(struct conn *c, struct conn_shared *sh)
{
	struct wire_out *out = &sh->out;
	struct conn_ring *ring;
	ssize_t n;
	bool later;
	int fd;

	if (conn_ring_create(&ring, &fd) != 0) {
		c->passing = CONN_PASSES_NONE;
		sh->cmd->stat[SHM_STAT_RINGS_REFUSED]++;
		wire_put_reply(out, WIRE_RE_NO_RING);
		return true;
	}
	wire_put_ring(out, RING_TOTAL_BYTES, sh->ring_spin_us);
	n = send_with_fd(c, sh, fd);
	later = n < 0 && (errno == EAGAIN || errno == EINTR);
	close(fd);
	if (n == (ssize_t)out->len) {
		c->ring = ring;
		sh->cmd->stat[SHM_STAT_CURR_RINGS]++;
		sh->cmd->stat[SHM_STAT_TOTAL_RINGS]++;
	} else { /* a part of so short a line is no case of a socket that works */
		conn_ring_end(ring);
		c->closing = !later;
	}
	out->len = 0;
	if (!later)
		c->passing = CONN_PASSES_NONE;
	return !later;
}
