/*
 * scen_ring.c: the rings between a client and the daemon (src/shm/ring.h): put
 * and take over bytes that are used again, sleep and wake, and either side
 * killed.
 */
#include "model/scenarios.h"
#include "shm/ring.h"

#define N_BYTES 2 /* of each way: the third byte lies where the first one was */

static struct ring ring;
static unsigned char up[N_BYTES], down[N_BYTES];
static struct ring_end client_end, daemon_end;
static struct word effect; /* of what the daemon took */
static struct {
	unsigned slept, woke;
} self[2]; /* of the client, of the daemon */

static void
setup_ring(void)
{
	unsigned char *const bytes[RING_N_WAYS] = {up, down};

	memset(&ring, 0, sizeof(ring));
	memset(up, 0, sizeof(up));
	memset(down, 0, sizeof(down));
	memset(self, 0, sizeof(self));
	word_store_rlx(&effect, 0);
	ring_begin(&client_end, &ring, bytes, N_BYTES, false);
	ring_begin(&daemon_end, &ring, bytes, N_BYTES, true);
	model_keep(&client_end, sizeof(client_end));
	model_keep(&daemon_end, sizeof(daemon_end));
	model_keep(self, sizeof(self));
}

/* ---- three bytes through a ring of two ----------------------------------- */

static void
put_three(void)
{
	size_t n = ring_put(&client_end, "AB", 2);

	model_check(n == 2);
	ring_publish(&client_end);
	if (ring_put(&client_end, "C", 1) == 1) {
		ring_publish(&client_end);
		model_reached(3);
	}
}

static void
take_three(void)
{
	char all[4] = "";
	ssize_t n = 0;

	for (int i = 0; i < 3 && n < 3; i++) {
		ssize_t got = ring_take(&daemon_end, all + n, 1 + (size_t)(i & 1));
		model_check(got >= 0);
		n += got;
	}
	model_check(memcmp(all, "ABC", (size_t)n) == 0);
	model_reached((unsigned)(n < 3 ? n : 2));
}

/* ---- a side that goes to sleep, and one that puts or takes --------------- */

/* The daemon, between events, when there was nothing for a while. */
static void
daemon_sleeps(void)
{
	char byte;

	ring_await(&daemon_end, RING_AWAITS_BYTES);
	ring_awaiting();
	if (ring_input(&daemon_end) == 0) {
		self[1].slept = 1;
		model_reached(0);
	} else {
		ring_awake(&daemon_end);
		model_check(ring_take(&daemon_end, &byte, 1) == 1 && byte == 'A');
		model_reached(1);
	}
}

static void
client_puts(void)
{
	ring_put(&client_end, "A", 1);
	ring_publish(&client_end);
	self[0].woke = ring_must_wake(&client_end, RING_AWAITS_BYTES);
	model_reached(2 + self[0].woke);
}

/* Nobody sleeps whom nobody wakes. */
static void
check_woken(void)
{
	model_check(self[1].slept <= self[0].woke);
	model_check(self[0].slept <= self[1].woke);
}

/* The client's ring is full; it waits for room, and the daemon takes. */
static void
setup_full(void)
{
	setup_ring();
	ring_put(&client_end, "AB", 2);
	ring_publish(&client_end);
}

static void
client_sleeps_full(void)
{
	ring_await(&client_end, RING_AWAITS_ROOM | RING_AWAITS_BYTES);
	ring_awaiting();
	if (ring_room(&client_end) == 0) {
		self[0].slept = 1;
		model_reached(0);
		return;
	}
	ring_awake(&client_end);
	model_check(ring_put(&client_end, "C", 1) == 1);
	model_reached(1);
}

static void
daemon_takes(void)
{
	char bytes[2];

	model_check(ring_take(&daemon_end, bytes, 2) == 2 && memcmp(bytes, "AB", 2) == 0);
	self[1].woke = ring_must_wake(&daemon_end, RING_AWAITS_ROOM);
	model_reached(2 + self[1].woke);
}

