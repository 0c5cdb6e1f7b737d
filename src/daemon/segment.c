/* segment.c: opening, taking over, creating and handing over (segment.h). Giving memory back is aside.c's. */
#include "daemon/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lock.h"
#include "daemon/log.h"
#include "engine/crash.h"
#include "shm/seq.h"

#define OBJECT_BYTES (MAP_NAME_MAX + 64)
#define PATH_BYTES   (OBJECT_BYTES + 16)

static void
object_path(const char *object, char *path)
{
	if (map_object_path(object, path, PATH_BYTES) != 0)
		path[0] = '\0'; /* names were checked */
}

/* ---- refusals ------------------------------------------------------------------------------------------------------ */

static int
refused(const char *path, int error)
{
	struct stat st;

	if (lstat(path, &st) == 0 && (error == -EPERM || error == -EACCES || !S_ISREG(st.st_mode)))
		return lock_not_ours(path, &st);
	log_error("%s can't be opened: %s", path, strerror(-error));
	return EX_OSERR;
}

static int
no_room(const char *path, uint64_t wanted_bytes, uint64_t old_bytes)
{
	struct statvfs fs;
	uint64_t free_mib = 0;

	if (statvfs("/dev/shm", &fs) == 0)
		free_mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	if (old_bytes != 0)
		log_error("%s: /dev/shm has no room for %" PRIu64 " MiB beside the old segment's %" PRIu64 " (%" PRIu64
		    " MiB are free): start with the old memory_limit, or make it larger (mount -o remount,size=... /dev/shm)",
		    path, wanted_bytes >> 20, old_bytes >> 20, free_mib);
	else
		log_error("%s: /dev/shm has no room for %" PRIu64 " MiB (%" PRIu64 " MiB are free): lower memory_limit (-m), or make it "
		    "larger (mount -o remount,size=... /dev/shm)", path, wanted_bytes >> 20, free_mib);
	return EX_CANTCREAT;
}

/* ---- a new segment comes to its name --------------------------------------------------------------------------------- */

struct names {
	char object[OBJECT_BYTES], path[PATH_BYTES];         /* peekd.NAME */
	char fresh[OBJECT_BYTES], fresh_path[PATH_BYTES];    /* peekd.NAME.new */
	char aside_path[PATH_BYTES];
};

static void
make_names(const char *name, int64_t now_unix_s, struct names *n)
{
	char aside[OBJECT_BYTES];

	snprintf(n->object, sizeof(n->object), "peekd.%s", name);
	snprintf(n->fresh, sizeof(n->fresh), "peekd.%s.new", name);
	snprintf(aside, sizeof(aside), "peekd.%s.aside-%" PRId64 "-%ld", name, now_unix_s, (long)getpid());
	object_path(n->object, n->path);
	object_path(n->fresh, n->fresh_path);
	object_path(aside, n->aside_path);
}

static void
retire(const struct map *m)
{
	uint64_t count = word_load_rlx(&m->header->count); /* relaxed: the writer is this process, or dead */

	seq_hand_over(&m->header->count, count | COUNT_RETIRED);
}

/*
 * Retires what can't be mapped as a segment of ours, if it is one of another layout: magic and count have stood where they are
 * in every layout.
 */
static void
retire_foreign(const char *path)
{
	uint64_t magic = 0, count = 0;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (pread(fd, &magic, 8, offsetof(struct header, magic)) == 8 && magic == LAYOUT_MAGIC &&
	    pread(fd, &count, 8, offsetof(struct header, count)) == 8) {
		count |= COUNT_RETIRED;
		if (pwrite(fd, &count, 8, offsetof(struct header, count)) != 8)
			log_warning("%s can't be marked retired: %s", path, strerror(errno));
	}
	close(fd);
}

/* Steps 3 and 4 for what stands under the temporary name. */
static int
put_aside(const struct names *n)
{
	struct map old;

	if (map_open(n->fresh, true, (uid_t)-1, &old) == 0) {
		retire(&old);
		map_close(&old);
	} else
		retire_foreign(n->fresh_path);
	CRASH_POINT("handover:old retired");
	if (rename(n->fresh_path, n->aside_path) != 0) {
		log_error("%s can't be renamed: %s", n->fresh_path, strerror(errno));
		return EX_OSERR;
	}
	CRASH_POINT("handover:old aside");
	return 0;
}

