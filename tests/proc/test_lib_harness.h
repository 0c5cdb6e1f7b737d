/*
 * test_lib_harness.h: a segment with its engine in this process, for tests of
 * libpeek that need no daemon.
 */
#ifndef PEEK_TESTS_LIB_HARNESS_H
#define PEEK_TESTS_LIB_HARNESS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/store.h"
#include "peek.h"
#include "shm/clock.h"

struct harness {
	struct map map;
	struct store *store;
	char name[48], path[128];
};

static inline uint64_t
harness_clock(void)
{
	return clock_word_now(&(struct clock_shift){0});
}

static inline uint32_t
harness_now_s(void)
{
	return clock_word_s(harness_clock());
}

static inline void
harness_open_generation(
    struct harness *h, const char *what, uint64_t arena_bytes, bool evict, uint64_t generation)
{
	const struct store_conf conf = {.evict = evict, .item_max_bytes = 17u << 20};
	struct store_recovery recovery;
	struct geometry g;
	char object[64];

	const char *prefix = getenv("PEEK_TEST_NAME"); /* what tests/run removes, if this fails */
	snprintf(h->name, sizeof(h->name), "%.24s%s-%d", prefix != NULL ? prefix : "test-", what,
	    (int)getpid());
	snprintf(object, sizeof(object), "peekd.%s", h->name);
	assert_int_equal(map_object_path(object, h->path, sizeof(h->path)), 0);
	assert_int_equal(map_plan_geometry(arena_bytes, 0, &g), 0);
	assert_int_equal(map_create(object, &g, 0600, (gid_t)-1, UINT64_C(0x5eed) + generation,
			     generation, "", &h->map),
	    0);
	assert_int_equal(store_open(&h->map, &conf, harness_now_s(), &h->store, &recovery), 0);
	store_tick(h->store, harness_clock());
	map_publish(&h->map);
}

static inline void
harness_open(struct harness *h, const char *what, uint64_t arena_bytes, bool evict)
{
	harness_open_generation(h, what, arena_bytes, evict, 1);
}

static inline void
harness_close(struct harness *h)
{
	unlink(h->path);
	store_close(h->store);
	map_close(&h->map);
}

static inline struct store_key
harness_key(const struct harness *h, const void *key, size_t key_len)
{
	return (struct store_key){key, (uint32_t)key_len, store_hash(h->store, key, key_len)};
}

static inline enum store_result
harness_set_expiring(struct harness *h, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t flags, uint32_t expiry_s)
{
	struct store_put put = {
	    .key = harness_key(h, key, key_len),
	    .mode = STORE_SET,
	    .value = value,
	    .value_bytes = (uint32_t)value_len,
	    .flags = flags,
	    .expiry_s = expiry_s,
	};
	uint64_t cas;

	return store_put(h->store, &put, harness_now_s(), &cas);
}

static inline enum store_result
harness_set(struct harness *h, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return harness_set_expiring(h, key, key_len, value, value_len, 0, 0);
}

static inline bool
harness_delete(struct harness *h, const void *key, size_t key_len)
{
	struct store_key k = harness_key(h, key, key_len);
	struct store_item item;

	if (!store_find(h->store, &k, harness_now_s(), &item, NULL))
		return false;
	store_delete(h->store, &item);
	return true;
}

/*
 * fork() for a test's process. A child that fails is ended by SIGABRT, or by
 * the signal that it got: cmocka would go on there with the tests that follow,
 * whose teardown takes away the segment that the parent uses.
 */
static inline pid_t
harness_fork(void)
{
	static const int caught[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
	pid_t pid = fork();

	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
			signal(caught[i], SIG_DFL);
	}
	return pid;
}

/* qemu-user neither wipes a page on fork nor runs a filter of system calls:
 * what needs them is skipped there. */
static inline void
skip_emulated(void)
{
	if (getenv("RUNNER") != NULL)
		skip();
}

#endif
