/*
 * robust_model.c: see robust_model.h.
 */
#include "proc/robust_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "peek.h"

#define GROWING_MAX 800 /* words */
#define ASK_GROUP   48  /* keys of one get */

void
model_init(struct model *m, struct peer_shared *sh, unsigned seed)
{
	*m = (struct model){.sh = sh, .next = 1000, .seed = seed};
}

/* ---- operations ---------------------------------------------------------- */

static void
pend(struct model *m, uint32_t key, uint64_t state)
{
	m->pending[m->n_pending++] = (struct model_pending){key, state};
}

/* A reply came: all that was sent before has happened. */
static void
commit(struct model *m)
{
	for (unsigned i = 0; i < m->n_pending; i++) {
		const struct model_pending *p = &m->pending[i];
		m->acked[p->key] = p->state;
		m->sh->floor[p->key] = p->state != 0 ? p->state : m->next + 1;
		m->n_acked++;
	}
	m->n_pending = 0;
}

/* False: no reply. */
static bool
expect(struct model *m, struct peer_client *c, const char *want)
{
	const char *line = peer_line(c);

	if (line == NULL)
		return false;
	if (strcmp(line, want) != 0) {
		m->n_refused++;
		snprintf(m->why_refused, sizeof(m->why_refused), "\"%.60s\" where \"%s\" was due",
		    line, want);
	}
	commit(m);
	return true;
}

static bool
send_store(struct peer_client *c, const char *verb, uint32_t key, unsigned exptime,
    const void *value, uint32_t n, bool noreply)
{
	static char line[PEER_VALUE_MAX + 256];
	char text[64];

	peer_key(key, text);
	int at = snprintf(line, sizeof(line), "%s %s %u %u %u%s\r\n", verb, text, key, exptime, n,
	    noreply ? " noreply" : "");
	memcpy(line + at, value, n);
	memcpy(line + (uint32_t)at + n, "\r\n", 2);
	return peer_send(c, line, (uint32_t)at + n + 2);
}

static bool
set(struct model *m, struct peer_client *c, uint32_t key, unsigned exptime)
{
	static char value[PEER_VALUE_MAX];
	bool pattern = key < PEER_STABLE || key >= PEER_GROWING;
	uint64_t state = pattern ? ++m->next : 1;
	bool noreply = m->n_pending + 1 < MODEL_PENDING_MAX && rand_r(&m->seed) % 6 == 0;

	if (!pattern)
		peer_begin_anew(m->sh, key);
	pend(m, key, state);
	if (!send_store(c, "set", key, exptime, value, peer_value(key, state, value), noreply))
		return false;
	return noreply || expect(m, c, "STORED");
}

static bool
ask(struct model *m, struct peer_client *c, const char *format, uint32_t key, const char *want)
{
	char text[64], line[128];

	peer_key(key, text);
	int n = snprintf(line, sizeof(line), format, text);
	return peer_send(c, line, (size_t)n) && expect(m, c, want);
}

static bool
grow(struct model *m, struct peer_client *c, uint32_t key)
{
	uint64_t word = m->acked[key];

	for (unsigned i = 0; i < m->n_pending; i++)
		if (m->pending[i].key == key)
			word = m->pending[i].state;
	if (word == 0 || word >= GROWING_MAX)
		return set(m, c, key, 0);
	pend(m, key, word + 1);
	return send_store(c, "append", key, 0, &word, 8, false) && expect(m, c, "STORED");
}

static bool
count(struct model *m, struct peer_client *c, uint32_t key)
{
	char want[24];

	if (m->acked[key] == 0 || m->n_pending > 0)
		return set(m, c, key, 0);
	pend(m, key, m->acked[key] + 1);
	snprintf(want, sizeof(want), "%llu", (unsigned long long)m->acked[key]);
	return ask(m, c, "incr %s 1\r\n", key, want);
}

void
model_before_flush(struct model *m)
{
	for (uint32_t key = 0; key < PEER_KEYS; key++)
		peer_begin_anew(m->sh, key);
	m->n_pending = 0; /* whatever becomes of it is flushed, or has either outcome as all has */
	m->flushing = true;
}

