/*
 * write.c: writes. Each is a request over the control socket and its reply.
 */
#include <errno.h>
#include <string.h>

#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/write_request.h"
#include "shm/item.h"

/*
 * Sends a request and takes the reply, with sock_lock. A request that was not
 * sent whole was not carried out, whatever it was: it is sent again on a new
 * connection. If `twice` is set, the request may be carried out twice: then it
 * is also sent again when its reply was lost.
 */
static int
write_exchange(struct peek *p, const char *line, size_t line_len, const void *value,
    size_t value_len, bool has_value, bool twice, int64_t deadline_ms, struct wire_reply *ret)
{
	for (unsigned n_left = 2;;) {
		/* the daemon may have closed it since its last use */
		bool stale = sock_is_open(p, CONN_WRITES);
		int r = sock_open(p, CONN_WRITES, deadline_ms);
		if (r != 0)
			return r == -ECONNRESET ? -ECONNREFUSED : r;
		struct iovec iov[3] = {
		    {(void *)(uintptr_t)line, line_len},
		    {(void *)(uintptr_t)value, value_len},
		    {(void *)(uintptr_t) "\r\n", 2},
		};
		r = sock_send(p, CONN_WRITES, iov, has_value ? 3 : 1, deadline_ms);
		if (r == -ECONNRESET) {
			if (!stale && --n_left == 0)
				return -ECONNREFUSED;
			continue;
		}
		if (r != 0)
			return r;
		r = sock_reply(p, CONN_WRITES, deadline_ms, ret, NULL);
		if (r == -EPIPE) { /* the daemon had nothing of it */
			if (--n_left == 0)
				return -ECONNREFUSED;
			continue;
		}
		if (r != -ECONNRESET && r != -ETIMEDOUT)
			return r;
		if (!twice || r == -ETIMEDOUT || --n_left == 0)
			return -EINPROGRESS;
	}
}

/* The answer to mg with N: 1, and *ret_token is the item's CAS id, if this
 * client is the winner. */
static int
lease_answer(const struct wire_reply *re, uint64_t *ret_token)
{
	struct wire_str token;
	uint64_t cas;

	if (!wire_reply_flag(re, 'W', &token))
		return 0;
	if (!wire_reply_flag(re, 'c', &token) || !wire_u64(token.p, token.len, &cas))
		return -EBADMSG;
	*ret_token = cas;
	return 1;
}

/* With sock_lock: makes a request. Returns the errno that its reply means. */
static int
write_ask(struct peek *p, const char *line, size_t line_len, const void *value, size_t value_len,
    bool has_value, bool twice, char kind, int64_t deadline_ms, uint64_t *ret_value)
{
	struct wire_reply re;
	int r =
	    write_exchange(p, line, line_len, value, value_len, has_value, twice, deadline_ms, &re);

	if (r == 0)
		r = request_verdict(&re, kind);
	if (r == 0 && kind == 'L')
		return lease_answer(&re, ret_value);
	if (r == 0 && ret_value != NULL &&
	    (re.code != WIRE_RE_VA || !wire_u64(re.data, re.data_bytes, ret_value)))
		r = -EBADMSG;
	if (r == -EBADMSG)
		sock_close(p, CONN_WRITES);
	return r;
}

/* The deadline includes the wait for the lock, so that threads that take turns
 * end at the same time. */
static int
write_request(struct peek *p, const char *line, size_t line_len, const void *value,
    size_t value_len, bool has_value, bool twice, char kind, uint64_t *ret_value)
{
	int64_t deadline_ms = sock_deadline_ms(p);

	if ((p->flags & PEEK_READ_ONLY) != 0)
		return -EACCES;
	int cancel = guard_enter();
	int r = guard_lock(&p->own.sock_lock, deadline_ms);
	if (r == 0) {
		r = write_ask(p, line, line_len, value, value_len, has_value, twice, kind,
		    deadline_ms, ret_value);
		pthread_mutex_unlock(&p->own.sock_lock);
	}
	guard_leave(cancel);
	return r;
}

