/*
 * segment.c: opens, takes over or creates a segment (segment.h). succession.c
 * gives a new segment its name, handover.c carries items over, retired.c gives
 * memory back.
 */
#include "daemon/segment/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/ending.h"
#include "daemon/segment/handover.h"
#include "daemon/host/lock.h"
#include "daemon/host/log.h"
#include "daemon/host/limits.h"
#include "daemon/segment/succession.h"
#include "engine/crash.h"
#include "shm/seq.h"

/* ---- refusals ------------------------------------------------------------ */

static int
segment_refused(const char *path, int error)
{
	struct stat st;

	if (lstat(path, &st) == 0 && (error == -EPERM || error == -EACCES || !S_ISREG(st.st_mode)))
		return lock_not_ours(path, &st);
	log_error("%s can't be opened: %s", path, strerror(-error));
	return EX_OSERR;
}

/* ---- a new segment ------------------------------------------------------- */

/* Creates the segment under its temporary name, locked and unpublished.
 * old_bytes: the size of an old segment beside it. Sets the names. */
static int
segment_create(const struct segment_conf *conf, struct names *n, int64_t now_unix_s,
    uint64_t generation, uint64_t old_bytes, struct map *ret)
{
	struct geometry g;
	uint64_t seed;
	int r, status;

	if (map_plan_geometry(conf->arena_bytes, 0, &g) != 0) {
		log_error("memory_limit (-m) is %" PRIu64 " bytes: no segment can have this size",
		    conf->arena_bytes);
		return EX_USAGE;
	}
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		log_error("the kernel gives no random numbers: %s", strerror(errno));
		return EX_OSERR;
	}
	succession_names(conf->name, now_unix_s, seed, n);
	if ((status = limits_check(n->path, &g, old_bytes)) != 0)
		return status;
	r = map_create(
	    n->fresh, &g, conf->mode, conf->gid, seed, generation, conf->socket_path, ret);
	CRASH_POINT("create:allocated");
	if (r == 0) {
		if ((status = lock_segment(conf->name, ret->fd)) != 0) {
			map_close(ret);
			unlink(n->fresh_path);
		}
		return status;
	}
	if (r == -ENOSPC)
		return limits_full(n->path, g.n_blocks << g.block_shift, old_bytes);
	if (r == -ENOMEM) {
		limits_no_memory("the segment");
		return EX_CANTCREAT;
	}
	log_error("%s can't be made: %s", n->fresh_path, strerror(-r));
	return EX_CANTCREAT;
}

/* Returns 0; EX_OSERR, logged; or EX_DATAERR: the segment is damaged. */
static int
open_store(const struct store_conf *conf, uint32_t now_s, struct map *m, struct store **ret,
    struct store_recovery *ret_recovery)
{
	int r = store_open(m, conf, now_s, ret, ret_recovery);

	if (r == -ENOMEM) {
		limits_no_memory("the table's private part");
		return EX_OSERR;
	}
	return r == 0 ? 0 : EX_DATAERR;
}

/* ---- opening ------------------------------------------------------------- */

static bool
same_geometry(const struct map *m, uint64_t arena_bytes)
{
	struct geometry g;

	return map_plan_geometry(arena_bytes, 0, &g) == 0 && g.block_shift == m->block_shift &&
	    g.n_blocks == m->n_blocks && g.n_buckets_max == m->n_buckets_max &&
	    g.n_overflow_max == m->n_overflow_max && g.n_tag_slots == m->n_tag_slots;
}

/* False: the engine would believe words that can't be right. A cut-off above
 * every id that was given hides all items, later ones too. */
static bool
is_plausible(const struct map *m)
{
	/* relaxed, both: no other writer */
	uint64_t reserved = word_load_rlx(&m->header->cas_reserved);
	uint64_t cutoff = word_load_rlx(&m->header->cutoff) & CUTOFF_MASK;

	return reserved <= ITEM_CAS_MAX && cutoff <= reserved;
}

/* Logs a change of rights, because a reader that the old rights admitted may
 * not be able to follow. */
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

/*
 * Carries the items over. Refuses, and leaves the old segment as it is, if the
 * new table can't grow, because then every later item would push out another;
 * and if not all items fit while nothing may be evicted.
 */
