/*
 * rte_hash.c: DPDK's hash with lock-free read concurrency, in one process,
 * without huge pages.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_hash.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peer.h"

static struct rte_hash *table;

static uint32_t
hash_of(const void *key, uint32_t len, uint32_t seed)
{
	return (uint32_t)XXH3_64bits_withSeed(key, len, seed);
}

static int
rte_open(void)
{
	char megabytes[32];
	char *argv[] = {"peekbench-peers", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
	    "--log-level=1", "-m", megabytes, NULL};
	struct rte_hash_parameters p = {.name = "bench",
	    .entries = (uint32_t)(peer_conf.n_keys * 5 / 4),
	    .key_len = peer_conf.key_bytes,
	    .hash_func = hash_of,
	    .socket_id = SOCKET_ID_ANY,
	    .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF};

	snprintf(megabytes, sizeof(megabytes), "%llu",
	    (unsigned long long)((peer_conf.n_keys * (peer_conf.key_bytes + 96) >> 20) + 128));
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) < 0)
		return -EIO;
	table = rte_hash_create(&p);
	pool_open(peer_conf.n_keys, peer_conf.value_bytes);
	return table != NULL ? 0 : -ENOMEM;
}

static ssize_t
rte_get(const void *key, void *value)
{
	void *record;

	if (rte_hash_lookup_data(table, key, &record) < 0)
		return -1;
	memcpy(value, record, peer_conf.value_bytes);
	return (ssize_t)peer_conf.value_bytes;
}

static size_t
rte_get_many(const void *keys, size_t n, void *values)
{
	const void *key[RTE_HASH_LOOKUP_BULK_MAX];
	void *record[RTE_HASH_LOOKUP_BULK_MAX];
	uint64_t hit = 0;

	for (size_t i = 0; i < n; i++)
		key[i] = (const char *)keys + i * peer_conf.key_bytes;
	if (rte_hash_lookup_bulk_data(table, key, (uint32_t)n, &hit, record) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (hit >> i & 1)
			memcpy((char *)values + i * peer_conf.value_bytes, record[i],
			    peer_conf.value_bytes);
	return (size_t)__builtin_popcountll(hit);
}

static int
rte_set(const void *key, const void *value)
{
	void *old = NULL, *record = pool_take();

	if (record == NULL)
		return -ENOMEM;
	memcpy(record, value, peer_conf.value_bytes);
	rte_hash_lookup_data(table, key, &old);
	if (rte_hash_add_key_data(table, key, record) < 0)
		return -ENOSPC;
	if (old != NULL)
		pool_give(old);
	return 0;
}

static void
rte_close(void)
{
	rte_eal_cleanup();
}

struct peer peer_rte_hash = {.name = "DPDK rte_hash",
    .about = "in one process, lock-free readers, 4 KiB pages; many: bulk lookup",
    .open = rte_open,
    .get = rte_get,
    .get_many = rte_get_many,
    .set = rte_set,
    .close = rte_close};
