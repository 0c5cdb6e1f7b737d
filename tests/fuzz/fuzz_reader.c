/*
 * fuzz_reader.c: a reader on a segment whose bytes are changed while it reads
 * (libFuzzer, ASan, UBSan). `make fuzz-reader` runs it.
 *
 * The input is a byte that chooses a segment, one of several geometries, and a
 * list of changes, seven bytes each: region, place, how, value. They are made
 * before a reader attaches, and then over and over by a second thread while
 * every read call of libpeek runs, into buffers that are exactly as large as
 * they say. A call may return a value, a miss or an error. A fault, an access
 * outside of a buffer or the mapping, and a loop (-timeout) are defects.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/store.h"
#include "engine/table.h"
#include "peek.h"
#include "shm/clock.h"
#include "shm/item.h"
#include "shm/table.h"

#define N_KEYS       160
#define N_READS      24
#define N_MORE       16 /* readers that attach while the header changes */
#define N_FEW        3  /* reads of each of these */
#define CHANGE_BYTES 7
#define CHANGES_MAX  64
#define N_BASES      6

enum region {
	REGION_HEADER,
	REGION_BLOCKS,
	REGION_BUCKETS,
	REGION_OVERFLOW,
	REGION_ARENA,
	REGION_OF_KEY,
	REGION_SLOT_OF_KEY,
	REGION_CHAIN,
	REGION_GEOMETRY,
	N_REGIONS
};

struct change {
	struct word *at;
	uint64_t value, was;
};

struct base {
	struct map map;
	struct store *store; /* open to the end */
	char name[48], path[96];
	uint64_t n_words[REGION_ARENA + 1], *pristine[REGION_ARENA + 1];
	struct word *region[REGION_ARENA + 1];
	uint64_t slot_of[N_KEYS][2]; /* bucket or line, and slot, of each key's item */
};

static struct base base[N_BASES], *now = base; /* now: this input's */
static unsigned long n_attached, n_refused;
static struct change change[CHANGES_MAX];
static unsigned n_changes;
static _Atomic unsigned turn, done; /* the other thread works while turn is odd */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t
key_text(uint32_t k, char *buf)
{
	return (uint32_t)snprintf(buf, 32, "fuzz-%u-%.*s", k, (int)(k % 16), "0123456789abcdef");
}

static void
at_end(void)
{
	for (unsigned i = 0; i < N_BASES; i++)
		if (base[i].path[0] != '\0')
			unlink(base[i].path);
	fprintf(stderr, "%lu readers attached to damaged segments, %lu were refused\n", n_attached,
	    n_refused);
}

static void *
change_while_read(void *arg)
{
	for (unsigned seen = 0;;) {
		unsigned at_turn = turn;
		if (at_turn % 2 == 0 || at_turn == seen) {
			if (at_turn != seen) {
				seen = at_turn;
				done = at_turn;
			}
			continue;
		}
		for (unsigned round = 0; turn == at_turn; round++)
			for (unsigned i = 0; i < n_changes; i++) {
				/* Right, wrong, and another's wrong: what was
				 * checked a moment ago is so no more. */
				uint64_t v = round % 8 == 7 ? change[(i + round) % n_changes].value
							    : change[i].value;
				word_store_rlx(
				    change[i].at, (round + i) % 2 == 0 ? change[i].was : v);
			}
	}
	return arg;
}

