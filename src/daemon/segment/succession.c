/*
 * succession.c: see succession.h.
 *
 * The temporary name ends in a hash of the seed of the segment that is built
 * under it. Nobody can foresee the hash, so nobody can take the name before.
 * And a successor knows what it finds there. If the segment of the instance has
 * that very seed, the two were exchanged: the object with the temporary name is
 * the old segment, whatever its layout and its damage. Otherwise it is a new
 * segment that was never finished.
 */
#include "daemon/segment/succession.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/log.h"
#include "engine/crash.h"
#include "shm/hash.h"
#include "shm/seq.h"

static void
object_path(const char *object, char *path)
{
	if (map_object_path(object, path, PATH_BYTES) != 0)
		path[0] = '\0'; /* names were checked */
}

static uint64_t
seed_mark(uint64_t seed)
{
	return hash_key(&seed, sizeof(seed), 0);
}

void
succession_names(const char *name, int64_t now_unix_s, uint64_t seed, struct names *n)
{
	char aside[OBJECT_BYTES];

	snprintf(n->object, sizeof(n->object), "peekd.%s", name);
	snprintf(n->fresh, sizeof(n->fresh), "peekd.%s.new-%016" PRIx64, name, seed_mark(seed));
	snprintf(aside, sizeof(aside), "peekd.%s.aside-%" PRId64 "-%016" PRIx64, name, now_unix_s,
	    seed_mark(~seed));
	object_path(n->object, n->path);
	object_path(n->fresh, n->fresh_path);
	object_path(aside, n->aside_path);
}

/* ---- the old one --------------------------------------------------------- */

void
succession_retire(const struct map *m)
{
	/* relaxed: the writer is this process, or is dead */
	uint64_t count = word_load_rlx(&m->header->count);

	seq_hand_over(&m->header->count, count | COUNT_RETIRED);
}

/* True: these first words are a segment's, of any layout, or were before they
 * were damaged. A foreign file that has the name stays as it is. */
static bool
was_segment(const uint64_t *word, const struct stat *st)
{
	return word[offsetof(struct header, magic) / 8] == LAYOUT_MAGIC ||
	    word[offsetof(struct header, fingerprint) / 8] == LAYOUT_FINGERPRINT ||
	    word[offsetof(struct header, total_bytes) / 8] == (uint64_t)st->st_size;
}

/*
 * Retires a segment that can't be mapped as one of this layout. If it has the
 * magic, it was published and has readers. Magic and count have the same place
 * in every layout.
 */
static void
retire_foreign(const char *path)
{
	uint64_t word[offsetof(struct header, count) / 8 + 1];
	struct stat st;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    pread(fd, word, sizeof(word), 0) == (ssize_t)sizeof(word) && was_segment(word, &st)) {
		uint64_t count = word[offsetof(struct header, count) / 8] | COUNT_RETIRED;

		if (pwrite(fd, &count, 8, offsetof(struct header, count)) != 8)
			log_warning("%s can't be marked retired: %s", path, strerror(errno));
	}
	close(fd);
}

static void
retire_object(const char *object, const char *path)
{
	struct map old;

	if (map_open(object, true, (uid_t)-1, &old) == 0) {
		succession_retire(&old);
		map_close(&old);
	} else
		retire_foreign(path);
}

/* Renames the object aside, under a name that nobody has taken. */
static int
rename_aside(const char *path, const struct names *n)
{
	char aside[PATH_BYTES + 24];
	uint64_t random;

	snprintf(aside, sizeof(aside), "%s", n->aside_path);
	for (int i = 0; i < 4; i++) {
		if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) == 0) {
			log_info("%s: the old one is set aside as %s", n->path, aside);
			return 0;
		}
		if (errno != EEXIST ||
		    getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			break;
		snprintf(aside, sizeof(aside), "%s-%016" PRIx64, n->aside_path, random);
	}
	log_error("%s can't be renamed to %s: %s", path, aside, strerror(errno));
	return EX_OSERR;
}

/* Does steps 3 and 4 for the object with a temporary name. */
static int
put_aside(const char *object, const char *path, const struct names *n)
{
	int status;

	retire_object(object, path);
	CRASH_POINT("handover:old retired");
	status = rename_aside(path, n);
	CRASH_POINT("handover:old aside");
	return status;
}

