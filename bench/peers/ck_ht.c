/*
 * ck_ht.c: Concurrency Kit's hash table, one writer and many readers, in one
 * process.
 */
#include <errno.h>
#include <ck_ht.h>
#include <ck_malloc.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peer.h"

static ck_ht_t table;

static void *
heap_malloc(size_t n)
{
	return malloc(n);
}

static void *
heap_realloc(void *p, size_t old, size_t n, bool defer)
{
	(void)old;
	(void)defer;
	return realloc(p, n);
}

static void
heap_free(void *p, size_t n, bool defer)
{
	(void)n;
	(void)defer;
	free(p);
}

static struct ck_malloc heap = {.malloc = heap_malloc, .realloc = heap_realloc, .free = heap_free};

static void
hash_of(ck_ht_hash_t *h, const void *key, size_t len, uint64_t seed)
{
	h->value = XXH3_64bits_withSeed(key, len, seed);
}

static int
ht_open(void)
{
	pool_open(peer_conf.n_keys, peer_conf.key_bytes + peer_conf.value_bytes);
	return ck_ht_init(&table, CK_HT_MODE_BYTESTRING, hash_of, &heap, peer_conf.n_keys * 2, 0)
	    ? 0
	    : -ENOMEM;
}

static ssize_t
ht_get(const void *key, void *value)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t h;

	ck_ht_hash(&h, &table, key, (uint16_t)peer_conf.key_bytes);
	ck_ht_entry_key_set(&entry, key, (uint16_t)peer_conf.key_bytes);
	if (!ck_ht_get_spmc(&table, h, &entry))
		return -1;
	memcpy(value, ck_ht_entry_value(&entry), peer_conf.value_bytes);
	return (ssize_t)peer_conf.value_bytes;
}

static int
ht_set(const void *key, const void *value)
{
	ck_ht_entry_t entry;
	ck_ht_hash_t h;
	char *record = pool_take();

	if (record == NULL)
		return -ENOMEM;
	memcpy(record, key, peer_conf.key_bytes);
	memcpy(record + peer_conf.key_bytes, value, peer_conf.value_bytes);
	ck_ht_hash(&h, &table, record, (uint16_t)peer_conf.key_bytes);
	ck_ht_entry_set(
	    &entry, h, record, (uint16_t)peer_conf.key_bytes, record + peer_conf.key_bytes);
	if (!ck_ht_set_spmc(&table, h, &entry))
		return -ENOMEM;
	if (!ck_ht_entry_empty(&entry) && ck_ht_entry_key(&entry) != record)
		pool_give(ck_ht_entry_key(&entry));
	return 0;
}

struct peer peer_ck_ht = {.name = "Concurrency Kit ck_ht",
    .about = "in one process",
    .open = ht_open,
    .get = ht_get,
    .set = ht_set};
