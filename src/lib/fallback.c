/*
 * fallback.c: reads through the control socket.
 */
#include "lib/fallback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/segment.h"

#define COME_HOME_CADENCE 256 /* reads between two checks whether the segment can be read again */

static int
fallback_ask(struct peek *p, const char *line, size_t line_len, int64_t deadline_ms,
    struct wire_reply *ret, char **ret_heap)
{
	int r = -ECONNRESET;

	/* a second time, since the daemon may have been restarted */
	for (int i = 0; i < 2 && (r == -ECONNRESET || r == -EPIPE); i++) {
		struct iovec iov = {(void *)(uintptr_t)line, line_len};
		if ((r = sock_open(p, CONN_WRITES, deadline_ms)) == 0 &&
		    (r = sock_send(p, CONN_WRITES, &iov, 1, deadline_ms)) == 0)
			r = sock_reply(p, CONN_WRITES, deadline_ms, ret, ret_heap);
	}
	return r;
}

static ssize_t
take_value(const struct wire_reply *re, void *buf, size_t buf_cap, struct peek_info *ret_info)
{
	if (re->code == WIRE_RE_EN)
		return -ENOENT;
	if (re->code != WIRE_RE_VA)
		return -EBADMSG;
	if (ret_info != NULL) {
		struct wire_item_reply item = wire_reply_item(re);
		*ret_info = (struct peek_info){
		    .value_len = re->data_bytes,
		    .flags = item.flags,
		    .cas = item.cas,
		    .ttl_s = item.ttl_s,
		    .stale = item.stale ? PEEK_STALE : 0,
		};
	}
	if (re->data_bytes > buf_cap)
		return -ENOSPC;
	if (re->data_bytes > 0)
		memcpy(buf, re->data, re->data_bytes);
	return (ssize_t)re->data_bytes;
}

/* To a read, all causes that keep the daemon from answering in time are the
 * same. */
static ssize_t
error_of_ask(int error)
{
	return error == -EBADMSG || error == -ENOMEM ? error : -EPROTO;
}

ssize_t
fallback_get(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap,
    struct peek_info *ret_info)
{
	char line[WIRE_KEY_B64_MAX + 64], *heap = NULL;
	struct wire_out out = {.buf = line, .cap = sizeof(line)};
	struct wire_reply re;
	int64_t deadline_ms = sock_deadline_ms(p);
	/* the shared cell: a read through the socket need not be fast */
	struct hint_cell *cell = &p->own.cells[HINT_CELLS_PER_CLIENT - 1];

	if ((p->flags & (PEEK_NO_FALLBACK | PEEK_READ_ONLY)) != 0 ||
	    seq_load_ptr(&p->own.foreign) == NULL)
		return -EPROTO;
	wire_put_meta(&out, WIRE_MG, key, key_len, -1, "v f t c");
	word_add_rlx(&cell->slow, 1);
	int cancel = guard_enter();
	ssize_t r = guard_lock(&p->own.sock_lock, deadline_ms);
	if (r == 0) {
		r = fallback_ask(p, out.buf, out.len, deadline_ms, &re, &heap);
		r = r == 0 ? take_value(&re, buf, buf_cap, ret_info) : error_of_ask((int)r);
		pthread_mutex_unlock(&p->own.sock_lock);
	} else {
		r = error_of_ask((int)r);
	}
	free(heap);
	guard_leave(cancel);
	if (r >= 0 || r == -ENOSPC)
		word_add_rlx(&cell->hits, 1);
	else if (r == -ENOENT)
		word_add_rlx(&cell->misses, 1);
	if (r == -EPROTO || word_load_rlx(&cell->slow) % COME_HOME_CADENCE == 0)
		segment_come_home(p);
	return r;
}
