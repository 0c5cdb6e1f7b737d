/*
 * engine.c: peekd's engine in this process: what a set costs without the
 * socket. Read through libpeek.
 */
#include <errno.h>

#include "../segment.h"
#include "peek.h"
#include "peer.h"

static struct own_segment segment;
static struct peek *handle;

static int
en_open(void)
{
	uint64_t item = 16 + peer_conf.key_bytes + peer_conf.value_bytes + 8;
	struct own_conf conf = {.arena_bytes = (64u << 20) + peer_conf.n_keys * item * 5 / 4};
	int rc = own_segment_create(&conf, &segment);

	return rc != 0 ? rc : own_segment_open(&segment, false, &handle);
}

static ssize_t
en_get(const void *key, void *value)
{
	return peek_get(handle, key, peer_conf.key_bytes, value, peer_conf.value_bytes);
}

static int
en_set(const void *key, const void *value)
{
	struct store_put put = {.key = {.bytes = key,
				    .len = peer_conf.key_bytes,
				    .hash = store_hash(segment.store, key, peer_conf.key_bytes)},
	    .value = value,
	    .value_bytes = peer_conf.value_bytes};
	uint64_t cas;

	return store_put(segment.store, &put, segment.now_s, &cas) == STORE_OK ? 0 : -ENOSPC;
}

static void
en_close(void)
{
	peek_close(handle);
	own_segment_destroy(&segment);
}

struct peer peer_engine = {.name = "peekd's engine",
    .about = "in one process, 4 KiB pages",
    .flags = PEER_SHARED,
    .open = en_open,
    .get = en_get,
    .set = en_set,
    .close = en_close};
