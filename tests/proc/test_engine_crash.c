/*
 * test_engine_crash.c: the writer is killed (SIGKILL) at every labelled point
 * of every mutation, and at random instants, while a reader reads; a successor
 * takes the same segment over, and the whole table is compared with what was
 * acknowledged.
 *
 * The writer notes each operation in shared memory before it begins (intent)
 * and after it returned (acknowledged). After a kill every key must have its
 * acknowledged state, but for the one in flight, which may have either, whole.
 * Keys whose item was evicted may be absent in the run with eviction, never
 * wrong. An item with a tag is never found again, by the reader or a successor,
 * once an invalidation that covers it was acknowledged. The reader's keys are
 * never deleted: it must never miss one, never see a wrong value, and never see
 * a version go backwards.
 *
 * Short: each label at its first and at a later occurrence, and 50 random
 * kills. PEEK_TEST_LONG=1: more occurrences, and 500.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/crash.h"
#include "peek.h"
#include "engine/engine_check.h"

#ifndef PEEK_HOOKS
int
main(void)
{
	printf("1..0 # SKIP crash points are compiled in by MODE=hooks\n");
	return 0;
}
#else

#define N_KEYS       400
#define N_STABLE     40 /* of them, rewritten but never deleted: the reader's */
#define SURE_TO_COME 8u /* times that a life passed a label, so that the next will too */
#define N_LABELS     96
#define VALUE_MAX    20000
#define NOW_S        100
#define OPS_PER_RUN  4000
#define N_TAGGED     8 /* keys with a tag, whose values are versions */
#define TAG          4711u

struct key_state {
	uint32_t version;   /* 0: absent */
	uint32_t flushable; /* stored before the last flush */
};

struct shared {
	/* the journal */
	struct key_state acked[N_KEYS];
	uint32_t key_in_flight; /* N_KEYS: none; N_KEYS + 1: a flush */
	struct key_state intent;
	uint32_t next_version;
	_Atomic uint32_t covered; /* versions of tagged keys up to here are gone */
	/* crash points */
	char label[N_LABELS][40];
	uint64_t reached[N_LABELS];
	uint32_t n_labels;
	char kill_at[40];
	uint64_t kill_countdown;
	/* the reader */
	_Atomic uint64_t reads, wrong, missed, backwards, again, longest_ns;
	_Atomic int stop;
};

static struct shared *sh;
static struct map map;
static char object[80], name[64];
static bool evicting;
static uint32_t now_s = NOW_S; /* of this life; nothing that is judged expires */
static unsigned n_ok, n_failed;

static void
report(bool ok, const char *what)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", n_ok + n_failed + 1, what);
	fflush(stdout);
	*(ok ? &n_ok : &n_failed) += 1;
}

/* values: a version and a key, repeated, so that any mixture of two shows */

static uint32_t
value_len(uint32_t key, uint32_t version)
{
	uint32_t h = (key * 2654435761u) ^ (version * 40503u);

	if (key < N_STABLE)
		return 16 + (h % 8 == 0 ? h % 9000 : h % 200);
	return 16 + (h % 16 == 0 ? h % VALUE_MAX / 2 * 2 : h % 300);
}

static void
value_fill(uint32_t key, uint32_t version, char *buf)
{
	uint32_t n = value_len(key, version);

	for (uint32_t i = 0; i < n; i++)
		buf[i] = (char)(i < 4 ? version >> (8 * i)
			: i < 8       ? key >> (8 * (i - 4))
				      : (version * 31 + key + i) & 0xff);
}

/* The version that a value says it has; 0: it isn't whole, or not the key's. */
static uint32_t
value_version(uint32_t key, const char *buf, uint32_t n)
{
	static char want[VALUE_MAX + 64];
	uint32_t version;

	if (n < 16)
		return 0;
	memcpy(&version, buf, 4);
	if (value_len(key, version) != n)
		return 0;
	value_fill(key, version, want);
	return memcmp(buf, want, n) == 0 ? version : 0;
}

