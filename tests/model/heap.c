/*
 * heap.c: malloc for code under exploration: a region that grows and is put
 * back before each execution. Linked with --wrap, so that the engine's own
 * calls come here; outside an exploration they go to the C library.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/core.h"

#define HEAP_BYTES (4u << 20)

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static _Alignas(64) unsigned char heap[HEAP_BYTES];
static unsigned char saved[HEAP_BYTES];
static size_t used, used_saved;
static bool on;

static bool
ours(const void *p)
{
	return (const unsigned char *)p >= heap && (const unsigned char *)p < heap + HEAP_BYTES;
}

void *
__wrap_malloc(size_t n)
{
	size_t total = ((n + 15) & ~(size_t)15) + 16;

	if (!on)
		return __real_malloc(n);
	if (total < n || total > HEAP_BYTES - used) {
		fprintf(stderr, "model: the heap of %u bytes is full\n", HEAP_BYTES);
		exit(2);
	}
	unsigned char *p = heap + used;
	used += total;
	memcpy(p, &n, sizeof(n));
	return p + 16;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	if (!on)
		return __real_calloc(n, size);
	if (size != 0 && n > HEAP_BYTES / size)
		return NULL;
	return memset(__wrap_malloc(n * size), 0, n * size);
}

/* align: 64 at most, as the heap itself. */
void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	if (!on)
		return __real_aligned_alloc(align, n);
	if (align > _Alignof(max_align_t))
		used = ((used + 16 + align - 1) & ~(align - 1)) - 16;
	return __wrap_malloc(n);
}

void *
__wrap_realloc(void *p, size_t n)
{
	size_t old;

	if (p == NULL)
		return __wrap_malloc(n);
	if (!ours(p))
		return __real_realloc(p, n);
	memcpy(&old, (unsigned char *)p - 16, sizeof(old));
	return memcpy(__wrap_malloc(n), p, old < n ? old : n);
}

void
__wrap_free(void *p)
{
	if (!ours(p))
		__real_free(p);
}

void
heap_begin(void)
{
	used = 0;
	on = true;
}

void
heap_snapshot(void)
{
	used_saved = used;
	memcpy(saved, heap, used);
}

void
heap_restore(void)
{
	used = used_saved;
	memcpy(heap, saved, used);
}

void
heap_end(void)
{
	on = false;
}
