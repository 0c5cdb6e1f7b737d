/*
 * hint_client.c: attaching to the hint page.
 */
#include "lib/hint_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/receive.h"
#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/lookup_past.h"

#define ANSWER_CAP 256

/* How often reads ask a daemon that turns them away. */
#define TRIES_MAX    8
#define TRY_AGAIN_MS 1000

bool
hint_client_writer_runs(const struct attached *a)
{
	const struct header *h = a->map.header;

	/* relaxed: the result is a guess */
	return word_load_rlx(&h->writer_pid) != 0 &&
	    !lookup_clock_stopped(word_load_rlx(&h->clock), &a->shift);
}

struct offer {
	int fd;
	uint64_t client_idx, total_bytes, n_clients_max, epoch;
};

/* The length of the answer, once all of it has arrived; 0: not yet. The bytes
 * and the descriptor that came with them stay in the socket. */
static ssize_t
answer_bytes(int sock)
{
	char line[ANSWER_CAP];
	struct wire_reply re;
	ssize_t n = recv(sock, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -ECONNRESET;
	int r = wire_parse_reply(line, (size_t)n, &re, NULL);
	if (r == 0 && n < (ssize_t)sizeof(line))
		return 0;
	return r == 1 ? (ssize_t)re.total_bytes : -EBADMSG;
}

/* -EAGAIN: the answer is not there by the deadline, and can be asked for
 * again. */
static int
receive_offer(struct peek *p, int64_t deadline_ms, struct offer *ret)
{
	int sock = p->own.conn[CONN_HINTS].fd_plus_1 - 1;
	char line[ANSWER_CAP] = "";
	struct wire_reply re;
	ssize_t len;

	ret->fd = -1;
	while ((len = answer_bytes(sock)) == 0) {
		int64_t left = deadline_ms - sock_now_ms();
		if (left <= 0)
			return -EAGAIN;
		poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, (int)left);
	}
	for (ssize_t at = 0, n; len > 0 && at < len; at += n) {
		if ((n = receive_with_fd(sock, line + at, (size_t)(len - at), &ret->fd)) <= 0)
			return -ECONNRESET;
	}
	if (len < 0)
		return (int)len;
	if (wire_parse_reply(line, (size_t)len, &re, NULL) != 1)
		return -EBADMSG;
	if (re.code != WIRE_RE_ATTACHED)
		return -ENOTSUP;
	uint64_t *number[4] = {
	    &ret->client_idx, &ret->total_bytes, &ret->n_clients_max, &ret->epoch};
	if (re.n_args != 4 || ret->fd < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < 4; i++) {
		if (!wire_u64(re.arg[i].p, re.arg[i].len, number[i]))
			return -EBADMSG;
	}
	return 0;
}

/* Maps the hint page that was offered. *now: an attachment as `a`, with the
 * page. */
static int
map_offer(const struct attached *a, const struct offer *o, struct attached *now)
{
	struct hint_layout l;
	void *at;

	if (o->client_idx >= o->n_clients_max)
		return -EBADMSG;
	int r = map_hint_page(&a->map, o->fd, o->total_bytes, o->n_clients_max, true, &l, &at);
	if (r != 0)
		return r;
	*now = *a;
	now->owns_map = false;
	now->epoch = o->epoch;
	now->hint_addr = at;
	now->hint_bytes = l.total_bytes;
	now->hints = at;
	now->cells =
	    (struct hint_cell *)((char *)at + l.cells_at) + o->client_idx * HINT_CELLS_PER_CLIENT;
	return 0;
}

/* With hint_lock: sends the question. */
static int
hint_client_ask(struct peek *p, const struct attached *a, int64_t deadline_ms)
{
	/* relaxed: the daemon compares it with its own */
	uint64_t epoch = word_load_rlx(&a->map.header->writer_epoch);
	bool again = word_load_rlx(&p->own.tried_epoch) == epoch;
	char line[64];
	struct iovec iov = {line,
	    (size_t)snprintf(
		line, sizeof(line), "peek_attach %llu\r\n", (unsigned long long)epoch)};

	/* relaxed: others only skip by it */
	word_store_rlx(&p->own.n_tried, again ? word_load_rlx(&p->own.n_tried) + 1 : 1);
	word_store_rlx(&p->own.tried_epoch, epoch);
	word_store_rlx(&p->own.tried_at_ms, clock_coarse_ms(&a->shift));
	/* the daemon frees the cells that belonged to the old connection */
	sock_close(p, CONN_HINTS);
	int r = sock_open(p, CONN_HINTS, deadline_ms);
	if (r == 0)
		r = sock_send(p, CONN_HINTS, &iov, 1, deadline_ms);
	if (r != 0)
		sock_close(p, CONN_HINTS);
	return r;
}

