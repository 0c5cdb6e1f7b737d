/* listen_tcp.c: TCP, for clients and for metrics. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/net/listen_private.h"
#include "daemon/host/log.h"
#include "shm/layout.h"

#define DEFAULT_TCP_PORT 11211
#define LISTEN           "listen (-l, -p)"

int
listen_add(struct listeners *ls, int fd, bool is_unix)
{
	if (ls->n == LISTENERS_MAX) {
		log_error("more than %d sockets to listen on", LISTENERS_MAX);
		close(fd);
		return EX_USAGE;
	}
	ls->l[ls->n++] = (struct listener){fd, is_unix};
	return 0;
}

static bool
is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Warns of an address that other hosts may reach. */
static void
warn_if_reachable(const struct conf *conf, const struct sockaddr *sa, const char *shown)
{
	static const char *const may[3] = {
	    "read", "read and change", "read, change, list and flush"};

	if (!is_loopback(sa))
		log_warning(
		    "%s is not a loopback address: everybody who reaches it can %s the cache "
		    "(tcp_access), and nothing is encrypted",
		    shown, may[conf->tcp_access]);
}

/*
 * A socket of one family, bound and listening. In a check it is only bound, and
 * closed again, and *ret_fd is -1. *ret_fd is -1 too if the host has no such
 * family and others are to be tried.
 */
static int
open_address(const struct opening *o, const char *setting, const struct addrinfo *ai,
    const char *shown, int *ret_fd)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	    error;

	*ret_fd = -1;
	if (fd < 0 && errno == EAFNOSUPPORT)
		return 0;
	if (fd < 0) {
		log_error("%s: %s: no socket: %s", setting, shown, strerror(errno));
		return EX_OSERR;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    (o->only_check || listen(fd, (int)o->conf->listen_backlog) == 0)) {
		if (o->only_check)
			close(fd);
		else
			*ret_fd = fd;
		return 0;
	}
	error = errno;
	close(fd);
	if (error == EADDRINUSE && o->only_check && o->is_running)
		return 0; /* the daemon's own */
	log_error("%s: %s: %s", setting, shown, strerror(error));
	return error == EADDRINUSE ? EX_TEMPFAIL : error == EADDRNOTAVAIL ? EX_USAGE : EX_CANTCREAT;
}

#define DROP_IN \
	"a drop-in of a systemd unit (systemctl edit) sets PrivateNetwork=no, " \
	"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 and IPAddressAllow=localhost"

static int
no_family(const char *setting, const char *shown)
{
	log_error("%s: %s: this process may open no such sockets: %s; " DROP_IN, setting, shown,
	    strerror(EAFNOSUPPORT));
	return EX_USAGE;
}

/* True: the only device of this network namespace is lo. */
static bool
is_private_network(void)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	char line[512];
	bool lo = false, other = false;

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *name = line + strspn(line, " ");

		if (strncmp(name, "lo:", 3) == 0)
			lo = true;
		else if (strchr(name, ':') != NULL)
			other = true;
	}
	fclose(f);
	return lo && !other;
}

/* Warns of a unit's private network, where nobody reaches the port. */
static void
warn_if_private(const char *setting, const char *shown)
{
	if (getenv("INVOCATION_ID") != NULL && is_private_network())
		log_warning("%s: %s: this process has a network of its own, where nobody reaches "
			    "it; " DROP_IN,
		    setting, shown);
}

static int
open_tcp_address(const struct opening *o, const struct addrinfo *ai, const char *shown, bool *any)
{
	int fd, status = open_address(o, LISTEN, ai, shown, &fd);

	if (status != 0)
		return status;
	*any = *any || fd >= 0 || o->only_check;
	if (fd < 0)
		return 0;
	warn_if_reachable(o->conf, ai->ai_addr, shown);
	return listen_add(o->ls, fd, false);
}

