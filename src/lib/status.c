/*
 * status.c: what a handle knows about itself and its segment; errors and
 * versions in words.
 */
#include <errno.h>
#include <string.h>

#include "lib/sock.h"
#include "lib/guard.h"
#include "lib/handle.h"
#include "lib/hint_client.h"
#include "lib/segment.h"

#define ATTACH_IN_STATUS_MS 100

static void
add_cell(const struct hint_cell *cell, struct peek_status *s)
{
	/* relaxed: each count is exact for the moment of its load */
	uint64_t hits = word_load_rlx(&cell->hits), misses = word_load_rlx(&cell->misses);

	s->gets += hits + misses;
	s->hits += hits;
	s->misses += misses;
	s->retries += word_load_rlx(&cell->retries);
}

static void
add_counts(struct peek *p, const struct attached *a, struct peek_status *s)
{
	add_cell(&p->own.past, s);
	for (unsigned i = 0; i < HINT_CELLS_PER_CLIENT; i++) {
		add_cell(&p->own.cells[i], s);
		if (a != NULL && a->cells != p->own.cells)
			add_cell(&a->cells[i], s);
	}
}

int
peek_status(struct peek *p, struct peek_status *ret_status)
{
	struct peek_status s = {0};

	if (p == NULL || ret_status == NULL)
		return -EINVAL;
	int cancel = guard_enter();
	if (seq_load_ptr(&p->own.now) == NULL)
		segment_ready(p);
	const struct attached *a = seq_load_ptr(&p->own.now);
	if (a != NULL && hint_client_writer_runs(a) &&
	    word_load_rlx(&a->map.header->writer_epoch) != a->epoch) {
		hint_client_attach(p, a, ATTACH_IN_STATUS_MS);
		a = seq_load_ptr(&p->own.now);
	}
	if (a != NULL) {
		const struct header *h = a->map.header;
		s.generation = a->map.generation;
		s.writer_pid = (int64_t)word_load_rlx(&h->writer_pid);
		s.writer_present = hint_client_writer_runs(a);
		s.writer_silent_ms = clock_silent_ms(word_load_rlx(&h->clock), &a->shift);
		s.hinting = a->hints != NULL && word_load_rlx(&h->writer_epoch) == a->epoch;
		s.n_buckets = word_load_rlx(&h->count) & COUNT_MASK;
		s.arena_bytes = a->map.arena_bytes;
	}
	s.fallback = seq_load_ptr(&p->own.foreign) != NULL;
	add_counts(p, a, &s);
	sock_socket_path(p, s.socket_path);
	guard_leave(cancel);
	*ret_status = s;
	return 0;
}

const char *
peek_strerror(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return "success";
	case ENOENT:
		return "no such key, or no such instance";
	case EAGAIN:
		return "the bucket is being rewritten by a daemon that does not run";
	case ENOSPC:
		return "the buffer is too small, or the daemon is out of room";
	case EINVAL:
		return "an argument is not allowed";
	case EMSGSIZE:
		return "the value is larger than the daemon accepts";
	case EEXIST:
		return "the key is there already, or has another CAS id";
	case EDOM:
		return "the value is not a decimal number of at most 64 bits";
	case EACCES:
		return "not permitted by the object's mode, the socket's mode or the daemon's "
		       "rules";
	case EPERM:
		return "the segment has the wrong owner or mode and is not believed";
	case EPROTO:
		return "the segment has another layout, and no daemon answers";
	case EBADMSG:
		return "a damaged segment, or a reply that is not in the protocol";
	case ECONNREFUSED:
		return "no daemon listens on the control socket, or it allows no more connections";
	case ETIMEDOUT:
		return "the daemon did not take the request in time, or other threads' took it; "
		       "nothing was changed";
	case EINPROGRESS:
		return "the reply was lost: the request may or may not have been carried out";
	case ENOMEM:
		return "out of memory";
	case ENOTSUP:
		return "the value does not lie in one piece, or the segment has another layout";
	case ESTALE:
		return "the segment was replaced and its memory given back: open the instance anew";
	case EIO:
		return "a system call failed";
	default:
		return "unknown error";
	}
}

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

const char *
peek_version(void)
{
	return TEXT(PEEK_VERSION_MAJOR) "." TEXT(PEEK_VERSION_MINOR) "." TEXT(PEEK_VERSION_PATCH);
}
