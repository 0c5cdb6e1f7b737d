/*
 * room_fixture.h: a store over a segment of which nothing is left in /dev/shm,
 * and values that tell their key, for tests of room.
 */
#ifndef PEEK_UNIT_ROOM_FIXTURE_H
#define PEEK_UNIT_ROOM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine_check.h"
#include "unit/random.h"

#define ROOM_VALUE_MAX (UINT32_C(2) << 20)

/*
 * ThreadSanitizer sees a value's copy word by word, which takes forty times as
 * long. A test in which there is one thread makes so many fewer steps under it.
 */
#ifdef __SANITIZE_THREAD__
#define ROOM_SLOWNESS 10
#else
#define ROOM_SLOWNESS 1
#endif

struct room {
	struct map map;
	struct store *store;
	struct store_conf conf;
	uint32_t now_s;
};

/* n_buckets_max 0: as large a table as the arena can fill. */
static inline void
room_open(struct room *f, uint64_t arena_bytes, bool evict, uint64_t n_buckets_max)
{
	const char *prefix = getenv("PEEK_TEST_NAME");
	struct store_recovery rec;
	struct geometry g;
	char object[64], path[128];

	snprintf(object, sizeof(object), "peekd.%.24sroom-%d", prefix != NULL ? prefix : "test-",
	    (int)getpid());
	assert_int_equal(map_plan_geometry(arena_bytes, 0, &g), 0);
	if (n_buckets_max != 0) {
		g.n_buckets_max = n_buckets_max;
		g.n_overflow_max = n_buckets_max / 4;
	}
	assert_int_equal(map_create(object, &g, 0600, (gid_t)-1, 42, 1, "", &f->map), 0);
	map_publish(&f->map);
	assert_int_equal(map_object_path(object, path, sizeof(path)), 0);
	unlink(path);
	f->conf = (struct store_conf){.evict = evict, .item_max_bytes = 1 << 20};
	f->now_s = 100;
	assert_int_equal(store_open(&f->map, &f->conf, f->now_s, &f->store, &rec), 0);
}

static inline void
room_close(struct room *f)
{
	store_close(f->store);
	map_close(&f->map);
}

/* Another daemon on the same segment. */
static inline void
room_restart(struct room *f)
{
	struct store_recovery rec;

	store_close(f->store);
	assert_int_equal(store_open(&f->map, &f->conf, f->now_s, &f->store, &rec), 0);
	assert_int_equal(rec.dropped_damaged + rec.dropped_double, 0);
}

/* The bytes of version v of a value: different ones at any place. */
static inline const char *
room_value(uint64_t v)
{
	static char bytes[ROOM_VALUE_MAX + 4096];

	if (bytes[1] == 0)
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)('a' + (i * i / 7 + i % 13) % 26);
	return bytes + v % 4093;
}

static inline struct store_key
room_key(const struct room *f, const char *text)
{
	return (struct store_key){
	    text, (uint32_t)strlen(text), store_hash(f->store, text, strlen(text))};
}

static inline enum store_result
room_put(struct room *f, enum store_mode mode, const char *key, const void *value, uint32_t n,
    uint32_t expiry_s)
{
	struct store_put p = {.key = room_key(f, key),
	    .mode = mode,
	    .value = value,
	    .value_bytes = n,
	    .expiry_s = expiry_s};
	uint64_t cas;

	return store_put(f->store, &p, f->now_s, &cas);
}

static inline bool
room_there(struct room *f, const char *key)
{
	struct store_key k = room_key(f, key);
	struct store_item item;

	return store_find(f->store, &k, f->now_s, &item, NULL);
}

static inline bool
room_is(struct room *f, const char *key, const void *value, uint32_t n)
{
	static char buf[ROOM_VALUE_MAX];
	struct store_key k = room_key(f, key);
	struct store_item item;

	if (!store_find(f->store, &k, f->now_s, &item, NULL) || item.value_bytes != n)
		return false;
	store_read(f->store, &item, 0, n, buf);
	return memcmp(buf, value, n) == 0;
}

static inline void
room_delete(struct room *f, const char *key)
{
	struct store_key k = room_key(f, key);
	struct store_item item;

	if (store_find(f->store, &k, f->now_s, &item, NULL))
		store_delete(f->store, &item);
}

#endif
