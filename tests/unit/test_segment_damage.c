/*
 * test_segment_damage.c: a start on a segment in which one thing is damaged:
 * each bit of the first words of items, the sequences of buckets that are still
 * to come; and a few hundred starts of the fuzzer's. Issue 15, line 19.
 */
#include <errno.h>

#define SEGMENT_UNIT
#include "fuzz/fuzz_segment.c"

#define N_ITEMS  3
#define N_RANDOM 300

static uint64_t item_off[1 << 13];
static unsigned n_items;

static void
note_item(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	(void)arg;
	(void)key;
	(void)key_len;
	if (n_items < 1 << 13)
		item_off[n_items++] = item->item_off;
}

static void
list_items(struct base *b)
{
	struct store_recovery rec;
	struct store *s;

	undamage(b);
	n_items = 0;
	if (store_open(&b->map, &conf, NOW_S, &s, &rec) != 0)
		abort();
	for (uint64_t at = 0; (at = store_walk(s, at, NOW_S, note_item, NULL)) != 0;)
		;
	store_close(s);
	REQUIRE(n_items >= N_ITEMS);
}

/* Lengths, life time, CAS id and state: a bit of each is another item, or
 * none. */
static void
each_bit_of_a_header(struct base *b)
{
	unsigned long before = n_damaged;

	list_items(b);
	for (unsigned k = 0; k < N_ITEMS; k++) {
		char *header = b->part[4].at + item_off[pick(n_items)];
		for (unsigned bit = 0; bit < 8 * ITEM_HEADER_BYTES; bit++) {
			undamage(b);
			header[bit / 8] = (char)(header[bit / 8] ^ 1 << bit % 8);
			start(b);
		}
	}
	REQUIRE(n_damaged > before);
}

/* Growth comes to buckets whose memory is there, and may say anything. */
static void
odd_sequences_ahead(struct base *b)
{
	struct map *m = &b->map;
	uint64_t count = word_load_rlx(&m->header->count);
	uint64_t n = layout_grown_bytes(count, m->n_buckets_max) / sizeof(struct bucket);
	struct store_recovery rec;
	struct store *s;

	undamage(b);
	for (uint64_t i = count; i < n; i++) {
		word_store_rlx(&m->buckets[i].seq, 2 * i + i % 2);
		word_store_rlx(&m->buckets[i].slot[i % BUCKET_SLOTS], UINT64_MAX / (i + 1));
	}
	n_starts++;
	if (store_open(m, &conf, NOW_S, &s, &rec) != 0)
		abort();
	for (unsigned i = 0; i < 40; i++)
		put_some(s, 200 + 40 * i, 16);
	sound(s, "after growth");
	store_close(s);
}

/* A cut-off above each CAS id ever given, the flush's or a tag's, would hide
 * what is stored from now on: such a segment is refused. */
static void
cutoffs_ahead(struct base *b)
{
	struct map *m = &b->map;
	undamage(b);
	uint64_t reserved = word_load_rlx(&m->header->cas_reserved);
	struct word *cutoff[] = {&m->header->cutoff, &m->tags[0], &m->tags[m->n_tag_slots - 1]};
	struct store_recovery rec;
	struct store *s;

	for (unsigned i = 0; i < 3; i++)
		for (uint64_t above = 0; above < 2; above++) {
			undamage(b);
			word_store_rlx(cutoff[i], reserved + above);
			n_starts++;
			int r = store_open(m, &conf, NOW_S, &s, &rec);
			REQUIRE(r == (above == 0 ? 0 : -EBADMSG));
			n_refused += above != 0;
			if (r == 0)
				store_close(s);
			word_store_rlx(cutoff[i], 0);
		}
}

/* The smallest geometry: some lists of extents are longer than its segments. */
static void
every_length_in_small_segments(struct base *b)
{
	static char key[ITEM_KEY_MAX], value[2048];
	struct store_recovery rec;
	struct store *s;
	unsigned n_stored = 0, n_refused_here = 0;

	undamage(b);
	if (store_open(&b->map, &conf, NOW_S, &s, &rec) != 0)
		abort();
	for (uint32_t len = 1; len <= ITEM_KEY_MAX; len += 7)
		for (uint32_t n = 0; n < sizeof(value); n += 5) {
			struct store_put put = {.key = {key, len, store_hash(s, key, len)},
			    .value = value,
			    .value_bytes = n,
			    .mode = STORE_SET,
			    .flags = n % 2};
			uint64_t cas;
			bool stored = store_put(s, &put, NOW_S, &cas) == STORE_OK;
			n_stored += stored;
			n_refused_here += !stored;
		}
	sound(s, "after every length");
	REQUIRE(n_stored > 1000 && n_refused_here > 1000);
	store_close(s);
}

int
main(void)
{
	printf("1..1\n");
	state = first_seed = 1;
	atexit(remove_all);
	for (unsigned i = 0; i < N_BASES; i++)
		make_base(i);
	for (unsigned i = 0; i < N_BASES; i++)
		each_bit_of_a_header(&base[i]);
	for (unsigned i = 0; i < N_BASES; i++)
		odd_sequences_ahead(&base[i]);
	for (unsigned i = 0; i < N_BASES; i++)
		cutoffs_ahead(&base[i]);
	every_length_in_small_segments(&base[4]);
	for (unsigned i = 0; i < N_RANDOM; i++)
		one_start(&base[i % N_BASES]);
	printf("ok 1 - %lu starts: %lu refused, %lu with damaged items dropped\n", n_starts,
	    n_refused, n_damaged);
	return 0;
}
