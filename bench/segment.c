/*
 * segment.c: creates and removes a segment.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/handle.h"
#include "segment.h"

/* The object that a signal's handler removes. */
static char left_behind[256];
static pid_t creator;

static void
remove_object(void)
{
	if (left_behind[0] != '\0' && getpid() == creator)
		unlink(left_behind);
	left_behind[0] = '\0';
}

static void
on_signal(int signo)
{
	remove_object();
	signal(signo, SIG_DFL);
	raise(signo);
}

int
own_segment_create(const struct own_conf *want, struct own_segment *ret)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	static unsigned n_created;
	struct own_segment s = {.now_s = 0};
	struct store_conf conf = {.evict = true,
	    .item_max_bytes = want->item_max_bytes != 0 ? want->item_max_bytes : ITEM_VALUE_MAX};
	struct store_recovery recovery;
	struct geometry g;
	char object[MAP_NAME_MAX + 16];

	uint64_t hash_seed = want->hash_seed;

	if (hash_seed == 0 && getrandom(&hash_seed, sizeof(hash_seed), 0) != sizeof(hash_seed))
		hash_seed = (uint64_t)getpid();
	int r = map_plan_geometry(want->arena_bytes, want->block_shift, &g);
	if (r != 0)
		return r;
	snprintf(s.name, sizeof(s.name), "bench-%ld-%u", (long)getpid(), n_created++);
	snprintf(object, sizeof(object), "peekd.%s", s.name);
	if ((r = map_create(object, &g, 0600, (gid_t)-1, hash_seed, 1, "", &s.map)) != 0)
		return r;
	map_object_path(object, left_behind, sizeof(left_behind));
	if (creator == 0) {
		for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			signal(signals[i], on_signal);
		atexit(remove_object);
	}
	creator = getpid();
	*ret = s;
	clock_read_shift(&ret->shift);
	ret->now_s = clock_word_s(clock_word_now(&ret->shift));
	if ((r = store_open(&ret->map, &conf, ret->now_s, &ret->store, &recovery)) != 0) {
		map_close(&ret->map);
		remove_object();
		return r;
	}
	own_segment_tick(ret);
	map_publish(&ret->map);
	return 0;
}

int
own_segment_add_hints(struct own_segment *s)
{
	struct hint_layout l = hint_plan(s->map.n_buckets_max, s->map.n_overflow_max, 1);
	void *page = mmap(NULL, l.total_bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	s->hints = page;
	s->n_hint_bytes = l.cells_at;
	store_set_hints(s->store, s->hints, s->n_hint_bytes);
	return 0;
}

int
own_segment_open(const struct own_segment *s, bool with_hints, struct peek **ret)
{
	int r = peek_open(s->name, PEEK_READ_ONLY | PEEK_NO_FOLLOW, ret);

	if (r == 0 && with_hints) { /* the daemon would send this; nobody else has the handle yet */
		struct attached *a = seq_load_ptr(&(*ret)->own.now);
		a->hints = s->hints;
	}
	return r;
}

void
own_segment_tick(struct own_segment *s)
{
	uint64_t word = clock_word_now(&s->shift);

	s->now_s = clock_word_s(word);
	store_tick(s->store, word);
}

void
own_segment_tick_at(struct own_segment *s, uint32_t now_s)
{
	s->now_s = now_s;
	store_tick(s->store, (uint64_t)now_s << 32 | (uint32_t)clock_coarse_ms(&s->shift));
}

void
own_segment_destroy(struct own_segment *s)
{
	store_close(s->store);
	if (s->hints != NULL)
		munmap(s->hints,
		    hint_plan(s->map.n_buckets_max, s->map.n_overflow_max, 1).total_bytes);
	map_close(&s->map);
	remove_object();
}
