/* memory.c: see memory.h. */
#include "daemon/host/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef PEEKD_NO_JEMALLOC
#include <jemalloc/jemalloc.h>

void
memory_init(void)
{
	ssize_t decay_ms = 1000;

	/* If this fails, jemalloc keeps its own default, which is right but
	 * gives memory back more slowly. */
	(void)mallctl("arena.0.dirty_decay_ms", NULL, NULL, &decay_ms, sizeof(decay_ms));
}

uint64_t
memory_heap_bytes(void)
{
	uint64_t epoch = 1;
	size_t n = 0, len = sizeof(n);

	/* the statistics are a snapshot, which writing the epoch takes anew */
	if (mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) != 0 ||
	    mallctl("stats.allocated", &n, &len, NULL, 0) != 0)
		return 0;
	return n;
}

#else
#include <malloc.h>

void
memory_init(void)
{
}

uint64_t
memory_heap_bytes(void)
{
	return mallinfo2().uordblks;
}
#endif

uint64_t
memory_private_bytes(void)
{
	char line[128];
	uint64_t n_pages, n_shared; /* resident pages; those of files and shared memory */
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	ssize_t n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	if (sscanf(line, "%*u %" SCNu64 " %" SCNu64, &n_pages, &n_shared) != 2 ||
	    n_shared > n_pages)
		return 0;
	return (n_pages - n_shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}
