/*
 * queue.c: pipelined sets.
 *
 * Requests are gathered in one half of the queue while the daemon answers the other. Every one is answered, in order, so that a refusal is
 * known by its place: error lines carry no key. A half is sent when it is full, or by peek_set_flush; its bytes stay until the last
 * answer is there, since they hold the keys. Everything but a broken connection is answered.
 *
 * In the half that fills: n_bytes and n_entries grow. In the other: n_sent_bytes up to n_bytes, n_answered up to n_entries.
 */
#include <errno.h>
#include <string.h>

#include "lib/conn.h"
#include "lib/request.h"

static int64_t
deadline_of(const struct peek *p)
{
	return conn_now_ms() + (int64_t)word_load_rlx(&p->timeout_ms);
}

static void
report(const struct queue_entry *e, const char *bytes, int error)
{
	unsigned char key[WIRE_KEY_B64_MAX];
	size_t key_len = e->key_len;

	if (e->failed == NULL)
		return;
	if (!e->base64)
		memcpy(key, bytes + e->key_at, key_len);
	else if (!wire_unbase64(bytes + e->key_at, e->key_len, key, &key_len))
		return;
	e->failed(e->arg, key, key_len, error);
}

static bool
in_flight(const struct queue_state *q)
{
	return q->n_answered < q->n_entries[!q->filling];
}

/* Takes the replies that are here. */
static int
take_answers(struct peek *p)
{
	struct queue_state *q = &p->own.queue;
	struct wire_reply re;

	while (in_flight(q)) {
		const struct queue_half *half = &p->half[!q->filling];
		int r = conn_reply_ready(p, CONN_QUEUE, &re);
		if (r <= 0)
			return r;
		const struct queue_entry *e = &half->entry[q->n_answered++];
		if ((r = request_verdict(&re, 'S')) != 0)
			report(e, half->bytes, r);
	}
	return 0;
}

/* Drops everything that was queued: it was not answered and will not be. */
static int
broken(struct peek *p, int error)
{
	conn_close(p, CONN_QUEUE);
	p->own.queue = (struct queue_state){0};
	return error;
}

/* Works until the half in flight is sent (and answered, if so asked). */
static int
push(struct peek *p, bool until_answered)
{
	struct queue_state *q = &p->own.queue;
	int64_t deadline_ms = deadline_of(p);

	for (;;) {
		unsigned flying = !q->filling;
		uint32_t sent_before = q->n_sent_bytes, answered_before = q->n_answered;
		int r = take_answers(p);
		if (r == 0 && q->n_sent_bytes < q->n_bytes[flying]) {
			ssize_t n = conn_send_some(p, CONN_QUEUE, p->half[flying].bytes + q->n_sent_bytes,
			    q->n_bytes[flying] - q->n_sent_bytes);
			if (n < 0)
				r = (int)n;
			else
				q->n_sent_bytes += (uint32_t)n;
		}
		bool to_send = q->n_sent_bytes < q->n_bytes[flying];
		if (r == 0 && !to_send && (!until_answered || !in_flight(q)))
			return 0;
		if (q->n_sent_bytes != sent_before || q->n_answered != answered_before)
			deadline_ms = deadline_of(p); /* the time is for one step: a daemon that goes on is not late */
		if (r == 0)
			r = conn_wait(p, CONN_QUEUE, to_send, deadline_ms);
		if (r != 0)
			return broken(p, r == -EBADMSG ? r : -EINPROGRESS);
	}
}

/* Sends off the half that was filled. When this returns 0 the other is free, and being filled. */
static int
turn(struct peek *p)
{
	struct queue_state *q = &p->own.queue;
	int r = 0;

	if (in_flight(q))
		r = push(p, true);
	else
		conn_drop_if_stale(p, CONN_QUEUE);
	if (r != 0)
		return r;
	if ((r = conn_open(p, CONN_QUEUE, deadline_of(p))) != 0)
		return broken(p, r);
	q->filling = !q->filling;
	q->n_entries[q->filling] = 0;
	q->n_bytes[q->filling] = 0;
	q->n_answered = 0;
	q->n_sent_bytes = 0;
	return push(p, false);
}

