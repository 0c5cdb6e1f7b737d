/*
 * queue.c: pipelined sets.
 *
 * Requests are gathered in one half of the queue while the daemon answers the
 * other. The daemon answers every request, in order, so that a refusal is known
 * by its place: error lines carry no key. A half is sent when it is full, or by
 * peek_set_flush. Its bytes stay until the last answer is there, since they
 * hold the keys. Only a broken connection leaves requests unanswered.
 *
 * In the half that is being filled, n_bytes and n_entries grow. In the half in
 * flight, n_sent_bytes grows up to n_bytes, and n_answered up to n_entries.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/write_request.h"
#include "shm/item.h"

/* The set that a call on the queue is about. */
struct set {
	struct queue_entry e;
	const char *line; /* of the request */
	size_t line_len;
	const void *value;
	size_t value_len;
	int error; /* of a set that was sent alone: the errno of its refusal, or 0 */
};

#define QUEUE_AGAIN 1 /* report refusals first; then do the same step again */

static bool
in_flight(const struct queue_state *q)
{
	return q->n_answered < q->n_entries[!q->filling];
}

/* Takes the replies that have arrived. */
static int
take_answers(struct peek *p)
{
	struct queue_state *q = &p->own.queue;
	struct wire_reply re;

	while (in_flight(q)) {
		struct queue_half *half = &p->half[!q->filling];
		int r = sock_reply_ready(p, CONN_QUEUE, &re);
		if (r <= 0)
			return r;
		struct queue_entry *e = &half->entry[q->n_answered++];
		e->error = request_verdict(&re, 'S');
		q->n_untold += e->error != 0 && e->failed != NULL;
	}
	return 0;
}

/* Drops everything that was queued and is not answered: no answer will come.
 * Refusals that were answered before are still to be reported. */
static int
queue_broken(struct peek *p, int error)
{
	struct queue_state *q = &p->own.queue;

	sock_close(p, CONN_QUEUE);
	q->n_entries[q->filling] = q->n_bytes[q->filling] = 0;
	q->n_entries[!q->filling] = q->n_answered;
	q->n_bytes[!q->filling] = q->n_sent_bytes;
	return error;
}

/* Works until the half in flight is sent, and with until_answered until all of
 * it is answered. */
