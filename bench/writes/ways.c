/* ways.c: see writes.h. */
#include <stdio.h>
#include <string.h>

#include "../peers/peer.h"
#include "peek.h"
#include "writes.h"

#define PIPELINE 64

const char *const way_names[N_WAYS] = {"ring", "peekd's socket", "memcached -t 1"};
pid_t way_daemon[N_WAYS];
const char *writes_instance;
struct peer_conf peer_conf;

static struct peek *handle[N_WAYS];
static struct stream memcached;
static char value[WRITES_VALUE];
static char batch[PIPELINE * (WRITES_KEY_BYTES + WRITES_VALUE + 64)], *batch_end = batch;
static unsigned n_batch;

static void
key_of(uint64_t id, char key[WRITES_KEY_BYTES + 1])
{
	memcpy(key, "key:00000000000000000000", WRITES_KEY_BYTES + 1);
	for (char *p = key + WRITES_KEY_BYTES; id > 0; id /= 10)
		*--p = (char)('0' + id % 10);
}

static void
take_stored(unsigned n)
{
	if (stream_expect(&memcached, n, "STORED") != 0)
		writes_die("memcached refused a set");
}

static char *
put_set(char *p, uint64_t id)
{
	char key[WRITES_KEY_BYTES + 1];

	key_of(id, key);
	p = mempcpy(p, "set ", 4);
	p = mempcpy(p, key, WRITES_KEY_BYTES);
	p = mempcpy(p, " 0 0 100\r\n", 10);
	p = mempcpy(p, value, WRITES_VALUE);
	return mempcpy(p, "\r\n", 2);
}

void
way_set(enum way w, uint64_t id)
{
	char key[WRITES_KEY_BYTES + 1], out[WRITES_KEY_BYTES + WRITES_VALUE + 64];

	if (w == WAY_MEMCACHED) {
		char *end = put_set(out, id);
		if (server_send(memcached.fd, out, (size_t)(end - out)) != 0)
			writes_die("memcached hung up");
		take_stored(1);
		return;
	}
	key_of(id, key);
	int r = peek_set(handle[w], key, WRITES_KEY_BYTES, value, sizeof(value), 0);
	if (r != 0)
		writes_die(peek_strerror(r));
}

void
way_flush(enum way w)
{
	if (w != WAY_MEMCACHED) {
		if (peek_set_flush(handle[w]) != 0)
			writes_die("a set of the queue was lost");
		return;
	}
	if (server_send(memcached.fd, batch, (size_t)(batch_end - batch)) != 0)
		writes_die("memcached hung up");
	take_stored(n_batch);
	batch_end = batch;
	n_batch = 0;
}

void
way_set_async(enum way w, uint64_t id)
{
	char key[WRITES_KEY_BYTES + 1];

	if (w == WAY_MEMCACHED) {
		batch_end = put_set(batch_end, id);
		if (++n_batch == PIPELINE)
			way_flush(w);
		return;
	}
	key_of(id, key);
	int r =
	    peek_set_async(handle[w], key, WRITES_KEY_BYTES, value, sizeof(value), 0, NULL, NULL);
	if (r != 0)
		writes_die(peek_strerror(r));
}

void
way_get(uint64_t id)
{
	char key[WRITES_KEY_BYTES + 1], buf[WRITES_VALUE];

	key_of(id, key);
	if (peek_get(handle[WAY_RING], key, WRITES_KEY_BYTES, buf, sizeof(buf)) != WRITES_VALUE)
		writes_die("a key is missing");
}

void
ways_open(const char *memcached_path)
{
	memset(value, 'v', sizeof(value));
	if (peek_open(writes_instance, 0, &handle[WAY_RING]) != 0 ||
	    peek_open(writes_instance, PEEK_NO_RING, &handle[WAY_SOCKET]) != 0)
		writes_die("no instance");
	if (memcached_path != NULL && (memcached.fd = server_dial(memcached_path)) < 0)
		writes_die("memcached doesn't answer");
	for (uint64_t id = 0; id < WRITES_KEYS; id++)
		way_set(WAY_RING, id);
	for (unsigned w = 0; w < N_WAYS; w++)
		for (int i = 0; i < 2000 && (w != WAY_MEMCACHED || memcached_path != NULL); i++)
			way_set_async((enum way)w, (uint64_t)i);
	for (unsigned w = 0; w < N_WAYS; w++)
		if (w != WAY_MEMCACHED || memcached_path != NULL)
			way_flush((enum way)w);
}

void
ways_close(void)
{
	peek_close(handle[WAY_RING]);
	peek_close(handle[WAY_SOCKET]);
}
