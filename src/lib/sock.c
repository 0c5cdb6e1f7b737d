/*
 * sock.c: connections to the control socket.
 */
#include "lib/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/now.h"

int64_t
sock_now_ms(void)
{
	return now_monotonic_ms();
}

int64_t
sock_deadline_ms(const struct peek *p)
{
	return sock_now_ms() + (int64_t)word_load_rlx(&p->timeout_ms); /* relaxed: a number */
}

void
sock_socket_path(struct peek *p, char *buf)
{
	pthread_mutex_lock(&p->own.attach_lock); /* the foreign socket's path may be written */
	const struct attached *a = seq_load_ptr(&p->newest);
	if (p->socket_path[0] != '\0')
		memcpy(buf, p->socket_path, sizeof(p->socket_path));
	else if (a != NULL && seq_load_ptr(&p->own.foreign) == NULL)
		map_socket_path(&a->map, buf);
	else
		memcpy(buf, p->foreign_socket, sizeof(p->foreign_socket));
	pthread_mutex_unlock(&p->own.attach_lock);
}

/* Requests, and halves of the queue, before a connection asks for a ring. */
#define RING_AFTER_WRITES 8
#define RING_AFTER_HALVES 1

static int
sock_fd(const struct peek *p, enum sock_of which)
{
	return p->own.conn[which].fd_plus_1 - 1;
}

/* In a child: closes the parent's connection, which else would outlive the
 * parent. */
static void
close_inherited(struct sock_kept *kept)
{
	struct stat st;

	if (kept->fd_plus_1 != 0 && fstat(kept->fd_plus_1 - 1, &st) == 0 &&
	    (uint64_t)st.st_dev == kept->dev && (uint64_t)st.st_ino == kept->ino)
		close(kept->fd_plus_1 - 1);
	kept->fd_plus_1 = 0;
}

void
sock_close(struct peek *p, enum sock_of which)
{
	/* the same descriptor as conn[which]'s, unless this is a child that
	 * never connected */
	close_inherited(&p->kept[which]);
	ring_client_drop(&p->own.conn[which].ring);
	p->own.conn[which] = (struct sock){0};
}