static uint32_t
key_text(uint32_t key, char *buf)
{
	return (uint32_t)snprintf(buf, 64, "crash-%u-%.*s", key, (int)(key % 9), "123456789");
}

/* ---- the writer ---------------------------------------------------------- */

static void
on_crash_point(const char *label)
{
	uint32_t i = 0;

	while (i < sh->n_labels && strcmp(sh->label[i], label) != 0)
		i++;
	if (i == sh->n_labels && i < N_LABELS) {
		snprintf(sh->label[i], sizeof(sh->label[i]), "%s", label);
		sh->n_labels++;
	}
	sh->reached[i]++;
	if (strcmp(sh->kill_at, label) == 0 && --sh->kill_countdown == 0)
		kill(getpid(), SIGKILL);
}

static void
write_key(struct store *s, uint32_t key, uint32_t op)
{
	static char value[VALUE_MAX + 64];
	char text[64];
	uint32_t len = key_text(key, text);
	struct store_key k = {text, len, store_hash(s, text, len)};
	struct store_item item;
	bool there = store_find(s, &k, now_s, &item, NULL);
	uint64_t cas;

	if (op == 0 && there && key >= N_STABLE) {
		sh->intent = (struct key_state){0};
		sh->key_in_flight = key;
		store_delete(s, &item);
	} else if (op == 1 && there) {
		sh->intent = sh->acked[key];
		sh->key_in_flight = key;
		store_touch(s, &item, 0);
		store_mark(s, &item, ITEM_STALE, 0, store_next_cas(s, 0, 0, 0));
	} else {
		uint32_t version = ++sh->next_version;
		value_fill(key, version, value);
		struct store_put put = {.key = k,
		    .mode = STORE_SET,
		    .value = value,
		    .value_bytes = value_len(key, version),
		    .flags = version % 5 == 0 ? version : 0};
		sh->intent = (struct key_state){.version = version};
		sh->key_in_flight = key;
		if (store_put(s, &put, now_s, &cas) != STORE_OK)
			_exit(3);
	}
	sh->acked[key] = sh->intent;
	sh->key_in_flight = N_KEYS;
}

/* Numbers of their own: counters, keys that make the table grow, items that
 * expire. Their state is checked by the successor's sums. */
static void
write_other(struct store *s, uint32_t i)
{
	char text[64];
	uint32_t len = (uint32_t)snprintf(
	    text, sizeof(text), i % 4 == 0 ? "count-%u" : "fill-%u", i % 4 == 0 ? i % 8 : i);
	struct store_key k = {text, len, store_hash(s, text, len)};
	struct store_put put = {.key = k,
	    .mode = STORE_SET,
	    .value = "1",
	    .value_bytes = 1,
	    .expiry_s = i % 3 == 0 ? now_s + 1 + i % 9 : 0};
	struct store_item item;
	uint64_t cas, value;

	if (i % 4 == 0 && store_find(s, &k, now_s, &item, NULL))
		store_arith(s, &k, &item, false, 1, 0, now_s, &value, &cas);
	else
		store_put(s, &put, now_s, &cas);
}

static struct store_key
tagged_key(const struct store *s, uint32_t i, char *text)
{
	uint32_t len = (uint32_t)snprintf(text, 64, "tagged-%u", i % N_TAGGED);

	return (struct store_key){text, len, s != NULL ? store_hash(s, text, len) : 0};
}

/* Sets of tagged keys, and invalidations of their tag between them. */
static void
write_tagged(struct store *s, uint32_t i)
{
	uint32_t version = ++sh->next_version;
	char text[64];
	uint64_t cas;

	if (i % 16 == 0) {
		store_invalidate(s, TAG);
		sh->covered = version;
		return;
	}
	struct store_put put = {.key = tagged_key(s, i, text),
	    .mode = STORE_SET,
	    .value = &version,
	    .value_bytes = sizeof(version),
	    .state = ITEM_TAGS,
	    .tags = store_tags((uint32_t[]){i, TAG}, 2)};
	store_put(s, &put, now_s, &cas);
}