static void
fill(struct store *s)
{
	static char value[20000];
	char text[32];
	uint64_t cas, counter;

	for (uint32_t k = 0; k < N_KEYS; k++) {
		uint32_t len = key_text(k, text), n = k % 16 == 0 ? 3000 + k : k % 5 * 37;
		n = n <= now->map.arena_bytes / 64 ? n : n % 16;
		struct store_key key = {text, len, store_hash(s, text, len)};
		struct store_put put = {.key = key,
		    .mode = STORE_SET,
		    .value = k % 7 == 0 ? "41" : value,
		    .value_bytes = k % 7 == 0 ? 2 : n,
		    .flags = k % 3 == 0 ? k : 0,
		    .expiry_s = k % 4 == 0 ? UINT32_MAX : 0};
		struct store_item item;
		memset(value, (int)k, n);
		enum store_result r = store_put(s, &put, 100, &cas);
		if (now->map.block_shift < 9 && r != STORE_OK)
			continue;
		if (r != STORE_OK || !store_find(s, &key, 100, &item, NULL) ||
		    (k % 7 == 0 &&
			store_arith(s, &key, &item, false, 1, 0, 100, &counter, &cas) != STORE_OK))
			abort();
	}
	for (uint32_t k = 0; k < N_KEYS; k++) {
		uint32_t len = key_text(k, text);
		struct store_key key = {text, len, store_hash(s, text, len)};
		struct store_item item;
		if (!store_find(s, &key, 100, &item, NULL)) {
			if (now->map.block_shift >= 9)
				abort();
			continue; /* evicted: a small arena */
		}
		now->slot_of[k][0] = ref_line(item.slot_ref);
		now->slot_of[k][1] = ref_slot(item.slot_ref);
	}
}

