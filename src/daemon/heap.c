/* heap.c: see heap.h. */
#include "daemon/heap.h"

#include <stdlib.h>

#ifndef PEEKD_NO_JEMALLOC
#include <jemalloc/jemalloc.h>

void
heap_init(void)
{
	ssize_t decay_ms = 1000;

	/* A failure leaves jemalloc's own default, which is right but slower to give back. */
	(void)mallctl("arena.0.dirty_decay_ms", NULL, NULL, &decay_ms, sizeof(decay_ms));
}

uint64_t
heap_bytes(void)
{
	uint64_t epoch = 1;
	size_t n = 0, len = sizeof(n);

	/* the statistics are a snapshot, which writing the epoch takes anew */
	if (mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) != 0 || mallctl("stats.allocated", &n, &len, NULL, 0) != 0)
		return 0;
	return n;
}

#else
#include <malloc.h>

void
heap_init(void)
{
}

uint64_t
heap_bytes(void)
{
	return mallinfo2().uordblks;
}
#endif
