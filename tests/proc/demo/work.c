/*
 * work.c: what the processes of the demo do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define READ(a)   atomic_load_explicit(&(a), memory_order_relaxed)
#define ADD(a, v) atomic_fetch_add_explicit(&(a), (v), memory_order_relaxed)
#define SET(a, v) atomic_store_explicit(&(a), (v), memory_order_relaxed)

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* xorshift: every process its own sequence, the same in each run. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- times: 16 buckets for each power of two ----------------------------- */

static unsigned
hist_idx(uint64_t ns)
{
	if (ns < 16)
		return (unsigned)ns;
	unsigned log2 = 63 - (unsigned)__builtin_clzll(ns);
	return (log2 - 3) * 16 + (unsigned)(ns >> (log2 - 4) & 15);
}

static uint64_t
hist_ns(unsigned idx)
{
	if (idx < 16)
		return idx;
	return (UINT64_C(16) + idx % 16) << (idx / 16 - 1);
}

void
tally_add(struct tally *t, uint64_t ns, uint32_t bytes)
{
	ADD(t->reads, 1);
	ADD(t->bytes, bytes);
	ADD(t->hist[hist_idx(ns)], 1);
	if (ns > READ(t->longest_ns))
		SET(t->longest_ns, ns);
}

uint64_t
tally_quantile(const struct tally *t, unsigned n, double p)
{
	uint64_t all = 0, seen = 0;

	for (unsigned k = 0; k < n; k++)
		all += READ(t[k].reads);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		for (unsigned k = 0; k < n; k++)
			seen += READ(t[k].hist[i]);
		if (seen > 0 && (double)seen >= p * (double)all)
			return hist_ns(i);
	}
	return 0;
}

/* ---- comparing ----------------------------------------------------------- */

static bool
is_complement(const unsigned char *a, const unsigned char *b, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t x, y;
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if ((x ^ y) != UINT64_MAX)
			return false;
	}
	for (; i < n; i++)
		if ((a[i] ^ b[i]) != 0xff)
			return false;
	return true;
}

static bool
is_rewritten(size_t i)
{
	return i % REWRITE_EVERY == 0;
}

static bool
right(const struct file *f, unsigned form, const unsigned char *value, size_t len)
{
	if (len != f->len)
		return false;
	if (form != FORM_COMPLEMENT && memcmp(value, f->bytes, len) == 0)
		return true;
	return form != FORM_FILE && is_complement(value, f->bytes, len);
}

/* One read, timed, compared and counted. form: what is allowed. */
static void
read_one(struct peek *p, const struct file *f, unsigned form, unsigned char *buf, size_t buf_cap,
    struct tally *t)
{
	uint64_t began = now_ns();
	ssize_t n = peek_get(p, f->path, f->path_len, buf, buf_cap);
	uint64_t took = now_ns() - began;

	tally_add(t, took, n > 0 ? (uint32_t)n : 0);
	if (n == -ENOENT)
		ADD(t->missing, 1);
	else if (n == -EAGAIN)
		ADD(t->busy, 1);
	else if (n < 0)
		ADD(t->failed, 1);
	else if (!right(f, form, buf, (size_t)n))
		ADD(t->wrong, 1);
}

/* ---- processes ----------------------------------------------------------- */

void
work_read(const char *name, const struct corpus *c, struct shared *sh, unsigned self)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (self + 1);
	unsigned char *buf = malloc(c->longest + 1u);
	struct peek *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (buf == NULL || peek_open(name, PEEK_READ_ONLY, &p) != 0)
		_exit(1);
	SET(sh->ready[self], true);
	while (!READ(sh->stop)) {
		size_t i = next_random(&state) % c->n;
		read_one(p, &c->files[i], is_rewritten(i) ? FORM_UNKNOWN : FORM_FILE, buf,
		    c->longest + 1u, &sh->tally[self]);
	}
	peek_close(p);
	_exit(0);
}

