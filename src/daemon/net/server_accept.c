/* server_accept.c: new connections: the level of each, how many there may be,
 * and the case that descriptors run out. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/host/log.h"
#include "daemon/net/server_private.h"

#define ACCEPTS_A_TURN 32

void
server_accept(struct server *s, bool on)
{
	for (unsigned i = 0; i < s->a.listeners->n; i++) {
		if (on)
			event_add(&s->listening[i], NULL);
		else
			event_del(&s->listening[i]);
	}
	s->accepting = on;
}

static bool
at_limit(const struct server *s)
{
	return s->a.stat[SHM_STAT_CURR_CONNECTIONS] >= s->a.conf->conn_limit;
}

enum wire_access
server_tcp_level(const struct server *s)
{
	return (enum wire_access)s->a.conf->tcp_access;
}

/* Finds the peer's user and level. False: it has no level. */
static bool
server_accept_admit(struct server *s, struct conn *c, bool is_unix)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	uint64_t suppressed;

	c->is_unix = is_unix;
	if (!is_unix) {
		c->level = server_tcp_level(s);
		return true;
	}
	if (access_of_peer(s->a.access, c->fd, &c->level, &c->pid, &c->uid, &c->gid))
		return true;
	if (log_allowed(&limit, s->a.cmd->now_s, &suppressed))
		log_notice("a connection of uid %u, pid %ld is refused: it may not even read%s",
		    (unsigned)c->uid, (long)c->pid, log_more(suppressed, more));
	return false;
}

/* line: without CR LF, of less than SERVER_LINE_BYTES */
static void
server_accept_refuse(struct server *s, int fd, const char *line)
{
	char text[SERVER_LINE_BYTES + 2];
	int len = snprintf(text, sizeof(text), "%s\r\n", line);

	/* if the line can't be sent, the close says it */
	(void)!send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	s->a.stat[SHM_STAT_REJECTED_CONNECTIONS]++;
}

static void
begin_peer(struct server *s, int fd, bool is_unix)
{
	struct peer *p = calloc(1, sizeof(*p));
	char line[SERVER_LINE_BYTES];
	int one = 1;

	if (p == NULL) {
		server_accept_refuse(s, fd, wire_replies[WIRE_RE_OUT_OF_MEMORY].text);
		return;
	}
	conn_begin(&p->conn, fd);
	if (!server_accept_admit(s, &p->conn, is_unix)) {
		server_accept_refuse(s, fd, wire_replies[WIRE_RE_NOT_ADMITTED].text);
		free(p);
		return;
	}
	if (!server_share_begin(s, p, line)) {
		server_accept_refuse(s, fd, line);
		free(p);
		return;
	}
	if (!is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	p->server = s;
	p->want = CONN_READ;
	p->conn.last_active_s = s->a.cmd->now_s;
	event_assign(&p->readable, s->base, fd, EV_READ | EV_PERSIST, server_turn_of, p);
	event_assign(&p->writable, s->base, fd, EV_WRITE | EV_PERSIST, server_turn_of, p);
	TAILQ_INSERT_TAIL(&s->peers, p, all);
	s->a.stat[SHM_STAT_CURR_CONNECTIONS]++;
	s->a.stat[SHM_STAT_TOTAL_CONNECTIONS]++;
	if (event_add(&p->readable, NULL) != 0)
		server_free_peer(s, p);
}

static void
accept_failed(struct server *s, int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
		if (!s->out_of_fds)
			log_warning("connections wait: %s (%llu are open)", strerror(error),
			    (unsigned long long)s->a.stat[SHM_STAT_CURR_CONNECTIONS]);
		s->out_of_fds = true;
		s->retry_accept = true;
		server_accept(s, false);
	} else if (error != EAGAIN && error != EINTR && error != ECONNABORTED)
		log_warning("a connection can't be accepted: %s", strerror(error));
}

void
server_on_accept(evutil_socket_t listening_fd, short what, void *arg)
{
	struct server *s = arg;
	bool is_unix = true;

	(void)what;
	for (unsigned i = 0; i < s->a.listeners->n; i++) {
		if (s->a.listeners->l[i].fd == listening_fd)
			is_unix = s->a.listeners->l[i].is_unix;
	}
	server_tell_time(s);
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		bool full = at_limit(s);
		int fd;

		if (full && s->a.conf->maxconns_fast == 0) {
			s->a.stat[SHM_STAT_LISTEN_DISABLED]++;
			server_accept(s, false);
			return;
		}
		fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			accept_failed(s, errno);
			return;
		}
		if (s->out_of_fds) {
			log_info("connections are accepted again");
			s->out_of_fds = false;
		}
		begin_peer(s, fd, is_unix);
	}
}

void
server_on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (!s->accepting)
		server_accept(s, true);
}
