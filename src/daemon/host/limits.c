/* limits.c: see limits.h. */
#include "daemon/host/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/log.h"

#define SHM_DIR     "/dev/shm"
#define RAMFS_MAGIC 0x858458f6
#define OWN_BYTES   (UINT64_C(4) << 20) /* memory of the daemon beside its segment */
#define NO_LIMIT    UINT64_MAX

static uint64_t
limits_mib(uint64_t bytes)
{
	return (bytes + (UINT64_C(1) << 20) - 1) >> 20;
}

/* The bytes that map_create takes at once. */
static uint64_t
bytes_at_creation(const struct geometry *g)
{
	return layout_tags_off(g->n_blocks) + g->n_tag_slots * sizeof(struct word) +
	    layout_grown_bytes(LAYOUT_BUCKETS_MIN, g->n_buckets_max) +
	    (g->n_blocks << g->block_shift);
}

/* ---- /dev/shm ------------------------------------------------------------ */

int
limits_full(const char *path, uint64_t wanted_bytes, uint64_t old_bytes)
{
	struct statfs fs;
	uint64_t free_mib = 0;

	if (statfs(SHM_DIR, &fs) == 0)
		free_mib = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 20;
	if (old_bytes != 0)
		log_error("%s: /dev/shm has no room for %" PRIu64
			  " MiB beside the old segment's %" PRIu64 " (%" PRIu64
			  " MiB are free): start with the old memory_limit, or make "
			  "/dev/shm larger (mount -o remount,size=... /dev/shm)",
		    path, limits_mib(wanted_bytes), limits_mib(old_bytes), free_mib);
	else
		log_error("%s: /dev/shm has no room for %" PRIu64 " MiB (%" PRIu64 " MiB are "
			  "free): lower memory_limit (-m), or make /dev/shm larger (mount -o "
			  "remount,size=... /dev/shm)",
		    path, limits_mib(wanted_bytes), free_mib);
	return EX_CANTCREAT;
}

static bool
has_no_inode(const struct statfs *fs)
{
	return fs->f_files > 0 && fs->f_ffree == 0;
}

int
limits_no_file(const char *path, int error)
{
	struct statfs fs;

	if (error == ENOSPC && statfs(SHM_DIR, &fs) == 0 && has_no_inode(&fs))
		log_error("%s: /dev/shm has no inode left, of %" PRIu64 ": remove files there, or "
			  "allow more (mount -o remount,nr_inodes=... /dev/shm)",
		    path, (uint64_t)fs.f_files);
	else if (error == ENOENT)
		log_error("%s can't be made: /dev/shm isn't there: mount a tmpfs", path);
	else
		log_error("%s can't be made: %s", path, strerror(error));
	return EX_CANTCREAT;
}

static int
check_file_system(const char *path, uint64_t wanted, uint64_t old_bytes)
{
	struct statfs fs;

	if (statfs(SHM_DIR, &fs) != 0) {
		log_error("/dev/shm: %s: mount a tmpfs there", strerror(errno));
		return EX_CANTCREAT;
	}
	if ((unsigned long)fs.f_type == RAMFS_MAGIC) {
		log_error("/dev/shm is a ramfs, which promises no memory: mount a tmpfs there "
			  "(mount -t tmpfs -o size=... tmpfs /dev/shm)");
		return EX_CANTCREAT;
	}
	if (has_no_inode(&fs))
		return limits_no_file(path, ENOSPC);
	if (fs.f_blocks > 0 && wanted > (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize)
		return limits_full(path, wanted, old_bytes);
	return 0;
}

/* ---- limits of the process ----------------------------------------------- */

static uint64_t
limit_in(const struct rlimit *rl, int error)
{
	return error != 0 || rl->rlim_cur == RLIM_INFINITY ? NO_LIMIT : rl->rlim_cur;
}

/* The address space in use, in bytes. */
static uint64_t
space_in_use(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int
check_process(const char *path, const struct geometry *g)
{
	struct rlimit rl;
	uint64_t file = limit_in(&rl, getrlimit(RLIMIT_FSIZE, &rl));
	uint64_t space = limit_in(&rl, getrlimit(RLIMIT_AS, &rl));
	/* the mapping and its alignment; five bytes for each slot; the hint
	 * page */
	uint64_t slots = (g->n_buckets_max + g->n_overflow_max) * 8;
	uint64_t need = g->total_bytes + 2 * LAYOUT_HUGE_BYTES + slots * 6;

	if (g->total_bytes > file) {
		log_error("%s: this process may write files of %" PRIu64 " MiB (RLIMIT_FSIZE: "
			  "ulimit -f, LimitFSIZE= of a unit), and the segment is %" PRIu64 " MiB "
			  "long: raise the limit, or lower memory_limit (-m)",
		    path, file >> 20, limits_mib(g->total_bytes));
		return EX_CANTCREAT;
	}
	if (space != NO_LIMIT && need + space_in_use() > space) {
		log_error("%s: this process may have %" PRIu64 " MiB of addresses (RLIMIT_AS: "
			  "ulimit -v, LimitAS= of a unit), and needs %" PRIu64 " MiB: raise the "
			  "limit, or lower memory_limit (-m)",
		    path, space >> 20, limits_mib(need + space_in_use()));
		return EX_CANTCREAT;
	}
	return 0;
}

void
limits_no_memory(const char *what)
{
	struct rlimit rl;
	uint64_t space = limit_in(&rl, getrlimit(RLIMIT_AS, &rl));
	uint64_t data = limit_in(&rl, getrlimit(RLIMIT_DATA, &rl));

	if (space != NO_LIMIT)
		log_error("no memory for %s: this process may have %" PRIu64 " MiB of addresses "
			  "(RLIMIT_AS: ulimit -v, LimitAS= of a unit)",
		    what, space >> 20);
	else if (data != NO_LIMIT)
		log_error("no memory for %s: this process may have %" PRIu64 " MiB of data "
			  "(RLIMIT_DATA: ulimit -d, LimitDATA= of a unit)",
		    what, data >> 20);
	else
		log_error("no memory for %s", what);
}

/* ---- the memory group ---------------------------------------------------- */

/* The number that a file holds; NO_LIMIT if it says "max" or is not there. */
static uint64_t
number_in(const char *dir, const char *file)
{
	char path[PATH_MAX];
	unsigned long long v;
	uint64_t ret = NO_LIMIT;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path) ||
	    (f = fopen(path, "re")) == NULL)
		return NO_LIMIT;
	if (fscanf(f, "%llu", &v) == 1)
		ret = v;
	fclose(f);
	return ret;
}