void
model_flushed(struct model *m)
{
	m->flushing = false;
	for (uint32_t key = 0; key < PEER_KEYS; key++) {
		m->acked[key] = 0;
		if (key >= PEER_GROWING) /* a stable one may be absent until it is set again */
			m->sh->floor[key] = m->next + 1;
	}
}

static bool
flush(struct model *m, struct peer_client *c)
{
	model_before_flush(m);
	if (!peer_send(c, "flush_all\r\n", 11) || !expect(m, c, "OK"))
		return false;
	model_flushed(m);
	return true;
}

static bool
gone(const struct model *m, uint32_t key)
{
	return m->acked[key] == 0 || m->n_pending > 0 || m->sh->evicting;
}

bool
model_step(struct model *m, struct peer_client *c)
{
	uint32_t r = (uint32_t)rand_r(&m->seed), reach = 100 + ++m->n_ops % 8000 / 2;
	uint32_t other = PEER_FLEETING +
	    r % (reach < PEER_KEYS - PEER_FLEETING ? reach : PEER_KEYS - PEER_FLEETING);

	if (!m->shared && m->n_ops % MODEL_FLUSH_EVERY == MODEL_FLUSH_EVERY - 1)
		return flush(m, c);
	switch (rand_r(&m->seed) % 32) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		return set(m, c, r % PEER_STABLE, 0);
	case 7:
	case 8:
	case 9:
		if (gone(m, other))
			return set(m, c, other, 0);
		pend(m, other, 0);
		return ask(m, c, "delete %s\r\n", other, "DELETED");
	case 10:
	case 11:
		r = PEER_STABLE + r % (PEER_COUNTER - PEER_STABLE);
		return m->sh->evicting ? set(m, c, r, 0) : count(m, c, r);
	case 12:
	case 13:
		r = PEER_COUNTER + r % (PEER_GROWING - PEER_COUNTER);
		return m->sh->evicting ? set(m, c, r, 0) : grow(m, c, r);
	case 14:
	case 15:
		return set(m, c, PEER_GROWING + r % (PEER_FLEETING - PEER_GROWING), 1 + r % 3);
	case 16:
		return gone(m, other) ? set(m, c, other, 0)
				      : ask(m, c, "touch %s 10000\r\n", other, "TOUCHED");
	case 17:
		return gone(m, other) ? set(m, c, other, 0)
				      : ask(m, c, "md %s I T10000\r\n", other, "HD");
	default:
		return set(m, c, other, r % 5 == 0 ? 10000 : 0);
	}
}

/* ---- comparison ---------------------------------------------------------- */

static bool
allowed(const struct model *m, uint32_t key, uint64_t found)
{
	if (found == PEER_DAMAGED)
		return false;
	if (found == m->acked[key] || m->flushing ||
	    (found == 0 && (m->sh->evicting || (key >= PEER_GROWING && key < PEER_FLEETING))))
		return true;
	for (unsigned i = 0; i < m->n_pending; i++)
		if (m->pending[i].key == key && m->pending[i].state == found)
			return true;
	return false;
}

/* Reads keys [from, to) over the socket, into found. */
static bool
ask_group(struct peer_client *c, uint32_t from, uint32_t to, uint64_t *found)
{
	char line[ASK_GROUP * 64 + 8] = "get";
	size_t n = 3;
	const char *reply;

	for (uint32_t key = from; key < to; key++) {
		line[n++] = ' ';
		n += peer_key(key, line + n);
		found[key] = 0;
	}
	memcpy(line + n, "\r\n", 2);
	if (!peer_send(c, line, n + 2))
		return false;
	while ((reply = peer_line(c)) != NULL && strcmp(reply, "END") != 0) {
		unsigned key = 0, flags = 0, len = 0;
		if (sscanf(reply, "VALUE peer-%u-%*s %u %u", &key, &flags, &len) != 3 &&
		    sscanf(reply, "VALUE peer-%u- %u %u", &key, &flags, &len) != 3)
			return false;
		const char *data = peer_data(c, len);
		if (data == NULL || key < from || key >= to || flags != key)
			return false;
		found[key] = peer_state(key, data, len);
	}
	return reply != NULL;
}