/* A write that was in flight when the writer before was killed has one of
 * its two outcomes from now on. */
static void
settle(struct store *s)
{
	static char buf[VALUE_MAX + 64];
	uint32_t key = sh->key_in_flight, found = 0;
	char text[64];

	if (key >= N_KEYS)
		return;
	uint32_t len = key_text(key, text);
	struct store_key k = {text, len, store_hash(s, text, len)};
	struct store_item item;
	if (store_find(s, &k, now_s, &item, NULL)) {
		store_read(s, &item, 0, item.value_bytes, buf);
		found = value_version(key, buf, item.value_bytes);
	}
	if (found == sh->intent.version)
		sh->acked[key] = sh->intent;
	sh->key_in_flight = N_KEYS;
}

static void
write_forever(bool until_killed)
{
	struct store_conf conf = {.evict = evicting, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct store *s;

	crash_hook = on_crash_point;
	if (store_open(&map, &conf, now_s, &s, &rec) != 0)
		_exit(2);
	settle(s);
	for (uint32_t i = 0; until_killed || i < (evicting ? 3 : 1) * OPS_PER_RUN; i++) {
		now_s = NOW_S + i / 1600;
		write_key(s, (uint32_t)rand() % N_KEYS, (uint32_t)rand() % 8);
		if (evicting || i % 4 == 0)
			write_other(s, (uint32_t)rand());
		if (i % 3 == 0)
			write_tagged(s, (uint32_t)rand());
		if (!evicting && i % 64 == 0) { /* what filled the table goes again */
			char text[64];
			for (uint32_t k = 0; k < 8; k++) {
				uint32_t len = (uint32_t)snprintf(
				    text, sizeof(text), "chain-%u-%u", i / 512, k * 7919 % 4096);
				struct store_key key = {text, len, store_hash(s, text, len)};
				struct store_put put = {.key = key,
				    .mode = STORE_SET,
				    .value = text,
				    .value_bytes = len};
				struct store_item item;
				uint64_t cas;
				if (store_find(s, &key, now_s, &item, NULL))
					store_delete(s, &item);
				else
					store_put(s, &put, now_s, &cas);
			}
		}
		if (i % 9000 == 8999 && evicting) {
			sh->key_in_flight = N_KEYS + 1;
			store_flush(s);
			for (uint32_t k = 0; k < N_KEYS; k++)
				sh->acked[k] = (struct key_state){0};
			sh->key_in_flight = N_KEYS;
		}
		store_tick(s, (uint64_t)now_s << 32);
	}
	_exit(0);
}

/* ---- the reader ---------------------------------------------------------- */

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
read_forever(void)
{
	static char buf[VALUE_MAX + 64];
	static uint32_t last[N_STABLE];
	struct peek *p;
	char text[64];

	if (peek_open(name, PEEK_READ_ONLY | PEEK_NO_HINTS, &p) != 0)
		_exit(2);
	for (uint32_t i = 0; !sh->stop; i++) {
		uint32_t covered = sh->covered, tagged;
		struct store_key k = tagged_key(NULL, i, text);
		if (peek_get(p, k.bytes, k.len, &tagged, sizeof(tagged)) > 0)
			sh->wrong += tagged <= covered;
		uint32_t key = i % N_STABLE, len = key_text(key, text);
		uint64_t begin = now_ns();
		ssize_t n = peek_get(p, text, len, buf, sizeof(buf));
		uint64_t took = now_ns() - begin;
		sh->reads++;
		if (took > sh->longest_ns)
			sh->longest_ns = took;
		if (n == -EAGAIN) {
			sh->again++;
		} else if (n == -ENOENT) {
			sh->missed += !evicting;
		} else if (n < 0) {
			sh->wrong++;
		} else {
			uint32_t version = value_version(key, buf, (uint32_t)n);
			sh->wrong += version == 0;
			sh->backwards += version < last[key];
			last[key] = version;
		}
	}
	_exit(0);
}

/* ---- the judge ----------------------------------------------------------- */

static char why[200];

static bool
judge(void)
{
	static char buf[VALUE_MAX + 64];
	struct store_conf conf = {.evict = evicting, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct store *s;
	char text[64];

	crash_hook = NULL;
	if (store_open(&map, &conf, NOW_S, &s, &rec) != 0 || rec.dropped_damaged != 0) {
		snprintf(why, sizeof(why), "recovery failed or dropped %llu",
		    (unsigned long long)rec.dropped_damaged);
		return false;
	}
	const char *sums = engine_check(s);
	if (sums != NULL)
		snprintf(why, sizeof(why), "%s", sums);
	for (uint32_t key = 0; key < N_KEYS && sums == NULL; key++) {
		uint32_t len = key_text(key, text), found = 0;
		struct store_key k = {text, len, store_hash(s, text, len)};
		struct store_item item;
		bool in_flight = sh->key_in_flight == key;
		if (store_find(s, &k, NOW_S, &item, NULL)) {
			store_read(s, &item, 0, item.value_bytes, buf);
			found = value_version(key, buf, item.value_bytes);
			if (found == 0) {
				snprintf(why, sizeof(why), "%s is not whole", text);
				sums = why;
			}
		}
		bool ok = found == sh->acked[key].version ||
		    (in_flight && found == sh->intent.version) || (evicting && found == 0) ||
		    sh->key_in_flight == N_KEYS + 1;
		if (!ok) {
			snprintf(why, sizeof(why),
			    "%s has version %u, acknowledged %u, in flight %u", text, found,
			    sh->acked[key].version, in_flight ? sh->intent.version : 0);
			sums = why;
		}
		sh->acked[key].version = found;
	}
	sh->key_in_flight = N_KEYS;
	for (uint32_t i = 0; i < N_TAGGED && sums == NULL; i++) {
		struct store_key k = tagged_key(s, i, text);
		struct store_item item;
		uint32_t version = UINT32_MAX;
		if (store_find(s, &k, NOW_S, &item, NULL))
			store_read(s, &item, 0, sizeof(version), &version);
		if (version <= sh->covered) {
			snprintf(why, sizeof(why), "%s is back: version %u, covered %u", text,
			    version, sh->covered);
			sums = why;
		}
	}
	store_close(s);
	return sums == NULL;
}

/* One life of a writer. True: it was killed. Each writes other keys than those
 * before: where none is new the table has no more cause to grow. */
static bool
one_life(const char *label, uint64_t countdown, unsigned usec)
{
	static unsigned n_lives;
	int status;

	snprintf(sh->kill_at, sizeof(sh->kill_at), "%s", label);
	sh->kill_countdown = countdown;
	n_lives++;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		srand(n_lives);
		write_forever(usec != 0);
	}
	if (usec != 0) {
		usleep(usec);
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void
make_segment(void)
{
	struct geometry g;
	struct store_conf conf = {.evict = evicting, .item_max_bytes = 1 << 20};
	struct store_recovery rec;
	struct store *s;

	const char *prefix = getenv("PEEK_TEST_NAME"); /* what tests/run removes, if this fails */
	snprintf(name, sizeof(name), "%.24scrash-%d-%d", prefix != NULL ? prefix : "test-",
	    (int)getpid(), evicting);
	snprintf(object, sizeof(object), "peekd.%s", name);
	if (map_plan_geometry(evicting ? 2 << 20 : 128 << 20, evicting ? 0 : 14, &g) != 0 ||
	    map_create(object, &g, 0600, (gid_t)-1, 4711, 1, "/nowhere", &map) != 0)
		exit(1);
	memset(sh, 0, sizeof(*sh));
	sh->key_in_flight = N_KEYS;
	if (store_open(&map, &conf, NOW_S, &s, &rec) != 0)
		exit(1);
	for (uint32_t key = 0; key < N_STABLE; key++)
		write_key(s, key, 7);
	store_close(s);
	map_publish(&map);
}

static void
remove_segment(void)
{
	char path[128];

	map_object_path(object, path, sizeof(path));
	unlink(path);
}

static void
kills(unsigned n_occurrences, unsigned n_random)
{
	static uint64_t base[N_LABELS];
	char what[400];
	unsigned n_kills = 0, n_bad = 0;

	make_segment();
	atexit(remove_segment);
	fflush(stdout);
	pid_t reader = fork();
	if (reader == 0)
		read_forever();
	/* A life without a kill shows which labels there are. */
	one_life("", 0, 0);
	snprintf(
	    what, sizeof(what), "%s: a life without a kill", evicting ? "evicting" : "keeping");
	report(judge(), what);
	memcpy(base, sh->reached, sizeof(base));
	for (uint32_t i = 0; i < sh->n_labels; i++) {
		char label[40];
		bool all = true;
		snprintf(label, sizeof(label), "%s", sh->label[i]);
		for (unsigned o = 0; o < n_occurrences; o++) {
			uint64_t countdown = o == 0 ? 1 : 1 + (uint64_t)rand() % (base[i] / 2 + 1);
			/* A repair needs something to repair, and may be cut
			 * short itself. */
			if (strncmp(label, "repair", 6) == 0 || strncmp(label, "close", 5) == 0)
				n_kills += one_life(
				    o % 2 == 0 ? "split:count stored" : "split:old cleared", 1, 0);
			bool killed = one_life(label, countdown, 0);
			n_kills += killed;
			all = judge() && all;
			/* A table that evicts stops growing; and what one life
			 * comes by a few times, the next may not. */
			if (!killed && o == 0 && base[i] >= SURE_TO_COME && !evicting) {
				snprintf(why, sizeof(why), "never reached");
				all = false;
			}
		}
		snprintf(what, sizeof(what), "%s: killed at %s%s%s",
		    evicting ? "evicting" : "keeping", label, all ? "" : ": ", all ? "" : why);
		report(all, what);
	}
	for (unsigned i = 0; i < n_random; i++) {
		n_kills += one_life("", 0, 500 + (unsigned)rand() % 20000);
		if (!judge()) {
			printf("# random kill %u: %s\n", i, why);
			n_bad++;
		}
	}
	snprintf(what, sizeof(what), "%s: %u kills at random instants",
	    evicting ? "evicting" : "keeping", n_random);
	report(n_bad == 0, what);
	sh->stop = 1;
	waitpid(reader, NULL, 0);
	snprintf(what, sizeof(what), "%s: reads %llu wrong %llu missed %llu backwards %llu",
	    evicting ? "evicting" : "keeping", (unsigned long long)sh->reads,
	    (unsigned long long)sh->wrong, (unsigned long long)sh->missed,
	    (unsigned long long)sh->backwards);
	report(sh->reads > 1000 && sh->wrong == 0 && sh->missed == 0 && sh->backwards == 0, what);
	printf("# kills %u, labels %u, reads %llu, of them refused inside a dead writer's window "
	       "%llu, longest read %llu us\n",
	    n_kills, sh->n_labels, (unsigned long long)sh->reads, (unsigned long long)sh->again,
	    (unsigned long long)sh->longest_ns / 1000);
	remove_segment();
	map_close(&map);
}

int
main(void)
{
	bool is_long = getenv("PEEK_TEST_LONG") != NULL;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	srand(1);
	evicting = false;
	kills(is_long ? 8 : 2, is_long ? 250 : 25);
	evicting = true;
	kills(is_long ? 8 : 2, is_long ? 250 : 25);
	printf("1..%u\n", n_ok + n_failed);
	return n_failed != 0;
}
#endif