/* ---- killed -------------------------------------------------------------- */

/* The client, killed anywhere: the daemon takes what was put whole, or
 * nothing. */
static void
daemon_takes_some(void)
{
	char bytes[2];
	ssize_t n = ring_take(&daemon_end, bytes, 2);

	model_check(
	    n == 0 || (n == 2 && memcmp(bytes, "AB", 2) == 0) || (n == 1 && bytes[0] == 'A'));
	model_reached((unsigned)n);
}

static void
client_puts_two(void)
{
	ring_put(&client_end, "AB", 2);
	ring_publish(&client_end);
	ring_must_wake(&client_end, RING_AWAITS_BYTES);
}

/* The daemon, killed anywhere: where something was carried out the client sees
 * that the bytes were taken. */
static void
daemon_carries_out(void)
{
	char byte;

	if (ring_take(&daemon_end, &byte, 1) == 1)
		word_store_rlx(&effect, 1);
}

static void
setup_one_put(void)
{
	setup_ring();
	ring_put(&client_end, "A", 1);
	ring_publish(&client_end);
}

static void
client_looks_after_death(void)
{
	bool untaken = ring_untaken(&client_end, 0);
	uint64_t carried_out = word_load_rlx(&effect);

	model_check(!(untaken && carried_out == 1));
	model_reached(untaken ? 0 : 1 + (unsigned)carried_out);
}

/* The client, killed in the midst of a take: the daemon writes over nothing
 * that was not taken. */
static void
setup_down_full(void)
{
	setup_ring();
	ring_put(&daemon_end, "AB", 2);
	ring_publish(&daemon_end);
}

static void
client_takes(void)
{
	char bytes[2];

	model_check(ring_take(&client_end, bytes, 1) == 1 && bytes[0] == 'A');
	model_check(ring_take(&client_end, bytes, 1) == 1 && bytes[0] == 'B');
	ring_must_wake(&client_end, RING_AWAITS_ROOM);
}

static void
daemon_puts_more(void)
{
	size_t n = ring_put(&daemon_end, "CD", 2);

	ring_publish(&daemon_end);
	ring_must_wake(&daemon_end, RING_AWAITS_BYTES);
	model_reached((unsigned)n);
}

/* ---- a wrong design ------------------------------------------------------ */

static void
daemon_sleeps_unannounced(void)
{
	if (ring_input(&daemon_end) != 0)
		return;
	ring_await(&daemon_end, RING_AWAITS_BYTES);
	self[1].slept = 1;
}

static const struct model_scenario scenarios[] = {
    {.name = "ring: three bytes through two places",
	.setup = setup_ring,
	.thread = {put_three, take_three},
	.goals = 15},
    {.name = "ring: the taker sleeps, the putter wakes",
	.setup = setup_ring,
	.thread = {client_puts, daemon_sleeps},
	.check = check_woken,
	.goals = 15},
    {.name = "ring: the putter sleeps, the taker wakes",
	.setup = setup_full,
	.thread = {client_sleeps_full, daemon_takes},
	.check = check_woken,
	.goals = 15},
    {.name = "ring: client killed in a put",
	.setup = setup_ring,
	.thread = {client_puts_two, daemon_takes_some},
	.killed = 1,
	.goals = 5},
    {.name = "ring: client killed in a take",
	.setup = setup_down_full,
	.thread = {client_takes, daemon_puts_more},
	.killed = 1,
	.goals = 7},
    {.name = "ring: daemon killed, what it had taken",
	.setup = setup_one_put,
	.thread = {daemon_carries_out, client_looks_after_death},
	.killed = 1,
	.after = {0, 1},
	.goals = 7},
    {.name = "ring: asleep without a last look",
	.setup = setup_ring,
	.thread = {client_puts, daemon_sleeps_unannounced},
	.check = check_woken,
	.must_fail = true},
};

SCENARIO_TABLE(scen_ring, scenarios);
