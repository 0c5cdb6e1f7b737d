/*
 * count_lane.c: handing out lanes.
 */
#include "lib/count_lane.h"

#include <pthread.h>
#include <stdbool.h>

#include "lib/guard.h"

#define N_OWN (HINT_CELLS_PER_CLIENT - 1) /* lanes of one thread each */
/* the average number of reads between two samples */
#define N_LEFT_FIRST 128

_Thread_local struct lane lane_mine
    __attribute__((tls_model("initial-exec"))) = {.cell_at = LANE_NONE};

/* Guards the variables below, and orders the last stores of a cell's old owner
 * before the first of the new one. */
static pthread_mutex_t lanes_lock = PTHREAD_MUTEX_INITIALIZER;
static bool lane_taken[N_OWN];
static bool key_made;
static pthread_key_t key;

/* The place of the i-th cell; N_OWN: of the shared one. */
static unsigned
lane_of(unsigned i)
{
	return i * (unsigned)sizeof(struct hint_cell);
}

static void
lane_give_back(void *taken)
{
	/* a later destructor that still reads takes a cell again */
	lane_mine = (struct lane){.cell_at = LANE_NONE};
	pthread_mutex_lock(&lanes_lock);
	*(bool *)taken = false;
	pthread_mutex_unlock(&lanes_lock);
}

/* A child has one thread, and another thread of its parent may have held the
 * lock. */
static void
lane_in_child(void)
{
	pthread_mutex_init(&lanes_lock, NULL);
	for (unsigned i = 0; i < N_OWN; i++)
		lane_taken[i] = lane_of(i) == lane_mine.cell_at;
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
	int cancel = guard_enter();
	unsigned i = 0;

	pthread_mutex_lock(&lanes_lock);
	if (!key_made)
		key_made = pthread_atfork(NULL, NULL, lane_in_child) == 0 &&
		    pthread_key_create(&key, lane_give_back) == 0;
	while (i < N_OWN && lane_taken[i])
		i++;
	/* Without a key the cell would never come back: then the thread shares
	 * one. */
	if (i < N_OWN && key_made && pthread_setspecific(key, &lane_taken[i]) == 0)
		lane_taken[i] = true;
	else
		i = N_OWN;
	pthread_mutex_unlock(&lanes_lock);
	guard_leave(cancel);
	lane_mine = (struct lane){
	    .cell_at = lane_of(i), .n_left = N_LEFT_FIRST - (i < N_OWN ? 0 : LANE_SHARED_LEFT)};
	return lane_mine.cell_at;
}

void
lane_sample(struct hint_cell *cell, uint64_t n, uint64_t hint_at)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	/* The cell's address is part of it, so that processes and threads that
	 * read the same keys don't sample the same ones. */
	uint64_t random = (n ^ (uintptr_t)cell) * odd;

	random = (random ^ random >> 32) * odd;
	lane_mine.n_left =
	    (int)(random >> 56) + 1 - (lane_is_own(lane_mine.cell_at) ? 0 : LANE_SHARED_LEFT);
	/* relaxed: one word holds the whole sample, and no promise depends on
	 * it */
	if (hint_at != HINT_NONE)
		word_store_rlx(
		    &cell->sampled[random >> 40 & (HINT_SAMPLES - 1)], hint_sample(hint_at, n));
}
