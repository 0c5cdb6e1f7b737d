/*
 * buffer.h: a heap buffer that grows by doubling, so that n bytes that are
 * appended one after another are copied 2 * n times at most.
 */
#ifndef PEEK_BASE_BUFFER_H
#define PEEK_BASE_BUFFER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * Makes *cap at least cap_min: first_bytes, or what it was, doubled until it
 * is. *buf may be NULL with a *cap of 0; the caller frees it. Its content
 * stays. -ENOMEM: there is no such memory, and *buf and *cap are as they were.
 */
static inline int
buffer_grow(char **buf, size_t *cap, size_t cap_min, size_t first_bytes)
{
	size_t larger = *cap != 0 ? *cap : first_bytes;

	while (larger < cap_min) {
		if (larger > SIZE_MAX / 2)
			return -ENOMEM;
		larger *= 2;
	}
	char *moved = larger != *cap ? realloc(*buf, larger) : *buf;
	if (moved == NULL)
		return -ENOMEM;
	*buf = moved;
	*cap = larger;
	return 0;
}

#endif
