/*
 * activate.c: see activate.h.
 */
#include "lib/activate.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "lib/sock.h"
#include "lib/segment.h"

#define ACTIVATE_MS 5000 /* the daemon's start makes the segment, and may take over a large one */
#define SLICE_MS    10   /* between two looks for the segment, while nothing is answered */

#define OBJECT_PREFIX "peekd."

/*
 * The i-th place where the instance's daemon may listen: this user's own, then
 * the host's (src/daemon/net/listen.c chooses among the same). False: there is
 * no such place. *ret_more says whether there may be a later one.
 */
static bool
activate_place(const struct peek *p, unsigned i, char *path, size_t cap, bool *ret_more)
{
	const char *session = secure_getenv("XDG_RUNTIME_DIR"),
		   *name = p->object + strlen(OBJECT_PREFIX);
	char dir[sizeof(p->foreign_socket)] = "/run/peekd";
	bool usable = true;

	*ret_more = i < 2 && p->socket_path[0] == '\0';
	if (i == 0 && p->socket_path[0] != '\0')
		return snprintf(path, cap, "%s", p->socket_path) < (int)cap;
	if (i == 0)
		usable = session != NULL && session[0] == '/' &&
		    snprintf(dir, sizeof(dir), "%s/peekd", session) < (int)sizeof(dir);
	else if (i == 1)
		snprintf(dir, sizeof(dir), "/tmp/peekd-%u", (unsigned)geteuid());
	if (i < 2)
		usable = usable && geteuid() != 0 && own_directory(dir);
	return usable && snprintf(path, cap, "%s/%s.sock", dir, name) < (int)cap;
}

/*
 * Waits until the segment is there or the daemon has answered: a daemon that
 * answers has had its time to make the segment. A connection that is hung up is
 * an answer too.
 */
static int
wait_for_segment(struct peek *p, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd pfd = {
		    .fd = p->own.conn[CONN_WRITES].fd_plus_1 - 1, .events = POLLIN};
		bool answered = poll(&pfd, 1, SLICE_MS) > 0;
		int r = segment_first(p);

		if (r != -ENOENT || answered || sock_now_ms() >= deadline_ms)
			return r;
	}
}

/* Asks the daemon that listens at the path for a sign of life, which needs no
 * right, and waits for the segment. */
static int
ask_at(struct peek *p, const char *path, int64_t deadline_ms)
{
	char question[] = "mn\r\n";
	struct iovec iov = {question, sizeof(question) - 1};

	snprintf(p->foreign_socket, sizeof(p->foreign_socket), "%s", path);
	int r = sock_open(p, CONN_WRITES, deadline_ms);
	p->foreign_socket[0] = '\0';
	if (r != 0 || sock_send(p, CONN_WRITES, &iov, 1, deadline_ms) != 0)
		return -ENOENT;
	r = wait_for_segment(p, deadline_ms);
	sock_close(p, CONN_WRITES);
	return r;
}

int
activate_instance(struct peek *p)
{
	int64_t deadline_ms = sock_now_ms() + ACTIVATE_MS;
	char path[sizeof(p->foreign_socket)];
	bool more = true;
	int r = -ENOENT;

	if ((p->flags & PEEK_READ_ONLY) != 0)
		return -ENOENT;
	for (unsigned i = 0; r == -ENOENT && more; i++)
		if (activate_place(p, i, path, sizeof(path), &more))
			r = ask_at(p, path, deadline_ms);
	return r;
}
