/*
 * test_ring.c: rings of bytes: what is put is taken, in order and once; a side
 * that stores garbage breaks its own ring alone; two threads that sleep.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/ring.h"
#include "unit/random.h"

static struct ring ring;
static unsigned char up[RING_BYTES], down[RING_BYTES];
static struct ring_end client, server;

static void
begin(uint64_t n_bytes)
{
	unsigned char *const bytes[RING_N_WAYS] = {up, down};

	memset(&ring, 0, sizeof(ring));
	ring_begin(&client, &ring, bytes, n_bytes, false);
	ring_begin(&server, &ring, bytes, n_bytes, true);
}

/* Byte n of what one side says to the other. */
static unsigned char
byte_at(uint64_t n)
{
	return (unsigned char)((n * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* Random pieces both ways through rings of several sizes. */
static void
pieces_both_ways(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint64_t n_bytes = 1; n_bytes <= 4096; n_bytes *= 8) {
		struct ring_end *end[2] = {&client, &server};
		uint64_t n_put[2] = {0}, n_taken[2] = {0};
		begin(n_bytes);
		for (int i = 0; i < 20000; i++) {
			unsigned char piece[5000];
			unsigned who = next_random(&seed) & 1;
			size_t n = (size_t)(next_random(&seed) % (n_bytes + 3));
			if ((next_random(&seed) & 1) != 0) {
				for (size_t k = 0; k < n; k++)
					piece[k] = byte_at(n_put[who] + k);
				size_t done = ring_put(end[who], piece, n);
				uint64_t used = n_put[who] - n_taken[!who];
				assert_int_equal(done, n < n_bytes - used ? n : n_bytes - used);
				n_put[who] += done;
				assert_true(ring_publish(end[who]) == (done > 0));
			} else {
				ssize_t done = ring_take(end[who], piece, n);
				assert_true(done >= 0);
				for (ssize_t k = 0; k < done; k++)
					assert_int_equal(
					    piece[k], byte_at(n_taken[who] + (uint64_t)k));
				n_taken[who] += (uint64_t)done;
			}
		}
		assert_true(n_taken[0] > 1000 && n_taken[1] > 1000);
	}
}

/* Bytes that are put and not published are not there. */
static void
published_as_a_whole(void **state)
{
	char to[8];

	(void)state;
	begin(8);
	assert_int_equal(ring_put(&client, "abc", 3), 3);
	assert_int_equal(ring_take(&server, to, 8), 0);
	assert_int_equal(ring_put(&client, "defghij", 7), 5);
	assert_true(ring_publish(&client));
	assert_false(ring_publish(&client));
	assert_int_equal(ring_put(&client, "i", 1), 0);
	assert_int_equal(ring_take(&server, to, 8), 8);
	assert_memory_equal(to, "abcdefgh", 8);
	assert_true(ring_untaken(&client, 8));
	assert_false(ring_untaken(&client, 7));
}

/* Counters of the other side that can't be. */
static void
impossible_counters(void **state)
{
	static const uint64_t garbage[] = {9, 17, 1000, UINT64_MAX, UINT64_MAX - 7, 1ull << 63};
	unsigned char to[64];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		begin(8);
		word_store_rlx(&ring.tail[RING_UP].w, garbage[i]);
		assert_int_equal(ring_input(&server), -EBADMSG);
		assert_int_equal(ring_take(&server, to, sizeof(to)), -EBADMSG);
		word_store_rlx(&ring.tail[RING_UP].w, 0);
		assert_int_equal(ring_take(&server, to, sizeof(to)), -EBADMSG);

		begin(8);
		assert_int_equal(ring_put(&server, "12345678", 8), 8);
		word_store_rlx(&ring.head[RING_DOWN].w, garbage[i]);
		assert_int_equal(ring_room(&server), 0);
		assert_int_equal(ring_put(&server, "x", 1), 0);
		word_store_rlx(&ring.head[RING_DOWN].w, 8);
		assert_int_equal(ring_put(&server, "x", 1), 1);
	}
}

/* A client that stores anything anywhere, at any time: the daemon's side never
 * reaches beyond its memory, and gives no more than n_bytes at once. */
static void
scribbled_over(void **state)
{
	uint64_t seed = 7;
	unsigned char to[64];
	struct ring *r = aligned_alloc(_Alignof(struct ring), sizeof(*r));

	(void)state;
	unsigned char *u = malloc(64), *d = malloc(64); /* ASan watches their ends */
	assert_true(r != NULL && u != NULL && d != NULL);
	unsigned char *const bytes[RING_N_WAYS] = {u, d};
	for (int round = 0; round < 2000; round++) {
		memset(r, 0, sizeof(*r));
		ring_begin(&server, r, bytes, 64, true);
		for (int i = 0; i < 50; i++) {
			struct word *w = (struct word *)(void *)r +
			    next_random(&seed) % (sizeof(*r) / sizeof(struct word));
			uint64_t v = next_random(&seed);
			word_store_rlx(w, (v & 3) != 0 ? v % 200 : v);
			ssize_t n = ring_take(&server, to, sizeof(to));
			assert_true(n == -EBADMSG || (n >= 0 && n <= 64));
			assert_in_range(ring_put(&server, to, sizeof(to)), 0, 64);
			ring_publish(&server);
			ring_must_wake(&server, RING_AWAITS_BYTES | RING_AWAITS_ROOM);
		}
	}
	free(r);
	free(u);
	free(d);
}

#define N_THROUGH (UINT64_C(4) << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void
wake(void)
{
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

/* As the futex does: sleeps while the flag is as it was stored. */
static void
sleep_on(struct ring_end *e, unsigned what, bool (*ready)(struct ring_end *e))
{
	ring_await(e, what);
	ring_awaiting();
	if (!ready(e)) {
		pthread_mutex_lock(&lock);
		while (word_load_rlx(e->awaits) == what)
			pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	ring_awake(e);
}

static bool
has_room(struct ring_end *e)
{
	return ring_room(e) > 0;
}

static bool
has_input(struct ring_end *e)
{
	return ring_input(e) != 0;
}

static void *
putter(void *arg)
{
	uint64_t seed = 3;

	for (uint64_t n = 0; n < N_THROUGH;) {
		unsigned char piece[300];
		size_t len = (size_t)(1 + next_random(&seed) % sizeof(piece));
		if (len > N_THROUGH - n)
			len = (size_t)(N_THROUGH - n);
		for (size_t k = 0; k < len; k++)
			piece[k] = byte_at(n + k);
		size_t done = ring_put(&client, piece, len);
		if (ring_publish(&client) && ring_must_wake(&client, RING_AWAITS_BYTES))
			wake();
		n += done;
		if (done == 0)
			sleep_on(&client, RING_AWAITS_ROOM, has_room);
	}
	return arg;
}

/* Two threads that sleep whenever there is nothing to do: nobody is left
 * asleep. */
static void
two_that_sleep(void **state)
{
	unsigned char piece[512];
	uint64_t n_taken = 0;
	pthread_t t;

	(void)state;
	begin(1024);
	assert_int_equal(pthread_create(&t, NULL, putter, NULL), 0);
	while (n_taken < N_THROUGH) {
		ssize_t n = ring_take(&server, piece, sizeof(piece));
		assert_true(n >= 0);
		if (n == 0) {
			sleep_on(&server, RING_AWAITS_BYTES, has_input);
			continue;
		}
		for (ssize_t k = 0; k < n; k++)
			assert_true(piece[k] == byte_at(n_taken + (uint64_t)k));
		n_taken += (uint64_t)n;
		if (ring_must_wake(&server, RING_AWAITS_ROOM))
			wake();
	}
	assert_int_equal(pthread_join(t, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pieces_both_ways),
	    cmocka_unit_test(published_as_a_whole),
	    cmocka_unit_test(impossible_counters),
	    cmocka_unit_test(scribbled_over),
	    cmocka_unit_test(two_that_sleep),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