static int
write_store(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    const struct request_store *s)
{
	char line[REQUEST_LINE_CAP], flags[REQUEST_FLAGS_CAP];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};
	bool twice = s->mode == 'S' && !s->has_cas;

	if (!item_key_len_ok(key_len))
		return -EINVAL;
	if (value_len > PEEK_VALUE_MAX_BYTES)
		return -EMSGSIZE;
	request_store_flags(s, flags);
	wire_put_meta(&out, WIRE_MS, key, key_len, (int64_t)value_len, flags);
	return write_request(
	    p, out.buf, out.len, value, value_len, true, twice, request_kind(s), NULL);
}

/* mg, md and ma */
static int
write_meta(struct peek *p, enum wire_verb verb, const void *key, size_t key_len, const char *flags,
    char kind, uint64_t *ret_value)
{
	char line[REQUEST_LINE_CAP];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};

	if (!item_key_len_ok(key_len))
		return -EINVAL;
	wire_put_meta(&out, verb, key, key_len, -1, flags);
	return write_request(p, out.buf, out.len, NULL, 0, false, kind != 'N', kind, ret_value);
}

int
peek_set(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){.mode = 'S', .ttl_s = ttl_s});
}

int
peek_set_flags(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, uint32_t flags)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){.mode = 'S', .ttl_s = ttl_s, .flags = flags});
}

int
peek_add(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){.mode = 'E', .ttl_s = ttl_s});
}

int
peek_replace(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){.mode = 'R', .ttl_s = ttl_s});
}

int
peek_append(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return write_store(p, key, key_len, value, value_len, &(struct request_store){.mode = 'A'});
}

int
peek_prepend(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return write_store(p, key, key_len, value, value_len, &(struct request_store){.mode = 'P'});
}

int
peek_cas(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, uint64_t cas)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){.mode = 'S', .ttl_s = ttl_s, .has_cas = true, .cas = cas});
}

int
peek_delete(struct peek *p, const void *key, size_t key_len)
{
	return write_meta(p, WIRE_MD, key, key_len, NULL, 'D', NULL);
}

int
peek_touch(struct peek *p, const void *key, size_t key_len, uint32_t ttl_s)
{
	char flags[REQUEST_FLAGS_CAP];

	request_put_ttl(flags, ttl_s);
	return write_meta(p, WIRE_MG, key, key_len, flags, 'T', NULL);
}

static int
write_arith(struct peek *p, const void *key, size_t key_len, const char *prefix, uint64_t delta,
    uint64_t *ret_value)
{
	char flags[REQUEST_FLAGS_CAP];
	size_t n = strlen(prefix);
	uint64_t value;

	memcpy(flags, prefix, n);
	*wire_digits(flags + n, delta) = '\0';
	int r = write_meta(p, WIRE_MA, key, key_len, flags, 'N', &value);
	if (r == 0 && ret_value != NULL)
		*ret_value = value;
	return r;
}

int
peek_incr(struct peek *p, const void *key, size_t key_len, uint64_t delta, uint64_t *ret_value)
{
	return write_arith(p, key, key_len, "v D", delta, ret_value);
}

int
peek_decr(struct peek *p, const void *key, size_t key_len, uint64_t delta, uint64_t *ret_value)
{
	return write_arith(p, key, key_len, "v MD D", delta, ret_value);
}

int
peek_flush(struct peek *p, uint32_t delay_s)
{
	char line[64], *end = stpcpy(line, "flush_all ");

	if (delay_s > WIRE_EXPTIME_DELTA_MAX_S)
		*end++ = '+'; /* a larger number without a sign would be a date */
	end = stpcpy(wire_digits(end, delay_s), "\r\n");
	return write_request(p, line, (size_t)(end - line), NULL, 0, false, true, 'F', NULL);
}

/* ---- tags ---------------------------------------------------------------- */

