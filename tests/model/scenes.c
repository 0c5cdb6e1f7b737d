/*
 * scenes.c: what more than one file of scenarios begins with.
 */
#include "model/scenes.h"

#include "engine/store_private.h"

struct store *store;
struct word ack;
char key_a, key_b, key_c, key_d, key_e, stays[2], moves[2];

void
scene_empty(unsigned block_shift)
{
	world_init(&world, 1, 1, block_shift);
	store = world_open(&world);
	key_a = world_key(1, 0, 0);
	key_b = world_key(1, 0, 1);
	key_c = world_key(1, 0, 2);
	key_d = world_key(1, 0, 3);
	key_e = world_key(1, 0, 4);
	word_store_rlx(&ack, 0);
}

void
scene_one(void)
{
	scene_empty(WORLD_BLOCK_SHIFT);
	world_put(store, key_a, 'A');
	world_readers(&world);
}

void
scene_counter(uint64_t *ret_cas)
{
	scene_one();
	struct store_put put = {.key = world_key_of(store, &key_b), .value = "7", .value_bytes = 1};
	store_put(store, &put, WORLD_NOW_S, ret_cas);
	model_check(world_count_up(store, key_b, ret_cas) == 8);
}

void
scene_full(void)
{
	scene_one();
	world_put(store, key_b, 'B');
	world_put(store, key_c, 'C');
}

void
scene_chain(void)
{
	scene_full();
	world_put(store, key_d, 'D');
}

void
scene_chain_five(void)
{
	scene_chain();
	world_put(store, key_e, 'E');
}

void
scene_split(unsigned n_each)
{
	world_init(&world, 1, 2, WORLD_BLOCK_SHIFT);
	store = world_open(&world);
	word_store_rlx(&ack, 0);
	store->table.refused_at_items = 100;
	for (unsigned i = 0; i < n_each; i++) {
		stays[i] = world_key(2, 0, i);
		moves[i] = world_key(2, 1, i);
		world_put(store, stays[i], (char)('A' + i));
		world_put(store, moves[i], (char)('M' + i));
	}
	store->table.refused_at_items = 0;
	world_readers(&world);
}

void
scene_split_one(void)
{
	scene_split(1);
}

void
scene_split_chain(void)
{
	scene_split(2);
}

void
split(void)
{
	model_check(table_split(&store->table));
}
