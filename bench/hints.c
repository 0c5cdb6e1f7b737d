/*
 * hints.c: measures the time that a hint adds to a hit. Processes read a few
 * hot keys at the same time; each round has a turn with hints and one without.
 *
 *   kept      reads leave the hints' bytes as they are: at their highest after
 *             three reads, as the bytes of hot keys are nearly always
 *   cleared   all bytes go back to 0 before every turn, and the turn is short:
 *             nearly every read raises a byte that other processes raise too
 *
 * Both turns of a round run the same gets through two handles of one process,
 * each after a pass that isn't timed. The order of the two changes from round
 * to round. All processes begin a turn together.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "payload.h"
#include "segment.h"
#include "shm/hint.h"
#include "timer.h"

#define PROCESSES      2
#define ROUNDS_MAX     10001
#define KEYS_MAX       1000000
#define KEY_BYTES      24
#define VALUE_BYTES    100
#define PASSES_KEPT    64 /* over all keys, in one turn */
#define PASSES_CLEARED 3

enum { WITHOUT, WITH, TURNS };

struct sample {
	double ns[TURNS]; /* of one get */
};

struct hints {
	const struct options *o;
	struct own_segment segment;
	struct timer timer;
	struct shared {
		_Atomic uint32_t arrived, failed;
		/* gets of a wrong value; turns whose hints are not as they
		 * should be */
		_Atomic uint64_t wrong, silent;
	} * shared;
	struct sample *samples; /* [process][round] */
};

/* Waits until all processes are here. False: one has failed. */
static bool
hints_meet(const struct hints *h, uint32_t *n_met)
{
	uint32_t all = ++*n_met * PROCESSES;

	atomic_fetch_add(&h->shared->arrived, 1);
	while (atomic_load(&h->shared->arrived) < all && atomic_load(&h->shared->failed) == 0)
		sched_yield();
	return atomic_load(&h->shared->failed) == 0;
}

/* The sum of all hints that slots in use have; `clear` sets them to 0. */
static uint64_t
sum_hints(const struct hints *h, bool clear)
{
	const struct map *m = &h->segment.map;
	struct hint_layout l = hint_plan(m->n_buckets_max, m->n_overflow_max, 1);
	uint64_t st[SHM_STAT_N];
	uint64_t sum = 0;

	store_stats(h->segment.store, 0, st);
	uint64_t part[][2] = {
	    {0, st[SHM_STAT_N_BUCKETS]}, {l.overflow_at, st[SHM_STAT_N_OVERFLOW]}};
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t i = part[k][0]; i < part[k][0] + part[k][1] * HINT_BYTES_PER_BUCKET;
		     i++) {
			/* relaxed: nobody changes the hints now */
			sum += byte_load_rlx(&h->segment.hints[i]);
			if (clear)
				byte_store_rlx(&h->segment.hints[i], 0);
		}
	return sum;
}

static uint64_t
hints_gets(struct peek *p, const unsigned char *keys, uint64_t n)
{
	unsigned char value[VALUE_BYTES];
	uint64_t hits = 0;

	for (uint64_t i = 0; i < n; i++)
		hits +=
		    peek_get(p, keys + i * KEY_BYTES, KEY_BYTES, value, VALUE_BYTES) == VALUE_BYTES;
	return hits;
}

struct reader {
	const struct hints *h;
	unsigned idx;
	struct peek *p[TURNS];
	unsigned char *keys; /* a pass */
	uint32_t n_met;
};

