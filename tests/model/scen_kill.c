/*
 * scen_kill.c: the writer is killed anywhere, with any of its stores done that
 * the program's order permits; a successor takes over; readers go on (I6).
 *
 * Thread 0 is the writer (killed), 1 the successor (begins when it is dead), 2
 * a reader, which runs beside both. Every acknowledged write is there; any
 * other write is there whole or not at all; no item is there twice; no item
 * that nobody touched is missed.
 */
#include "engine/store_private.h"
#include "model/scenarios.h"
#include "model/scenes.h"

static struct word ack_successor;

static void
setup_one(void)
{
	scene_one();
	word_store_rlx(&ack_successor, 0);
}

/* ---- link ---------------------------------------------------------------- */

static void
link_new(void)
{
	world_put(store, key_b, 'X');
	ack_write(&ack, 1);
}

static void
recover_linked(void)
{
	struct store *s = world_open(&world);

	expect(world_find(s, key_b), ack_look(&ack) != 0 ? "?X" : "0X");
	model_check(world_find(s, key_a) == 'A');
	model_check(world_count(s, key_a) == 1 && world_count(s, key_b) <= 1);
}

static void
read_untouched(void)
{
	expect(world_get(key_a), "????~A");
}

static void
read_linked(void)
{
	expect(world_get(key_b), "????~0X");
}

/* ---- switch -------------------------------------------------------------- */

static void
switch_twice(void)
{
	world_put(store, key_a, 'B');
	ack_write(&ack, 'B');
	world_put(store, key_a, 'C');
	ack_write(&ack, 'C');
}

static void
switch_once(void)
{
	world_put(store, key_a, 'B');
	ack_write(&ack, 'B');
}

static void
recover_switched(void)
{
	struct store *s = world_open(&world);
	char v = world_find(s, key_a);
	uint64_t acked = ack_look(&ack);

	expect(v, acked == 'C' ? "??C" : acked == 'B' ? "?BC" : "ABC");
	model_check(world_count(s, key_a) == 1);
	ack_write(&ack_successor, (uint64_t)v);
}

static void
read_switched(void)
{
	uint64_t seen = ack_read(&ack_successor);
	char v = world_get(key_a);

	if (seen != 0)
		model_check(v == WORLD_AGAIN || (uint64_t)v == seen);
	expect(v, "????~ABC");
}

/* The successor writes over what the dead writer had taken. */
static void
recover_and_store(void)
{
	struct store *s = world_open(&world);

	world_put(s, key_b, 'W');
	world_put(s, key_b, 'V');
	model_check(world_find(s, key_b) == 'V');
	ack_write(&ack_successor, 1);
}

static void
read_beside_successor(void)
{
	expect(world_get(key_a), "????~AB");
}

/* ---- unlink -------------------------------------------------------------- */

static void
unlink_one(void)
{
	world_delete(store, key_a);
	ack_write(&ack, 1);
}

static void
recover_unlinked(void)
{
	struct store *s = world_open(&world);

	expect(world_find(s, key_a), ack_look(&ack) != 0 ? "?0" : "A0");
	world_put(s, key_b, 'W');
	world_put(s, key_b, 'V');
}

static void
read_unlinked(void)
{
	expect(world_get(key_a), "????~A0");
}

/* ---- chains -------------------------------------------------------------- */

static void
link_fourth(void)
{
	world_put(store, key_d, 'D');
	ack_write(&ack, 1);
}

static void
unlink_first(void)
{
	world_delete(store, key_a);
	ack_write(&ack, 1);
}

static void
recover_linked_chain(void)
{
	struct store *s = world_open(&world);

	expect(world_find(s, key_d), ack_look(&ack) != 0 ? "?D" : "0D");
	model_check(world_find(s, key_a) == 'A' && world_find(s, key_b) == 'B' &&
	    world_find(s, key_c) == 'C');
	model_check(world_count(s, key_c) == 1 && world_count(s, key_d) <= 1);
}

static void
recover_chain(void)
{
	struct store *s = world_open(&world);

	expect(world_find(s, key_a), ack_look(&ack) != 0 ? "?0" : "A0");
	model_check(world_find(s, key_b) == 'B' && world_find(s, key_c) == 'C' &&
	    world_find(s, key_d) == 'D');
	model_check(
	    world_count(s, key_b) == 1 && world_count(s, key_c) == 1 && world_count(s, key_d) == 1);
}