static void
miss_the_mark(struct model *m, uint32_t key, uint64_t found, const char *where)
{
	if (found == 0)
		m->n_lost++;
	else
		m->n_wrong++;
	snprintf(m->why, sizeof(m->why), "key %u is %lld, acknowledged was %llu, %u pending (%s)",
	    key, (long long)found, (unsigned long long)m->acked[key], m->n_pending, where);
}

/* The state that was found of a key is its state from now on. */
static void
believe(struct model *m, uint32_t key, uint64_t found)
{
	if (found == 0 && !(key < PEER_STABLE || key >= PEER_GROWING))
		peer_begin_anew(m->sh, key);
	else if (found != PEER_DAMAGED && found > m->acked[key])
		m->sh->floor[key] = found;
	m->acked[key] = found != PEER_DAMAGED ? found : 0;
}

bool
model_settle(struct model *m, struct peer_client *c)
{
	static uint64_t found[PEER_KEYS];

	for (uint32_t key = 0; key < PEER_KEYS; key++) {
		bool pending = m->flushing;
		for (unsigned i = 0; i < m->n_pending && !pending; i++)
			pending = m->pending[i].key == key;
		if (!pending)
			continue;
		if (!ask_group(c, key, key + 1, found))
			return false;
		if (!allowed(m, key, found[key]))
			miss_the_mark(m, key, found[key], "after a kill");
		believe(m, key, found[key]);
	}
	m->n_pending = 0;
	m->flushing = false;
	return true;
}

/* True: the daemon, idle or not, has evicted a key since it was asked. */
static bool
evicted_since(struct model *m, struct peer_client *c, uint32_t key)
{
	static uint64_t found[PEER_KEYS];

	return m->sh->evicting && ask_group(c, key, key + 1, found) && found[key] == 0;
}

bool
model_compare(struct model *m, struct peer_client *c, const char *name)
{
	static uint64_t found[PEER_KEYS];
	static char value[PEER_VALUE_MAX];
	uint64_t bad = m->n_lost + m->n_wrong, n_items = 0,
		 n_fleeting = PEER_FLEETING - PEER_GROWING;
	struct peek *p;
	char text[64];

	for (uint32_t key = 0; key < PEER_KEYS; key += ASK_GROUP)
		if (!ask_group(
			c, key, key + ASK_GROUP < PEER_KEYS ? key + ASK_GROUP : PEER_KEYS, found)) {
			snprintf(m->why, sizeof(m->why),
			    "a reply that is none, or with another's flags, at key %u", key);
			m->n_wrong++;
			return false;
		}
	if (peek_open(name, PEEK_READ_ONLY, &p) != 0) {
		snprintf(m->why, sizeof(m->why), "the segment can't be opened");
		m->n_wrong++;
		return false;
	}
	for (uint32_t key = 0; key < PEER_KEYS; key++) {
		ssize_t n = peek_get(p, text, peer_key(key, text), value, sizeof(value));
		uint64_t read = n == -ENOENT ? 0
		    : n < 0                  ? PEER_DAMAGED
					     : peer_state(key, value, (size_t)n);
		bool fleeting = key >= PEER_GROWING && key < PEER_FLEETING;
		if (read != found[key] && !(read == 0 && (fleeting || evicted_since(m, c, key))))
			miss_the_mark(m, key, read, "shared memory differs from the socket");
		if (!allowed(m, key, found[key]))
			miss_the_mark(m, key, found[key], "socket");
		n_items += found[key] != 0 && !fleeting;
		believe(m, key, found[key]);
	}
	peek_close(p);
	uint64_t counted = peer_stat(c, "curr_items");
	if (!m->shared && (counted < n_items || counted > n_items + n_fleeting)) {
		snprintf(m->why, sizeof(m->why), "%llu items are there, curr_items is %llu",
		    (unsigned long long)n_items, (unsigned long long)counted);
		m->n_wrong++;
	}
	m->n_pending = 0;
	m->flushing = false;
	return m->n_lost + m->n_wrong == bad;
}