/* With hint_lock: takes the answer, and publishes an attachment that has the
 * offered page in place of `a`. -EAGAIN: the answer is not there by the
 * deadline. */
static int
hint_client_take(struct peek *p, const struct attached *a, int64_t deadline_ms)
{
	struct attached *now = NULL;
	struct offer offer;
	int r = receive_offer(p, deadline_ms, &offer);

	if (r == 0)
		r = (now = malloc(sizeof(*now))) != NULL ? map_offer(a, &offer, now) : -ENOMEM;
	if (offer.fd >= 0)
		close(offer.fd);
	if (r == 0) {
		pthread_mutex_lock(&p->own.attach_lock);
		if (seq_load_ptr(&p->own.now) == a) {
			now->older = seq_load_ptr(&p->newest);
			seq_publish_ptr(&p->newest, now);
			seq_publish_ptr(&p->own.now, now);
		} else { /* another segment has come meanwhile */
			munmap(now->hint_addr, now->hint_bytes);
			r = -ESTALE;
		}
		pthread_mutex_unlock(&p->own.attach_lock);
	}
	if (r == 0) {
		hint_client_retire(p, a);
		return 0;
	}
	free(now);
	if (r != -EAGAIN)
		sock_close(p, CONN_HINTS);
	return r;
}

int
hint_client_attach(struct peek *p, const struct attached *a, int64_t timeout_ms)
{
	if ((p->flags & (PEEK_NO_HINTS | PEEK_READ_ONLY)) != 0)
		return -ENOTSUP;
	int r = -EAGAIN, cancel = guard_enter();
	if (pthread_mutex_trylock(&p->own.hint_lock) == 0) {
		int64_t deadline_ms = sock_now_ms() + timeout_ms;
		if ((r = hint_client_ask(p, a, deadline_ms)) == 0)
			r = hint_client_take(p, a, deadline_ms);
		pthread_mutex_unlock(&p->own.hint_lock);
	}
	guard_leave(cancel);
	return r;
}

void
hint_client_retire(struct peek *p, const struct attached *a)
{
	struct hint_cell *past = &p->own.past;

	if (a->hint_addr == NULL)
		return;
	for (unsigned i = 0; i < HINT_CELLS_PER_CLIENT; i++) {
		word_add_rlx(&past->hits, word_load_rlx(&a->cells[i].hits));
		word_add_rlx(&past->misses, word_load_rlx(&a->cells[i].misses));
		word_add_rlx(&past->retries, word_load_rlx(&a->cells[i].retries));
	}
	mmap(a->hint_addr, a->hint_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* With hint_lock: says whether the daemon of this epoch may be asked now. */
static bool
may_ask(const struct peek *p, uint64_t epoch, uint32_t now_ms)
{
	uint64_t n_tried = word_load_rlx(&p->own.n_tried);

	return epoch != word_load_rlx(&p->own.tried_epoch) ||
	    (n_tried < TRIES_MAX &&
		now_ms - (uint32_t)word_load_rlx(&p->own.tried_at_ms) >= (uint32_t)TRY_AGAIN_MS
			<< n_tried);
}

void
hint_client_look_after(struct peek *p, const struct attached *a)
{
	/* relaxed: noticing it late is soon enough */
	uint64_t epoch = word_load_rlx(&a->map.header->writer_epoch);

	if (epoch == a->epoch ||
	    (p->flags & (PEEK_NO_HINTS | PEEK_READ_ONLY | PEEK_NO_FOLLOW)) != 0 ||
	    !hint_client_writer_runs(a))
		return;
	uint32_t now_ms = (uint32_t)clock_coarse_ms(&a->shift);
	if (now_ms == (uint32_t)word_load_rlx(&p->own.looked_at_ms))
		return;
	int cancel = guard_enter();
	if (pthread_mutex_trylock(&p->own.hint_lock) == 0) {
		word_store_rlx(&p->own.looked_at_ms, now_ms); /* relaxed: others only skip by it */
		if (epoch == word_load_rlx(&p->own.tried_epoch) && sock_is_open(p, CONN_HINTS))
			hint_client_take(p, a, 0);
		else if (may_ask(p, epoch, now_ms))
			hint_client_ask(p, a, 0);
		pthread_mutex_unlock(&p->own.hint_lock);
	}
	guard_leave(cancel);
}
