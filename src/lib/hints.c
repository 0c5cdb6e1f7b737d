/*
 * hints.c: attaching to the hint page.
 */
#include "lib/hints.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/conn.h"
#include "lib/lookup.h"

#define CLIENTS_MAX (1u << 20) /* a hint page for more is not believed */

/* Within a read: what it may cost, and how often with one daemon that doesn't answer. */
#define ATTACH_IN_READ_MS 50
#define TRIES_MAX         8
#define TRY_AGAIN_MS      1000

bool
hints_writer_runs(const struct attached *a)
{
	const struct header *h = a->map.header;

	/* relaxed: a guess */
	return word_load_rlx(&h->writer_pid) != 0 && !lookup_clock_stopped(word_load_rlx(&h->clock), &a->shift);
}

struct offer {
	int fd;
	uint64_t client_idx, total_bytes, n_clients_max, epoch;
};

/* Takes the descriptor that came with some bytes, and closes any other. */
static void
take_fd(struct msghdr *msg, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;
			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd >= 0)
				close(got);
			else
				*fd = got;
		}
	}
}

static int
receive_offer(struct peek *p, int64_t deadline_ms, struct offer *ret)
{
	int sock = p->own.conn[CONN_HINTS].fd_plus_1 - 1, r = 0;
	char line[256];
	size_t len = 0;
	struct wire_reply re;

	ret->fd = -1;
	while (len < sizeof(line) && (r = wire_parse_reply(line, len, &re, NULL)) == 0) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
		struct iovec iov = {line + len, sizeof(line) - len};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n > 0) {
			take_fd(&msg, &ret->fd);
			len += (size_t)n;
			continue;
		}
		int64_t left = deadline_ms - conn_now_ms();
		struct pollfd pfd = {.fd = sock, .events = POLLIN};
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return -ECONNRESET;
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&pfd, 1, (int)left);
	}
	if (r != 1)
		return -EBADMSG;
	if (re.code != WIRE_RE_ATTACHED)
		return -ENOTSUP;
	uint64_t *number[4] = {&ret->client_idx, &ret->total_bytes, &ret->n_clients_max, &ret->epoch};
	if (re.n_args != 4 || ret->fd < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < 4; i++) {
		if (!wire_u64(re.arg[i].p, re.arg[i].len, number[i]))
			return -EBADMSG;
	}
	return 0;
}

/* Maps what was offered, if it is what it must be: as large as the table asks for, and sealed so that it stays so. */
static int
map_offer(const struct attached *a, const struct offer *o, struct attached *now)
{
	struct stat st;
	int seals = fcntl(o->fd, F_GET_SEALS);

	if (o->n_clients_max > CLIENTS_MAX || o->client_idx >= o->n_clients_max)
		return -EBADMSG;
	struct hint_layout l = hint_plan(a->map.n_buckets_max, a->map.n_overflow_max, o->n_clients_max);
	if (o->total_bytes != l.total_bytes || seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(o->fd, &st) != 0 ||
	    (uint64_t)st.st_size < l.total_bytes)
		return -EBADMSG;
	void *at = mmap(NULL, l.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	*now = *a;
	now->owns_map = false;
	now->epoch = o->epoch;
	now->hint_addr = at;
	now->hint_bytes = l.total_bytes;
	now->hints = at;
	now->cells = (struct hint_cell *)((char *)at + l.cells_at) + o->client_idx * HINT_CELLS_PER_CLIENT;
	return 0;
}

static int
attach(struct peek *p, const struct attached *a, int64_t timeout_ms)
{
	int64_t deadline_ms = conn_now_ms() + timeout_ms;
	struct attached *now = malloc(sizeof(*now));
	struct offer offer = {.fd = -1};
	char line[64];
	int r = -ENOMEM;

	if (now == NULL)
		return r;
	int n = snprintf(line, sizeof(line), "peek_attach %llu\r\n", (unsigned long long)word_load_rlx(&a->map.header->writer_epoch));
	struct iovec iov = {line, (size_t)n};

	conn_close(p, CONN_HINTS); /* the daemon frees what belonged to the old one */
	if ((r = conn_open(p, CONN_HINTS, deadline_ms)) == 0 && (r = conn_send(p, CONN_HINTS, &iov, 1, deadline_ms)) == 0 &&
	    (r = receive_offer(p, deadline_ms, &offer)) == 0)
		r = map_offer(a, &offer, now);
	if (offer.fd >= 0)
		close(offer.fd);
	if (r != 0)
		goto fail;
	pthread_mutex_lock(&p->own.attach_lock);
	if (seq_load_ptr(&p->own.now) != a) { /* another segment meanwhile */
		pthread_mutex_unlock(&p->own.attach_lock);
		munmap(now->hint_addr, now->hint_bytes);
		r = -EAGAIN;
		goto fail;
	}
	now->older = seq_load_ptr(&p->newest);
	seq_publish_ptr(&p->newest, now);
	seq_publish_ptr(&p->own.now, now);
	pthread_mutex_unlock(&p->own.attach_lock);
	hints_retire(p, a);
	return 0;
fail:
	free(now);
	conn_close(p, CONN_HINTS);
	return r;
}

int
hints_attach(struct peek *p, const struct attached *a, int64_t timeout_ms)
{
	if ((p->flags & (PEEK_NO_HINTS | PEEK_READ_ONLY)) != 0)
		return -ENOTSUP;
	if (pthread_mutex_trylock(&p->own.hint_lock) != 0)
		return -EAGAIN;
	uint64_t epoch = word_load_rlx(&a->map.header->writer_epoch); /* relaxed: the daemon compares it with its own */
	bool again = word_load_rlx(&p->own.tried_epoch) == epoch;
	word_store_rlx(&p->own.n_tried, again ? word_load_rlx(&p->own.n_tried) + 1 : 1); /* relaxed: others only skip by it */
	word_store_rlx(&p->own.tried_epoch, epoch);
	word_store_rlx(&p->own.tried_at_ms, clock_coarse_ms(&a->shift));
	int r = attach(p, a, timeout_ms);
	pthread_mutex_unlock(&p->own.hint_lock);
	return r;
}

void
hints_retire(struct peek *p, const struct attached *a)
{
	struct hint_cell *past = &p->own.past;

	if (a->hint_addr == NULL)
		return;
	for (unsigned i = 0; i < HINT_CELLS_PER_CLIENT; i++) {
		word_add_rlx(&past->hits, word_load_rlx(&a->cells[i].hits));
		word_add_rlx(&past->misses, word_load_rlx(&a->cells[i].misses));
		word_add_rlx(&past->retries, word_load_rlx(&a->cells[i].retries));
	}
	mmap(a->hint_addr, a->hint_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void
hints_look_after(struct peek *p, const struct attached *a)
{
	uint64_t epoch = word_load_rlx(&a->map.header->writer_epoch); /* relaxed: noticed late is early enough */

	if (epoch == a->epoch || (p->flags & (PEEK_NO_HINTS | PEEK_READ_ONLY | PEEK_NO_FOLLOW)) != 0)
		return;
	uint64_t n_tried = word_load_rlx(&p->own.n_tried);
	if (epoch == word_load_rlx(&p->own.tried_epoch) &&
	    (n_tried >= TRIES_MAX ||
	        clock_coarse_ms(&a->shift) - (uint32_t)word_load_rlx(&p->own.tried_at_ms) < (uint32_t)TRY_AGAIN_MS << n_tried))
		return;
	if (hints_writer_runs(a))
		hints_attach(p, a, ATTACH_IN_READ_MS);
}