static int
segment_carry(
    const struct segment_conf *conf, const struct names *n, struct handover *h, struct segment *s)
{
	if (!handover_carry(h)) {
		log_notice(
		    "%s: ending; the hand-over begins anew at the next start", ending_name());
		return SEGMENT_ENDED;
	}
	s->carried = h->carried;
	s->not_carried = h->not_carried;
	if (h->growth_refused) {
		log_error("%s: the new table can't grow, since /dev/shm is full: start with the "
			  "old memory_limit (%" PRIu64 " MiB), or make /dev/shm larger (mount -o "
			  "remount,size=... /dev/shm)",
		    n->path, s->old_arena_bytes >> 20);
		return EX_CANTCREAT;
	}
	if (!conf->store.evict && h->not_carried > 0) {
		log_error("%s: %" PRIu64 " of %" PRIu64 " items don't fit into %" PRIu64 " MiB, "
			  "and disable_evictions (-M) lets none go: start with a larger "
			  "memory_limit (it was %" PRIu64 " MiB)",
		    n->path, h->not_carried, h->carried + h->not_carried, s->map.arena_bytes >> 20,
		    s->old_arena_bytes >> 20);
		return EX_CANTCREAT;
	}
	return 0;
}

/* Fills the new segment, unpublished: from nothing, or from the old one. */
static int
segment_build(const struct segment_conf *conf, const struct names *n, uint32_t now_s,
    struct map *old, struct store *old_store, struct segment *s)
{
	struct handover h = {.from_map = old, .from = old_store, .now_s = now_s};
	int status;

	map_set_filling(&s->map,
	    old_store != NULL     ? SEGMENT_FROM_HAND_OVER
		: conf->will_load ? SEGMENT_FROM_SNAPSHOT
				  : SEGMENT_WHOLE);
	seq_crash_order(); /* [C1] before the first item */
	/* no CAS id that a client may still hold is given again; relaxed:
	 * unpublished */
	if (old != NULL)
		word_store_rlx(
		    &s->map.header->cas_reserved, word_load_rlx(&old->header->cas_reserved));
	if ((status = open_store(&conf->store, now_s, &s->map, &s->store, &s->recovery)) != 0)
		return status;
	s->origin = SEGMENT_CREATED;
	if (old_store != NULL) {
		h.to = s->store;
		s->origin = SEGMENT_HANDED_OVER;
		s->old_arena_bytes = old->arena_bytes;
		status = segment_carry(conf, n, &h, s);
		seq_crash_order(); /* [C1] after the last item */
		map_set_filling(&s->map, map_filling(old));
	}
	/* no reader sees one epoch twice, whichever segment it has open;
	 * relaxed: unpublished */
	if (old != NULL)
		word_store_rlx(
		    &s->map.header->writer_epoch, word_load_rlx(&old->header->writer_epoch));
	if (status != 0)
		store_close(s->store);
	return status;
}

/* Builds a new segment from nothing or from `old`, and gives it its name. */
static int
segment_replace(const struct segment_conf *conf, uint32_t now_s, int64_t now_unix_s,
    struct map *old, struct segment *s)
{
	struct store_recovery old_recovery = {0};
	struct store *old_store = NULL;
	struct store_conf old_conf = conf->store;
	struct names n;
	struct stat was;
	uint64_t generation = old != NULL ? old->generation + 1 : (uint64_t)now_unix_s;
	int status;

	old_conf.stat = NULL; /* the old segment's items are not counted twice */
	status = old != NULL ? open_store(&old_conf, now_s, old, &old_store, &old_recovery) : 0;
	if (status == EX_DATAERR)
		log_warning(
		    "the segment is damaged: it is set aside, and the new one begins empty");
	else if (status != 0)
		return status;
	status = segment_create(
	    conf, &n, now_unix_s, generation, old != NULL ? old->arena_bytes : 0, &s->map);
	if (status == 0) {
		status = segment_build(conf, &n, now_s, old, old_store, s);
		if (status != 0) {
			map_close(&s->map);
			unlink(n.fresh_path);
		}
	}
	if (status == 0) {
		if (s->origin == SEGMENT_HANDED_OVER)
			s->recovery = old_recovery;
		map_publish(&s->map);
		CRASH_POINT("create:published");
		if ((status = succession_take_name(&n)) != 0) {
			store_close(s->store);
			map_close(&s->map);
		} else if (old != NULL && fstat(old->fd, &was) == 0)
			say_rights(n.path, &was, s->map.fd);
	}
	if (old_store != NULL)
		store_close(old_store);
	return status;
}

/* Sets mode and group as the settings say. */
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

/* Opens the segment that has the name, and that this process has locked. */
static int
open_existing(const struct segment_conf *conf, const char *path, uint32_t now_s, int64_t now_unix_s,
    struct map *m, struct segment *s)
{
	int status;

