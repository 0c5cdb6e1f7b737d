/*
 * unlinked.h: a segment of a test's own, of which nothing is left in /dev/shm
 * whatever becomes of the test.
 */
#ifndef PEEK_TESTS_REGRESS_UNLINKED_H
#define PEEK_TESTS_REGRESS_UNLINKED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/map.h"

/* Unpublished, with hash seed 1. `what` tells it from others of this
 * process. */
static inline void
unlinked_segment(const char *what, uint64_t arena_bytes, struct map *ret)
{
	const char *prefix = getenv("PEEK_TEST_NAME");
	struct geometry g;
	char object[64], path[96];

	snprintf(object, sizeof(object), "peekd.%.24s%.8s-%d", prefix != NULL ? prefix : "test-",
	    what, (int)getpid());
	assert_int_equal(map_plan_geometry(arena_bytes, 0, &g), 0);
	assert_int_equal(map_create(object, &g, 0600, (gid_t)-1, 1, 1, "", ret), 0);
	assert_int_equal(map_object_path(object, path, sizeof(path)), 0);
	unlink(path);
}

#endif