struct group_limit {
	uint64_t bytes;
	char where[PATH_MAX];
};

/* Finds the least limit of the group and of the groups around it: memory, and
 * swap where there is some. */
static void
least_of(const char *root, const char *group, bool v1, struct group_limit *least)
{
	char dir[PATH_MAX];
	struct sysinfo host = {.totalswap = 0};
	size_t len = strlen(root);

	sysinfo(&host);
	uint64_t swap_bytes = (uint64_t)host.totalswap * host.mem_unit;
	if (snprintf(dir, sizeof(dir), "%s%s", root, group) >= (int)sizeof(dir))
		return;
	for (;;) {
		uint64_t memory = number_in(dir, v1 ? "memory.limit_in_bytes" : "memory.max"),
			 swap = swap_bytes;
		uint64_t with_swap = v1 ? number_in(dir, "memory.memsw.limit_in_bytes") : NO_LIMIT;

		if (!v1 && number_in(dir, "memory.swap.max") < swap)
			swap = number_in(dir, "memory.swap.max");
		if (memory < NO_LIMIT - swap) {
			uint64_t bytes = memory + swap < with_swap ? memory + swap : with_swap;

			if (bytes < least->bytes) {
				least->bytes = bytes;
				snprintf(least->where, sizeof(least->where), "%s", dir);
			}
		}
		char *slash = strrchr(dir, '/');
		if (strlen(dir) <= len || slash == NULL)
			return;
		*slash = '\0';
	}
}

static int
check_group(const char *path, uint64_t wanted)
{
	static struct group_limit least;
	char line[PATH_MAX + 64];
	FILE *f = fopen("/proc/self/cgroup", "re");

	least.bytes = NO_LIMIT;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *names = strchr(line, ':'),
		     *group = names != NULL ? strchr(names + 1, ':') : NULL;

		if (group == NULL)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (strcmp(group, "/") == 0)
			group[0] = '\0';
		if (strcmp(names, ":memory") == 0 || strstr(names, ":memory,") != NULL)
			least_of("/sys/fs/cgroup/memory", group, true, &least);
		else if (strcmp(names, ":") == 0)
			least_of("/sys/fs/cgroup", group, false, &least);
	}
	if (f != NULL)
		fclose(f);
	if (wanted + OWN_BYTES <= least.bytes)
		return 0;
	log_error("%s: the memory group %s allows %" PRIu64 " MiB (MemoryMax= of a unit, --memory "
		  "of a container), and the daemon needs %" PRIu64 " MiB: raise it, or lower "
		  "memory_limit (-m)",
	    path, least.where, least.bytes >> 20, limits_mib(wanted + OWN_BYTES));
	return EX_CANTCREAT;
}

/* ---- the host ------------------------------------------------------------ */

static int
check_host(const char *path, uint64_t wanted)
{
	unsigned long long kib, available = 0, swap = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			available = kib;
		else if (sscanf(line, "SwapFree: %llu kB", &kib) == 1)
			swap = kib;
	}
	if (f != NULL)
		fclose(f);
	if (available == 0 || wanted <= (available + swap) * 1024)
		return 0;
	log_error(
	    "%s: the host has %llu MiB of memory and swap available, and the segment needs %" PRIu64
	    " MiB: lower memory_limit (-m)",
	    path, (available + swap) >> 10, limits_mib(wanted));
	return EX_CANTCREAT;
}

int
limits_check(const char *path, const struct geometry *g, uint64_t old_bytes)
{
	uint64_t wanted = bytes_at_creation(g);
	int status;

	if ((status = check_process(path, g)) != 0 ||
	    (status = check_file_system(path, wanted, old_bytes)) != 0 ||
	    (status = check_group(path, wanted)) != 0)
		return status;
	return check_host(path, wanted);
}
