/*
 * retired.c: gives the memory of retired segments back (segment.h).
 *
 * A reader that was in the middle of a read when its segment was retired may
 * still look at the segment, and a reader that was opened with PEEK_NO_FOLLOW
 * goes on with it. So every bucket is entered, emptied and left odd, and every
 * incarnation is raised, before the pages of the arena go. From then on no
 * reader believes a byte of it. The header, the buckets and the incarnations
 * stay as long as a process has them mapped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/host/log.h"
#include "daemon/segment/segment.h"
#include "engine/crash.h"
#include "shm/seq.h"

#define SLICE_BUCKETS 65536 /* 4 MiB of lines: about 2 ms */
#define SLICE_BLOCKS  65536
#define SLICE_BYTES   (UINT64_C(256) << 20)

#define LOOK_EVERY_MS 1000

/* Enters the buckets [from, to), empties them and leaves them odd. The sequence
 * of an overflow bucket isn't used, so it may be odd too. */
static void
empty_buckets(struct bucket *buckets, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		if ((word_load_rlx(&buckets[i].seq) & 1) == 0) /* relaxed: no other writer */
			seq_mark(&buckets[i].seq);
	}
	seq_marked();
	for (uint64_t i = from; i < to; i++) {
		for (unsigned k = 0; k < BUCKET_SLOTS; k++)
			/* relaxed: inside the odd window, which never ends */
			word_store_rlx(&buckets[i].slot[k], 0);
	}
}

/* Does one slice; false: all is done. The head buckets come first, because
 * readers reach everything else through them. */
static bool
empty_slice(struct retired *rt)
{
	const struct map *m = &rt->map;
	/* relaxed, both: no other writer */
	uint64_t n_buckets = word_load_rlx(&m->header->count) & COUNT_MASK;
	uint64_t n_overflow = word_load_rlx(&m->header->n_overflow);
	uint64_t at = rt->at, n;

	if (n_buckets > m->n_buckets_max || n_overflow > m->n_overflow_max)
		return false;
	if (at < n_buckets) {
		n = n_buckets - at < SLICE_BUCKETS ? n_buckets - at : SLICE_BUCKETS;
		empty_buckets(m->buckets, at, at + n);
		rt->at += n;
		return true;
	}
	at -= n_buckets;
	if (at < n_overflow) {
		n = n_overflow - at < SLICE_BUCKETS ? n_overflow - at : SLICE_BUCKETS;
		empty_buckets(m->overflow, at, at + n);
		rt->at += n;
		return true;
	}
	at -= n_overflow;
	if (at < m->n_blocks) {
		n = m->n_blocks - at < SLICE_BLOCKS ? m->n_blocks - at : SLICE_BLOCKS;
		for (uint64_t i = at; i < at + n; i++)
			seq_retire(&m->blocks[i].incarnation);
		rt->at += n;
		return true;
	}
	at -= m->n_blocks;
	if (at >= m->arena_bytes)
		return false;
	n = m->arena_bytes - at < SLICE_BYTES ? m->arena_bytes - at : SLICE_BYTES;
	if (fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(m->arena_off + at),
		(off_t)n) != 0) {
		log_warning("%s: its memory can't be given back: %s", rt->object, strerror(errno));
		return false;
	}
	rt->at += n;
	return true;
}

/*
 * True: readers had their time to follow. The time is the file's, which was
 * renamed when it was set aside, and not this process's: a daemon that never
 * lives long gives memory back, too.
 */
static bool
retired_lingered(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age_ms = (now.tv_sec - st->st_ctim.tv_sec) * INT64_C(1000) +
	    (now.tv_nsec - st->st_ctim.tv_nsec) / 1000000;
	return age_ms < 0 || age_ms >= SEGMENT_LINGER_MS; /* below 0: the clock was set back */
}

enum found { FOUND_NONE, FOUND_YOUNG, FOUND_ONE };

/*
 * Finds a retired segment aside and opens it. A retired segment of another
 * layout only loses its name: its readers keep it until they follow. A file
 * that was never a segment stays for its owner to look at. young_too: also a
 * segment that readers may still be leaving.
 */
static enum found
retired_look(struct retired *rt, const char *name, bool young_too)
{
	char prefix[MAP_NAME_MAX + 32];
	struct dirent *e;
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "peekd.%s.aside-", name);
	DIR *dir = opendir("/dev/shm");
	enum found found = FOUND_NONE;

	if (dir == NULL)
		return FOUND_NONE;
	while (found != FOUND_ONE && (e = readdir(dir)) != NULL) {
		char path[sizeof(rt->object) + 16], socket_path[LAYOUT_SOCKET_WORDS * 8];
		struct stat st;
		int r;

		if (strncmp(e->d_name, prefix, len) != 0)
			continue;
		snprintf(rt->object, sizeof(rt->object), "%s", e->d_name);
		if (!young_too && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !retired_lingered(&st)) {
			found = FOUND_YOUNG;
			continue;
		}
		r = map_open(rt->object, true, (uid_t)-1, &rt->map);
		if (r == 0 && (word_load_rlx(&rt->map.header->count) & COUNT_RETIRED) != 0)
			found = FOUND_ONE;
		else if (r == 0)
			map_close(&rt->map);
		else if (r == -EPROTO &&
		    map_peek_socket(rt->object, (uid_t)-1, socket_path, sizeof(socket_path)) == 0 &&
		    map_object_path(rt->object, path, sizeof(path)) == 0 && unlink(path) == 0)
			log_info("%s is removed", rt->object);
	}
	closedir(dir);
	return found;
}

void
retired_give_back(struct retired *rt, const char *name, uint32_t now_ms)
{
	char path[sizeof(rt->object) + 16];

	switch (rt->step) {
	case RETIRED_WAITING:
		if (now_ms - rt->looked_ms >= LOOK_EVERY_MS)
			rt->step = RETIRED_LOOKING;
		return;
	case RETIRED_LOOKING:
		rt->looked_ms = now_ms;
		rt->at = 0;
		switch (retired_look(rt, name, false)) {
		case FOUND_ONE:
			rt->step = RETIRED_EMPTYING;
			return;
		case FOUND_YOUNG:
			rt->step = RETIRED_WAITING;
			return;
		case FOUND_NONE:
			rt->step = RETIRED_DONE;
			return;
		}
		return;
	case RETIRED_EMPTYING:
		if (empty_slice(rt)) {
			CRASH_POINT("aside:slice emptied");
			return;
		}
		CRASH_POINT("aside:emptied");
		map_close(&rt->map);
		if (map_object_path(rt->object, path, sizeof(path)) != 0 || unlink(path) != 0) {
			log_warning("%s can't be removed: %s", rt->object, strerror(errno));
			rt->step = RETIRED_DONE;
			return;
		}
		log_info("%s: its memory is given back", rt->object);
		rt->step = RETIRED_LOOKING;
		return;
	case RETIRED_DONE:
		return;
	}
}

void
retired_drop(struct retired *rt, const char *name)
{
	char path[sizeof(rt->object) + 16];

	if (rt->step == RETIRED_EMPTYING)
		map_close(&rt->map);
	rt->step = RETIRED_DONE;
	while (retired_look(rt, name, true) == FOUND_ONE) {
		map_close(&rt->map);
		if (map_object_path(rt->object, path, sizeof(path)) != 0 || unlink(path) != 0)
			return;
	}
}