static bool
hints_turn(struct reader *r, unsigned which, bool cleared, double *ret_ns)
{
	const struct hints *h = r->h;
	uint64_t n = h->o->hot, passes = cleared ? PASSES_CLEARED : PASSES_KEPT, hits = 0;

	hints_gets(r->p[which], r->keys, n);
	if (!hints_meet(h, &r->n_met))
		return false;
	if (cleared && r->idx == 0)
		sum_hints(h, true);
	if (!hints_meet(h, &r->n_met))
		return false;
	uint64_t begin = timer_now();
	for (uint64_t i = 0; i < passes; i++)
		hits += hints_gets(r->p[which], r->keys, n);
	*ret_ns = (double)(timer_now() - begin) * h->timer.ns_per_tick / (double)(passes * n);
	if (hits != passes * n)
		atomic_fetch_add(&h->shared->wrong, passes * n - hits);
	if (!hints_meet(h, &r->n_met))
		return false;
	/* each key's hint is 2 at least, even if two processes overwrote each
	 * other */
	if (cleared && r->idx == 0) {
		uint64_t after = sum_hints(h, false);
		atomic_fetch_add(&h->shared->silent, which == WITH ? after < 2 * n : after != 0);
	}
	return hints_meet(h, &r->n_met);
}

static bool
hints_rounds(struct reader *r, bool cleared)
{
	for (uint64_t i = 0; i < r->h->o->rounds; i++) {
		struct sample *s = &r->h->samples[r->idx * r->h->o->rounds + i];
		for (unsigned k = 0; k < TURNS; k++) {
			unsigned which = (k + i) % TURNS;
			if (!hints_turn(r, which, cleared, &s->ns[which]))
				return false;
		}
	}
	return true;
}

/* Reads all keys in this process's order, and checks each value. */
static bool
make_keys(struct reader *r)
{
	uint64_t n = r->h->o->hot;
	struct rng rng = {rng_mix(r->h->o->seed * 1000 + r->idx)};
	uint32_t *ids = malloc(n * sizeof(*ids));
	unsigned char value[VALUE_BYTES];

	r->keys = malloc(n * KEY_BYTES);
	if (ids == NULL || r->keys == NULL) {
		free(ids);
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = rng_below(&rng, i + 1);
		ids[i] = ids[j];
		ids[j] = i;
	}
	for (uint64_t i = 0; i < n; i++) {
		unsigned char *key = r->keys + i * KEY_BYTES;
		payload_key(key, KEY_BYTES, ids[i]);
		if (peek_get(r->p[WITHOUT], key, KEY_BYTES, value, VALUE_BYTES) != VALUE_BYTES ||
		    !payload_ok(value, VALUE_BYTES, ids[i]))
			atomic_fetch_add(&r->h->shared->wrong, 1);
	}
	free(ids);
	return true;
}

static int
read_rounds(const struct hints *h, unsigned idx, bool cleared)
{
	struct reader r = {.h = h, .idx = idx};
	bool ok = own_segment_open(&h->segment, false, &r.p[WITHOUT]) == 0 &&
	    own_segment_open(&h->segment, true, &r.p[WITH]) == 0 && make_keys(&r) &&
	    hints_rounds(&r, cleared);

	if (!ok)
		atomic_store(&h->shared->failed, 1);
	peek_close(r.p[WITHOUT]);
	peek_close(r.p[WITH]);
	free(r.keys);
	return !ok;
}

static int
run_processes(const struct hints *h, bool cleared)
{
	pid_t parent = getpid(), pid;
	int bad = 0, status;

	atomic_store(&h->shared->arrived, 0);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pid = fork();
		if (pid == 0) {
			signal(SIGINT, SIG_DFL);
			signal(SIGTERM, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(getppid() != parent || read_rounds(h, i, cleared) != 0);
		}
		if (pid < 0)
			atomic_store(&h->shared->failed, 1);
	}
	while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
		if (pid > 0 && status != 0) {
			bad = 1;
			atomic_store(&h->shared->failed, 1);
		}
	return bad || atomic_load(&h->shared->failed) != 0;
}

