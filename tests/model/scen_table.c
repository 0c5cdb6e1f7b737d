/*
 * scen_table.c: buckets that change their shape under readers: split, overflow
 * bucket linked and unlinked (I5). A key that is there throughout is never
 * missed.
 *
 * With BUCKET_SLOTS at 3, four keys of one bucket make a chain of two lines.
 */
#include <errno.h>

#include "engine/store_private.h"
#include "model/scenarios.h"
#include "model/scenes.h"
#include "shm/hint.h"

static char absent;

/* ---- split --------------------------------------------------------------- */

static void
setup_split_absent(void)
{
	scene_split(1);
	absent = world_key(2, 1, 3);
}

static void
setup_split_pinned(void)
{
	scene_split(1);
	model_unpinned_bytes = 0;
}

static void
split_update(void)
{
	split();
	world_put(store, moves[0], 'N');
	ack_write(&ack, 1);
	world_delete(store, stays[0]);
	ack_write(&ack, 2);
}

static void
read_stays(void)
{
	expect(world_get(stays[0]), "~A");
}

static void
read_moves(void)
{
	expect(world_get(moves[0]), "~M");
}

static void
read_absent(void)
{
	expect(world_get(absent), "~0");
}

static void
read_moves_updated(void)
{
	uint64_t seen = ack_read(&ack);

	expect(world_get(moves[0]), seen == 0 ? "~MN" : "~?N");
}

static void
read_stays_deleted(void)
{
	uint64_t seen = ack_read(&ack);

	expect(world_get(stays[0]), seen == 2 ? "~?0" : "~A0");
}

static void
read_any_of_four(void)
{
	switch (model_choose(4)) {
	case 0:
		expect(world_get(stays[0]), "~A");
		break;
	case 1:
		expect(world_get(stays[1]), "~?B");
		break;
	case 2:
		expect(world_get(moves[0]), "~??M");
		break;
	default:
		expect(world_get(moves[1]), "~???N");
	}
}

/* ---- a walk -------------------------------------------------------------- */

static int
visit(void *arg, const struct peek_entry *entry)
{
	char key = *(const char *)entry->key;

	*(unsigned *)arg |= key == stays[0] ? 1u : key == moves[0] ? 2u : 4u;
	return 0;
}

/* Each key that is there throughout is passed. */
static void
walk(void)
{
	unsigned seen = 0;
	int r = peek_scan(world_peek((unsigned)model_self()), visit, &seen);

	model_check(r == 0 || r == -EAGAIN);
	if (r == 0)
		model_check(seen == 3);
	model_reached(r == 0);
}

/* ---- overflow ------------------------------------------------------------ */

static void
link_fourth(void)
{
	world_put(store, key_d, 'D');
}

static void
read_moved_out(void)
{
	expect(world_get(key_c), "~C");
}

static int
visit_three(void *arg, const struct peek_entry *entry)
{
	char key = *(const char *)entry->key;

	*(unsigned *)arg |= key == key_a ? 1u : key == key_b ? 2u : key == key_c ? 4u : 8u;
	return 0;
}

static void
walk_chain(void)
{
	unsigned seen = 0;
	int r = peek_scan(world_peek((unsigned)model_self()), visit_three, &seen);

	model_check(r == 0 || r == -EAGAIN);
	if (r == 0)
		model_check((seen & 7) == 7);
	model_reached(r == 0 ? 1 + (seen == 15) : 0);
}

static void
read_fourth(void)
{
	expect(world_get(key_d), "~0D");
}

static void
unlink_first(void)
{
	world_delete(store, key_a);
}

/* The overflow bucket is cut off and linked again with another key. */
static void
unlink_and_link(void)
{
	world_delete(store, key_a);
	world_put(store, key_e, 'E');
}

static void
read_any_that_stays(void)
{
	switch (model_choose(3)) {
	case 0:
		expect(world_get(key_b), "~B");
		break;
	case 1:
		expect(world_get(key_c), "~?C");
		break;
	default:
		expect(world_get(key_d), "~??D");
	}
}

static void
read_last_of_chain(void)
{
	expect(world_get(key_d), "~D");
}

/* Two chains: what leaves the one comes into the other, where key_e belongs. */
static void
setup_two_chains(void)
{
	world_init(&world, 2, 2, WORLD_BLOCK_SHIFT);
	store = world_open(&world);
	key_a = world_key(2, 0, 0);
	key_b = world_key(2, 0, 1);
	key_c = world_key(2, 0, 2);
	key_d = world_key(2, 0, 3);
	key_e = world_key(2, 1, 3);
	world_put(store, key_a, 'A');
	world_put(store, key_b, 'B');
	world_put(store, key_c, 'C');
	world_put(store, key_d, 'D');
	for (unsigned i = 0; i < 3; i++)
		world_put(store, world_key(2, 1, i), 'Z');
	world_readers(&world);
}

