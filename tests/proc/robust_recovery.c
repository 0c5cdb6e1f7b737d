/*
 * robust_recovery.c: how long a successor takes to read a dead writer's table:
 * `robust_recovery [items [value bytes [arena MiB]]]`. Fills a segment, then
 * opens the store on it again, which recovers, and prints the items a second.
 * `make robust` runs it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/store.h"

static char object[64];
static struct map map;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
remove_object(void)
{
	char path[96];

	if (map_object_path(object, path, sizeof(path)) == 0)
		unlink(path);
}

int
main(int argc, char **argv)
{
	uint64_t n_items = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	uint32_t value_bytes = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 32;
	uint64_t arena_mib =
	    argc > 3 ? strtoull(argv[3], NULL, 10) : (n_items * (value_bytes + 60) >> 20) + 8;
	struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct geometry g;
	struct store *s;
	char value[4096] = "", key[32];
	uint64_t cas;

	snprintf(object, sizeof(object), "peekd.robust-recovery-%d", (int)getpid());
	if (value_bytes > sizeof(value) || map_plan_geometry(arena_mib << 20, 0, &g) != 0 ||
	    map_create(object, &g, 0600, (gid_t)-1, 4711, 1, "", &map) != 0) {
		fprintf(stderr, "no segment of %" PRIu64 " MiB can be made\n", arena_mib);
		return 1;
	}
	map_publish(&map);
	atexit(remove_object);
	if (store_open(&map, &conf, 100, &s, &rec) != 0)
		return 1;
	for (uint64_t i = 0; i < n_items; i++) {
		uint32_t len = (uint32_t)snprintf(
		    key, sizeof(key), "key:%012" PRIu64, i * 2654435761 % 1000000000000);
		struct store_put put = {.key = {key, len, store_hash(s, key, len)},
		    .mode = STORE_SET,
		    .value = value,
		    .value_bytes = value_bytes,
		    .expiry_s = i % 4 == 0 ? 1000000 : 0};
		if (store_put(s, &put, 100, &cas) != STORE_OK)
			return 1;
		if (i % 64 == 0)
			store_tick(s, UINT64_C(100) << 32);
	}
	store_close(s);
	printf("%-26s %10s %8s %12s %10s\n", "", "items", "seconds", "items/s", "arena MiB");
	for (int i = 0; i < 6; i++) {
		bool fresh = i < 3;
		if (fresh) {
			map_close(&map);
			if (map_open(object, true, (uid_t)-1, &map) != 0)
				return 1;
		}
		double begun = now_s();
		if (store_open(&map, &conf, 100, &s, &rec) != 0)
			return 1;
		double took = now_s() - begun;
		printf("%-26s %10" PRIu64 " %8.3f %12.0f %10" PRIu64 "\n",
		    fresh ? "mapped anew, as at a start" : "mapped and touched", rec.items, took,
		    (double)rec.items / took, arena_mib);
		store_close(s);
	}
	return 0;
}
