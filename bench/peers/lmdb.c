/*
 * lmdb.c: LMDB in memory (no sync), a read transaction renewed for every get
 * and for every batch, one transaction for a set.
 */
#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "peer.h"

static MDB_env *env;
static MDB_txn *reader;
static MDB_dbi dbi;

static int
db_open(void)
{
	uint64_t bytes = peer_conf.n_keys * (peer_conf.key_bytes + peer_conf.value_bytes + 64) * 3;
	MDB_txn *txn;

	if (mdb_env_create(&env) != 0 ||
	    mdb_env_set_mapsize(env, (bytes & ~(uint64_t)4095) + (64 << 20)) != 0 ||
	    mdb_env_open(env, peer_conf.dir,
		MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NORDAHEAD, 0600) != 0)
		return -EIO;
	if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0 ||
	    mdb_txn_commit(txn) != 0)
		return -EIO;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &reader) != 0)
		return -EIO;
	mdb_txn_reset(reader);
	return 0;
}

static inline bool
lmdb_look(const void *key, MDB_val *ret)
{
	MDB_val k = {.mv_size = peer_conf.key_bytes, .mv_data = (void *)(uintptr_t)key};

	return mdb_get(reader, dbi, &k, ret) == 0;
}

static ssize_t
db_get(const void *key, void *value)
{
	MDB_val v;
	ssize_t len = -1;

	mdb_txn_renew(reader);
	if (lmdb_look(key, &v)) {
		memcpy(value, v.mv_data, v.mv_size);
		len = (ssize_t)v.mv_size;
	}
	mdb_txn_reset(reader);
	return len;
}

static size_t
db_get_many(const void *keys, size_t n, void *values)
{
	const char *k = keys;
	char *to = values;
	size_t hits = 0;
	MDB_val v;

	mdb_txn_renew(reader);
	for (size_t i = 0; i < n; i++) {
		if (!lmdb_look(k + i * peer_conf.key_bytes, &v))
			continue;
		memcpy(to + i * peer_conf.value_bytes, v.mv_data, v.mv_size);
		hits++;
	}
	mdb_txn_reset(reader);
	return hits;
}

static bool
db_view(const void *key, uint64_t *ret_first, uint64_t *ret_last)
{
	MDB_val v;
	bool hit;

	mdb_txn_renew(reader);
	hit = lmdb_look(key, &v);
	if (hit) {
		memcpy(ret_first, v.mv_data, 8);
		memcpy(ret_last, (char *)v.mv_data + (v.mv_size / 8 - 1) * 8, 8);
	}
	mdb_txn_reset(reader);
	return hit;
}

static int
db_set_many(const void *keys, size_t n, const void *values)
{
	const char *k = keys, *v = values;
	MDB_txn *txn;
	int rc = 0;

	if (mdb_txn_begin(env, NULL, 0, &txn) != 0)
		return -EIO;
	for (size_t i = 0; i < n; i++) {
		MDB_val key = {.mv_size = peer_conf.key_bytes,
		    .mv_data = (void *)(uintptr_t)(k + i * peer_conf.key_bytes)};
		MDB_val val = {.mv_size = peer_conf.value_bytes,
		    .mv_data = (void *)(uintptr_t)(v + i * peer_conf.value_bytes)};
		if (mdb_put(txn, dbi, &key, &val, 0) != 0)
			rc = -EIO;
	}
	return mdb_txn_commit(txn) != 0 ? -EIO : rc;
}

static int
db_set(const void *key, const void *value)
{
	return db_set_many(key, 1, value);
}

static void
db_close(void)
{
	mdb_env_close(env);
}

struct peer peer_lmdb = {.name = "LMDB",
    .about = "B+ tree file in memory, no sync; many: one transaction",
    .open = db_open,
    .get = db_get,
    .get_many = db_get_many,
    .view = db_view,
    .set = db_set,
    .set_many = db_set_many,
    .close = db_close};