/* Finishes what a start before this one has left half done. */
static int
finish_hand_over(const struct names *n)
{
	struct map left, now;
	bool younger;
	int r = map_open(n->fresh, true, (uid_t)-1, &left);

	if (r == -ENOENT)
		return 0;
	if (r == -EPERM || r == -EACCES)
		return refused(n->fresh_path, r);
	if (r != 0) { /* not published: nobody has seen it */
		unlink(n->fresh_path);
		return 0;
	}
	younger = true;
	if (map_open(n->object, true, (uid_t)-1, &now) == 0) {
		younger = left.generation > now.generation;
		map_close(&now);
	}
	map_close(&left);
	if (younger) {
		log_notice("a hand-over that was not finished begins anew");
		unlink(n->fresh_path);
		return 0;
	}
	log_notice("a hand-over that was not finished is finished: the old segment is retired");
	return put_aside(n);
}

/* Step 2 and what follows. The new segment is complete. */
static int
take_the_name(const struct names *n)
{
	if (renameat2(AT_FDCWD, n->fresh_path, AT_FDCWD, n->path, RENAME_EXCHANGE) == 0) {
		CRASH_POINT("handover:exchanged");
		return put_aside(n);
	}
	if (errno == ENOENT && rename(n->fresh_path, n->path) == 0) {
		CRASH_POINT("create:named");
		return 0;
	}
	log_error("%s can't be renamed to %s: %s", n->fresh_path, n->path, strerror(errno));
	unlink(n->fresh_path);
	return EX_OSERR;
}

/* Creates .new, unpublished. old_bytes: what an old segment takes beside it. */
static int
create(const struct segment_conf *conf, const struct names *n, uint64_t generation, uint64_t old_bytes, struct map *ret)
{
	struct geometry g;
	uint64_t seed;
	int r;

	if (geometry_plan(conf->arena_bytes, 0, &g) != 0) {
		log_error("memory_limit (-m) is %" PRIu64 " bytes: no segment can have this size", conf->arena_bytes);
		return EX_USAGE;
	}
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		log_error("no random numbers: %s", strerror(errno));
		return EX_OSERR;
	}
	r = map_create(n->fresh, &g, conf->mode, conf->gid, seed, generation, conf->socket_path, ret);
	CRASH_POINT("create:allocated");
	if (r == 0)
		return 0;
	if (r == -ENOSPC || r == -ENOMEM)
		return no_room(n->path, g.n_segments << g.seg_shift, old_bytes);
	log_error("%s can't be made: %s", n->fresh_path, strerror(-r));
	return EX_CANTCREAT;
}

static int
open_store(const struct segment_conf *conf, uint32_t now_s, struct map *m, struct segment *s)
{
	int r = store_open(m, &conf->store, now_s, &s->store, &s->recovery);

	if (r == -ENOMEM) {
		log_error("no memory for the table's private part");
		return EX_OSERR;
	}
	return r == 0 ? 0 : EX_DATAERR;
}

/* ---- carrying items over --------------------------------------------------------------------------------------------- */

struct carrying {
	struct store *from, *to;
	uint32_t now_s;
	char *value;
	uint32_t value_cap;
	uint64_t carried, lost;
};

static void
carry_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct carrying *c = arg;
	struct store_put put = {
	    .key = {key, key_len, store_hash(c->to, key, key_len)},
	    .mode = STORE_SET,
	    .value_bytes = item->value_bytes,
	    .flags = item->flags,
	    .expiry_s = item->expiry_s,
	    .state = item->state & (ITEM_KEY_B64 | ITEM_STALE | ITEM_WON | ITEM_TAGS),
	    .tags = item->tags,
	    .explicit_cas = item->cas,
	};
	uint64_t cas;
	enum store_result r;

	if (item->value_bytes > c->value_cap) {
		char *larger = realloc(c->value, item->value_bytes);

		if (larger == NULL) {
			c->lost++;
			return;
		}
		c->value = larger;
		c->value_cap = item->value_bytes;
	}
	if (item->value_bytes > 0)
		store_read(c->from, item, 0, item->value_bytes, c->value);
	put.value = c->value;
	r = store_put(c->to, &put, c->now_s, &cas);
	CRASH_POINT("handover:item carried");
	if (r == STORE_BAD_CAS) { /* the old id doesn't fit: a new one is as unique */
		put.explicit_cas = 0;
		r = store_put(c->to, &put, c->now_s, &cas);
	}
	if (r != STORE_OK)
		c->lost++;
	else
		c->carried++;
}

