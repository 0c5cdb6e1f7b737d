/*
 * server_metrics.c: metrics over HTTP: GET or HEAD of /metrics or /, and
 * nothing else. They are off unless the setting `metrics` names a place.
 *
 * Everybody who may connect can make the daemon render a text of some 12 KB,
 * and hold a descriptor for METRICS_TIMEOUT_S, or longer with a byte now and
 * then. So there are at most OPEN_MAX such connections: for one more the oldest
 * is shut down. Accepting stops for a tenth of a second when descriptors run
 * out, or when connections that were shut down don't end. So the loop doesn't
 * turn in vain, and clients of metrics don't take the descriptors of the
 * cache's clients.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "daemon/host/log.h"
#include "daemon/verbs/metrics.h"
#include "daemon/net/server_private.h"

#define METRICS_TIMEOUT_S 5
#define HEADERS_MAX       8192
#define TEXT_BYTES        16384 /* enough room for all rows */

#define OPEN_MAX    32
#define CLOSING_MAX 32

struct server_metrics {
	struct server *server;
	struct evhttp *http;
	struct evconnlistener *listener; /* belongs to http, also the argument of its callbacks */
	struct bufferevent *open[OPEN_MAX + CLOSING_MAX]; /* a reference each, oldest first */
	size_t n_open;
};

/* ---- the number of connections ------------------------------------------- */

/* True: evhttp has let go of the connection, since it has no callbacks any
 * more. This reference is the last. */
static bool
is_over(struct bufferevent *bev)
{
	bufferevent_data_cb on_read = NULL, on_write = NULL;
	bufferevent_event_cb on_event = NULL;
	void *arg = NULL;

	bufferevent_getcb(bev, &on_read, &on_write, &on_event, &arg);
	return on_read == NULL && on_write == NULL && on_event == NULL;
}

static void
server_metrics_sweep(struct server_metrics *m, bool all)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_open; i++) {
		if (all || is_over(m->open[i]))
			bufferevent_decref(m->open[i]);
		else
			m->open[n++] = m->open[i];
	}
	m->n_open = n;
}

/*
 * The buffer of a connection that was just accepted. NULL: evhttp makes its
 * own.
 */
static struct bufferevent *
on_accepted(struct event_base *base, void *arg)
{
	struct server_metrics *m = arg;
	struct bufferevent *bev;

	server_metrics_sweep(m, false);
	if (m->n_open >= OPEN_MAX)
		shutdown(bufferevent_getfd(m->open[m->n_open - OPEN_MAX]), SHUT_RDWR);
	if (m->n_open + 1 >= OPEN_MAX + CLOSING_MAX)
		evconnlistener_disable(m->listener);
	bev = m->n_open < OPEN_MAX + CLOSING_MAX ? bufferevent_socket_new(base, -1, 0) : NULL;
	if (bev != NULL) {
		bufferevent_incref(bev);
		m->open[m->n_open++] = bev;
	}
	return bev;
}

/* ---- what is asked ------------------------------------------------------- */

static int
grow_text(struct wire_out *out, size_t cap_min)
{
	return buffer_grow(&out->buf, &out->cap, cap_min, TEXT_BYTES);
}

static void
free_text(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	free(arg);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	struct server_metrics *m = arg;
	const char *uri = evhttp_request_get_uri(req);
	size_t path_len = strcspn(uri, "?");
	struct wire_out text = {.grow = grow_text};

	if (!(path_len == 1 && uri[0] == '/') &&
	    !(path_len == 8 && memcmp(uri, "/metrics", 8) == 0)) {
		evhttp_send_error(req, HTTP_NOTFOUND, NULL);
		return;
	}
	server_tell_time(m->server);
	server_publish(m->server);
	if (grow_text(&text, TEXT_BYTES) == 0)
		metrics_put(m->server->a.cmd, &text);
	evhttp_add_header(
	    evhttp_request_get_output_headers(req), "Content-Type", METRICS_CONTENT_TYPE);
	/* libevent would send the body of a HEAD too */
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		char len[24];

		snprintf(len, sizeof(len), "%zu", text.len);
		evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Length", len);
		free(text.buf);
		evhttp_send_reply(req, HTTP_OK, NULL, NULL);
		return;
	}
	if (text.buf == NULL || text.failed ||
	    evbuffer_add_reference(evhttp_request_get_output_buffer(req), text.buf, text.len,
		free_text, text.buf) != 0) {
		free(text.buf);
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	evhttp_send_reply(req, HTTP_OK, NULL, NULL);
}

static void
on_accept_failed(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	evconnlistener_disable(listener);
}

void
server_metrics_retry(struct server_metrics *m)
{
	if (m == NULL)
		return;
	server_metrics_sweep(m, false);
	if (m->n_open < OPEN_MAX + CLOSING_MAX)
		evconnlistener_enable(m->listener);
}

int
server_metrics_open(struct server *s, int fd, struct server_metrics **ret)
{
	struct server_metrics *m = calloc(1, sizeof(*m));
	int own_fd = dup(fd);

	if (m == NULL || own_fd < 0)
		goto fail;
	m->server = s;
	m->http = evhttp_new(s->base);
	if (m->http == NULL)
		goto fail;
	m->listener = evconnlistener_new(
	    s->base, NULL, m, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, own_fd);
	if (m->listener == NULL)
		goto fail;
	if (evhttp_bind_listener(m->http, m->listener) == NULL) {
		evconnlistener_free(m->listener);
		own_fd = -1;
		goto fail;
	}
	evconnlistener_set_error_cb(m->listener, on_accept_failed);
	evhttp_set_bevcb(m->http, on_accepted, m);
	evhttp_set_allowed_methods(m->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(m->http, HEADERS_MAX);
	evhttp_set_max_body_size(m->http, 0);
	evhttp_set_timeout(m->http, METRICS_TIMEOUT_S);
	evhttp_set_gencb(m->http, on_request, m);
	*ret = m;
	return 0;
fail:
	if (own_fd >= 0)
		close(own_fd);
	if (m != NULL && m->http != NULL)
		evhttp_free(m->http);
	free(m);
	return -ENOMEM;
}

void
server_metrics_free(struct server_metrics *m)
{
	if (m == NULL)
		return;
	evhttp_free(m->http);
	server_metrics_sweep(m, true);
	free(m);
}