static int
queue_push(struct peek *p, bool until_answered)
{
	struct queue_state *q = &p->own.queue;
	int64_t deadline_ms = sock_deadline_ms(p);

	for (;;) {
		unsigned flying = !q->filling;
		uint32_t sent_before = q->n_sent_bytes, answered_before = q->n_answered;
		int r = take_answers(p);
		if (r == 0 && q->n_sent_bytes < q->n_bytes[flying]) {
			ssize_t n =
			    sock_send_some(p, CONN_QUEUE, p->half[flying].bytes + q->n_sent_bytes,
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
			/* the timeout is for one step: a daemon that makes
			 * progress is not late */
			deadline_ms = sock_deadline_ms(p);
		if (r == 0)
			r = sock_wait(p, CONN_QUEUE, to_send, deadline_ms);
		if (r != 0)
			return queue_broken(p, r == -EBADMSG ? r : -EINPROGRESS);
	}
}

/* Sends the half that was filled, and begins to fill the other. 0: the other
 * half was free. QUEUE_AGAIN: its keys are still needed for refusals. */
static int
queue_turn(struct peek *p)
{
	struct queue_state *q = &p->own.queue;
	int r = 0;

	if (in_flight(q))
		r = queue_push(p, true);
	else
		sock_drop_if_stale(p, CONN_QUEUE);
	if (r == 0 && q->n_untold > 0)
		r = QUEUE_AGAIN;
	if (r != 0)
		return r;
	if ((r = sock_open(p, CONN_QUEUE, sock_deadline_ms(p))) != 0)
		return queue_broken(p, r);
	q->filling = !q->filling;
	q->n_entries[q->filling] = 0;
	q->n_bytes[q->filling] = 0;
	q->n_answered = q->n_told = 0;
	q->n_sent_bytes = 0;
	return queue_push(p, false);
}

/* Sends a value that is too long for a half by itself, behind all others. */
static int
set_alone(struct peek *p, struct set *s)
{
	struct iovec iov[3] = {
	    {(void *)(uintptr_t)s->line, s->line_len},
	    {(void *)(uintptr_t)s->value, s->value_len},
	    {(void *)(uintptr_t) "\r\n", 2},
	};
	struct wire_reply re;
	int r = queue_turn(p);

	if (r == 0)
		r = queue_push(p, true);
	if (r != 0)
		return r;
	int64_t deadline_ms = sock_deadline_ms(p);
	if ((r = sock_send(p, CONN_QUEUE, iov, 3, deadline_ms)) != 0 ||
	    (r = sock_reply(p, CONN_QUEUE, deadline_ms, &re, NULL)) != 0)
		return queue_broken(p, r == -EBADMSG ? r : -EINPROGRESS);
	s->error = request_verdict(&re, 'S');
	return 0;
}

static int
set_queued(struct peek *p, struct set *s)
{
	struct queue_state *q = &p->own.queue;
	size_t total = s->line_len + s->value_len + 2;
	int r;

	if (total > QUEUE_HALF_BYTES)
		return set_alone(p, s);
	if ((q->n_bytes[q->filling] + total > QUEUE_HALF_BYTES ||
		q->n_entries[q->filling] == QUEUE_HALF_ENTRIES) &&
	    (r = queue_turn(p)) != 0)
		return r;
	struct queue_half *half = &p->half[q->filling];
	char *to = half->bytes + q->n_bytes[q->filling];
	CHECK(q->n_entries[q->filling] < QUEUE_HALF_ENTRIES);
	CHECK(q->n_bytes[q->filling] + total <= QUEUE_HALF_BYTES);
	s->e.key_at += q->n_bytes[q->filling];
	half->entry[q->n_entries[q->filling]++] = s->e;
	memcpy(to, s->line, s->line_len);
	if (s->value_len > 0)
		memcpy(to + s->line_len, s->value, s->value_len);
	memcpy(to + s->line_len + s->value_len, "\r\n", 2);
	q->n_bytes[q->filling] += (uint32_t)total;
	return 0;
}

static int
send_rest(struct peek *p, struct set *s)
{
	const struct queue_state *q = &p->own.queue;
	int r = 0;

	(void)s;
	if (q->n_entries[q->filling] > 0)
		r = queue_turn(p);
	if (r == 0 && in_flight(q))
		r = queue_push(p, true);
	return r;
}

/* With queue_lock: finds the next refusal that is to be reported, and its
 * key. */
static bool
next_untold(struct peek *p, struct queue_entry *ret, unsigned char *key, size_t *ret_key_len)
{
	struct queue_state *q = &p->own.queue;
	const struct queue_half *half = &p->half[!q->filling];

	while (q->n_untold > 0 && q->n_told < q->n_answered) {
		const struct queue_entry *e = &half->entry[q->n_told++];
		if (e->error == 0 || e->failed == NULL)
			continue;
		q->n_untold--;
		*ret = *e;
		*ret_key_len = e->key_len;
		if (!e->base64)
			memcpy(key, half->bytes + e->key_at, e->key_len);
		else if (!wire_unbase64(half->bytes + e->key_at, e->key_len, key, ret_key_len))
			continue;
		return true;
	}
	return false;
}

/*
 * Reports all refusals that are known, each without the lock and with
 * cancellation as the application has it. A callback may leave by longjmp, by
 * an exception or with its thread: it leaves nothing behind, and the next call
 * reports the rest.
 */
static void
tell_refusals(struct peek *p)
{
	unsigned char key[WIRE_KEY_B64_MAX];
	struct queue_entry e;
	size_t key_len;

	for (;;) {
		int cancel = guard_enter();
		bool found = false;
		if (guard_lock(&p->own.queue_lock, sock_deadline_ms(p)) == 0) {
			found = next_untold(p, &e, key, &key_len);
			pthread_mutex_unlock(&p->own.queue_lock);
		}
		guard_leave(cancel);
		if (!found)
			return;
		e.failed(e.arg, key, key_len, e.error);
	}
}

/* Does one call on the queue: its step with the lock, then the refusals without
 * it. */
static int
in_steps(struct peek *p, int (*step)(struct peek *p, struct set *s), struct set *s)
{
	int64_t deadline_ms = sock_deadline_ms(p);
	int r;

	do {
		int cancel = guard_enter();
		bool untold = false;
		if ((r = guard_lock(&p->own.queue_lock, deadline_ms)) == 0) {
			r = step(p, s);
			untold = p->own.queue.n_untold > 0;
			pthread_mutex_unlock(&p->own.queue_lock);
		}
		guard_leave(cancel);
		if (untold)
			tell_refusals(p);
	} while (r == QUEUE_AGAIN);
	return r;
}

int
peek_set_async(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, peek_failed_fn failed, void *arg)
{
	char line[REQUEST_LINE_CAP], flags[REQUEST_FLAGS_CAP];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};

	if (!item_key_len_ok(key_len))
		return -EINVAL;
	if (value_len > PEEK_VALUE_MAX_BYTES)
		return -EMSGSIZE;
	if ((p->flags & PEEK_READ_ONLY) != 0)
		return -EACCES;
	request_store_flags(&(struct request_store){.mode = 'S', .ttl_s = ttl_s}, flags);
	wire_put_meta(&out, WIRE_MS, key, key_len, (int64_t)value_len, flags);
	/* "ms <key> ..." */
	const char *key_end = memchr(line + 3, ' ', out.len - 3);
	struct set s = {
	    .e = {.failed = failed,
		.arg = arg,
		.key_at = 3,
		.key_len = (uint16_t)(key_end - (line + 3))},
	    .line = line,
	    .line_len = out.len,
	    .value = value,
	    .value_len = value_len,
	};
	s.e.base64 = s.e.key_len != key_len; /* base64 always makes a key longer */
	int r = in_steps(p, set_queued, &s);
	if (s.error != 0 && failed != NULL)
		failed(arg, key, key_len, s.error);
	return r;
}

int
peek_set_flush(struct peek *p)
{
	return in_steps(p, send_rest, &(struct set){0});
}
