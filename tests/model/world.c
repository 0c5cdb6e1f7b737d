/*
 * world.c: the smallest segment, and what the scenarios do with it.
 */
#include "model/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/count_lane.h"
#include "lib/lookup_fast.h"
#include "lib/lookup_pinned.h"
#include "shm/hash.h"

struct world world, next_world;
struct word world_name;
unsigned model_tries, model_unpinned_bytes;

static struct reader {
	struct peek peek;
	struct attached at;
} readers[MODEL_THREADS_MAX];

void
world_init(struct world *w, unsigned n_buckets, unsigned n_buckets_max, unsigned block_shift)
{
	uint64_t block_bytes = UINT64_C(1) << block_shift;

	memset(w, 0, sizeof(*w));
	w->map = (struct map){
	    .header = &w->header,
	    .stats = &w->stats,
	    .blocks = w->blocks,
	    .buckets = w->buckets,
	    .overflow = w->overflow,
	    .arena = w->arena,
	    .tags = w->tags,
	    .n_tag_slots = 1,
	    .n_buckets_max = n_buckets_max,
	    .n_overflow_max = WORLD_OVERFLOW,
	    .n_buckets_mapped = n_buckets_max,
	    .n_overflow_mapped = WORLD_OVERFLOW,
	    .n_blocks = WORLD_BLOCKS,
	    .arena_bytes = WORLD_BLOCKS * block_bytes,
	    .block_shift = block_shift,
	    .generation = w == &next_world ? 2 : 1,
	    .fd = -1,
	};
	word_store_rlx(&w->header.count, n_buckets);
	word_store_rlx(&w->header.clock, (uint64_t)WORLD_NOW_S << 32);
	word_store_rlx(&w->header.magic, LAYOUT_MAGIC);
	word_store_rlx(&world_name, 0);
	model_tries = 1;
	model_unpinned_bytes = 64;
}

struct store *
world_open(struct world *w)
{
	const struct store_conf conf = {.evict = true, .item_max_bytes = 4096};
	struct store_recovery recovery;
	struct store *s;

	if (store_open(&w->map, &conf, WORLD_NOW_S, &s, &recovery) != 0)
		model_fail(__FILE__, __LINE__, "store_open failed");
	model_check(recovery.dropped_damaged == 0);
	return s;
}

char
world_key(unsigned n_buckets, unsigned bucket, unsigned nth)
{
	for (char c = 'a'; c <= 'z'; c++)
		if (table_bucket_idx(hash_key(&c, 1, 0), n_buckets) == bucket && nth-- == 0)
			return c;
	abort();
}

/* ---- the writer ---------------------------------------------------------- */

struct store_key
world_key_of(const struct store *s, const char *key)
{
	return (struct store_key){.bytes = key, .len = 1, .hash = store_hash(s, key, 1)};
}

uint64_t
world_put_long(struct store *s, char key, char version, unsigned n_bytes)
{
	char value[256];
	uint64_t cas;
	struct store_put put = {.key = world_key_of(s, &key),
	    .mode = STORE_SET,
	    .value = value,
	    .value_bytes = n_bytes};

	memset(value, version, n_bytes);
	enum store_result r = store_put(s, &put, WORLD_NOW_S, &cas);
	model_check(r == STORE_OK);
	return cas;
}

uint64_t
world_put(struct store *s, char key, char version)
{
	return world_put_long(s, key, version, WORLD_VALUE);
}

void
world_delete(struct store *s, char key)
{
	struct store_key k = world_key_of(s, &key);
	struct store_item item;

	if (store_find(s, &k, WORLD_NOW_S, &item, NULL))
		store_delete(s, &item);
}

uint64_t
world_count_up(struct store *s, char key, uint64_t *ret_cas)
{
	struct store_key k = world_key_of(s, &key);
	struct store_item item;
	uint64_t value;

	model_check(store_find(s, &k, WORLD_NOW_S, &item, NULL));
	model_check(
	    store_arith(s, &k, &item, false, 1, 0, WORLD_NOW_S, &value, ret_cas) == STORE_OK);
	return value;
}

static char
whole(const char *value, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (value[i] != value[0])
			model_fail(__FILE__, __LINE__, "a torn value");
	return value[0];
}

char
world_find(struct store *s, char key)
{
	struct store_key k = world_key_of(s, &key);
	struct store_item item;
	char value[256];

	if (!store_find(s, &k, WORLD_NOW_S, &item, NULL))
		return WORLD_MISS;
	store_read(s, &item, 0, item.value_bytes, value);
	return whole(value, item.value_bytes);
}

struct counting {
	char key;
	unsigned n;
};

static void
count_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct counting *c = arg;

	(void)item;
	c->n += key_len == 1 && *(const char *)key == c->key;
}

unsigned
world_count(struct store *s, char key)
{
	struct counting c = {.key = key};
	uint64_t cursor = 0;

	do
		cursor = store_walk(s, cursor, WORLD_NOW_S, count_item, &c);
	while (cursor != 0);
	return c.n;
}