int
succession_take_name(const struct names *n)
{
	int r = renameat2(AT_FDCWD, n->fresh_path, AT_FDCWD, n->path, RENAME_EXCHANGE);

	if (r == 0) {
		CRASH_POINT("handover:exchanged");
		return put_aside(n->fresh, n->fresh_path, n);
	}
	if (errno == ENOENT &&
	    renameat2(AT_FDCWD, n->fresh_path, AT_FDCWD, n->path, RENAME_NOREPLACE) == 0) {
		CRASH_POINT("create:named");
		return 0;
	}
	r = errno;
	unlink(n->fresh_path);
	if (r == EEXIST)
		log_error("another daemon has made %s meanwhile", n->path);
	else
		log_error("%s can't be renamed to %s: %s", n->fresh_path, n->path, strerror(r));
	return r == EEXIST ? EX_TEMPFAIL : EX_OSERR;
}

/* ---- what a start before this one has left ------------------------------- */

/* "new", as older daemons had it, or "new-" and 16 digits: *ret_mark. */
static bool
is_temporary(const char *ending, bool *ret_marked, uint64_t *ret_mark)
{
	char again[32];

	*ret_marked = sscanf(ending, "new-%16" SCNx64, ret_mark) == 1;
	if (!*ret_marked)
		return strcmp(ending, "new") == 0;
	snprintf(again, sizeof(again), "new-%016" PRIx64, *ret_mark);
	return strcmp(ending, again) == 0;
}

/* True: the object is the older of the two. Without a mark, the segment with
 * the older generation is the one that was replaced. */
static bool
is_older(const char *object, const struct map *now)
{
	struct map left;
	bool older = true; /* if it can't be opened: it was published, if it was a segment */

	if (map_open(object, false, (uid_t)-1, &left) == 0) {
		older = now->header != NULL && left.generation <= now->generation;
		map_close(&left);
	}
	return older;
}

/* True: the segment was published, so it may have readers. */
static bool
has_magic(const char *path)
{
	uint64_t magic = 0;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool has = fd >= 0 && pread(fd, &magic, 8, offsetof(struct header, magic)) == 8 &&
	    magic == LAYOUT_MAGIC;

	if (fd >= 0)
		close(fd);
	return has;
}

static int
finish_one(const char *object, bool marked, uint64_t mark, const struct names *n)
{
	struct map now = {.fd = -1};
	char path[PATH_BYTES];
	bool exchanged;

	object_path(object, path);
	if (map_open(n->object, false, (uid_t)-1, &now) != 0)
		now.header = NULL;
	if (marked)
		exchanged = now.header != NULL && seed_mark(now.seed) == mark;
	else
		exchanged = has_magic(path) && is_older(object, &now);
	map_close(&now);
	if (exchanged) {
		log_notice(
		    "a hand-over that was not finished is finished: the old segment is retired");
		return put_aside(object, path, n);
	}
	/* retired all the same: if it was published, a reader may have it */
	if (has_magic(path)) {
		log_notice("a hand-over that was not finished begins anew");
		retire_object(object, path);
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		log_error("%s can't be removed: %s", path, strerror(errno));
		return EX_OSERR;
	}
	return 0;
}

int
succession_finish(const char *name, const struct names *n)
{
	char prefix[OBJECT_BYTES], object[OBJECT_BYTES];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "peekd.%s.", name);
	DIR *dir = opendir("/dev/shm");
	struct dirent *e;
	int status = 0;

	while (dir != NULL && status == 0 && (e = readdir(dir)) != NULL) {
		struct stat st;
		uint64_t mark;
		bool marked;

		if (strncmp(e->d_name, prefix, len) != 0 ||
		    !is_temporary(e->d_name + len, &marked, &mark) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode) || st.st_uid != geteuid())
			continue;
		snprintf(object, sizeof(object), "%.*s", (int)sizeof(object) - 1, e->d_name);
		status = finish_one(object, marked, mark, n);
	}
	if (dir != NULL)
		closedir(dir);
	return status;
}