static void
read_chain(void)
{
	if (model_choose(2) == 0)
		expect(world_get(key_c), "????~C");
	else
		expect(world_get(key_d), "????~?D");
}

static void
read_moved_out(void)
{
	expect(world_get(key_c), "????~C");
}

/* ---- split --------------------------------------------------------------- */

static void
recover_split(void)
{
	struct store *s = world_open(&world);

	model_reached((unsigned)s->table.n_buckets - 1);
	model_check(world_find(s, stays[0]) == 'A' && world_find(s, moves[0]) == 'M');
	model_check(world_count(s, stays[0]) == 1 && world_count(s, moves[0]) == 1);
	if (s->table.n_buckets == 1) /* what was left of the cut split is no hindrance */
		model_check(table_split(&s->table) && world_find(s, moves[0]) == 'M' &&
		    world_count(s, moves[0]) == 1);
}

static void
recover_split_chain(void)
{
	struct store *s = world_open(&world);

	model_reached((unsigned)s->table.n_buckets - 1);
	for (unsigned i = 0; i < 2; i++) {
		model_check(world_find(s, stays[i]) == (char)('A' + i) &&
		    world_find(s, moves[i]) == (char)('M' + i));
		model_check(world_count(s, stays[i]) == 1 && world_count(s, moves[i]) == 1);
	}
}

static void
read_split(void)
{
	if (model_choose(2) == 0)
		expect(world_get(stays[0]), "????~A");
	else
		expect(world_get(moves[0]), "????~?M");
}

/* ---- counter, CAS ids, flush --------------------------------------------- */

static uint64_t first_cas;

static void
setup_counter(void)
{
	scene_counter(&first_cas);
	store->cas_last = store->cas_reserved; /* the next id raises the mark */
}

static void
count_up(void)
{
	uint64_t cas;

	world_count_up(store, key_b, &cas);
	ack_write(&ack, cas);
}

static void
recover_counter(void)
{
	struct store *s = world_open(&world);
	struct store_key key = world_key_of(s, &key_b);
	struct store_item item;
	uint64_t acked = ack_look(&ack);

	model_check(store_find(s, &key, WORLD_NOW_S, &item, NULL));
	model_check(item.counter == 9 || (item.counter == 8 && acked == 0));
	model_reached((unsigned)item.counter - 8);
	/* A client that holds the id of the old value must not overwrite the
	 * new one; nor may an id come twice. */
	model_check(
	    item.cas != first_cas && item.cas > acked && store_next_cas(s, 0, 0, 0) > item.cas);
}

static void
read_counter(void)
{
	char buf[24];
	ssize_t n = peek_get(world_peek((unsigned)model_self()), &key_b, 1, buf, sizeof(buf));

	model_check(n < 0 || (n == 1 && (buf[0] == '8' || buf[0] == '9')));
	model_check(n > 0 || n == -11);
	if (n > 0)
		model_reached(buf[0] == '8' ? 4 : 5);
}

/* Each id that was handed out is below what the successor gives, and what it
 * was given to is not taken for damaged. */
static void
setup_cas(void)
{
	scene_one();
	store->cas_last = store->cas_reserved;
}

static void
put_beyond_mark(void)
{
	ack_write(&ack, world_put(store, key_a, 'B'));
}

static void
recover_cas(void)
{
	struct store *s = world_open(&world);
	uint64_t acked = ack_look(&ack);

	expect(world_find(s, key_a), acked != 0 ? "?B" : "AB");
	model_check(store_next_cas(s, 0, 0, 0) > acked);
	if (acked != 0)
		model_reached(2);
}

static void
flush_and_store(void)
{
	store_flush(store);
	ack_write(&ack, 1);
	world_put(store, key_b, 'B');
	ack_write(&ack, 2);
}

static void
recover_flushed(void)
{
	struct store *s = world_open(&world);
	uint64_t acked = ack_look(&ack);

	expect(world_find(s, key_a), acked != 0 ? "?0" : "A0");
	expect(world_find(s, key_b), acked == 2 ? "??B" : "0?B");
	world_put(s, key_a, 'C');
	model_check(world_find(s, key_a) == 'C');
}

