/*
 * lane.c: handing out lanes.
 */
#include "lib/lane.h"

#include <pthread.h>
#include <stdbool.h>

_Thread_local unsigned lane_of_thread __attribute__((tls_model("initial-exec")));
_Thread_local uint8_t lane_sample_at __attribute__((tls_model("initial-exec")));

/* Guards what follows, and orders the last stores of a lane's old owner before the first of the new one. */
static pthread_mutex_t lanes_lock = PTHREAD_MUTEX_INITIALIZER;
static bool lane_taken[LANE_SHARED];
static bool key_made;
static pthread_key_t key;

static void
lane_give_back(void *lane_as_ptr)
{
	lane_of_thread = LANE_NONE; /* a later destructor that still reads takes one anew */
	pthread_mutex_lock(&lanes_lock);
	lane_taken[(uintptr_t)lane_as_ptr] = false;
	pthread_mutex_unlock(&lanes_lock);
}

/* A child has one thread, and the lock may have been held by another of its parent's. */
static void
lane_in_child(void)
{
	pthread_mutex_init(&lanes_lock, NULL);
	for (unsigned i = 1; i < LANE_SHARED; i++)
		lane_taken[i] = i == lane_of_thread;
}

/* The library may be unloaded before its threads end. */
__attribute__((destructor)) static void
lane_forget_key(void)
{
	if (key_made)
		pthread_key_delete(key);
}

unsigned
lane_take(void)
{
	unsigned lane = 1;

	pthread_mutex_lock(&lanes_lock);
	if (!key_made)
		key_made = pthread_atfork(NULL, NULL, lane_in_child) == 0 && pthread_key_create(&key, lane_give_back) == 0;
	while (lane < LANE_SHARED && lane_taken[lane])
		lane++;
	/* Without a key a lane would never come back: the thread shares one. */
	if (lane < LANE_SHARED && key_made && pthread_setspecific(key, (void *)(uintptr_t)lane) == 0)
		lane_taken[lane] = true;
	else
		lane = LANE_SHARED;
	pthread_mutex_unlock(&lanes_lock);
	lane_of_thread = lane;
	return lane;
}

void
lane_sample(struct hint_cell *cell, uint64_t n_hits, uint64_t hint_at)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	/* The cell's place: so that processes and threads that read the same don't sample the same. */
	uint64_t random = (n_hits ^ (uintptr_t)cell) * odd;

	random = (random ^ random >> 32) * odd;
	lane_sample_at = (uint8_t)(random >> 56);
	/* relaxed: one word says all, and nobody relies on it */
	word_store_rlx(&cell->sampled[random >> 40 & (HINT_SAMPLES - 1)], hint_sample(hint_at, n_hits));
}
