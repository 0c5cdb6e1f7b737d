/*
 * server_share.c: no user takes all: each user's connections are counted
 * against conn_share, and the bytes that are kept for all connections against
 * conn_memory.
 *
 * All clients over TCP are one user here, since TCP doesn't tell users apart.
 * Connections of admin level are not counted against conn_share, and the last
 * connections of conn_limit are for them alone, so that an administrator gets
 * in while other users hold all that they may.
 *
 * When more than conn_memory is kept, connections are closed until a sixteenth
 * of it is free. The user who has most bytes loses connections first; among
 * them those first that have not moved a byte for a second, and among these the
 * largest. So the user who fills the memory pays for it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/host/log.h"
#include "daemon/net/server_private.h"

#define RESERVE_ONE_OF 64 /* one of 64 connections is kept for administrators ... */
#define RESERVE_MAX    8  /* ... and at most 8 of all */
#define STALLED_S      2  /* a byte may move when the clock's second is nearly over */

struct share {
	bool is_unix; /* false: everybody on TCP, uid is 0 */
	uid_t uid;
	uint64_t n_conns, kept_bytes;
	TAILQ_ENTRY(share) all;
};

/* "uid 33", "TCP" */
static const char *
share_name(const struct share *o, char buf[static 24])
{
	if (o->is_unix)
		snprintf(buf, 24, "uid %u", (unsigned)o->uid);
	else
		snprintf(buf, 24, "TCP");
	return buf;
}

static struct share *
share_of(struct server *s, const struct conn *c)
{
	uid_t uid = c->is_unix ? c->uid : 0;
	struct share *o;

	TAILQ_FOREACH(o, &s->owners, all)
	{
		if (o->is_unix == c->is_unix && o->uid == uid)
			return o;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->is_unix = c->is_unix;
	o->uid = uid;
	TAILQ_INSERT_TAIL(&s->owners, o, all);
	return o;
}

static void
drop_if_empty(struct server *s, struct share *o)
{
	if (o->n_conns > 0)
		return;
	TAILQ_REMOVE(&s->owners, o, all);
	free(o);
}

/* ---- connections --------------------------------------------------------- */

static uint64_t
server_share_reserve(const struct conf *conf)
{
	uint64_t n = conf->conn_limit / RESERVE_ONE_OF;

	if (conf->maxconns_fast == 0) /* connections above the limit wait, whatever their level */
		return 0;
	return n < RESERVE_MAX ? n : RESERVE_MAX;
}

static void
say_refused(struct server *s, const struct share *o, const char *line)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES], name[24];
	uint64_t suppressed;

	if (log_allowed(&limit, s->a.cmd->now_s, &suppressed))
		log_notice("a connection of %s is refused: %s%s", share_name(o, name), line,
		    log_more(suppressed, more));
}

bool
server_share_begin(struct server *s, struct peer *p, char line[static SERVER_LINE_BYTES])
{
	const struct conf *conf = s->a.conf;
	uint64_t most = conf->conn_limit * conf->conn_share / 100,
		 open = s->a.stat[SHM_STAT_CURR_CONNECTIONS];
	struct share *o = share_of(s, &p->conn);
	char name[24];

	if (o == NULL) {
		snprintf(line, SERVER_LINE_BYTES, "%s", wire_replies[WIRE_RE_OUT_OF_MEMORY].text);
		return false;
	}
	line[0] = '\0';
	if (most == 0)
		most = 1;
	if (open >= conf->conn_limit)
		snprintf(line, SERVER_LINE_BYTES, "%s", wire_replies[WIRE_RE_CONNECTIONS].text);
	else if (p->conn.level < WIRE_ACCESS_ADMIN &&
	    open + server_share_reserve(conf) >= conf->conn_limit)
		snprintf(line, SERVER_LINE_BYTES,
		    "%s the last %" PRIu64 " of %" PRIu64 " (conn_limit) are kept for admin",
		    wire_replies[WIRE_RE_CONNECTIONS_OF].text, server_share_reserve(conf),
		    conf->conn_limit);
	else if (conf->conn_share != 0 && p->conn.level < WIRE_ACCESS_ADMIN && o->n_conns >= most) {
		s->a.stat[SHM_STAT_SHARE_REFUSED]++;
		snprintf(line, SERVER_LINE_BYTES,
		    "%s %s has %" PRIu64 " of %" PRIu64 ", which is its share (conn_share)",
		    wire_replies[WIRE_RE_CONNECTIONS_OF].text, share_name(o, name), o->n_conns,
		    conf->conn_limit);
	}
	if (line[0] != '\0') {
		say_refused(s, o, line);
		drop_if_empty(s, o);
		return false;
	}
	p->owner = o;
	o->n_conns++;
	return true;
}

