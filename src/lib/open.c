/*
 * open.c: a handle's beginning and end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/activate.h"
#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/handle.h"
#include "lib/hint_client.h"
#include "lib/segment.h"

#define ATTACH_AT_OPEN_MS  100
#define TIMEOUT_DEFAULT_MS 1000

/* Reads PEEK_SOCKET and PEEK_OWNER. A program that runs with another user's
 * rights ignores them. */
static int
read_environment(struct peek *p)
{
	const char *path = secure_getenv("PEEK_SOCKET"), *owner = secure_getenv("PEEK_OWNER");

	p->owner = (struct owner){(uid_t)-1, owner_of_service()};
	if (path != NULL && strlen(path) >= sizeof(p->socket_path))
		return -EINVAL;
	if (path != NULL)
		memcpy(p->socket_path, path, strlen(path) + 1);
	if (owner != NULL && owner[0] != '\0') {
		uint32_t uid;
		if (!wire_u32(owner, strlen(owner), &uid))
			return -EINVAL;
		p->owner.named = uid;
	}
	return 0;
}

static int
open_handle(const char *name, unsigned flags, struct peek **ret_peek)
{
	struct peek *p =
	    mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	int r = madvise(p, HANDLE_PAGE_BYTES, MADV_WIPEONFORK) == 0 ? 0 : -EIO;
	p->flags = flags;
	word_store_rlx(&p->timeout_ms, TIMEOUT_DEFAULT_MS);
	snprintf(p->object, sizeof(p->object), "peekd.%s", name);
	clock_read_shift(&p->shift);
	if (r == 0 && (r = read_environment(p)) == 0)
		r = segment_first(p);
	if (r == -ENOENT)
		r = activate_instance(p);
	const struct attached *a = seq_load_ptr(&p->own.now);
	if (r == 0 && a == NULL &&
	    sock_open(p, CONN_WRITES, sock_now_ms() + ATTACH_AT_OPEN_MS) != 0)
		r = -EPROTO;
	if (r != 0) {
		peek_close(p);
		return r;
	}
	if (a != NULL && hint_client_writer_runs(a))
		hint_client_attach(p, a, ATTACH_AT_OPEN_MS); /* reads work as well without it */
	*ret_peek = p;
	return 0;
}

int
peek_open(const char *name, unsigned flags, struct peek **ret_peek)
{
	if (name == NULL)
		name = "default";
	if (!map_name_ok(name) || (flags & ~HANDLE_FLAGS) != 0)
		return -EINVAL;
	int cancel = guard_enter(), r = open_handle(name, flags, ret_peek);
	guard_leave(cancel);
	return r;
}

void
peek_close(struct peek *p)
{
	if (p == NULL)
		return;
	int cancel = guard_enter();
	for (unsigned i = 0; i < CONN_N; i++)
		sock_close(p, (enum sock_of)i);
	segment_close_all(p);
	munmap(p, sizeof(*p));
	guard_leave(cancel);
}