	/* --unlink was interrupted, after its readers had gone */
	if ((word_load_rlx(&m->header->count) & COUNT_RETIRED) != 0)
		status = segment_replace(conf, now_s, now_unix_s, NULL, s);
	else if (is_plausible(m) && !same_geometry(m, conf->arena_bytes))
		status = segment_replace(conf, now_s, now_unix_s, m, s);
	else {
		s->map = *m; /* the store keeps its address */
		status = is_plausible(m)
		    ? open_store(&conf->store, now_s, &s->map, &s->store, &s->recovery)
		    : EX_DATAERR;
		if (status == 0) {
			s->origin = SEGMENT_TAKEN_OVER;
			map_set_socket_path(m, conf->socket_path);
			set_rights(conf, path, m->fd);
			return 0;
		}
		if (status == EX_DATAERR) {
			log_warning("%s is damaged: it is set aside", path);
			status = segment_replace(conf, now_s, now_unix_s, NULL, s);
		}
	}
	map_close(m);
	return status;
}

/* The object with the name is no segment of this layout, or a damaged one. It
 * is set aside, unless a daemon still writes it. */
static int
replace_foreign(const struct segment_conf *conf, const struct names *n, int why, uint32_t now_s,
    int64_t now_unix_s, struct segment *s)
{
	int fd = open(n->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), status = 0;

	if (fd >= 0)
		status = lock_segment(conf->name, fd);
	if (status == 0) {
		log_warning("%s is %s: it is set aside", n->path,
		    why == -EPROTO ? "a segment of another layout"
				   : "no segment, or a damaged one");
		status = segment_replace(conf, now_s, now_unix_s, NULL, s);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

/* True: the name still leads to the open file. */
static bool
is_named(int fd, const char *path)
{
	struct stat by_fd, by_path;

	return fstat(fd, &by_fd) == 0 && lstat(path, &by_path) == 0 &&
	    by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

static int
open_named(const struct segment_conf *conf, const struct names *n, uint32_t now_s,
    int64_t now_unix_s, struct segment *s)
{
	struct map m;
	int r, status;

	for (;;) {
		r = map_open(n->object, true, (uid_t)-1, &m);
		if (r == -ENOENT)
			return segment_replace(conf, now_s, now_unix_s, NULL, s);
		if (r == -EPROTO || r == -EBADMSG)
			return replace_foreign(conf, n, r, now_s, now_unix_s, s);
		if (r == -ENOMEM) {
			limits_no_memory("the segment");
			return EX_OSERR;
		}
		if (r != 0)
			return segment_refused(n->path, r);
		if ((status = lock_segment(conf->name, m.fd)) != 0) {
			map_close(&m);
			return status;
		}
		if (is_named(m.fd, n->path))
			return open_existing(conf, n->path, now_s, now_unix_s, &m, s);
		map_close(&m); /* another segment has taken the name meanwhile */
	}
}

int
segment_open(const struct segment_conf *conf, uint32_t now_s, int64_t now_unix_s, struct segment *s)
{
	struct names n;
	int status;

	*s = (struct segment){.map = {.fd = -1}};
	succession_names(conf->name, now_unix_s, 0, &n);
	if ((status = succession_finish(conf->name, &n)) == 0)
		status = open_named(conf, &n, now_s, now_unix_s, s);
	if (status != 0)
		return status;
	s->is_filling = map_filling(&s->map) != SEGMENT_WHOLE;
	/* relaxed, all of them: readers take each for itself */
	s->epoch = word_load_rlx(&s->map.header->writer_epoch) + 1;
	word_store_rlx(&s->map.header->writer_epoch, s->epoch);
	CRASH_POINT("start:epoch stored");
	word_store_rlx(&s->map.header->writer_uid, (uint64_t)geteuid());
	word_store_rlx(&s->map.header->item_max_bytes, conf->store.item_max_bytes);
	word_store_rlx(&s->map.header->writer_started_unix_s, (uint64_t)now_unix_s);
	word_store_rlx(&s->map.header->recovered_items,
	    s->origin == SEGMENT_HANDED_OVER ? s->carried : s->recovery.items);
	word_store_rlx(&s->map.header->writer_pid, (uint64_t)getpid());
	CRASH_POINT("start:pid stored");
	return 0;
}

void
segment_filled(struct segment *s)
{
	seq_crash_order(); /* [C1] after the last item */
	map_set_filling(&s->map, SEGMENT_WHOLE);
	s->is_filling = false;
}

bool
segment_is_there(const char *name)
{
	struct names n;
	struct stat st;

	succession_names(name, 0, 0, &n);
	return lstat(n.path, &st) == 0;
}

void
segment_close(struct segment *s, const char *name, bool remove)
{
	struct names n;

	succession_names(name, 0, 0, &n);
	store_close(s->store);
	map_set_tcp(&s->map, NULL, 0); /* another program may listen there from now on */
	/* relaxed: readers only ask whether a writer is there */
	word_store_rlx(&s->map.header->writer_pid, 0);
	if (remove) {
		succession_retire(&s->map);
		CRASH_POINT("unlink:retired");
		if (is_named(s->map.fd, n.path))
			unlink(n.path);
	}
	map_close(&s->map);
}