static void
make_base(unsigned i)
{
	static const struct {
		uint64_t arena_bytes;
		unsigned block_shift;
	} want[N_BASES] = {{256 << 10, 9}, {16 << 7, 7}, {128 << 10, 11}, {512 << 10, 12},
	    {1 << 20, 0}, {24 << 8, 8}};
	const struct store_conf conf = {.evict = true, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct geometry g;
	char object[64];

	now = &base[i];
	snprintf(now->name, sizeof(now->name), "fuzz-reader-%d-%u", (int)getpid(), i);
	snprintf(object, sizeof(object), "peekd.%s", now->name);
	if (map_object_path(object, now->path, sizeof(now->path)) != 0 ||
	    map_plan_geometry(want[i].arena_bytes, want[i].block_shift, &g) != 0 ||
	    map_create(object, &g, 0600, (gid_t)-1, 7, 1, "/nowhere", &now->map) != 0)
		abort();
	if (store_open(&now->map, &conf, 100, &now->store, &rec) != 0)
		abort();
	fill(now->store);
	store_tick(now->store, clock_word_now(&(struct clock_shift){0}));
	map_publish(&now->map);
	now->region[REGION_HEADER] = (struct word *)(void *)now->map.header;
	now->n_words[REGION_HEADER] = sizeof(struct header) / 8;
	now->region[REGION_BLOCKS] = (struct word *)(void *)now->map.blocks;
	now->n_words[REGION_BLOCKS] = now->map.n_blocks * 2;
	now->region[REGION_BUCKETS] = (struct word *)(void *)now->map.buckets;
	now->n_words[REGION_BUCKETS] = word_load_rlx(&now->map.header->count) * 8;
	now->region[REGION_OVERFLOW] = (struct word *)(void *)now->map.overflow;
	now->n_words[REGION_OVERFLOW] = 64 * 8;
	now->region[REGION_ARENA] = now->map.arena;
	now->n_words[REGION_ARENA] = now->map.arena_bytes / 8;
	if (map_allocate_overflow(&now->map, 64) != 0)
		abort();
	for (unsigned r = 0; r <= REGION_ARENA; r++) {
		now->pristine[r] = malloc(now->n_words[r] * 8);
		for (uint64_t k = 0; k < now->n_words[r]; k++)
			now->pristine[r][k] = word_load_rlx(&now->region[r][k]);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	atexit(at_end);
	for (unsigned i = 0; i < N_BASES; i++)
		make_base(i);
	return pthread_create(&thread, NULL, change_while_read, NULL);
}

/* ---- the changes --------------------------------------------------------- */

static struct change
parse(const uint8_t *b)
{
	unsigned r = b[0] % N_REGIONS;
	uint64_t place = b[1] | (uint64_t)b[2] << 8,
		 value = b[4] | (uint64_t)b[5] << 8 | (uint64_t)b[6] << 16;
	struct change c = {0};

	/* a link to one of a few overflow lines: chains that meet, cycles */
	if (r == REGION_CHAIN) {
		c.at = b[1] % 8 < 4
		    ? &now->map.overflow[b[1] % 4].slot[LINK_SLOT]
		    : &now->map.buckets[b[3] % (now->n_words[REGION_BUCKETS] / 8)].slot[LINK_SLOT];
		c.was = word_load_rlx(c.at);
		c.value = slot_make_link(
		    b[2] % 4, (b[6] % 4 == 0 ? value & 0xffff : 0xffff) << LINK_IDX_BITS);
		return c;
	}
	if (r == REGION_GEOMETRY) { /* a bit more or less, or what another geometry has there */
		uint64_t at = place % now->n_words[REGION_HEADER];
		c.at = &now->region[REGION_HEADER][at];
		c.was = word_load_rlx(c.at);
		c.value = b[3] % 4 == 0 ? base[b[4] % N_BASES].pristine[REGION_HEADER][at]
		    : b[3] % 4 == 1     ? c.was + b[4] % 9 - 4
		    : b[3] % 4 == 2     ? c.was << b[4] % 64 >> b[5] % 64
					: c.was ^ UINT64_C(1) << b[4] % 64;
		return c;
	}
	/* where a read looks: a key's slot, or its item's first words */
	if (r == REGION_OF_KEY || r == REGION_SLOT_OF_KEY) {
		const uint64_t *at = now->slot_of[b[1] % N_KEYS];
		struct bucket *line = at[0] < now->map.n_buckets_max
		    ? &now->map.buckets[at[0]]
		    : &now->map.overflow[at[0] - now->map.n_buckets_max];
		uint64_t unit =
		    word_load_rlx(&line->slot[at[1]]) & ((UINT64_C(1) << SLOT_UNIT_BITS) - 1);
		c.at = r == REGION_SLOT_OF_KEY
		    ? &line->slot[b[2] % 16 == 0 ? LINK_SLOT : at[1]]
		    : &now->map.arena[(unit + b[2] % 12) % (now->map.arena_bytes / 8)];
	} else {
		c.at = &now->region[r][place % now->n_words[r]];
	}
	uint64_t was = word_load_rlx(c.at);

	c.was = was;
	switch (b[3] % 8) {
	case 0: /* a small number: a link, a length, a count */
		c.value = value;
		break;
	case 1: /* one field of a word */
		c.value = was ^ value << b[3] / 8 % 64;
		break;
	case 2: /* the same tag elsewhere */
		c.value = (was & ~((UINT64_C(1) << SLOT_UNIT_BITS) - 1)) | value;
		break;
	case 3:
		c.value = ~UINT64_C(0) >> b[4] % 64;
		break;
	case 4: /* an item's lengths */
		c.value = item_word0((uint32_t)(was >> 32), (uint32_t)value, (uint32_t)was & 0xff);
		break;
	case 5: /* an item's state */
		c.value = (was & ~UINT64_C(0xffff)) | (value & 0xffff);
		break;
	case 6: /* around the regions' ends */
		c.value = (b[4] % 2 == 0 ? now->map.arena_bytes / 8 : now->map.n_overflow_max) +
		    value % 16 - 8;
		break;
	default:
		c.value = value * UINT64_C(0x9e3779b97f4a7c15);
	}
	return c;
}

static void
restore(void)
{
	for (unsigned r = 0; r <= REGION_ARENA; r++)
		for (uint64_t i = 0; i < now->n_words[r]; i++)
			if (word_load_rlx(&now->region[r][i]) != now->pristine[r][i])
				word_store_rlx(&now->region[r][i], now->pristine[r][i]);
}

/* ---- the reads ----------------------------------------------------------- */

static volatile unsigned sink;

static int
visit(void *arg, const struct peek_entry *e)
{
	for (size_t i = 0; i < e->key_len; i++)
		sink += ((const unsigned char *)e->key)[i];
	return ++*(unsigned *)arg > 100000; /* a table has no more slots than that */
}

static void
read_some(struct peek *p, unsigned n_reads, const uint8_t *choose, size_t n)
{
	static const size_t caps[] = {0, 1, 40, 170, 512, 3200, 70000};
	struct peek_info info;
	struct peek_view view;
	unsigned n_visited = 0;
	uint64_t number;
	char text[32];

	for (unsigned i = 0; i < n_reads; i++) {
		uint32_t k = (choose[i % n] + i * 5) % (N_KEYS + 3), len = key_text(k, text);
		size_t cap = caps[(i + k) % 7];
		if (i % 3 == 0) { /* values in several pieces, with room for them */
			k = choose[i % n] % 10 * 16;
			len = key_text(k, text);
			cap = caps[5];
		}
		char *buf = malloc(cap);
		struct peek_op ops[2] = {{text, len, buf, cap, 0}, {text, len, buf, cap / 2, 0}};
		ssize_t r = peek_get(p, text, len, buf, cap);
		if (r > (ssize_t)cap)
			abort();
		r = peek_get_info(p, text, len, buf, cap, &info);
		if (r > (ssize_t)cap)
			abort();
		peek_get_u64(p, text, len, &number);
		peek_mget(p, ops, 2);
		if (i % 4 == 0 && peek_view(p, text, len, &view) == 0)
			for (size_t at = 0; at < view.len; at++)
				sink += ((const volatile unsigned char *)view.data)[at];
		free(buf);
	}
	peek_scan(p, visit, &n_visited);
	if (n_visited > 100000)
		abort();
}

/* A reader that attaches to what there is at this moment. */
static struct peek *
attach(void)
{
	struct peek *p;

	if (peek_open(now->name, PEEK_READ_ONLY | PEEK_NO_FALLBACK | PEEK_NO_FOLLOW, &p) != 0) {
		n_refused++;
		return NULL;
	}
	n_attached++;
	return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peek *p = NULL, *q = NULL;
	struct peek_status status;

	if (size < CHANGE_BYTES + 1)
		return 0;
	now = &base[data[0] / 4 % N_BASES];
	restore();
	n_changes = 0;
	/* Opened before it is damaged, and after: header and geometry are
	 * checked at open. */
	if (data[0] % 2 == 0 &&
	    peek_open(now->name, PEEK_READ_ONLY | (data[0] % 4 == 0 ? PEEK_NO_FOLLOW : 0), &p) != 0)
		abort();
	for (size_t at = 1; at + CHANGE_BYTES <= size && n_changes < CHANGES_MAX;
	     at += CHANGE_BYTES)
		change[n_changes++] = parse(data + at);
	/* all of another's header: the object isn't as long as it says */
	if (data[0] / 4 / N_BASES % 4 == 3) {
		const struct base *other = &base[data[1] % N_BASES];
		for (uint64_t i = 0; i < now->n_words[REGION_HEADER]; i++)
			word_store_rlx(
			    &now->region[REGION_HEADER][i], other->pristine[REGION_HEADER][i]);
	}
	for (unsigned i = 0; i < n_changes; i++)
		word_store_rlx(change[i].at, change[i].value);
	q = attach();
	if (p != NULL)
		read_some(p, N_READS, data, size);
	turn++;
	if (p != NULL)
		read_some(p, N_READS, data, size);
	if (q != NULL)
		read_some(q, N_READS, data, size);
	for (unsigned i = 0; i < N_MORE; i++) {
		struct peek *more = attach();
		if (more != NULL)
			read_some(more, N_FEW, data + i % size, size - i % size);
		peek_close(more);
	}
	if (p != NULL)
		peek_status(p, &status);
	turn++;
	while (done != turn)
		;
	peek_close(p);
	peek_close(q);
	return 0;
}