/* word: ADDR, ADDR:PORT, [ADDR6]:PORT, or ADDR6. */
static int
open_tcp(const struct opening *o, const char *word, unsigned port)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *all;
	char host[256], service[16], *colon, *end;
	bool any = false;
	int r, status = 0;

	snprintf(host, sizeof(host), "%s", word);
	snprintf(service, sizeof(service), "%u", port);
	colon = strrchr(host, ':');
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		if (colon != NULL && colon > end)
			snprintf(service, sizeof(service), "%.15s", colon + 1);
		*end = '\0';
		memmove(host, host + 1, strlen(host));
	} else if (colon != NULL && strchr(host, ':') == colon) {
		snprintf(service, sizeof(service), "%.15s", colon + 1);
		*colon = '\0';
	}
	r = getaddrinfo(host, service, &hints, &all);
	if (r != 0) {
		log_error("listen (-l) is \"%s\": %s; allowed: ADDR, ADDR:PORT, [ADDR6]:PORT", word,
		    gai_strerror(r));
		return EX_USAGE;
	}
	for (const struct addrinfo *ai = all; ai != NULL && status == 0; ai = ai->ai_next)
		status = open_tcp_address(o, ai, word, &any);
	freeaddrinfo(all);
	if (status == 0 && !any)
		return no_family(LISTEN, word);
	return status;
}

int
listen_open_tcp(const struct opening *o)
{
	const struct conf *conf = o->conf;
	unsigned port = conf->port != 0 ? (unsigned)conf->port : DEFAULT_TCP_PORT;
	const char *at = conf->listen;
	int status;

	if (conf->port != 0 && at[0] == '\0')
		at = "127.0.0.1";
	while (*(at += strspn(at, ", ")) != '\0') {
		char word[256];
		size_t len = strcspn(at, ", ");

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		at += len;
		if ((status = open_tcp(o, word, port)) != 0)
			return status;
		if (!o->only_check)
			warn_if_private(LISTEN, word);
	}
	return 0;
}

/* ---- the addresses in a segment's header --------------------------------- */

/* 0: there may be no loopback address by which a client on this host reaches
 * it. */
static uint64_t
tcp_word(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)ss;
		uint32_t at = ntohl(in->sin_addr.s_addr);
		return at == 0 || at >> 24 == 127 ? layout_tcp(4, at, ntohs(in->sin_port)) : 0;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)ss;
	if (ss->ss_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		return layout_tcp(6, 1, ntohs(in6->sin6_port));
	return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) ? layout_tcp(6, 0, ntohs(in6->sin6_port))
							: 0;
}

size_t
listen_tcp(const struct listeners *l, uint64_t *words, size_t n_max)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && n < n_max; i++) {
		struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(ss);
		if (!l->l[i].is_unix &&
		    getsockname(l->l[i].fd, (struct sockaddr *)&ss, &len) == 0 &&
		    tcp_word(&ss) != 0)
			words[n++] = tcp_word(&ss);
	}
	return n;
}

/* ---- metrics ------------------------------------------------------------- */

/* ADDR:PORT. Metrics tell everything to everybody who reaches them, so the
 * address must be of loopback. */
int
listen_open_metrics_tcp(const struct opening *o, const char *word, int *ret_fd)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
			    .ai_socktype = SOCK_STREAM},
			*ai = NULL;
	char host[128];
	const char *colon = strrchr(word, ':'), *begin = word;
	size_t len = colon != NULL ? (size_t)(colon - word) : 0;
	int status = 0;

	if (len > 2 && word[0] == '[' && word[len - 1] == ']') {
		begin++;
		len -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, begin);
	if (len == 0 || getaddrinfo(host, colon + 1, &hints, &ai) != 0 ||
	    !is_loopback(ai->ai_addr)) {
		log_error("metrics is \"%s\"; allowed: the path of a Unix socket, or ADDR:PORT or "
			  "[ADDR6]:PORT of loopback",
		    word);
		status = EX_USAGE;
	} else {
		status = open_address(o, "metrics", ai, word, ret_fd);
		if (status == 0 && *ret_fd < 0 && !o->only_check)
			status = no_family("metrics", word);
		if (status == 0 && !o->only_check)
			warn_if_private("metrics", word);
	}
	if (ai != NULL)
		freeaddrinfo(ai);
	return status;
}
