/*
 * room.c: room for the table in /dev/shm. A start allocates the memory for
 * items; buckets get theirs as the table grows, when other programs may have
 * filled /dev/shm.
 */
#include "daemon/host/room.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#include "daemon/host/log.h"

/*
 * A header, a key and a value of 16 bytes each. Few caches hold smaller items.
 */
#define ITEM_BYTES_USUAL 48
/* Buckets for 1,000 items when growth is due: 4.5 items to a bucket, and 16 %
 * overflow buckets. */
#define LINES_PER_1000 258
#define MIB(bytes)     ((bytes) >> 20)

void
room_check(const struct map *m, const struct store *s)
{
	uint64_t st[SHM_STAT_N];
	struct statvfs vfs;

	if (statvfs("/dev/shm", &vfs) != 0)
		return;
	store_stats(s, 0, st);
	uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	uint64_t have = (st[SHM_STAT_N_BUCKETS] + st[SHM_STAT_N_OVERFLOW]) * sizeof(struct bucket);
	uint64_t want =
	    m->arena_bytes / ITEM_BYTES_USUAL * LINES_PER_1000 / 1000 * sizeof(struct bucket);
	if (want <= have || want - have <= free_bytes)
		return;
	uint64_t n_items = (free_bytes + have) / sizeof(struct bucket) * 1000 / LINES_PER_1000;
	log_warning("/dev/shm has %" PRIu64 " MiB left, and the table for %" PRIu64 " MiB of items "
		    "of %d bytes takes %" PRIu64 " MiB: with items of less than %" PRIu64 " bytes "
		    "its growth will be refused (mount -o remount,size=%" PRIu64 "m /dev/shm, "
		    "docker run --shm-size, or a smaller memory_limit)",
	    MIB(free_bytes), MIB(m->arena_bytes), ITEM_BYTES_USUAL, MIB(want) + 1,
	    n_items > 0 ? m->arena_bytes / n_items + 1 : m->arena_bytes,
	    MIB((uint64_t)vfs.f_blocks * vfs.f_frsize + want - have - free_bytes) + 2);
}

void
room_watch(struct room_watch *w, const struct store *s, bool evicts)
{
	uint64_t st[SHM_STAT_N];

	if (w->said)
		return;
	store_stats(s, 0, st);
	if (st[SHM_STAT_GROWTH_REFUSED] == 0)
		return;
	w->said = true;
	log_warning("/dev/shm is full: the table stays at %" PRIu64 " buckets for %" PRIu64
		    " items. Chains grow longer, and once they are full %s. Make room: "
		    "mount -o remount,size=... /dev/shm, docker run --shm-size, or a smaller "
		    "memory_limit (-m)",
	    st[SHM_STAT_N_BUCKETS], st[SHM_STAT_CURR_ITEMS],
	    evicts ? "a new item takes the place of an old one" : "sets are refused");
}
