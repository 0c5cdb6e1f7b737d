/*
 * target.c: opens a target, and stores in it.
 */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload.h"

#define KEY_MAX 250

int
target_open(const struct options *o, uint64_t n_ids, struct target *ret)
{
	uint64_t item = ITEM_HEADER_BYTES + o->key_bytes + o->value_bytes + 8;
	int rc = 0;

	*ret = (struct target){.o = o, .own = o->engine || o->name == NULL};
	if (ret->own) {
		struct own_conf conf = {
		    .arena_bytes = (n_ids + 1000) * item * 5 / 4 + (UINT64_C(16) << 20)};
		rc = own_segment_create(&conf, &ret->segment);
		if (rc == 0 && !o->no_hints)
			rc = own_segment_add_hints(&ret->segment);
	}
	if (rc != 0)
		fprintf(stderr, "peekbench: a segment for %llu keys: %s\n",
		    (unsigned long long)n_ids, strerror(-rc));
	return rc == 0 ? 0 : -1;
}

void
target_close(struct target *t)
{
	if (t->own)
		own_segment_destroy(&t->segment);
}

struct peek *
target_handle(const struct target *t)
{
	struct peek *p = NULL;
	int rc = t->own ? own_segment_open(&t->segment, !t->o->no_hints, &p)
			: peek_open(t->o->name, t->o->no_hints ? PEEK_NO_HINTS : 0, &p);

	if (rc != 0)
		fprintf(stderr, "peekbench: instance '%s': %s\n",
		    t->own ? t->segment.name : t->o->name, peek_strerror(rc));
	return rc == 0 ? p : NULL;
}

int
setter_init(struct setter *s, struct target *t, struct peek *handle, bool queued)
{
	*s = (struct setter){.target = t,
	    .handle = handle,
	    .queued = queued && !t->own,
	    .value = malloc(t->o->value_bytes + 8)};
	return s->value != NULL ? 0 : -ENOMEM;
}

static void
target_refused(void *arg, const void *key, size_t key_len, int error)
{
	(void)key;
	(void)key_len;
	(void)error;
	((struct setter *)arg)->n_refused++;
}

int
setter_set(struct setter *s, uint64_t id, uint32_t version)
{
	const struct options *o = s->target->o;
	uint32_t key_bytes = (uint32_t)o->key_bytes, value_bytes = (uint32_t)o->value_bytes;
	unsigned char key[KEY_MAX];

	payload_key(key, key_bytes, id);
	payload_value(s->value, value_bytes, id, version);
	if (s->target->own) {
		struct store *store = s->target->segment.store;
		struct store_put put = {.key = {.bytes = key,
					    .len = key_bytes,
					    .hash = store_hash(store, key, key_bytes)},
		    .value = s->value,
		    .value_bytes = value_bytes};
		uint64_t cas;
		enum store_result r = store_put(store, &put, s->target->segment.now_s, &cas);
		return r == STORE_OK ? 0 : r == STORE_TOO_LARGE ? -EMSGSIZE : -ENOSPC;
	}
	if (s->queued)
		return peek_set_async(
		    s->handle, key, key_bytes, s->value, value_bytes, 0, target_refused, s);
	return peek_set(s->handle, key, key_bytes, s->value, value_bytes, 0);
}

int
setter_flush(struct setter *s)
{
	uint64_t before = s->n_refused;
	int rc = s->queued ? peek_set_flush(s->handle) : 0;

	return rc != 0 ? rc : s->n_refused != before ? -ENOSPC : 0;
}

void
setter_fini(struct setter *s)
{
	free(s->value);
}