/* A value that is too long for a half: by itself, behind all others. */
static int
set_alone(struct peek *p, const struct queue_entry *e, const char *line, size_t line_len, const void *value, size_t value_len)
{
	struct iovec iov[3] = {
		{(void *)(uintptr_t)line, line_len},
		{(void *)(uintptr_t)value, value_len},
		{(void *)(uintptr_t)"\r\n", 2},
	};
	struct wire_reply re;
	int r = turn(p);

	if (r == 0)
		r = push(p, true);
	if (r != 0)
		return r;
	if ((r = conn_send(p, CONN_QUEUE, iov, 3, deadline_of(p))) != 0 ||
	    (r = conn_reply(p, CONN_QUEUE, deadline_of(p), &re, NULL)) != 0)
		return broken(p, r == -EBADMSG ? r : -EINPROGRESS);
	if ((r = request_verdict(&re, 'S')) != 0)
		report(e, line, r);
	return 0;
}

static int
set_queued(struct peek *p, struct queue_entry *e, const char *line, size_t line_len, const void *value, size_t value_len)
{
	struct queue_state *q = &p->own.queue;
	size_t total = line_len + value_len + 2;
	int r;

	if (total > QUEUE_HALF_BYTES)
		return set_alone(p, e, line, line_len, value, value_len);
	if ((q->n_bytes[q->filling] + total > QUEUE_HALF_BYTES || q->n_entries[q->filling] == QUEUE_HALF_ENTRIES) &&
	    (r = turn(p)) != 0)
		return r;
	struct queue_half *half = &p->half[q->filling];
	char *to = half->bytes + q->n_bytes[q->filling];
	e->key_at += q->n_bytes[q->filling];
	half->entry[q->n_entries[q->filling]++] = *e;
	memcpy(to, line, line_len);
	if (value_len > 0)
		memcpy(to + line_len, value, value_len);
	memcpy(to + line_len + value_len, "\r\n", 2);
	q->n_bytes[q->filling] += (uint32_t)total;
	return 0;
}

int
peek_set_async(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len, uint32_t ttl_s,
    peek_failed_fn failed, void *arg)
{
	char line[REQUEST_LINE_CAP], flags[REQUEST_FLAGS_CAP];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};

	if (key_len - 1 >= PEEK_KEY_MAX_BYTES)
		return -EINVAL;
	if (value_len > PEEK_VALUE_MAX_BYTES)
		return -EMSGSIZE;
	if ((p->flags & PEEK_READ_ONLY) != 0)
		return -EACCES;
	request_store_flags(&(struct request_store){.mode = 'S', .ttl_s = ttl_s}, flags);
	wire_put_meta(&out, WIRE_MS, key, key_len, (int64_t)value_len, flags);
	/* "ms <key> ..." */
	const char *key_end = memchr(line + 3, ' ', out.len - 3);
	struct queue_entry e = {
		.failed = failed,
		.arg = arg,
		.key_at = 3,
		.key_len = (uint16_t)(key_end - (line + 3)),
	};
	e.base64 = e.key_len != key_len; /* which makes a key longer */
	pthread_mutex_lock(&p->own.queue_lock);
	int r = set_queued(p, &e, line, out.len, value, value_len);
	pthread_mutex_unlock(&p->own.queue_lock);
	return r;
}

int
peek_set_flush(struct peek *p)
{
	struct queue_state *q = &p->own.queue;
	int r = 0;

	pthread_mutex_lock(&p->own.queue_lock);
	if (q->n_entries[q->filling] > 0)
		r = turn(p);
	if (r == 0 && in_flight(q))
		r = push(p, true);
	pthread_mutex_unlock(&p->own.queue_lock);
	return r;
}