/* Copies every live item, and a flush that is still to come. */
static void
carry_over(struct store *from, const struct map *from_map, struct store *to, uint32_t now_s, struct segment *s)
{
	struct carrying c = {.from = from, .to = to, .now_s = now_s};
	uint64_t cursor = 0, flush = word_load_rlx(&from_map->header->cutoff); /* relaxed: no other writer */

	do
		cursor = store_walk(from, cursor, now_s, carry_item, &c);
	while (cursor != 0);
	if ((flush & CUTOFF_PENDING) != 0)
		store_flush_at(to, (uint32_t)word_load_rlx(&from_map->header->flush_at_s));
	CRASH_POINT("handover:all carried");
	free(c.value);
	s->carried = c.carried;
	s->not_carried = c.lost;
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static bool
same_geometry(const struct map *m, uint64_t arena_bytes)
{
	struct geometry g;

	return geometry_plan(arena_bytes, 0, &g) == 0 && g.seg_shift == m->seg_shift && g.n_segments == m->n_segments &&
	    g.n_buckets_max == m->n_buckets_max && g.n_overflow_max == m->n_overflow_max && g.n_tag_slots == m->n_tag_slots;
}

/* Words that the engine would believe: a cut-off above every id that was given hides all items, those to come too. */
static bool
is_plausible(const struct map *m)
{
	uint64_t reserved = word_load_rlx(&m->header->cas_reserved); /* relaxed, both: no other writer */
	uint64_t cutoff = word_load_rlx(&m->header->cutoff) & CUTOFF_MASK;

	return reserved <= ITEM_CAS_MAX && cutoff <= reserved;
}

/* Readers that the rights from before admitted may not be able to follow. */
static void
say_rights(const char *path, const struct stat *was, int fd)
{
	struct stat is;

	if (fstat(fd, &is) != 0 || (was->st_mode == is.st_mode && was->st_gid == is.st_gid))
		return;
	log_notice("%s had mode %04o and group %u, and has mode %04o and group %u now: "
	    "these decide who may read it from here on",
	    path, (unsigned)(was->st_mode & 07777), (unsigned)was->st_gid,
	    (unsigned)(is.st_mode & 07777), (unsigned)is.st_gid);
}

/* Builds a new segment from nothing or from `old`, and brings it to its name. */
static int
replace(const struct segment_conf *conf, const struct names *n, uint32_t now_s, int64_t now_unix_s, struct map *old, struct segment *s)
{
	struct store_recovery old_recovery;
	struct store *old_store = NULL;
	struct stat was;
	uint64_t generation = old != NULL ? old->generation + 1 : (uint64_t)now_unix_s, old_bytes = old != NULL ? old->arena_bytes : 0;
	int status;

	if (old != NULL && store_open(old, &conf->store, now_s, &old_store, &old_recovery) != 0) {
		log_warning("%s is damaged: it is set aside, and the new segment begins empty", n->path);
		old_store = NULL;
	}
	if ((status = create(conf, n, generation, old_bytes, &s->map)) != 0)
		goto out;
	if (old != NULL) /* no CAS id that a client may still hold is given again; relaxed: unpublished */
		word_store_rlx(&s->map.header->cas_reserved, word_load_rlx(&old->header->cas_reserved));
	if ((status = open_store(conf, now_s, &s->map, s)) != 0) {
		map_close(&s->map);
		unlink(n->fresh_path);
		goto out;
	}
	s->origin = SEGMENT_CREATED;
	if (old != NULL && old_store != NULL) {
		carry_over(old_store, old, s->store, now_s, s);
		s->origin = SEGMENT_HANDED_OVER;
		s->old_arena_bytes = old_bytes;
		s->recovery = old_recovery;
	}
	/* an epoch is never seen twice by the same reader, whichever segment it has open */
	if (old != NULL)
		word_store_rlx(&s->map.header->writer_epoch, word_load_rlx(&old->header->writer_epoch)); /* relaxed: unpublished */
	map_publish(&s->map);
	CRASH_POINT("create:published");
	if ((status = take_the_name(n)) != 0) {
		store_close(s->store);
		map_close(&s->map);
	} else if (old != NULL && fstat(old->fd, &was) == 0)
		say_rights(n->path, &was, s->map.fd);
out:
	if (old_store != NULL)
		store_close(old_store);
	return status;
}

/* Sets mode and group as configured. */
static void
set_rights(const struct segment_conf *conf, const char *path, int fd)
{
	struct stat was = {.st_mode = 0};

	fstat(fd, &was);
	if ((conf->gid != (gid_t)-1 && fchown(fd, (uid_t)-1, conf->gid) != 0) ||
	    fchmod(fd, conf->mode) != 0)
		log_warning("%s: mode or group can't be set: %s", path, strerror(errno));
	else
		say_rights(path, &was, fd);
}

static int
open_existing(const struct segment_conf *conf, const struct names *n, uint32_t now_s, int64_t now_unix_s, struct map *m,
    struct segment *s)
{
	int status;

	if ((word_load_rlx(&m->header->count) & COUNT_RETIRED) != 0) { /* --unlink was interrupted: its readers are gone already */
		status = replace(conf, n, now_s, now_unix_s, NULL, s);
		map_close(m);
		return status;
	}
	if (is_plausible(m) && !same_geometry(m, conf->arena_bytes)) {
		status = replace(conf, n, now_s, now_unix_s, m, s);
		map_close(m);
		return status;
	}
	s->map = *m; /* the store keeps its address */
	status = is_plausible(m) ? open_store(conf, now_s, &s->map, s) : EX_DATAERR;
	if (status == 0) {
		s->origin = SEGMENT_TAKEN_OVER;
		map_set_socket_path(m, conf->socket_path);
		set_rights(conf, n->path, m->fd);
		return 0;
	}
	if (status == EX_DATAERR) {
		log_warning("%s is damaged: it is set aside", n->path);
		status = replace(conf, n, now_s, now_unix_s, NULL, s);
	}
	map_close(m);
	return status;
}

int
segment_open(const struct segment_conf *conf, uint32_t now_s, int64_t now_unix_s, struct segment *s)
{
	struct names n;
	struct map m;
	int r, status;

	*s = (struct segment){.map = {.fd = -1}};
	make_names(conf->name, now_unix_s, &n);
	if ((status = finish_hand_over(&n)) != 0)
		return status;
	r = map_open(n.object, true, (uid_t)-1, &m);
	switch (r) {
	case 0:
		status = open_existing(conf, &n, now_s, now_unix_s, &m, s);
		break;
	case -EPROTO:
	case -EBADMSG:
		log_warning("%s is %s: it is set aside as %s", n.path,
		    r == -EPROTO ? "a segment of another layout" : "no segment, or a damaged one", n.aside_path);
		status = replace(conf, &n, now_s, now_unix_s, NULL, s);
		break;
	case -ENOENT:
		status = replace(conf, &n, now_s, now_unix_s, NULL, s);
		break;
	default:
		status = refused(n.path, r);
	}
	if (status != 0)
		return status;
	s->epoch = word_load_rlx(&s->map.header->writer_epoch) + 1; /* relaxed, all of them: readers take each for itself */
	word_store_rlx(&s->map.header->writer_epoch, s->epoch);
	CRASH_POINT("start:epoch stored");
	word_store_rlx(&s->map.header->writer_uid, (uint64_t)geteuid());
	word_store_rlx(&s->map.header->item_max_bytes, conf->store.item_max_bytes);
	word_store_rlx(&s->map.header->writer_started_unix_s, (uint64_t)now_unix_s);
	word_store_rlx(&s->map.header->recovered_items, s->origin == SEGMENT_HANDED_OVER ? s->carried : s->recovery.items);
	word_store_rlx(&s->map.header->writer_pid, (uint64_t)getpid());
	CRASH_POINT("start:pid stored");
	return 0;
}

void
segment_close(struct segment *s, const char *name, bool remove)
{
	struct names n;

	make_names(name, 0, &n);
	store_close(s->store);
	map_set_tcp(&s->map, NULL, 0); /* another may listen there from now on */
	word_store_rlx(&s->map.header->writer_pid, 0); /* relaxed: readers only ask whether a writer is there */
	if (remove) {
		retire(&s->map);
		CRASH_POINT("unlink:retired");
		unlink(n.path);
	}
	map_close(&s->map);
}