int
peek_set_tagged(struct peek *p, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t ttl_s, const char *const *tags, size_t n_tags)
{
	char line[REQUEST_LINE_CAP + REQUEST_TAGS_CAP], flags[REQUEST_FLAGS_CAP + REQUEST_TAGS_CAP];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};

	if (n_tags == 0)
		return peek_set(p, key, key_len, value, value_len, ttl_s);
	char *end = request_put_ttl(flags, ttl_s);
	*end++ = ' ';
	if (!item_key_len_ok(key_len) || !request_put_tags(end, tags, n_tags))
		return -EINVAL;
	if (value_len > PEEK_VALUE_MAX_BYTES)
		return -EMSGSIZE;
	wire_put_meta(&out, WIRE_MS, key, key_len, (int64_t)value_len, flags);
	return write_request(p, out.buf, out.len, value, value_len, true, true, 'S', NULL);
}

/* Sends the tags from *at on that fit one line. */
static int
invalidate_some(struct peek *p, const char *const *tags, size_t n_tags, size_t *at)
{
	char line[WIRE_LINE_MAX], *end = stpcpy(line, wire_verbs[WIRE_PEEK_INVALIDATE].name);

	while (*at < n_tags && end + 1 + WIRE_TAG_MAX + 2 <= line + sizeof(line)) {
		size_t len = strlen(tags[*at]);
		*end++ = ' ';
		memcpy(end, tags[*at], len);
		end += len;
		(*at)++;
	}
	memcpy(end, "\r\n", 2);
	return write_request(p, line, (size_t)(end + 2 - line), NULL, 0, false, true, 'F', NULL);
}

int
peek_invalidate(struct peek *p, const char *const *tags, size_t n_tags)
{
	int r = n_tags == 0 ? -EINVAL : 0;

	for (size_t i = 0; i < n_tags; i++)
		if (!wire_tag_ok(tags[i], strnlen(tags[i], WIRE_TAG_MAX + 1)))
			return -EINVAL;
	for (size_t at = 0; r == 0 && at < n_tags;)
		r = invalidate_some(p, tags, n_tags, &at);
	return r;
}

int
peek_lease_early(struct peek *p, const void *key, size_t key_len, unsigned lease_ms,
    uint32_t left_s, uint64_t *ret_token)
{
	char flags[REQUEST_FLAGS_CAP], *end = stpcpy(flags, "c Y");

	if (lease_ms == 0 || lease_ms > WIRE_LEASE_MS_MAX || left_s > WIRE_EXPTIME_DELTA_MAX_S)
		return -EINVAL;
	end = stpcpy(wire_digits(end, lease_ms), " N");
	/* the place ends a little after the lease, whose end is told */
	end = wire_digits(end, lease_ms / 1000 + 2);
	if (left_s != 0)
		end = wire_digits(stpcpy(end, " R"), left_s);
	*end = '\0';
	return write_meta(p, WIRE_MG, key, key_len, flags, 'L', ret_token);
}

int
peek_lease(struct peek *p, const void *key, size_t key_len, unsigned lease_ms, uint64_t *ret_token)
{
	return peek_lease_early(p, key, key_len, lease_ms, 0, ret_token);
}

int
peek_fill(struct peek *p, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t ttl_s, uint32_t flags, uint64_t token)
{
	return write_store(p, key, key_len, value, value_len,
	    &(struct request_store){
		.mode = 'S', .ttl_s = ttl_s, .flags = flags, .has_cas = true, .cas = token});
}

int
peek_unlease(struct peek *p, const void *key, size_t key_len, uint64_t token)
{
	char flags[REQUEST_FLAGS_CAP];

	*wire_digits(stpcpy(flags, "Y C"), token) = '\0';
	return write_meta(p, WIRE_MD, key, key_len, flags, 'U', NULL);
}

int
peek_set_timeout(struct peek *p, unsigned timeout_ms)
{
	if (timeout_ms == 0)
		return -EINVAL;
	word_store_rlx(&p->timeout_ms, timeout_ms); /* relaxed: a number */
	return 0;
}