void
server_share_end(struct server *s, struct peer *p)
{
	struct share *o = p->owner;

	s->kept_bytes -= p->kept_bytes;
	o->kept_bytes -= p->kept_bytes;
	o->n_conns--;
	p->kept_bytes = 0;
	drop_if_empty(s, o);
	s->a.stat[SHM_STAT_CONN_KEPT_BYTES] = s->kept_bytes;
}

/* ---- bytes --------------------------------------------------------------- */

/* True: b is closed before a. */
static bool
goes_before(const struct server *s, const struct peer *a, const struct peer *b)
{
	uint32_t now_s = s->a.cmd->now_s;
	bool a_stalled = now_s - a->conn.last_active_s >= STALLED_S,
	     b_stalled = now_s - b->conn.last_active_s >= STALLED_S;

	if (a_stalled != b_stalled)
		return b_stalled;
	return b->kept_bytes > a->kept_bytes;
}

static struct peer *
find_victim(struct server *s)
{
	struct share *o, *most = TAILQ_FIRST(&s->owners);
	struct peer *p, *found = NULL;

	TAILQ_FOREACH(o, &s->owners, all)
	{
		if (o->kept_bytes > most->kept_bytes)
			most = o;
	}
	TAILQ_FOREACH(p, &s->peers, all)
	{
		if (p->owner == most && p->kept_bytes > 0 &&
		    (found == NULL || goes_before(s, found, p)))
			found = p;
	}
	return found;
}

/* Tells the log and the client why the connection is closed. */
static void
say_closed(struct server *s, const struct peer *p)
{
	char line[SERVER_LINE_BYTES];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};
	static struct log_limit limit;
	char more[LOG_MORE_BYTES], name[24];
	uint64_t suppressed;

	s->a.stat[SHM_STAT_CONN_MEMORY_CLOSED]++;
	if (log_allowed(&limit, s->a.cmd->now_s, &suppressed))
		log_warning("%" PRIu64 " bytes are kept for connections, more than conn_memory: "
			    "a connection of %s, pid %ld, is closed; it kept %zu bytes of "
			    "%s%s",
		    s->kept_bytes, share_name(p->owner, name), (long)p->conn.pid, p->kept_bytes,
		    conn_is_mid_reply(&p->conn) ? "replies that it doesn't read"
						: "a request that doesn't end",
		    log_more(suppressed, more));
	/* in the midst of a reply the client would take the line for a part of
	 * it */
	if (conn_is_mid_reply(&p->conn) || p->conn.ring != NULL)
		return;
	wire_put_reply(&out, WIRE_RE_CONN_MEMORY);
	(void)!send(p->conn.fd, out.buf, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
server_share_count(struct server *s, struct peer *p)
{
	size_t now = conn_kept_bytes(&p->conn);

	s->kept_bytes += now - p->kept_bytes; /* the difference may wrap, and the sum is right */
	p->owner->kept_bytes += now - p->kept_bytes;
	p->kept_bytes = now;
	s->a.stat[SHM_STAT_CONN_KEPT_BYTES] = s->kept_bytes;
}

struct peer *
server_share_victim(struct server *s)
{
	uint64_t most = s->a.conf->conn_memory;
	struct peer *p;

	if (s->kept_bytes <= (s->closes_for_memory ? most / 16 * 15 : most) ||
	    (p = find_victim(s)) == NULL) {
		s->closes_for_memory = false;
		return NULL;
	}
	s->closes_for_memory = true;
	say_closed(s, p);
	return p;
}