/* ---- readers ------------------------------------------------------------- */

void
world_readers(struct world *w)
{
	/* no read is due: none looks after a daemon that isn't there */
	lane_mine = (struct lane){.cell_at = 0, .n_left = INT_MAX};
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++) {
		struct reader *r = &readers[t];
		memset(&r->peek.own, 0, sizeof(r->peek.own));
		r->at = (struct attached){.map = w->map, .p = &r->peek, .cells = r->peek.own.cells};
		r->at.identity =
		    hash_key(&w->map.generation, sizeof(w->map.generation), w->map.seed);
		seq_publish_ptr(&r->peek.own.now, &r->at);
		seq_publish_ptr(&r->peek.newest, &r->at);
		r->peek.owner = (struct owner){(uid_t)-1, (uid_t)-1};
		memcpy(r->peek.object, "peekd.model", sizeof("peekd.model"));
		model_keep(&r->peek.own, sizeof(r->peek.own));
	}
}

void
world_reader_hints(unsigned thread, struct byte *hints)
{
	readers[thread].at.hints = hints;
}

void
world_reader_stays(unsigned thread)
{
	readers[thread].at.stay = true;
}

struct peek *
world_peek(unsigned thread)
{
	return &readers[thread].peek;
}

char
world_get(char key)
{
	char buf[256];
	ssize_t n = peek_get(world_peek((unsigned)model_self()), &key, 1, buf, sizeof(buf));

	if (n == -ENOENT)
		return WORLD_MISS;
	if (n == -EAGAIN)
		return WORLD_AGAIN;
	model_check(n > 0);
	return whole(buf, (size_t)n);
}

void
world_expect(char v, const char *allowed, const char *file, int line)
{
	static char why[80];
	char shown = v == WORLD_MISS ? '0' : v;

	for (unsigned i = 0; allowed[i] != '\0'; i++)
		if (allowed[i] == shown) {
			model_reached(i);
			return;
		}
	memcpy(why, "read ' ', which is none of ", 28);
	why[6] = shown;
	strncpy(why + 27, allowed, sizeof(why) - 28);
	model_fail(file, line, why);
}

/* ---- acknowledgements ---------------------------------------------------- */

void
ack_write(struct word *ack, uint64_t value)
{
	model_store(&ack->atomic_u64, 8, value, MODEL_REL, "reply", 1);
}

uint64_t
ack_read(const struct word *ack)
{
	return model_load(&ack->atomic_u64, 8, MODEL_ACQ, "reply", 2);
}

uint64_t
ack_look(const struct word *ack)
{
	return model_load(&ack->atomic_u64, 8, MODEL_RLX, "reply", 3);
}

/* ---- what the kernel does elsewhere -------------------------------------- */

int __wrap_fallocate(int fd, int mode, off_t off, off_t n);
void *__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *addr, size_t n);
uint64_t __wrap_clock_coarse_ms(const struct clock_shift *shift);
uint64_t __wrap_clock_word_now(const struct clock_shift *shift);
int __wrap_map_open(const char *object, bool writable, uid_t owner_uid, struct map *ret);
void __wrap_map_close(struct map *m);

/* Memory never runs out. Memory that was given back reads as zeros. */
int
__wrap_fallocate(int fd, int mode, off_t off, off_t n)
{
	(void)fd;
	(void)off;
	(void)n;
	if ((mode & FALLOC_FL_PUNCH_HOLE) != 0)
		for (unsigned i = 0; i < 4; i++) /* of the one item that is there */
			word_store_rlx(&world.arena[i], 0);
	return 0;
}

/* The engine's private arrays: from the heap that is put back. */
void *
__wrap_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off)
{
	(void)addr;
	(void)prot;
	(void)flags;
	(void)fd;
	(void)off;
	void *p = calloc(1, n);
	return p != NULL ? p : MAP_FAILED;
}

int
__wrap_munmap(void *addr, size_t n)
{
	(void)n;
	free(addr);
	return 0;
}

uint64_t
__wrap_clock_coarse_ms(const struct clock_shift *shift)
{
	(void)shift;
	return 0;
}

uint64_t
__wrap_clock_word_now(const struct clock_shift *shift)
{
	(void)shift;
	return (uint64_t)WORLD_NOW_S << 32;
}

/* Opens the map that the name leads to now. The scenario doesn't count on the
 * kernel's own order. */
int
__wrap_map_open(const char *object, bool writable, uid_t owner_uid, struct map *ret)
{
	(void)object;
	(void)writable;
	(void)owner_uid;
	*ret = word_load_rlx(&world_name) == 0 ? world.map : next_world.map;
	return seq_load_magic(&ret->header->magic) == LAYOUT_MAGIC ? 0 : -EBADMSG;
}

void
__wrap_map_close(struct map *m)
{
	(void)m;
}
