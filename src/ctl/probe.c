/*
 * probe.c: see probe.h.
 */
#include "ctl/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/now.h"
#include "base/receive.h"
#include "wire/wire.h"

static void
hang_up(struct probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->waits_for = PROBE_IDLE;
	p->in_len = 0;
}

static void
drop_hints(struct probe *p)
{
	if (p->hints != NULL)
		munmap((void *)(uintptr_t)p->hints, p->hint_bytes);
	p->hints = NULL;
}

void
probe_begin(struct probe *p)
{
	*p = (struct probe){.fd = -1};
	snprintf(p->state.no_hints, sizeof(p->state.no_hints), "the daemon was not asked yet");
}

void
probe_end(struct probe *p)
{
	hang_up(p);
	drop_hints(p);
}

/* The connection gives no more answers. A hint page that is mapped stays
 * mapped: readers go on writing hints. */
static void
probe_broken(struct probe *p, int error)
{
	hang_up(p);
	p->state.answered = p->state.silent = false;
	snprintf(p->state.why, sizeof(p->state.why), "%s",
	    error == ENOENT || error == ECONNREFUSED ? "no daemon listens"
		: error == EACCES                    ? "you may not connect"
		: error == EAGAIN                    ? "the daemon accepts no connections"
						     : strerror(error));
	if (p->hints == NULL)
		snprintf(p->state.no_hints, sizeof(p->state.no_hints), "%.60s", p->state.why);
}

static bool
probe_ask(struct probe *p, const char *line, enum probe_wait what)
{
	p->asked_ns = now_monotonic_ns();
	if (send(p->fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)strlen(line)) {
		probe_broken(p, errno);
		return false;
	}
	p->waits_for = what;
	return true;
}

static bool
probe_reconnect(struct probe *p, const struct look *l, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	char line[64];

	if (len == 0 || len >= sizeof(sun.sun_path)) {
		probe_broken(p, ENOENT);
		return false;
	}
	memcpy(sun.sun_path, path, len);
	/* Not blocking: a daemon that hangs may have a full backlog, which is
	 * EAGAIN. */
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		probe_broken(p, errno);
		return false;
	}
	/* relaxed: the daemon checks it */
	snprintf(line, sizeof(line), "peek_attach %" PRIu64 "\r\n",
	    word_load_rlx(&l->map.header->writer_epoch));
	return probe_ask(p, line, PROBE_ATTACHING);
}

/* Maps the hint page that came with the reply. False: it isn't as large as the
 * table needs, or isn't sealed against shrinking. */
static bool
map_offer(struct probe *p, const struct look *l, const struct wire_reply *re, int fd)
{
	uint64_t total_bytes, n_clients_max;
	struct hint_layout layout;
	void *at;

	if (re->n_args != 4 || !wire_u64(re->arg[1].p, re->arg[1].len, &total_bytes) ||
	    !wire_u64(re->arg[2].p, re->arg[2].len, &n_clients_max) ||
	    map_hint_page(&l->map, fd, total_bytes, n_clients_max, false, &layout, &at) != 0)
		return false;
	drop_hints(p);
	p->hints = at;
	p->hint_bytes = layout.total_bytes;
	return true;
}

/* True: the reply is understood. *changed: p->hints is another page, or NULL
 * now. */
static bool
take_reply(
    struct probe *p, const struct look *l, const struct wire_reply *re, int fd, bool *changed)
{
	struct probe_state *s = &p->state;

	if (p->waits_for == PROBE_ATTACHING) {
		p->waits_for = PROBE_IDLE;
		if (re->code == WIRE_RE_ATTACHED && fd >= 0 && map_offer(p, l, re, fd)) {
			s->no_hints[0] = '\0';
			*changed = true;
			return true;
		}
		*changed = p->hints != NULL;
		drop_hints(p);
		if (re->code == WIRE_RE_ATTACHED)
			snprintf(s->no_hints, sizeof(s->no_hints),
			    "the daemon's hint page doesn't fit its table");
		else
			snprintf(s->no_hints, sizeof(s->no_hints), "the daemon refuses: %.*s",
			    (int)re->rest.len, re->rest.p);
		if (wire_replies[re->code].kind == WIRE_KIND_ERROR) { /* the daemon hangs up */
			snprintf(s->why, sizeof(s->why), "%s", s->no_hints);
			hang_up(p);
			s->answered = s->silent = false;
		}
		return true;
	}
	p->waits_for = PROBE_IDLE;
	s->answered = re->code == WIRE_RE_MN;
	s->silent = false;
	s->trip_ns = (uint64_t)(now_monotonic_ns() - p->asked_ns);
	return s->answered;
}

/* Reads the bytes that have come. 0: *ret is a whole reply, and *ret_fd the
 * descriptor that came with it, or -1. -EAGAIN: the reply isn't whole yet. */
static int
probe_receive(struct probe *p, struct wire_reply *ret, int *ret_fd)
{
	ssize_t n = receive_with_fd(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, ret_fd);

	if (n <= 0)
		return n == 0 ? -ECONNRESET : errno == EINTR ? -EAGAIN : -errno;
	p->in_len += (size_t)n;
	int got = wire_parse_reply(p->in, p->in_len, ret, NULL);
	return got > 0 ? 0 : got < 0 ? got : p->in_len == sizeof(p->in) ? -EBADMSG : -EAGAIN;
}

/* True: the reply came, and the daemon owes no other. */
static bool
probe_await(struct probe *p, const struct look *l, unsigned wait_ms, bool *changed)
{
	int64_t deadline_ns = now_monotonic_ns() + (int64_t)wait_ms * 1000000;
	struct wire_reply re;
	int fd = -1, error;

	while ((error = probe_receive(p, &re, &fd)) == -EAGAIN) {
		int64_t left_ns = deadline_ns - now_monotonic_ns();
		struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
		if (left_ns <= 0)
			break;
		poll(&pfd, 1, (int)((left_ns + 999999) / 1000000));
	}
	bool understood = error == 0 && take_reply(p, l, &re, fd, changed);
	if (fd >= 0)
		close(fd);
	p->in_len = error == 0 ? 0 : p->in_len;
	if (understood)
		return true;
	if (error != -EAGAIN) {
		probe_broken(p, error == 0 ? EBADMSG : -error);
		return false;
	}
	p->state.answered = false;
	p->state.silent = true;
	p->state.silent_ms = (uint64_t)(now_monotonic_ns() - p->asked_ns) / 1000000;
	if (p->hints == NULL)
		snprintf(p->state.no_hints, sizeof(p->state.no_hints), "the daemon doesn't answer");
	return false;
}

bool
probe_step(struct probe *p, const struct look *l, const char *socket_path, unsigned wait_ms)
{
	bool changed = false;

	if (p->fd < 0 && !probe_reconnect(p, l, socket_path))
		return changed;
	if (p->waits_for != PROBE_IDLE &&
	    !probe_await(
		p, l, p->waits_for == PROBE_ATTACHING && !p->state.silent ? wait_ms : 0, &changed))
		return changed;
	if (p->fd >= 0 && p->waits_for == PROBE_IDLE && probe_ask(p, "mn\r\n", PROBE_ASKED))
		probe_await(p, l, wait_ms, &changed);
	return changed;
}
