/*
 * scen_handover.c: a segment that is replaced under its readers, and whose
 * memory is given back (I5, I7). retired.c is compiled into this file, since
 * its steps are private to it.
 */
#include "daemon/segment/retired.c"

#include "model/scenarios.h"
#include "model/world.h"

static struct store *store, *next_store;
static char k;
static struct word ack;

void
log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

static struct retired retired;

static void
setup(void)
{
	world_init(&world, 1, 1, WORLD_BLOCK_SHIFT);
	world_init(&next_world, 1, 1, WORLD_BLOCK_SHIFT);
	word_store_rlx(&next_world.header.magic, 0);
	word_store_rlx(&ack, 0);
	k = world_key(1, 0, 0);
	store = world_open(&world);
	world_put(store, k, 'A');
	next_store = world_open(&next_world);
	world_readers(&world);
	model_tries = 2; /* the first finds the old segment retired */
	retired.map = world.map;
	retired.at = 0;
	model_keep(&retired, sizeof(retired));
}

static void
setup_stay(void)
{
	setup();
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++)
		world_reader_stays(t);
}

static void
setup_stay_pinned(void)
{
	setup_stay();
	model_unpinned_bytes = 0;
	model_tries = 1;
}

/* As segment.c does it: build, publish, rename, retire, serve. */
static void
hand_over(void)
{
	world_put(next_store, k, 'A');
	map_publish(&next_world.map);
	word_store_rlx(&world_name, 1);
	seq_hand_over(&world.header.count, word_load_rlx(&world.header.count) | COUNT_RETIRED);
	world_put(next_store, k, 'B');
	ack_write(&ack, 1);
}

static void
give_back(void)
{
	while (empty_slice(&retired))
		;
}

static void
hand_over_and_give_back(void)
{
	hand_over();
	give_back();
}

static void
read_across(void)
{
	uint64_t seen = ack_read(&ack);

	expect(world_get(k), seen == 0 ? "~AB" : "~?B");
}

static void
read_across_twice(void)
{
	char v = world_get(k), w = world_get(k);

	expect(v, "~AB");
	expect(w, "~AB");
	model_check(!(v == 'B' && w == 'A'));
}

static void
read_old(void)
{
	expect(world_get(k), "~A");
}

static const struct model_scenario scenarios[] = {
    {.name = "hand-over", .setup = setup, .thread = {hand_over, read_across}, .goals = 7},
    {.name = "hand-over, two reads",
	.setup = setup,
	.thread = {hand_over, read_across_twice},
	.goals = 7},
    {.name = "hand-over, old memory given back",
	.setup = setup,
	.thread = {hand_over_and_give_back, read_across},
	.goals = 7},
    {.name = "memory given back under a reader",
	.setup = setup_stay,
	.thread = {give_back, read_old},
	.goals = 3},
    {.name = "memory given back, pinned",
	.setup = setup_stay_pinned,
	.thread = {give_back, read_old},
	.goals = 3},
};

SCENARIO_TABLE(scen_handover, scenarios);