static int
by_size(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

struct spread {
	double low, median, high; /* quartiles */
};

/* The quartiles of one turn, or (TURNS) of the difference within a round. */
static struct spread
spread_of(const struct hints *h, unsigned which, double *room)
{
	uint64_t n = h->o->rounds * PROCESSES;

	for (uint64_t i = 0; i < n; i++)
		room[i] = which < TURNS ? h->samples[i].ns[which]
					: h->samples[i].ns[WITH] - h->samples[i].ns[WITHOUT];
	qsort(room, n, sizeof(*room), by_size);
	return (struct spread){room[n / 4], room[n / 2], room[n - 1 - n / 4]};
}

static void
hints_print(const struct hints *h, const char *name, double *room)
{
	struct spread with = spread_of(h, WITH, room), without = spread_of(h, WITHOUT, room),
		      more = spread_of(h, TURNS, room);
	const char *format = h->o->json
	    ? "{\"hints\":\"%s\",\"with_ns\":%.3f,\"without_ns\":%.3f,\"difference_ns\":%.3f,"
	      "\"quartile_low_ns\":%.3f,\"quartile_high_ns\":%.3f}\n"
	    : "%-8s %8.2f %8.2f %+11.2f   %+.2f to %+.2f\n";

	printf(format, name, with.median, without.median, more.median, more.low, more.high);
	fflush(stdout);
}

static int
hints_fill(struct hints *h)
{
	unsigned char key[KEY_BYTES], value[VALUE_BYTES];
	struct store *s = h->segment.store;
	uint64_t cas;

	for (uint64_t id = 0; id < h->o->hot; id++) {
		payload_key(key, KEY_BYTES, id);
		payload_value(value, VALUE_BYTES, id, 0);
		struct store_put put = {
		    .key = {.bytes = key, .len = KEY_BYTES, .hash = store_hash(s, key, KEY_BYTES)},
		    .value = value,
		    .value_bytes = VALUE_BYTES};
		if (store_put(s, &put, h->segment.now_s, &cas) != STORE_OK)
			return -1;
	}
	return 0;
}

static int
hints_run(struct hints *h, double *room)
{
	int bad = hints_fill(h);

	if (!h->o->json)
		printf(
		    "a hit of %llu hot keys in %d processes, ns, medians of %llu rounds in turn\n"
		    "hints        with  without  difference   half of the rounds\n",
		    (unsigned long long)h->o->hot, PROCESSES, (unsigned long long)h->o->rounds);
	for (unsigned cleared = 0; cleared < 2 && bad == 0; cleared++) {
		bad = run_processes(h, cleared != 0);
		if (bad == 0)
			hints_print(h, cleared != 0 ? "cleared" : "kept", room);
	}
	if (bad != 0)
		fprintf(stderr, "peekbench hints: a process failed\n");
	if (h->shared->wrong != 0 || h->shared->silent != 0)
		fprintf(stderr,
		    "peekbench hints: %llu wrong values, %llu turns in which hints weren't raised, "
		    "or were without being asked for\n",
		    (unsigned long long)h->shared->wrong, (unsigned long long)h->shared->silent);
	return bad != 0 || h->shared->wrong != 0 || h->shared->silent != 0;
}

int
command_hints(const struct options *o)
{
	struct hints h = {.o = o};
	struct own_conf conf = {
	    .arena_bytes = o->hot * 256 + (16 << 20), .hash_seed = rng_mix(o->seed) | 1};

	if (o->hot < 1 || o->hot > KEYS_MAX || o->rounds < 1 || o->rounds > ROUNDS_MAX) {
		fprintf(stderr, "peekbench hints: --hot is 1 to %d, --rounds 1 to %d\n", KEYS_MAX,
		    ROUNDS_MAX);
		return 2;
	}
	size_t n = o->rounds * PROCESSES, shared_bytes = sizeof(*h.shared) + n * sizeof(*h.samples);
	double *room = calloc(n, sizeof(*room));
	h.shared =
	    mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (room == NULL || h.shared == MAP_FAILED || own_segment_create(&conf, &h.segment) != 0) {
		fprintf(stderr, "peekbench hints: no memory, or no segment\n");
		free(room);
		return 1;
	}
	h.samples = (void *)(h.shared + 1);
	timer_calibrate(&h.timer);
	int bad = own_segment_add_hints(&h.segment) != 0 || hints_run(&h, room) != 0;
	own_segment_destroy(&h.segment);
	munmap(h.shared, shared_bytes);
	free(room);
	return bad;
}
