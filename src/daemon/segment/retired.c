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

static struct {
	enum { ASIDE_LOOKING, ASIDE_WAITING, ASIDE_EMPTYING, ASIDE_DONE } step;
	uint32_t looked_ms;
	struct map map;
	char object[300];
	uint64_t at; /* buckets, then overflow buckets, blocks, bytes of the arena */
} aside;

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
empty_slice(void)
{
	const struct map *m = &aside.map;
	/* relaxed, both: no other writer */
	uint64_t n_buckets = word_load_rlx(&m->header->count) & COUNT_MASK;
	uint64_t n_overflow = word_load_rlx(&m->header->n_overflow);
	uint64_t at = aside.at, n;

	if (n_buckets > m->n_buckets_max || n_overflow > m->n_overflow_max)
		return false;
	if (at < n_buckets) {
		n = n_buckets - at < SLICE_BUCKETS ? n_buckets - at : SLICE_BUCKETS;
		empty_buckets(m->buckets, at, at + n);
		aside.at += n;
		return true;
	}
	at -= n_buckets;
	if (at < n_overflow) {
		n = n_overflow - at < SLICE_BUCKETS ? n_overflow - at : SLICE_BUCKETS;
		empty_buckets(m->overflow, at, at + n);
		aside.at += n;
		return true;
	}
	at -= n_overflow;
	if (at < m->n_blocks) {
		n = m->n_blocks - at < SLICE_BLOCKS ? m->n_blocks - at : SLICE_BLOCKS;
		for (uint64_t i = at; i < at + n; i++)
			seq_retire(&m->blocks[i].incarnation);
		aside.at += n;
		return true;
	}
	at -= m->n_blocks;
	if (at >= m->arena_bytes)
		return false;
	n = m->arena_bytes - at < SLICE_BYTES ? m->arena_bytes - at : SLICE_BYTES;
	if (fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(m->arena_off + at),
		(off_t)n) != 0) {
		log_warning(
		    "%s: its memory can't be given back: %s", aside.object, strerror(errno));
		return false;
	}
	aside.at += n;
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
retired_look(const char *name, bool young_too)
{
	char prefix[MAP_NAME_MAX + 32];
	struct dirent *e;
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "peekd.%s.aside-", name);
	DIR *dir = opendir("/dev/shm");
	enum found found = FOUND_NONE;

	if (dir == NULL)
		return FOUND_NONE;
	while (found != FOUND_ONE && (e = readdir(dir)) != NULL) {
		char path[sizeof(aside.object) + 16], socket_path[LAYOUT_SOCKET_WORDS * 8];
		struct stat st;
		int r;

		if (strncmp(e->d_name, prefix, len) != 0)
			continue;
		snprintf(aside.object, sizeof(aside.object), "%s", e->d_name);
		if (!young_too && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !retired_lingered(&st)) {
			found = FOUND_YOUNG;
			continue;
		}
		r = map_open(aside.object, true, (uid_t)-1, &aside.map);
		if (r == 0 && (word_load_rlx(&aside.map.header->count) & COUNT_RETIRED) != 0)
			found = FOUND_ONE;
		else if (r == 0)
			map_close(&aside.map);
		else if (r == -EPROTO &&
		    map_peek_socket(aside.object, (uid_t)-1, socket_path, sizeof(socket_path)) ==
			0 &&
		    map_object_path(aside.object, path, sizeof(path)) == 0 && unlink(path) == 0)
			log_info("%s is removed", aside.object);
	}
	closedir(dir);
	return found;
}

void
retired_give_back(const char *name, uint32_t now_ms)
{
	char path[sizeof(aside.object) + 16];

	switch (aside.step) {
	case ASIDE_WAITING:
		if (now_ms - aside.looked_ms >= LOOK_EVERY_MS)
			aside.step = ASIDE_LOOKING;
		return;
	case ASIDE_LOOKING:
		aside.looked_ms = now_ms;
		aside.at = 0;
		switch (retired_look(name, false)) {
		case FOUND_ONE:
			aside.step = ASIDE_EMPTYING;
			return;
		case FOUND_YOUNG:
			aside.step = ASIDE_WAITING;
			return;
		case FOUND_NONE:
			aside.step = ASIDE_DONE;
			return;
		}
		return;
	case ASIDE_EMPTYING:
		if (empty_slice()) {
			CRASH_POINT("aside:slice emptied");
			return;
		}
		CRASH_POINT("aside:emptied");
		map_close(&aside.map);
		if (map_object_path(aside.object, path, sizeof(path)) != 0 || unlink(path) != 0) {
			log_warning("%s can't be removed: %s", aside.object, strerror(errno));
			aside.step = ASIDE_DONE;
			return;
		}
		log_info("%s: its memory is given back", aside.object);
		aside.step = ASIDE_LOOKING;
		return;
	case ASIDE_DONE:
		return;
	}
}

void
retired_drop(const char *name)
{
	char path[sizeof(aside.object) + 16];

	if (aside.step == ASIDE_EMPTYING)
		map_close(&aside.map);
	aside.step = ASIDE_DONE;
	while (retired_look(name, true) == FOUND_ONE) {
		map_close(&aside.map);
		if (map_object_path(aside.object, path, sizeof(path)) != 0 || unlink(path) != 0)
			return;
	}
}
