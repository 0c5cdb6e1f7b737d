/*
 * ring_client.c: see ring_client.h.
 *
 * How a wait goes on: it pauses (base/pause.h), so that a daemon that is awake
 * on another processor answers within the time of a cache miss. Then it yields,
 * for spin_us in all, since both may run on one processor. Then
 * it sleeps on the client's flag, in slices: a daemon that was killed wakes
 * nobody, so that each slice ends with a look at the connection.
 */
#include "lib/ring_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/receive.h"
#include "base/now.h"
#include "base/pause.h"
#include "wire/wire.h"

#define SLICE_MIN_MS 1
#define SLICE_MAX_MS 64
#define ANSWER_CAP   256

/* ---- the beginning and the end ------------------------------------------- */

/* Reads the answer, to its end and no further. Its length, or an error. */
static ssize_t
read_answer(int sock, char line[static ANSWER_CAP], int64_t deadline_ms, int *fd)
{
	size_t len = 0;

	while (len == 0 || line[len - 1] != '\n') {
		ssize_t n = receive_with_fd(sock, line + len, ANSWER_CAP - len, fd);
		int64_t left = deadline_ms - now_monotonic_ms();
		if (n > 0) {
			len += (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return -ECONNRESET;
		} else if (left < 0) {
			return -ETIMEDOUT;
		} else {
			poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, (int)left + 1);
		}
		if (len == ANSWER_CAP)
			return -EBADMSG;
	}
	return (ssize_t)len;
}

/* Maps the ring if it is what it must be: sealed, and of this version's size. A
 * child doesn't inherit the mapping. */
static int
map_ring(struct ring_client *c, int fd, uint64_t total_bytes)
{
	struct stat st;
	int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;

	if (total_bytes != RING_TOTAL_BYTES || seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
	    fstat(fd, &st) != 0 || (uint64_t)st.st_size < total_bytes)
		return -EBADMSG;
	void *mem =
	    mmap(NULL, total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mem == MAP_FAILED)
		return -EIO;
	madvise(mem, total_bytes, MADV_DONTFORK);
	unsigned char *const bytes[RING_N_WAYS] = {
	    (unsigned char *)mem + RING_UP_AT, (unsigned char *)mem + RING_DOWN_AT};
	ring_begin(&c->end, mem, bytes, RING_BYTES, false);
	c->mem = mem;
	return 0;
}

int
ring_client_ask(struct ring_client *c, int sock, int64_t deadline_ms)
{
	char line[ANSWER_CAP];
	int n = snprintf(line, sizeof(line), "peek_ring %d\r\n", RING_VERSION), fd = -1;
	uint64_t total_bytes = 0;
	struct wire_reply re;

	/* nothing is under way, so that a line fits the socket */
	if (send(sock, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		return -ECONNRESET;
	ssize_t len = read_answer(sock, line, deadline_ms, &fd);
	int r = len < 0 ? (int)len : 0;
	if (r == 0 && wire_parse_reply(line, (size_t)len, &re, NULL) != 1)
		r = -EBADMSG;
	if (r == 0 && re.code == WIRE_RE_RING) {
		if (re.n_args != 2 || !wire_u64(re.arg[0].p, re.arg[0].len, &total_bytes) ||
		    !wire_u32(re.arg[1].p, re.arg[1].len, &c->spin_us))
			r = -EBADMSG;
		else
			r = map_ring(c, fd, total_bytes);
		if (pause_is_alone())
			c->spin_us = 0;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

void
ring_client_drop(struct ring_client *c)
{
	if (c->mem != NULL)
		munmap(c->mem, RING_TOTAL_BYTES);
	c->mem = NULL;
}

/* ---- bytes --------------------------------------------------------------- */

/* Wakes the daemon if it awaits this. False: it has hung up. */
static bool
wake_daemon(struct ring_client *c, int sock, unsigned what)
{
	if (!ring_must_wake(&c->end, what))
		return true;
	/* a socket that is full of such bytes wakes the daemon too */
	return send(sock, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN;
}

bool
ring_client_publish(struct ring_client *c, int sock)
{
	return !ring_publish(&c->end) || wake_daemon(c, sock, RING_AWAITS_BYTES);
}

ssize_t
ring_client_put(struct ring_client *c, int sock, const char *bytes, size_t n)
{
	size_t put = ring_put(&c->end, bytes, n);

	/* published later if there is more to come and room for it */
	if (put < n && !ring_client_publish(c, sock))
		return -ECONNRESET;
	return (ssize_t)put;
}

ssize_t
ring_client_take(struct ring_client *c, int sock, char *to, size_t n)
{
	ssize_t got = ring_take(&c->end, to, n);

	if (got > 0)
		wake_daemon(c, sock, RING_AWAITS_ROOM); /* its end is noticed by the next wait */
	return got;
}

/* ---- waiting ------------------------------------------------------------- */

static bool
ring_client_ready(struct ring_client *c, bool to_put, bool to_take)
{
	return (to_take && ring_input(&c->end) != 0) || (to_put && ring_room(&c->end) > 0);
}

static bool
has_hung_up(int sock)
{
	char byte;

	/* on this connection the daemon says nothing any more */
	return recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EINTR);
}

/* Sleeps while the flag is as it was stored. */
static void
sleep_on_flag(const struct ring_client *c, unsigned what, int64_t ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	/* the low half of the word */
	syscall(SYS_futex, c->end.awaits, FUTEX_WAIT, what, &time, NULL, 0);
}

int
ring_client_wait(struct ring_client *c, int sock, bool to_put, bool to_take, int64_t deadline_ms)
{
	unsigned what = (to_take ? RING_AWAITS_BYTES : 0) | (to_put ? RING_AWAITS_ROOM : 0);
	int64_t begun_us = now_monotonic_us(), now_us = begun_us;

	pause_begin(&c->pause);
	while (now_us - begun_us < c->spin_us && !pause_rests(&c->pause, now_us)) {
		if (ring_client_ready(c, to_put, to_take)) {
			pause_end(&c->pause, begun_us, now_us);
			return 0;
		}
		pause_once(&c->pause, begun_us, now_us);
		now_us = now_monotonic_us();
	}
	for (int64_t slice_ms = SLICE_MIN_MS;; slice_ms *= slice_ms < SLICE_MAX_MS ? 2 : 1) {
		bool over = has_hung_up(sock);
		int64_t left_ms = deadline_ms - now_monotonic_ms();
		ring_await(&c->end, what);
		ring_awaiting();
		bool ready = ring_client_ready(c, to_put, to_take);
		if (!ready && !over && left_ms >= 0)
			sleep_on_flag(c, what, left_ms < slice_ms ? left_ms + 1 : slice_ms);
		ring_awake(&c->end);
		if (ready)
			return 0;
		if (over)
			return -ECONNRESET;
		if (left_ms < 0)
			return -ETIMEDOUT;
	}
}
