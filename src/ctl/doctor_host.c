/*
 * doctor_host.c: checks what the host gives to the daemon: room in /dev/shm,
 * the memory limit of its control group, huge pages.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ctl/doctor.h"

#define MIB(bytes)       ((bytes) >> 20)
#define IN_MIB(bytes)    ((double)(bytes) / (1 << 20))
#define HUGE_PAGES_TRIED 64

static void
check_room(struct findings *f, const struct look *l)
{
	struct statvfs vfs;
	uint64_t table = look_stat(l, SHM_STAT_N_BUCKETS) * sizeof(struct bucket);

	if (statvfs("/dev/shm", &vfs) != 0) {
		finding_print(f, FINDING_WARN, "room", NULL, "/dev/shm: %s", strerror(errno));
		return;
	}
	uint64_t size = (uint64_t)vfs.f_blocks * vfs.f_frsize,
		 free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	bool refused = look_stat(l, SHM_STAT_GROWTH_REFUSED) > 0;
	finding_print(f,
	    refused                  ? FINDING_BAD
		: free_bytes < table ? FINDING_WARN
				     : FINDING_OK,
	    "room",
	    "The memory for items is taken, but the table grows with their number. Give /dev/shm "
	    "more: mount -o remount,size=... /dev/shm",
	    "/dev/shm: %" PRIu64 " of %" PRIu64 " MiB free, the segment has %" PRIu64 "%s",
	    MIB(free_bytes), MIB(size), MIB(look_stat(l, SHM_STAT_SEGMENT_BYTES)),
	    refused ? "; the table could not grow" : "");
}

/* ---- the control group's limit ------------------------------------------- */

/* The number that a file holds. False: it holds "max", or there is no file. */
static bool
read_number(const char *path, uint64_t *ret)
{
	char word[32] = "";
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	bool ok = fgets(word, sizeof(word), f) != NULL;
	fclose(f);
	word[strcspn(word, "\n")] = '\0';
	return ok && ctl_number(word, UINT64_MAX, ret);
}

/* The smallest limit of a group and of all groups above it. */
static uint64_t
limit_above(const char *mount, char *group, const char *file)
{
	uint64_t least = UINT64_MAX, value;
	char path[4400], *slash;

	for (;;) {
		snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		if (read_number(path, &value) && value < least)
			least = value;
		if ((slash = strrchr(group, '/')) == NULL)
			return least;
		*slash = '\0';
	}
}

static uint64_t
memory_limit(uint64_t pid)
{
	uint64_t least = UINT64_MAX;
	char path[64], line[4200];

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/cgroup", pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return least;
	while (fgets(line, sizeof(line), f) != NULL) { /* number:controllers:group */
		char *controllers = strchr(line, ':'),
		     *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (group == NULL)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		uint64_t limit = UINT64_MAX;
		if (controllers[1] == '\0')
			limit = limit_above("/sys/fs/cgroup", group, "memory.max");
		else if (strcmp(controllers, ":memory") == 0)
			limit =
			    limit_above("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
		if (limit < least)
			least = limit;
	}
	fclose(f);
	return least;
}

static void
check_limit(struct findings *f, const struct look *l)
{
	uint64_t pid =
	    word_load_rlx(&l->map.header->writer_pid); /* relaxed: it is only used here */
	uint64_t limit = pid != 0 ? memory_limit(pid) : UINT64_MAX;
	uint64_t segment = look_stat(l, SHM_STAT_SEGMENT_BYTES),
		 hints = look_stat(l, SHM_STAT_HINT_PAGE_BYTES);
	uint64_t of_its_own = look_stat(l, SHM_STAT_PRIVATE_BYTES),
		 needs = segment + hints + of_its_own;
	char parts[128];

	snprintf(parts, sizeof(parts),
	    "the daemon uses %.1f MiB: segment %.1f, hint page %.1f, private %.1f", IN_MIB(needs),
	    IN_MIB(segment), IN_MIB(hints), IN_MIB(of_its_own));
	if (limit >= UINT64_C(1) << 60) { /* version 1 shows "no limit" so */
		finding_print(
		    f, FINDING_OK, "cgroup", NULL, "the daemon has no memory limit; %s", parts);
		return;
	}
	finding_print(f,
	    limit < needs                    ? FINDING_BAD
		: limit - needs < needs / 16 ? FINDING_WARN
					     : FINDING_OK,
	    "cgroup",
	    "All of this counts for the daemon's control group. Beyond the limit the kernel kills "
	    "or swaps. Raise MemoryMax, or lower memory_limit.",
	    "the daemon's limit is %" PRIu64 " MiB; %s", MIB(limit), parts);
}

/* ---- huge pages ---------------------------------------------------------- */

/* The chosen word of /sys/.../shmem_enabled: "always within_size advise [never]
 * deny force". */
static void
kernel_says(char *buf, size_t cap)
{
	char line[128] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "re");

	snprintf(buf, cap, "unknown");
	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL && strchr(line, '[') != NULL) {
		const char *word = strchr(line, '[') + 1;
		snprintf(buf, cap, "%.*s", (int)strcspn(word, "]"), word);
	}
	fclose(f);
}

