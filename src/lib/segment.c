/*
 * segment.c: attaching to a segment, and following to its successor.
 */
#include "lib/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/guard.h"
#include "lib/hint_client.h"
#include "lib/lookup_fast.h"
#include "lib/owner.h"

/* a name may be missing for this many milliseconds while the daemon replaces
 * its segment */
#define RENAME_TRIES 10

/* Opens the segment that the name means now. -ENOENT also for a segment that
 * was retired and has no successor. */
static int
open_current(const struct peek *p, struct map *ret)
{
	for (uint64_t retired = UINT64_MAX;;) {
		int r = owner_map_open(p->object, &p->owner, ret);
		/* relaxed: a segment that is retired just after this load is
		 * noticed by the next read */
		if (r != 0 || (p->flags & PEEK_NO_FOLLOW) != 0 ||
		    (word_load_rlx(&ret->header->count) & COUNT_RETIRED) == 0)
			return r;
		bool same = ret->generation == retired;
		retired = ret->generation; /* the name may mean another segment by now */
		map_close(ret);
		if (same)
			return -ENOENT;
		seq_follow();
	}
}

static int
open_named(struct peek *p, struct attached **ret)
{
	struct attached *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return -ENOMEM;
	int r = open_current(p, &a->map);
	if (r != 0) {
		free(a);
		return r;
	}
	a->p = p;
	a->owns_map = true;
	a->cells = p->own.cells;
	a->shift = p->shift;
	a->secret = hash_secret_of(a->map.seed);
	a->item_off_max = lookup_item_off_max(&a->map);
	a->identity = hash_key(&a->map.generation, sizeof(a->map.generation), a->map.seed);
	a->stay = (p->flags & PEEK_NO_FOLLOW) != 0;
	*ret = a;
	return 0;
}

/* With attach_lock, or before there is another thread. */
static void
segment_publish(struct peek *p, struct attached *a)
{
	a->older = seq_load_ptr(&p->newest);
	seq_publish_ptr(&p->newest, a);
	seq_publish_ptr(&p->own.now, a);
	seq_publish_ptr(&p->own.foreign, NULL);
}

/* With attach_lock: makes reads go through the socket from now on, if the
 * daemon can be found and the handle allows it. */
static int
publish_foreign(struct peek *p)
{
	if ((p->flags & (PEEK_NO_FALLBACK | PEEK_READ_ONLY)) != 0 ||
	    (owner_map_peek_socket(
		 p->object, &p->owner, p->foreign_socket, sizeof(p->foreign_socket)) != 0 &&
		p->socket_path[0] == '\0'))
		return -EPROTO;
	seq_publish_ptr(&p->own.foreign, p);
	seq_publish_ptr(&p->own.now, NULL);
	return 0;
}

int
segment_first(struct peek *p)
{
	struct attached *a = NULL;
	int r = 0;

	for (int i = 0; i < RENAME_TRIES; i++) {
		r = open_named(p, &a);
		if (r != -ENOENT)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (r == 0)
		segment_publish(p, a);
	return r == -EPROTO ? publish_foreign(p) : r;
}

int
segment_ready(struct peek *p)
{
	int r = 0, cancel = guard_enter();

	pthread_mutex_lock(&p->own.attach_lock);
	if (seq_load_ptr(&p->own.now) == NULL && seq_load_ptr(&p->own.foreign) == NULL) {
		clock_read_shift(&p->shift); /* a child may live in another time namespace */
		const struct attached *newest = seq_load_ptr(&p->newest);
		struct attached *a = newest != NULL ? malloc(sizeof(*a)) : NULL;
		if (a != NULL) {
			*a = *newest;
			a->owns_map = false;
			a->hints = NULL;
			a->hint_addr = NULL;
			a->epoch = 0;
			a->cells = p->own.cells;
			a->shift = p->shift;
			segment_publish(p, a);
		} else if (newest != NULL) {
			r = -ENOMEM;
		} else {
			seq_publish_ptr(&p->own.foreign, p);
		}
	}
	const struct attached *now = seq_load_ptr(&p->own.now);
	pthread_mutex_unlock(&p->own.attach_lock);
	guard_leave(cancel);
	if (r == 0 && now == NULL)
		return -EPROTO;
	if (r == 0 && (p->flags & PEEK_NO_FOLLOW) == 0 && now->epoch == 0)
		hint_client_look_after(p, now);
	return r;
}

int
segment_follow(struct peek *p, const struct attached *from)
{
	struct attached *a = NULL;
	int r = 0, cancel = guard_enter();

	seq_follow();
	pthread_mutex_lock(&p->own.attach_lock);
	bool first = seq_load_ptr(&p->own.now) == from;
	if (first) {
		r = open_named(p, &a);
		if (r == 0)
			segment_publish(p, a);
		else if (r == -EPROTO)
			r = publish_foreign(p);
	}
	pthread_mutex_unlock(&p->own.attach_lock);
	if (first && r == 0)
		hint_client_retire(p, from);
	guard_leave(cancel);
	return r;
}

int
segment_extend(struct peek *p, const struct attached *from)
{
	struct attached *a = malloc(sizeof(*a)), *old;
	int r = a != NULL ? 0 : -ENOMEM;

	pthread_mutex_lock(&p->own.attach_lock);
	old = seq_load_ptr(&p->own.now);
	if (r == 0 && old == from && (r = map_extend(&old->map, &a->map)) == 0) {
		struct map map = a->map;
		*a = *old;
		a->map = map;
		a->owns_map = false;
		old->hint_addr = NULL; /* the newest gives it back */
		segment_publish(p, a);
		a = NULL;
	}
	pthread_mutex_unlock(&p->own.attach_lock);
	free(a);
	if (r == -EALREADY)
		return -EBADMSG;
	/* Emulators and filters of system calls don't know each form of
	 * mremap. */
	return r != 0 && (p->flags & PEEK_NO_FOLLOW) == 0 ? segment_follow(p, from) : r;
}

void
segment_come_home(struct peek *p)
{
	struct attached *a = NULL;
	int cancel = guard_enter();

	pthread_mutex_lock(&p->own.attach_lock);
	if (seq_load_ptr(&p->own.now) == NULL && open_named(p, &a) == 0)
		segment_publish(p, a);
	pthread_mutex_unlock(&p->own.attach_lock);
	guard_leave(cancel);
}

void
segment_close_all(struct peek *p)
{
	struct attached *a = seq_load_ptr(&p->newest);

	while (a != NULL) {
		struct attached *older = a->older;
		if (a->hint_addr != NULL)
			munmap(a->hint_addr, a->hint_bytes);
		if (a->owns_map)
			map_close(&a->map);
		free(a);
		a = older;
	}
}
