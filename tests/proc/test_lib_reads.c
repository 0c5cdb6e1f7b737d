/*
 * test_lib_reads.c: every kind of read, against what the engine stored: keys of
 * 1 to 250 bytes, values of 0 to 1 MiB, caches of 2 MiB and 1 GiB, counters,
 * flags, life time, batches, views, walks, a replaced segment.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <sys/stat.h>

#include "shm/seq.h"

static unsigned char value[1 << 20], got[1 << 20];

static void
fill_value(uint64_t seed)
{
	for (size_t i = 0; i < sizeof(value); i += 8) {
		uint64_t v = (i + seed) * UINT64_C(0x9e3779b97f4a7c15);
		memcpy(value + i, &v, 8);
	}
}

static void
check_value(struct peek *p, const void *key, size_t key_len, size_t n)
{
	struct peek_info info;

	memset(got, 0x5a, n);
	assert_int_equal(peek_get(p, key, key_len, got, sizeof(got)), n);
	assert_memory_equal(got, value, n);
	assert_int_equal(peek_get_info(p, key, key_len, got, n, &info), n);
	assert_int_equal(info.value_len, n);
	if (n > 0) {
		assert_int_equal(peek_get(p, key, key_len, got, n - 1), -ENOSPC);
		memset(&info, 0, sizeof(info));
		assert_int_equal(peek_get_info(p, key, key_len, NULL, 0, &info), -ENOSPC);
		assert_int_equal(info.value_len, n);
	}
}

static void
values_of_all_lengths(void **state)
{
	const uint64_t caches[] = {UINT64_C(2) << 20, UINT64_C(64) << 20, UINT64_C(1) << 30};
	struct harness h;
	struct peek *p;

	(void)state;
	for (int c = 0; c < 3; c++) {
		harness_open(&h, "sizes", caches[c], true);
		assert_int_equal(peek_open(h.name, 0, &p), 0);
		size_t segment = (size_t)1 << h.map.block_shift;
		fill_value((uint64_t)c);
		for (size_t n = 0; n <= (1 << 20); n = n < 1100 ? n + 7 : n + n / 7) {
			assert_int_equal(harness_set(&h, "k", 1, value, n), STORE_OK);
			check_value(p, "k", 1, n);
		}
		/* The lengths at which a value's layout or its tier changes:
		 * half a block, whole blocks, the 1 KiB that is copied under
		 * the sequence. */
		for (size_t around = 0; around < 5; around++) {
			const size_t at[] = {1024, segment / 2, segment, 3 * segment, 1 << 20};
			for (size_t n = at[around] - 60; n <= at[around] + 60 && n <= sizeof(value);
			     n++) {
				assert_int_equal(
				    harness_set(&h, "key of some length", 18, value, n), STORE_OK);
				check_value(p, "key of some length", 18, n);
			}
		}
		peek_close(p);
		harness_close(&h);
	}
}

/* Kinds 2 and 3 differ in their last byte only. */
static void
make_key(int kind, size_t n, unsigned char *key)
{
	for (size_t i = 0; i < n; i++)
		key[i] = (unsigned char)(kind == 0 ? 0 : kind == 1 ? 255 : i * 37 + n);
	if (kind == 3)
		key[n - 1] ^= 2;
}