/* ---- eviction: what is hot moves, what is not goes ----------------------- */

static char hot, cold;

static void
setup_evict(void)
{
	world_init(&world, 4, 4, WORLD_BLOCK_SHIFT);
	world.map.n_blocks = 7;
	store = world_open(&world);
	hot = 'a';
	cold = 'b';
	struct store_key key = {.bytes = &hot, .len = 1, .hash = store_hash(store, &hot, 1)};
	struct store_item item;
	for (char next = 'a'; next < 'e'; next++)
		world_put(store, next, 'A');
	for (unsigned i = 0; i < HINT_MAX; i++) {
		model_check(store_find(store, &key, WORLD_NOW_S, &item, NULL));
		store_bump(store, &item, WORLD_NOW_S);
	}
	word_store_rlx(&ack, slot_unit(item.slot));
	world_readers(&world);
}

static void
evict(void)
{
	struct store_key key = {.bytes = &hot, .len = 1, .hash = store_hash(store, &hot, 1)};
	struct store_item item;

	world_put(store, 'v', 'Z'); /* opens a segment: the oldest has to go */
	world_put(store, 'w', 'Z');
	model_check(store_find(store, &key, WORLD_NOW_S, &item, NULL));
	if (slot_unit(item.slot) != word_load_rlx(&ack))
		model_reached(8);
	if (world_find(store, cold) == WORLD_MISS)
		model_reached(9);
}

static void
recover_hot(void)
{
	struct store *s = world_open(&world);

	model_check(world_find(s, hot) == 'A' && world_count(s, hot) == 1);
}

static void
read_hot(void)
{
	expect(world_get(hot), "~A");
}

static const struct model_scenario scenarios[] = {
    {.name = "split, a key that stays",
	.setup = scene_split_one,
	.thread = {split, read_stays},
	.goals = 3},
    {.name = "split, a key that moves",
	.setup = scene_split_one,
	.thread = {split, read_moves},
	.goals = 3},
    {.name = "split, a key that moves, pinned",
	.setup = setup_split_pinned,
	.thread = {split, read_moves},
	.goals = 3},
    {.name = "split, no such key",
	.setup = setup_split_absent,
	.thread = {split, read_absent},
	.goals = 3},
    {.name = "split, then the moved one updated",
	.setup = scene_split_one,
	.thread = {split_update, read_moves_updated},
	.goals = 7},
    {.name = "split, then the other deleted",
	.setup = scene_split_one,
	.thread = {split_update, read_stays_deleted},
	.goals = 7},
    {.name = "split under a walk", .setup = scene_split_one, .thread = {split, walk}, .goals = 3},
    {.name = "split of a chain",
	.setup = scene_split_chain,
	.thread = {split, read_any_of_four},
	.goals = 31},
    {.name = "overflow linked, the item moved out",
	.setup = scene_full,
	.thread = {link_fourth, read_moved_out},
	.goals = 3},
    {.name = "overflow linked, the new item",
	.setup = scene_full,
	.thread = {link_fourth, read_fourth},
	.goals = 7},
    {.name = "overflow linked under a walk",
	.setup = scene_full,
	.thread = {link_fourth, walk_chain},
	.goals = 7},
    {.name = "overflow unlinked",
	.setup = scene_chain,
	.thread = {unlink_first, read_any_that_stays},
	.goals = 15},
    {.name = "overflow closed up",
	.setup = scene_chain_five,
	.thread = {unlink_first, read_any_that_stays},
	.goals = 15},
    {.name = "overflow unlinked and linked again",
	.setup = scene_chain,
	.thread = {unlink_and_link, read_any_that_stays},
	.goals = 15},
    {.name = "overflow given to another chain",
	.setup = setup_two_chains,
	.thread = {unlink_and_link, read_last_of_chain},
	.goals = 3},
    {.name = "eviction moves a hot item",
	.setup = setup_evict,
	.thread = {evict, read_hot},
	.goals = 0x303},
    {.name = "kill: eviction moves a hot item",
	.setup = setup_evict,
	.thread = {evict, recover_hot, read_hot},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x303},
};

SCENARIO_TABLE(scen_table, scenarios);