/* The bytes of the arena's first pages that this process maps as huge pages. */
static uint64_t
mapped_huge_bytes(const struct look *l)
{
	uint64_t kib, sum = 0, n_pages = l->map.arena_bytes / LAYOUT_HUGE_BYTES;
	char line[512];
	bool ours = false;

	for (uint64_t i = 0; i < n_pages && i < HUGE_PAGES_TRIED; i++)
		/* the load makes the kernel map the page */
		(void)word_load_rlx(&l->map.arena[i * (LAYOUT_HUGE_BYTES / sizeof(struct word))]);
	FILE *f = fopen("/proc/self/smaps", "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strspn(line, "0123456789abcdef") == strcspn(line, "-"))
			ours = strstr(line, l->path) != NULL;
		else if (ours && sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	}
	fclose(f);
	return sum;
}

static void
check_huge(struct findings *f, const struct look *l, bool off)
{
	uint64_t all = look_stat(l, SHM_STAT_SEGMENT_BYTES),
		 huge = look_stat(l, SHM_STAT_HUGE_BYTES);
	uint64_t mapped = mapped_huge_bytes(l);
	char kernel[32];

	kernel_says(kernel, sizeof(kernel));
	if (off) {
		finding_print(
		    f, FINDING_OK, "huge pages", NULL, "switched off by the daemon's huge_pages");
		return;
	}
	if (all < 2 * LAYOUT_HUGE_BYTES) {
		finding_print(
		    f, FINDING_OK, "huge pages", NULL, "the segment is too small for them");
		return;
	}
	if (huge < all / 2) {
		finding_print(f, FINDING_NOTE, "huge pages",
		    strcmp(kernel, "deny") == 0
			? "Reads are slower without. Run echo advise "
			  ">/sys/kernel/mm/transparent_hugepage/shmem_enabled, and start the "
			  "daemon again."
			: "Reads are slower without. They need Linux 6.1 and free memory in one "
			  "piece. Start the daemon again when there is such memory.",
		    "%" PRIu64 " of %" PRIu64
		    " MiB are on 2 MiB pages; the kernel's shmem_enabled is \"%s\"",
		    MIB(huge), MIB(all), kernel);
		return;
	}
	finding_print(f, mapped == 0 ? FINDING_NOTE : FINDING_OK, "huge pages",
	    "The kernel may have split them since, for lack of memory. Start the daemon again.",
	    "%" PRIu64 " of %" PRIu64
	    " MiB were put on 2 MiB pages; of the first 128 MiB a reader maps %" PRIu64 " MiB so",
	    MIB(huge), MIB(all), MIB(mapped));
}

void
doctor_host(struct findings *f, const struct look *l, bool huge_pages_off)
{
	check_room(f, l);
	check_limit(f, l);
	check_huge(f, l, huge_pages_off);
}