static void
read_flushed(void)
{
	uint64_t acked = ack_read(&ack);

	expect(world_get(key_a), acked != 0 ? "????~0C" : "????~0CA");
}

/*
 * A successor drops flushed items from a bucket that the dead writer had left
 * in order: it was killed after it stored the cut-off, before it took the
 * memory back.
 */
static void
setup_flushed_chain(void)
{
	uint64_t st[SHM_STAT_N];

	scene_full();
	world_delete(store, key_b);
	world_delete(store, key_c);
	store_stats(store, 0, st);
	world_put(store, key_b, 'B');
	world_put(store, key_c, 'C');
	world_put(store, key_d, 'D');
	word_store_rlx(&world.header.cutoff, st[SHM_STAT_CAS_LAST]);
}

static void
reply_only(void)
{
	ack_write(&ack, 1);
}

static void
recover_dropping(void)
{
	struct store *s = world_open(&world);

	model_check(world_count(s, key_a) == 0);
	model_check(world_find(s, key_b) == 'B' && world_find(s, key_c) == 'C' &&
	    world_find(s, key_d) == 'D');
	model_reached(0);
}

/* ---- a successor that is killed too -------------------------------------- */

static void
recover_only(void)
{
	world_open(&world);
}

static const struct model_scenario scenarios[] = {
    {.name = "kill: link, untouched key",
	.setup = setup_one,
	.thread = {link_new, recover_linked, read_untouched},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x33},
    {.name = "kill: link, new key",
	.setup = setup_one,
	.thread = {link_new, recover_linked, read_linked},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: switch",
	.setup = setup_one,
	.thread = {switch_twice, recover_switched, read_switched},
	.killed = 1,
	.after = {0, 1},
	.goals = 0xf7},
    {.name = "kill: switch, successor stores",
	.setup = setup_one,
	.thread = {switch_once, recover_and_store, read_beside_successor},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x70},
    {.name = "kill: unlink, place reused",
	.setup = setup_one,
	.thread = {unlink_one, recover_unlinked, read_unlinked},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: overflow linked",
	.setup = scene_full,
	.thread = {link_fourth, recover_linked_chain, read_moved_out},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x33},
    {.name = "kill: overflow unlinked",
	.setup = scene_chain,
	.thread = {unlink_first, recover_chain, read_chain},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: overflow closed up",
	.setup = scene_chain_five,
	.thread = {unlink_first, recover_chain, read_chain},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: split",
	.setup = scene_split_one,
	.thread = {split, recover_split, read_split},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: split of a chain",
	.setup = scene_split_chain,
	.thread = {split, recover_split_chain, read_split},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x73},
    {.name = "kill: counter",
	.setup = setup_counter,
	.thread = {count_up, recover_counter, read_counter},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x33},
    {.name = "kill: CAS ids beyond the mark",
	.setup = setup_cas,
	.thread = {put_beyond_mark, recover_cas},
	.killed = 1,
	.after = {0, 1},
	.goals = 7},
    {.name = "kill: flush",
	.setup = setup_one,
	.thread = {flush_and_store, recover_flushed, read_flushed},
	.killed = 1,
	.after = {0, 1},
	.goals = 0xf7},
    {.name = "kill: flushed item dropped from a chain",
	.setup = setup_flushed_chain,
	.thread = {reply_only, recover_dropping, read_chain},
	.killed = 1,
	.after = {0, 1},
	.goals = 0x71},
    {.name = "kill: the successor too, counter",
	.setup = setup_counter,
	.thread = {count_up, recover_only, recover_counter},
	.killed = 3,
	.after = {0, 1, 2},
	.goals = 3},
    {.name = "kill: the successor too, closed up",
	.setup = scene_chain_five,
	.thread = {unlink_first, recover_only, recover_chain},
	.killed = 3,
	.after = {0, 1, 2},
	.goals = 3},
    {.name = "kill: the successor too, split",
	.setup = scene_split_one,
	.thread = {split, recover_only, recover_split, read_split},
	.killed = 3,
	.after = {0, 1, 2},
	.goals = 0x73},
};

SCENARIO_TABLE(scen_kill, scenarios);
