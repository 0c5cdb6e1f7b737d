/*
 * world.h: a segment of the smallest size, a store on it and readers of it, for
 * scenarios: the shipped engine and the shipped peek_get, compiled under
 * -DPEEK_MODEL, on static memory in place of a mapping.
 */
#ifndef PEEK_MODEL_WORLD_H
#define PEEK_MODEL_WORLD_H

#include "engine/store.h"
#include "lib/handle.h"
#include "model/runtime.h"

#define WORLD_BUCKETS     4
#define WORLD_OVERFLOW    4
#define WORLD_BLOCKS      32
#define WORLD_BLOCK_SHIFT 6 /* 64 bytes: two records of a one-byte key and an eight-byte value */
#define WORLD_NOW_S       100
#define WORLD_VALUE       8

/* Everything of one segment; page-aligned regions are for the mapping alone. */
struct world {
	struct map map;
	struct header header;
	struct shm_stats stats;
	struct block_record blocks[WORLD_BLOCKS];
	struct bucket buckets[WORLD_BUCKETS];
	struct bucket overflow[WORLD_OVERFLOW];
	struct word arena[WORLD_BLOCKS * 256 / 8];
	struct word tags[1];
};

extern struct world world, next_world; /* next_world: what a hand-over leads to */
extern struct word world_name;         /* 0: the instance's name means world; 1: next_world */

/* In setups. n_buckets heads of which n_buckets_max may come to be; the rest as
 * the constants say. */
void world_init(struct world *w, unsigned n_buckets, unsigned n_buckets_max, unsigned block_shift);
struct store *world_open(struct world *w);

/* The nth one-byte key that lies in this bucket of n_buckets. */
char world_key(unsigned n_buckets, unsigned bucket, unsigned nth);

/* A one-byte key as the store takes it. */
struct store_key world_key_of(const struct store *s, const char *key);
/* Stores the value that is WORLD_VALUE times `version`, or n_bytes of it;
 * returns its CAS id. */
uint64_t world_put(struct store *s, char key, char version);
uint64_t world_put_long(struct store *s, char key, char version, unsigned n_bytes);
void world_delete(struct store *s, char key);
/* Adds one to the counter; returns what it stands at then. */
uint64_t world_count_up(struct store *s, char key, uint64_t *ret_cas);
/* The version that the writer finds; 0: no item. Fails if the value is not
 * whole. */
char world_find(struct store *s, char key);
/* How many items the table holds under this key: never more than one. */
unsigned world_count(struct store *s, char key);

/* A reader process of its own: thread-bound, so that each reader thread of a
 * scenario has one. */
#define WORLD_MISS  '\0'
#define WORLD_AGAIN '~'
void world_readers(struct world *w); /* in setups */
/* peek_get: the version, WORLD_MISS or WORLD_AGAIN. Fails on a torn value. */
char world_get(char key);
/* Leaves hints in this page. */
void world_reader_hints(unsigned thread, struct byte *hints);
/* PEEK_NO_FOLLOW. */
void world_reader_stays(unsigned thread);
struct peek *world_peek(unsigned thread);

/* A reply that was written, and another process that has read it: what an
 * acknowledgement orders. */
void ack_write(struct word *ack, uint64_t value);
uint64_t ack_read(const struct word *ack);
/* As a successor sees it, ordered by the lock alone. */
uint64_t ack_look(const struct word *ack);

/* Fails unless v is one of the characters of `allowed`; goal i is reached for
 * allowed[i]. '0' stands for a miss. */
void world_expect(char v, const char *allowed, const char *file, int line);
#define expect(v, allowed) world_expect(v, allowed, __FILE__, __LINE__)

#endif