void
sock_drop_if_stale(struct peek *p, enum sock_of which)
{
	char byte;

	if (sock_is_open(p, which) &&
	    recv(sock_fd(p, which), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		/* hung up; or the daemon sent bytes unasked, which is as bad */
		sock_close(p, which);
}

static int
sock_fail(struct peek *p, enum sock_of which, int error)
{
	const struct ring_client *ring = &p->own.conn[which].ring;

	if (error == -ECONNRESET && ring->mem != NULL &&
	    ring_untaken(&ring->end, ring->n_put_before))
		error = -EPIPE;
	sock_close(p, which);
	return error;
}

static int
error_of_connect(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case EPROTOTYPE:
		return -ECONNREFUSED;
	case EACCES:
	case EPERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int
poll_until(int fd, short events, int64_t deadline_ms, short *ret_events)
{
	for (;;) {
		int64_t left = deadline_ms - sock_now_ms();
		struct pollfd pfd = {.fd = fd, .events = events};

		if (left < 0)
			return -ETIMEDOUT;
		int n = poll(&pfd, 1, left < 60000 ? (int)left + 1 : 60000);
		if (n > 0) {
			*ret_events = pfd.revents;
			return 0;
		}
		if (n < 0 && errno != EINTR)
			return -EIO;
	}
}

/*
 * A connection that is used again and again gets a ring: it costs more than a
 * few requests by the socket do. Not for reads of a foreign layout.
 */
static int
ask_for_ring(struct peek *p, enum sock_of which, int64_t deadline_ms)
{
	static const uint32_t n_before[CONN_N] = {
	    [CONN_WRITES] = RING_AFTER_WRITES, [CONN_QUEUE] = RING_AFTER_HALVES};
	struct sock *c = &p->own.conn[which];

	if (n_before[which] == 0 || c->n_opened > n_before[which] ||
	    ++c->n_opened <= n_before[which] || (p->flags & PEEK_NO_RING) != 0 ||
	    seq_load_ptr(&p->own.foreign) != NULL)
		return 0;
	int r = ring_client_ask(&c->ring, sock_fd(p, which), deadline_ms);
	return r == 0 ? 0 : sock_fail(p, which, r);
}

int
sock_open(struct peek *p, enum sock_of which, int64_t deadline_ms)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;
	char path[128];

	if ((p->flags & PEEK_READ_ONLY) != 0)
		return -EACCES;
	if (sock_is_open(p, which)) {
		int r = ask_for_ring(p, which, deadline_ms);
		if (r != -ECONNRESET)
			return r;
		/* the daemon had hung up before */
	}
	sock_close(p, which);
	sock_socket_path(p, path);
	if (path[0] == '\0' || strlen(path) >= sizeof(un.sun_path))
		return -ECONNREFUSED;
	memcpy(un.sun_path, path, strlen(path) + 1);
	int fd = descriptor_above(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return -EIO;
	while (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0) {
		int err = errno;
		if (err == EINTR)
			continue;
		if (err != EAGAIN || sock_now_ms() >= deadline_ms) {
			close(fd);
			return err == EAGAIN ? -ETIMEDOUT : error_of_connect(err);
		}
		/* the daemon's queue of connections is full */
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (fstat(fd, &st) != 0) {
		close(fd);
		return -EIO;
	}
	p->kept[which].fd_plus_1 = fd + 1;
	p->kept[which].dev = (uint64_t)st.st_dev;
	p->kept[which].ino = (uint64_t)st.st_ino;
	p->own.conn[which] = (struct sock){.fd_plus_1 = fd + 1};
	return 0;
}

/* As recv, but 0: there is nothing; -ECONNRESET; -EBADMSG. */
static ssize_t
recv_some(struct peek *p, enum sock_of which, char *to, size_t n)
{
	struct ring_client *ring = &p->own.conn[which].ring;

	if (ring->mem != NULL)
		return ring_client_take(ring, sock_fd(p, which), to, n);
	ssize_t got = recv(sock_fd(p, which), to, n, MSG_DONTWAIT);
	if (got > 0)
		return got;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ECONNRESET;
}

/* Reads the bytes that have arrived into the buffer. 0; -ECONNRESET;
 * -EBADMSG. */
static int
read_some(struct peek *p, enum sock_of which)
{
	struct sock *c = &p->own.conn[which];
	char *buf = p->kept[which].reply;

	CHECK(c->reply_at <= CONN_REPLY_CAP && c->reply_len <= CONN_REPLY_CAP - c->reply_at);
	if (c->reply_at > 0) {
		memmove(buf, buf + c->reply_at, c->reply_len);
		c->reply_at = 0;
	}
	if (c->reply_len == CONN_REPLY_CAP)
		return 0;
	ssize_t n = recv_some(p, which, buf + c->reply_len, CONN_REPLY_CAP - c->reply_len);
	if (n > 0)
		c->reply_len += (uint32_t)n;
	return n < 0 ? (int)n : 0;
}

/* Waits for one of the events. *ret_events: those that came. */
static int
wait_for(struct peek *p, enum sock_of which, short events, int64_t deadline_ms, short *ret_events)
{
	struct ring_client *ring = &p->own.conn[which].ring;

	if (ring->mem == NULL)
		return poll_until(sock_fd(p, which), events, deadline_ms, ret_events);
	*ret_events = POLLIN; /* to look is as good as to know */
	return ring_client_wait(
	    ring, sock_fd(p, which), (events & POLLOUT) != 0, (events & POLLIN) != 0, deadline_ms);
}

int
sock_wait(struct peek *p, enum sock_of which, bool to_send, int64_t deadline_ms)
{
	bool full = p->own.conn[which].reply_len == CONN_REPLY_CAP;
	short events = 0;
	int r = wait_for(
	    p, which, (short)((to_send ? POLLOUT : 0) | (full ? 0 : POLLIN)), deadline_ms, &events);

	if (r == 0 && (events & (POLLIN | POLLHUP | POLLERR)) != 0 && !full)
		r = read_some(p, which);
	return r == 0 ? 0 : sock_fail(p, which, r);
}

static ssize_t
send_error(struct peek *p, enum sock_of which)
{
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return sock_fail(p, which, errno == EPIPE || errno == ECONNRESET ? -ECONNRESET : -EIO);
}

ssize_t
sock_send_some(struct peek *p, enum sock_of which, const char *bytes, size_t n)
{
	struct ring_client *ring = &p->own.conn[which].ring;

	if (ring->mem != NULL) {
		ring->n_put_before = ring->end.n_put;
		ssize_t put = ring_client_put(ring, sock_fd(p, which), bytes, n);
		ring_client_publish(ring, sock_fd(p, which)); /* a wait notices the daemon's end */
		return put >= 0 ? put : sock_fail(p, which, (int)put);
	}
	ssize_t sent = send(sock_fd(p, which), bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent >= 0 ? sent : send_error(p, which);
}

/*
 * The request is published as a whole where the ring has room for it. After
 * that a daemon that hung up may have carried it out before: that is for
 * sock_reply to find out.
 */
static int
send_by_ring(
    struct peek *p, enum sock_of which, const struct iovec *iov, int n_iov, int64_t deadline_ms)
{
	struct ring_client *ring = &p->own.conn[which].ring;
	int fd = sock_fd(p, which);

	ring->n_put_before = ring->end.n_put;
	for (int i = 0; i < n_iov; i++) {
		const char *bytes = iov[i].iov_base;
		for (size_t left = iov[i].iov_len; left > 0;) {
			ssize_t n = ring_client_put(ring, fd, bytes, left);
			if (n < 0)
				return sock_fail(p, which, -ECONNRESET);
			bytes += n;
			left -= (size_t)n;
			int r = left > 0 ? sock_wait(p, which, true, deadline_ms) : 0;
			if (r != 0)
				return r == -EPIPE ? -ECONNRESET : r;
		}
	}
	ring_client_publish(ring, fd);
	return 0;
}

int
sock_send(struct peek *p, enum sock_of which, struct iovec *iov, int n_iov, int64_t deadline_ms)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};

	if (p->own.conn[which].ring.mem != NULL)
		return send_by_ring(p, which, iov, n_iov, deadline_ms);
	for (;;) {
		ssize_t n = sendmsg(sock_fd(p, which), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (n = send_error(p, which)) < 0)
			return (int)n;
		for (; n > 0 || (msg.msg_iovlen > 0 && msg.msg_iov->iov_len == 0);) {
			size_t here =
			    (size_t)n < msg.msg_iov->iov_len ? (size_t)n : msg.msg_iov->iov_len;
			msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + here;
			msg.msg_iov->iov_len -= here;
			n -= (ssize_t)here;
			if (msg.msg_iov->iov_len == 0) {
				msg.msg_iov++;
				msg.msg_iovlen--;
			}
		}
		if (msg.msg_iovlen == 0)
			return 0;
		int r = sock_wait(p, which, true, deadline_ms);
		if (r != 0)
			return r;
	}
}

int
sock_reply_ready(struct peek *p, enum sock_of which, struct wire_reply *ret)
{
	struct sock *c = &p->own.conn[which];
	int r = wire_parse_reply(p->kept[which].reply + c->reply_at, c->reply_len, ret, NULL);

	if (r < 0)
		return sock_fail(p, which, r);
	if (r > 0) {
		CHECK(ret->total_bytes <= c->reply_len);
		c->reply_at += (uint32_t)ret->total_bytes;
		c->reply_len -= (uint32_t)ret->total_bytes;
	}
	return r;
}

/* A reply of `need` bytes that the buffer can't hold. */
static int
reply_in_heap(struct peek *p, enum sock_of which, uint64_t need, int64_t deadline_ms,
    struct wire_reply *ret, char **ret_heap)
{
	struct sock *c = &p->own.conn[which];
	char *heap = need <= PEEK_VALUE_MAX_BYTES + UINT64_C(4096) ? malloc(need) : NULL;
	size_t len = c->reply_len;
	int r = heap == NULL ? -ENOMEM : 0;
	short events;

	if (r == 0)
		memcpy(heap, p->kept[which].reply + c->reply_at, len);
	c->reply_at = c->reply_len = 0;
	while (r == 0 && len < need) {
		ssize_t n = recv_some(p, which, heap + len, need - len);
		if (n >= 0)
			len += (size_t)n;
		r = n < 0 ? (int)n : n == 0 ? wait_for(p, which, POLLIN, deadline_ms, &events) : 0;
	}
	if (r == 0 && (wire_parse_reply(heap, len, ret, NULL) != 1 || ret->total_bytes != len))
		r = -EBADMSG;
	if (r == 0) {
		*ret_heap = heap;
		return 0;
	}
	free(heap);
	return sock_fail(p, which, r);
}

int
sock_reply(struct peek *p, enum sock_of which, int64_t deadline_ms, struct wire_reply *ret,
    char **ret_heap)
{
	struct sock *c = &p->own.conn[which];

	for (;;) {
		uint64_t need = 0;
		int r =
		    wire_parse_reply(p->kept[which].reply + c->reply_at, c->reply_len, ret, &need);
		if (r < 0)
			return sock_fail(p, which, r);
		if (r > 0) {
			c->reply_at += (uint32_t)ret->total_bytes;
			c->reply_len -= (uint32_t)ret->total_bytes;
			return 0;
		}
		if (need > CONN_REPLY_CAP && ret_heap != NULL)
			return reply_in_heap(p, which, need, deadline_ms, ret, ret_heap);
		if (need > CONN_REPLY_CAP || c->reply_len == CONN_REPLY_CAP)
			return sock_fail(p, which, -EBADMSG);
		if ((r = sock_wait(p, which, false, deadline_ms)) != 0)
			return r;
	}
}
