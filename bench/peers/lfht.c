/*
 * lfht.c: liburcu's lock-free resizable hash table, memory-barrier flavour, in
 * one process.
 */
#include <errno.h>
#include <string.h>
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peer.h"

struct record {
	struct cds_lfht_node node;
	struct rcu_head head;
	unsigned char bytes[];
};

static struct cds_lfht *table;

static int
same_key(struct cds_lfht_node *node, const void *key)
{
	return memcmp(caa_container_of(node, struct record, node)->bytes, key,
		   peer_conf.key_bytes) == 0;
}

static int
lf_open(void)
{
	unsigned long n_buckets = 1024;

	while (n_buckets < peer_conf.n_keys)
		n_buckets *= 2;
	urcu_memb_register_thread();
	pool_open(
	    peer_conf.n_keys, sizeof(struct record) + peer_conf.key_bytes + peer_conf.value_bytes);
	table = cds_lfht_new_flavor(n_buckets, n_buckets, 0, 0, &urcu_memb_flavor, NULL);
	return table != NULL ? 0 : -ENOMEM;
}

static ssize_t
lf_get(const void *key, void *value)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	urcu_memb_read_lock();
	cds_lfht_lookup(table, XXH3_64bits(key, peer_conf.key_bytes), same_key, key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node != NULL)
		memcpy(value,
		    caa_container_of(node, struct record, node)->bytes + peer_conf.key_bytes,
		    peer_conf.value_bytes);
	urcu_memb_read_unlock();
	return node != NULL ? (ssize_t)peer_conf.value_bytes : -1;
}

/* No reader runs beside the writer here, so that a grace period would have
 * nothing to wait for. */
static int
lf_set(const void *key, const void *value)
{
	struct record *r = pool_take();
	struct cds_lfht_node *old;

	if (r == NULL)
		return -ENOMEM;
	cds_lfht_node_init(&r->node);
	memcpy(r->bytes, key, peer_conf.key_bytes);
	memcpy(r->bytes + peer_conf.key_bytes, value, peer_conf.value_bytes);
	urcu_memb_read_lock();
	old = cds_lfht_add_replace(
	    table, XXH3_64bits(key, peer_conf.key_bytes), same_key, key, &r->node);
	urcu_memb_read_unlock();
	if (old != NULL)
		pool_give(caa_container_of(old, struct record, node));
	return 0;
}

struct peer peer_lfht = {.name = "liburcu lfht",
    .about = "in one process",
    .open = lf_open,
    .get = lf_get,
    .set = lf_set};