void
work_write(const char *name, const struct corpus *c, struct shared *sh)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	unsigned char *complement = malloc(c->longest + 1u);
	uint64_t state = 42;
	struct peek *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (complement == NULL || peek_open(name, 0, &p) != 0)
		_exit(1);
	SET(sh->ready[READERS_MAX], true);
	while (!READ(sh->stop)) {
		size_t i = next_random(&state) % ((c->n + REWRITE_EVERY - 1) / REWRITE_EVERY) *
		    REWRITE_EVERY;
		const struct file *f = &c->files[i];
		unsigned old = READ(sh->form[i]),
			 form = old == FORM_FILE ? FORM_COMPLEMENT : FORM_FILE;
		const unsigned char *value = f->bytes;
		if (form == FORM_COMPLEMENT) {
			for (uint32_t k = 0; k < f->len; k++)
				complement[k] = (unsigned char)~f->bytes[k];
			value = complement;
		}
		SET(sh->form[i], FORM_UNKNOWN);
		int error = peek_set(p, f->path, f->path_len, value, f->len, 0);
		if (error == 0) {
			SET(sh->form[i], (unsigned char)form);
			SET(sh->write_at_ns, now_ns());
			ADD(sh->writes, 1);
			continue;
		}
		if (error == -EINPROGRESS || error == -ETIMEDOUT)
			ADD(sh->writes_lost, 1); /* either form may stand */
		else {
			SET(sh->form[i], (unsigned char)old);
			ADD(sh->writes_refused, 1);
		}
		nanosleep(&pause, NULL);
	}
	peek_close(p);
	_exit(0);
}

/* get through the socket: one request, one answer. Returns the value's length,
 * or a negative errno. */
static ssize_t
socket_get(int fd, const struct file *f, unsigned char *buf, size_t buf_cap)
{
	char line[PEEK_KEY_MAX_BYTES + 8], head[PEEK_KEY_MAX_BYTES + 64];
	size_t got = 0, body = 0, len = 0, want = 0;
	int n = snprintf(line, sizeof(line), "get %s\r\n", f->path);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return -EPIPE;
	while (want == 0 || got < want) {
		ssize_t r = recv(fd, buf + got, buf_cap - got, 0);
		if (r <= 0)
			return -ECONNRESET;
		got += (size_t)r;
		const unsigned char *eol = want == 0 ? memchr(buf, '\n', got) : NULL;
		if (eol == NULL)
			continue;
		body = (size_t)(eol - buf) + 1;
		if (body >= sizeof(head))
			return -EBADMSG;
		memcpy(head, buf, body);
		head[body] = '\0';
		const char *last = strrchr(head, ' ');
		if (strncmp(head, "VALUE ", 6) != 0 || last == NULL)
			return -ENOENT;
		len = strtoull(last, NULL, 10);
		want = body + len + 7; /* CR LF END CR LF */
		if (want > buf_cap)
			return -EMSGSIZE;
	}
	memmove(buf, buf + body, len);
	return (ssize_t)len;
}

int
work_alone(const struct daemon *d, const struct corpus *c, bool through_socket, double seconds,
    struct tally *t)
{
	uint64_t state = 7, until = now_ns() + (uint64_t)(seconds * 1e9);
	size_t buf_cap = c->longest + 1024u;
	unsigned char *buf = malloc(buf_cap);
	struct peek *p = NULL;
	int fd = -1, error = buf == NULL ? -ENOMEM : 0;

	if (error == 0 && through_socket)
		error = (fd = daemon_connect(d)) < 0 ? fd : 0;
	else if (error == 0)
		error = peek_open(d->name, PEEK_READ_ONLY, &p);
	while (error == 0 && now_ns() < until) {
		size_t i = next_random(&state) % c->n;
		const struct file *f = &c->files[i];
		if (through_socket && strchr(f->path, ' ') != NULL)
			continue; /* a line can't carry it as it is */
		if (!through_socket) {
			read_one(p, f, FORM_UNKNOWN, buf, buf_cap, t);
			continue;
		}
		uint64_t began = now_ns();
		ssize_t n = socket_get(fd, f, buf, buf_cap);
		tally_add(t, now_ns() - began, n > 0 ? (uint32_t)n : 0);
		if (n == -ENOENT)
			ADD(t->missing, 1);
		else if (n < 0)
			error = (int)n;
		else if (!right(f, FORM_UNKNOWN, buf, (size_t)n))
			ADD(t->wrong, 1);
	}
	if (fd >= 0)
		close(fd);
	peek_close(p);
	free(buf);
	return error;
}

int
work_check_all(const char *name, const struct corpus *c, const struct shared *sh, struct tally *t)
{
	unsigned char *buf = malloc(c->longest + 1u);
	struct peek *p;
	int error = buf == NULL ? -ENOMEM : peek_open(name, PEEK_READ_ONLY, &p);

	if (error == 0) {
		for (size_t i = 0; i < c->n; i++)
			read_one(p, &c->files[i], READ(sh->form[i]), buf, c->longest + 1u, t);
		peek_close(p);
	}
	free(buf);
	return error;
}