static void
keys_of_all_lengths(void **state)
{
	struct harness h;
	struct peek *p;
	unsigned char key[252];

	(void)state;
	fill_value(9);
	harness_open(&h, "keys", UINT64_C(64) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	for (size_t n = 1; n <= 250; n++) {
		for (int kind = 0; kind < 4; kind++) {
			make_key(kind, n, key);
			assert_int_equal(
			    harness_set(&h, key, n, value + kind, n + (size_t)kind * 300),
			    STORE_OK);
		}
	}
	for (size_t n = 1; n <= 250; n++) {
		for (int kind = 0; kind < 4; kind++) {
			make_key(kind, n, key);
			assert_int_equal(
			    peek_get(p, key, n, got, sizeof(got)), n + (size_t)kind * 300);
			assert_memory_equal(got, value + kind, n + (size_t)kind * 300);
		}
	}
	memset(key, 'x', sizeof(key));
	assert_int_equal(peek_get(p, key, 0, got, 10), -EINVAL);
	assert_int_equal(peek_get(p, key, 251, got, 10), -EINVAL);
	assert_int_equal(peek_get(p, key, SIZE_MAX, got, 10), -EINVAL);
	assert_int_equal(peek_get(p, key, 250, got, 10), -ENOENT);
	peek_close(p);
	harness_close(&h);
}

static void
what_an_item_tells(void **state)
{
	struct peek_info info;
	struct store_item item;
	struct harness h;
	struct peek *p;
	uint64_t number;

	(void)state;
	harness_open(&h, "info", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	assert_int_equal(
	    harness_set_expiring(&h, "a", 1, "hello", 5, 77, harness_now_s() + 1000), STORE_OK);
	assert_int_equal(peek_get_info(p, "a", 1, got, 10, &info), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(info.flags, 77);
	assert_in_range(info.ttl_s, 998, 1000);
	assert_int_equal(info.stale, 0);
	struct store_key key = harness_key(&h, "a", 1);
	assert_true(store_find(h.store, &key, harness_now_s(), &item, NULL));
	assert_true(info.cas == item.cas);
	store_mark(h.store, &item, ITEM_STALE, 0, 0);
	store_touch(h.store, &item, 0);
	assert_int_equal(peek_get_info(p, "a", 1, got, 10, &info), 5);
	assert_int_equal(info.stale, 1);
	assert_int_equal(info.ttl_s, -1);
	assert_int_equal(peek_get_u64(p, "a", 1, &number), -EDOM);
	peek_close(p);
	harness_close(&h);
}

/* Text, padded text, a counter's word. As memcached counts them (15.16). */
static void
numbers_are_read(void **state)
{
	struct peek_info info;
	struct peek_status status;
	struct store_item item;
	struct harness h;
	struct peek *p;
	uint64_t number, cas;
	struct store_key key;

	(void)state;
	harness_open(&h, "numbers", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	const char *const texts[] = {"0", "18446744073709551615", "42  ", "5\n", " 1", "+7", "12 3",
	    "\t\v8\r\n", "-0", "0000000000000000000000000000000000000009", "18446744073709551616",
	    "", "-1", "4x", " ", "+", "- 1"};
	const uint64_t want[] = {0, UINT64_MAX, 42, 5, 1, 7, 12, 8, 0, 9};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(harness_set(&h, "n", 1, texts[i], strlen(texts[i])), STORE_OK);
		number = 42;
		int r = peek_get_u64(p, "n", 1, &number);
		assert_int_equal(r, i < 10 ? 0 : -EDOM);
		assert_true(number == (i < 10 ? want[i] : 42));
	}
	/* inline, in extents, with an inline tail or none */
	for (size_t n = 30; n <= 700000; n = n * 3 + n % 2) {
		char *text = malloc(n);
		assert_non_null(text);
		memset(text, ' ', n);
		text[n - 1] = '6';
		assert_int_equal(harness_set(&h, "n", 1, text, n), STORE_OK);
		assert_int_equal(peek_get_u64(p, "n", 1, &number), 0);
		assert_true(number == 6);
		memset(text, '0', n);
		text[n - 2] = '7';
		assert_int_equal(harness_set(&h, "n", 1, text, n), STORE_OK);
		assert_int_equal(peek_get_u64(p, "n", 1, &number), 0);
		assert_true(number == 70);
		text[n - 1] = 'x';
		assert_int_equal(harness_set(&h, "n", 1, text, n), STORE_OK);
		assert_int_equal(peek_get_u64(p, "n", 1, &number), -EDOM);
		free(text);
	}
	assert_int_equal(harness_set(&h, "n", 1, "7", 1), STORE_OK);
	key = harness_key(&h, "n", 1);
	for (uint64_t sum = 7, delta = 1; sum < UINT64_C(1) << 60; sum += delta, delta *= 3) {
		char text[32];
		assert_true(store_find(h.store, &key, harness_now_s(), &item, NULL));
		assert_int_equal(peek_get_u64(p, "n", 1, &number), 0);
		assert_true(number == sum);
		size_t n = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
		assert_int_equal(peek_get_info(p, "n", 1, got, 20, &info), n);
		assert_memory_equal(got, text, n);
		assert_true(info.cas == item.cas);
		if (n > 1)
			assert_int_equal(peek_get(p, "n", 1, got, n - 1), -ENOSPC);
		assert_int_equal(store_arith(h.store, &key, &item, false, delta, 0, harness_now_s(),
				     &number, &cas),
		    STORE_OK);
	}
	assert_int_equal(peek_status(p, &status), 0);
	assert_true(status.gets >= status.hits + status.misses && status.hits > 50);
	assert_int_equal(status.writer_pid, 0);
	assert_int_equal(status.writer_present, 0);
	assert_int_equal(status.fallback, 0);
	assert_int_equal(status.generation, 1);
	assert_true(status.arena_bytes == h.map.arena_bytes);
	peek_close(p);
	harness_close(&h);
}

static void
nothing_outlives_its_time(void **state)
{
	struct harness h;
	struct peek *p;
	uint32_t now_s = harness_now_s();

	(void)state;
	harness_open(&h, "time", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	assert_int_equal(harness_set_expiring(&h, "soon", 4, "v", 1, 0, now_s + 2), STORE_OK);
	assert_int_equal(harness_set_expiring(&h, "late", 4, "v", 1, 0, now_s + 5000), STORE_OK);
	assert_int_equal(harness_set_expiring(&h, "past", 4, "v", 1, 0, 1), STORE_OK);
	assert_int_equal(harness_set(&h, "ever", 4, "v", 1), STORE_OK);
	assert_int_equal(peek_get(p, "soon", 4, got, 10), 1);
	assert_int_equal(peek_get(p, "past", 4, got, 10), -ENOENT);
	/* Nobody publishes the time, as after a kill: it passes all the
	 * same. */
	for (int i = 0; i < 60 && peek_get(p, "soon", 4, got, 10) == 1; i++)
		usleep(100000);
	assert_int_equal(peek_get(p, "soon", 4, got, 10), -ENOENT);
	assert_true(harness_now_s() >= now_s + 2);
	assert_int_equal(peek_get(p, "late", 4, got, 10), 1);
	store_flush(h.store);
	assert_int_equal(peek_get(p, "late", 4, got, 10), -ENOENT);
	assert_int_equal(peek_get(p, "ever", 4, got, 10), -ENOENT);
	assert_int_equal(harness_set(&h, "ever", 4, "w", 1), STORE_OK);
	assert_int_equal(peek_get(p, "ever", 4, got, 10), 1);
	peek_close(p);
	harness_close(&h);
}

#define N_BATCH 1000

static void
batches(void **state)
{
	static char key[N_BATCH][32], buf[N_BATCH][32];
	static struct peek_op op[N_BATCH];
	struct harness h;
	struct peek *p;

	(void)state;
	harness_open(&h, "mget", UINT64_C(4) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	for (int i = 0; i < N_BATCH; i++) {
		int n = snprintf(key[i], sizeof(key[i]), "key%d", i);
		op[i] = (struct peek_op){key[i], (size_t)n, buf[i], sizeof(buf[i]), 1234};
		if (i % 3 != 0)
			assert_int_equal(
			    harness_set(&h, key[i], (size_t)n, key[i], (size_t)n), STORE_OK);
	}
	op[100].key_len = 0;
	op[101].key_len = 300;
	op[103].buf_cap = 2;
	for (size_t n = 0; n <= N_BATCH; n = n < 70 ? n + 1 : n + 310) {
		ssize_t n_hits = 0;
		for (size_t i = 0; i < N_BATCH; i++)
			op[i].result = 1234;
		ssize_t r = peek_mget(p, op, n);
		for (size_t i = 0; i < N_BATCH; i++) {
			ssize_t want = i >= n      ? 1234
			    : i == 100 || i == 101 ? -EINVAL
			    : i == 103             ? -ENOSPC
			    : i % 3 == 0           ? -ENOENT
						   : (ssize_t)strlen(key[i]);
			assert_int_equal(op[i].result, want);
			if (want > 0 && i < n) {
				assert_memory_equal(buf[i], key[i], (size_t)want);
				n_hits++;
			}
		}
		assert_int_equal(r, n_hits);
	}
	assert_int_equal(peek_mget(p, NULL, 1), -EINVAL);
	peek_close(p);
	harness_close(&h);
}

static void
views(void **state)
{
	struct peek_view view, small;
	struct harness h;
	struct peek *p;

	(void)state;
	fill_value(3);
	harness_open(&h, "view", UINT64_C(4) << 20, true);
	size_t segment = (size_t)1 << h.map.block_shift;
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	const size_t in_one_piece[] = {0, 1, 100, segment / 2 - 100, segment - 10, segment};
	for (int i = 0; i < 6; i++) {
		size_t n = in_one_piece[i];
		assert_int_equal(harness_set(&h, "v", 1, value, n), STORE_OK);
		assert_int_equal(peek_view(p, "v", 1, &view), 0);
		assert_int_equal(view.len, n);
		assert_memory_equal(view.data, value, n);
		assert_int_equal(peek_view_valid(p, &view), 1);
	}
	assert_int_equal(harness_set(&h, "v", 1, value, 3 * segment), STORE_OK);
	assert_int_equal(peek_view(p, "v", 1, &small), -ENOTSUP);
	assert_int_equal(peek_view(p, "none", 4, &small), -ENOENT);
	assert_int_equal(harness_set(&h, "s", 1, "small", 5), STORE_OK);
	assert_int_equal(peek_view(p, "s", 1, &small), 0);
	assert_int_equal(peek_view_valid(p, &small), 1);
	/* Memory is used anew sooner or later, and then a view says so before
	 * what it shows has changed. */
	struct peek_view many[50];
	char key[32], text[32];
	int n_gone = 0;
	for (int i = 0; i < 50; i++) {
		int n = snprintf(key, sizeof(key), "many%d", i);
		assert_int_equal(harness_set(&h, key, (size_t)n, key, (size_t)n), STORE_OK);
		assert_int_equal(peek_view(p, key, (size_t)n, &many[i]), 0);
		/* they lie in many segments */
		assert_int_equal(harness_set(&h, "large", 5, value, 10000), STORE_OK);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "large%d", i);
		assert_int_equal(harness_set(&h, key, strlen(key), value, 10000), STORE_OK);
		n_gone = 0;
		for (int j = 0; j < 50; j++) {
			int n = snprintf(text, sizeof(text), "many%d", j);
			bool same = memcmp(many[j].data, text, (size_t)n) == 0;
			bool valid = peek_view_valid(p, &many[j]) == 1;
			assert_true(same || !valid);
			n_gone += !valid;
		}
	}
	assert_true(n_gone > 10);
	peek_close(p);
	harness_close(&h);
}

struct walk {
	unsigned char seen[30000];
	struct harness *grow;
	int n, n_stop, bad;
};

static int
walk_visit(void *arg, const struct peek_entry *e)
{
	struct walk *w = arg;
	char text[260];

	memcpy(text, e->key, e->key_len);
	text[e->key_len] = '\0';
	if (text[0] == 'k') {
		int id = atoi(text + 1);
		w->seen[id] = 1;
		w->bad += e->info.value_len != (size_t)(id % 100) ||
		    e->info.flags != (uint32_t)(id % 5) || e->info.cas == 0;
	}
	if (w->grow != NULL && w->n % 4 == 0) {
		snprintf(text, sizeof(text), "grow%d", w->n);
		assert_int_equal(harness_set(w->grow, text, strlen(text), "v", 1), STORE_OK);
	}
	return ++w->n == w->n_stop ? 77 : 0;
}

static void
walks(void **state)
{
	static struct walk w;
	struct harness h;
	struct peek *p;
	char key[32];

	(void)state;
	harness_open(&h, "scan", UINT64_C(16) << 20, false);
	assert_int_equal(peek_open(h.name, 0, &p), 0);
	for (int i = 0; i < 30000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(harness_set_expiring(&h, key, strlen(key), value,
				     (size_t)(i % 100), (uint32_t)(i % 5), i == 29999 ? 1 : 0),
		    STORE_OK);
	}
	for (int round = 0; round < 2; round++) {
		w = (struct walk){.grow = round == 1 ? &h : NULL, .n_stop = -1};
		assert_int_equal(peek_scan(p, walk_visit, &w), 0);
		for (int i = 0; i < 29999; i++)
			assert_int_equal(w.seen[i], 1);
		assert_int_equal(w.seen[29999], 0); /* it has expired */
		assert_int_equal(w.bad, 0);
		assert_true(round == 1 || w.n == 29999);
	}
	w = (struct walk){.n_stop = 10};
	assert_int_equal(peek_scan(p, walk_visit, &w), 77);
	assert_int_equal(w.n, 10);
	peek_close(p);
	harness_close(&h);
}

/* The name means another segment, the old one is retired. */
static void
a_replaced_segment_is_followed(void **state)
{
	struct harness old, new;
	struct peek *p, *stay;
	struct peek_view view;
	struct peek_status status;

	(void)state;
	harness_open(&old, "follow", UINT64_C(4) << 20, false);
	assert_int_equal(harness_set(&old, "k", 1, "old", 3), STORE_OK);
	assert_int_equal(peek_open(old.name, 0, &p), 0);
	assert_int_equal(peek_open(old.name, PEEK_NO_FOLLOW, &stay), 0);
	assert_int_equal(peek_get(p, "k", 1, got, 10), 3);
	assert_int_equal(peek_view(p, "k", 1, &view), 0);
	unlink(old.path);
	harness_open_generation(&new, "follow", UINT64_C(8) << 20, false, 2);
	assert_int_equal(harness_set(&new, "k", 1, "newer", 5), STORE_OK);
	assert_int_equal(peek_get(p, "k", 1, got, 10), 3); /* it is not retired yet */
	seq_hand_over(
	    &old.map.header->count, word_load_rlx(&old.map.header->count) | COUNT_RETIRED);
	assert_int_equal(peek_get(p, "k", 1, got, 10), 5);
	assert_memory_equal(got, "newer", 5);
	assert_int_equal(peek_get(stay, "k", 1, got, 10), 3);
	assert_int_equal(peek_get(stay, "no", 2, got, 10), -ENOENT);
	assert_int_equal(peek_view_valid(p, &view), 1); /* the old mapping is still there */
	assert_int_equal(peek_status(p, &status), 0);
	assert_int_equal(status.generation, 2);
	assert_true(status.gets >= 4);
	/* Taken out of use without a successor: misses, until there is one. */
	unlink(new.path);
	seq_hand_over(
	    &new.map.header->count, word_load_rlx(&new.map.header->count) | COUNT_RETIRED);
	assert_int_equal(peek_get(p, "k", 1, got, 10), -ENOENT);
	harness_close(&old);
	harness_open_generation(&old, "follow", UINT64_C(4) << 20, false, 3);
	assert_int_equal(harness_set(&old, "k", 1, "3rd", 3), STORE_OK);
	struct peek_op op = {"k", 1, got, 10, 0};
	assert_int_equal(peek_mget(p, &op, 1), 1);
	assert_memory_equal(got, "3rd", 3);
	peek_close(p);
	peek_close(stay);
	harness_close(&new);
	harness_close(&old);
}

static void
what_may_not_be_opened(void **state)
{
	struct harness h;
	struct peek *p = NULL;

	(void)state;
	assert_int_equal(peek_open("no-such-instance-of-a-test", 0, &p), -ENOENT);
	assert_int_equal(peek_open("a/b", 0, &p), -EINVAL);
	assert_int_equal(peek_open("", 0, &p), -EINVAL);
	assert_int_equal(peek_open("x", 0x8000, &p), -EINVAL);
	harness_open(&h, "refuse", UINT64_C(4) << 20, false);
	assert_int_equal(chmod(h.path, 0666), 0);
	assert_int_equal(peek_open(h.name, 0, &p), -EPERM);
	assert_int_equal(chmod(h.path, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(h.path, 12345, (gid_t)-1), 0);
		assert_int_equal(peek_open(h.name, 0, &p), -EPERM);
		setenv("PEEK_OWNER", "12345", 1);
		assert_int_equal(peek_open(h.name, 0, &p), 0);
		peek_close(p);
		p = NULL;
		setenv("PEEK_OWNER", "twelve", 1);
		assert_int_equal(peek_open(h.name, 0, &p), -EINVAL);
		unsetenv("PEEK_OWNER");
		assert_int_equal(chown(h.path, 0, (gid_t)-1), 0);
	}
	store_close(h.store);
	word_store_rlx(&h.map.header->version, 99);
	assert_int_equal(peek_open(h.name, 0, &p), -EPROTO);
	assert_int_equal(peek_open(h.name, PEEK_NO_FALLBACK, &p), -EPROTO);
	word_store_rlx(&h.map.header->magic, 0);
	assert_int_equal(peek_open(h.name, 0, &p), -EBADMSG);
	assert_int_equal(truncate(h.path, 4096), 0);
	assert_int_equal(peek_open(h.name, 0, &p), -EBADMSG);
	assert_null(p); /* an output is written on success only */
	peek_close(NULL);
	unlink(h.path);
	map_close(&h.map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_of_all_lengths),
	    cmocka_unit_test(keys_of_all_lengths),
	    cmocka_unit_test(what_an_item_tells),
	    cmocka_unit_test(numbers_are_read),
	    cmocka_unit_test(nothing_outlives_its_time),
	    cmocka_unit_test(batches),
	    cmocka_unit_test(views),
	    cmocka_unit_test(walks),
	    cmocka_unit_test(a_replaced_segment_is_followed),
	    cmocka_unit_test(what_may_not_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
