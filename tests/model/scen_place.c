/*
 * scen_place.c: a cache of decoded objects beside writers (I7, peek_same): what
 * was made from a value is used only while the value is the key's.
 *
 * Thread 0 is the writer. Thread 1 takes a place and a value, and later asks
 * whether the place is the same. The designs at the end leave one part of that
 * question out, and must fail.
 */
#include <errno.h>

#include "model/scenarios.h"
#include "model/scenes.h"
#include "shm/table.h"

/* Bits of what a comparison looks at. */
enum { SEGMENT = 1, OFFSET = 2, INCARNATION = 4, ALL = 7 };

static struct peek *
reader(void)
{
	return world_peek((unsigned)model_self());
}

/* peek_same, or a design of it that looks at these parts alone. */
static bool
same_by(unsigned parts, const struct peek_place *place)
{
	struct peek_place now;

	if (parts == ALL) {
		int same = peek_same(reader(), &key_a, 1, place);
		model_check(same == 0 || same == 1);
		return same == 1;
	}
	if (peek_place(reader(), &key_a, 1, &now) != 0)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if ((parts >> i & 1) != 0 && now.token[i] != place->token[i])
			return false;
	return true;
}

/*
 * Goals: 0: the object is the key's; 1: it isn't; 2: it isn't since a write was
 * acknowledged. The first value is 'A'. Once the write is acknowledged, an
 * object made from 'A' must not be used.
 */
static void
use_object(unsigned parts)
{
	struct peek_place place;
	int r = peek_place(reader(), &key_a, 1, &place);
	char v = r == 0 ? world_get(key_a) : WORLD_AGAIN;

	model_check(r == 0 || r == -EAGAIN || r == -ENOENT);
	if (v == WORLD_AGAIN || v == WORLD_MISS)
		return;
	uint64_t seen = ack_read(&ack);
	if (same_by(parts, &place)) {
		model_check(seen == 0 || v != 'A');
		model_reached(0);
	} else {
		model_reached(1);
		if (seen != 0)
			model_reached(2);
	}
}

static void
use(void)
{
	use_object(ALL);
}

/* ---- what ends a place --------------------------------------------------- */

static void
put_and_reply(void)
{
	world_put(store, key_a, 'B');
	ack_write(&ack, 1);
}

static void
put_same_and_reply(void)
{
	world_put(store, key_b, 'B');
	world_put(store, key_b, 'C');
	ack_write(&ack, 0);
}

static void
delete_and_reply(void)
{
	world_delete(store, key_a);
	ack_write(&ack, 1);
}

static void
flush_and_reply(void)
{
	store_flush(store);
	ack_write(&ack, 1);
}

static void
setup_expiring(void)
{
	struct store_put put = {.mode = STORE_SET,
	    .value = "AAAAAAAA",
	    .value_bytes = WORLD_VALUE,
	    .expiry_s = WORLD_NOW_S + 1};
	uint64_t cas;

	scene_empty(WORLD_BLOCK_SHIFT);
	put.key = world_key_of(store, &key_a);
	model_check(store_put(store, &put, WORLD_NOW_S, &cas) == STORE_OK);
	world_readers(&world);
}

static uint64_t tagged_cas;

static void
setup_tagged(void)
{
	struct store_put put = {
	    .mode = STORE_SET, .value = "AAAAAAAA", .value_bytes = WORLD_VALUE, .state = ITEM_TAGS};

	scene_empty(WORLD_BLOCK_SHIFT);
	put.key = world_key_of(store, &key_a);
	model_check(store_put(store, &put, WORLD_NOW_S, &tagged_cas) == STORE_OK);
	world_readers(&world);
}

static void
invalidate_and_reply(void)
{
	word_store_rlx(&world.tags[0], tagged_cas);
	ack_write(&ack, 1);
}

static void
expire_and_tell(void)
{
	word_store_rlx(&world.header.clock, (uint64_t)(WORLD_NOW_S + 1) << 32);
	ack_write(&ack, 1);
}

/* key_a lies alone in a block that is sealed; its next item is written where
 * the first one lay (see setup_reuse of scen_read.c). */
static void
setup_return(void)
{
	scene_empty(WORLD_BLOCK_SHIFT);
	world_put(store, key_a, 'A');
	world_put(store, key_b, 'X');
	world_put(store, key_c, 'Y');
	world_delete(store, key_b);
	world_put(store, key_c, 'Z');
	world_readers(&world);
}

static void
setup_return_pinned(void)
{
	setup_return();
	model_unpinned_bytes = 0;
}

static void
return_to_the_place(void)
{
	uint64_t was = slot_unit(word_load_rlx(&world.buckets[0].slot[0]));

	world_delete(store, key_a);
	world_put(store, key_a, 'W');
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_unit(word_load_rlx(&world.buckets[0].slot[i])) == was)
			model_reached(3);
	ack_write(&ack, 1);
}

/* ---- a value in extents -------------------------------------------------- */

static void
setup_extents(void)
{
	scene_empty(5);
	world_put_long(store, key_a, 'A', 32);
	world_readers(&world);
}

static void
replace_extents(void)
{
	world_put_long(store, key_a, 'B', 32);
	ack_write(&ack, 1);
}

/* ---- another segment ----------------------------------------------------- */

static struct store *next_store;

/* The item of the new segment lies where that of the old one lay, under the
 * same incarnation. */
static void
setup_hand_over(void)
{
	scene_one();
	world_init(&next_world, 1, 1, WORLD_BLOCK_SHIFT);
	word_store_rlx(&next_world.header.magic, 0);
	next_store = world_open(&next_world);
	model_tries = 2; /* the first finds the old segment retired */
}

static void
hand_over_and_reply(void)
{
	world_put(next_store, key_a, 'B');
	map_publish(&next_world.map);
	word_store_rlx(&world_name, 1);
	seq_hand_over(&world.header.count, word_load_rlx(&world.header.count) | COUNT_RETIRED);
	ack_write(&ack, 1);
}

/* ---- a counter ----------------------------------------------------------- */

static uint64_t counter_cas;

static void
setup_counter(void)
{
	scene_counter(&counter_cas);
}

static void
count_up(void)
{
	world_count_up(store, key_b, &counter_cas);
}

static void
no_place(void)
{
	struct peek_place place = {{0}};
	int r = peek_place(reader(), &key_b, 1, &place);

	model_check(r == -ENOTSUP || r == -EAGAIN);
	model_check(peek_same(reader(), &key_b, 1, &place) == 0);
	model_reached(r == -ENOTSUP);
}

/* ---- designs that must fail ---------------------------------------------- */

static void
use_without_offset(void)
{
	use_object(ALL & ~OFFSET);
}

static void
use_without_incarnation(void)
{
	use_object(ALL & ~INCARNATION);
}

static void
use_without_segment(void)
{
	use_object(ALL & ~SEGMENT);
}

/* Looks at the incarnation of the place, as peek_view_valid does, and makes no
 * look-up. */
static void
use_without_look_up(void)
{
	struct peek_place place;

	if (peek_place(reader(), &key_a, 1, &place) != 0)
		return;
	char v = world_get(key_a);
	uint64_t seen = ack_read(&ack);
	seq_standing();
	if (word_load_rlx(&world.blocks[place.token[1] >> WORLD_BLOCK_SHIFT].incarnation) ==
	    place.token[2])
		model_check(seen == 0 || v != 'A');
}

static const struct model_scenario scenarios[] = {
    {.name = "a place whose key is switched",
	.setup = scene_one,
	.thread = {put_and_reply, use},
	.goals = 7},
    {.name = "a place beside its neighbour",
	.setup = scene_one,
	.thread = {put_same_and_reply, use},
	.goals = 1},
    {.name = "a place whose key is deleted",
	.setup = scene_one,
	.thread = {delete_and_reply, use},
	.goals = 7},
    {.name = "a place that is flushed",
	.setup = scene_one,
	.thread = {flush_and_reply, use},
	.goals = 7},
    {.name = "a place that expires",
	.setup = setup_expiring,
	.thread = {expire_and_tell, use},
	.goals = 7},
    {.name = "a place whose tag is invalidated",
	.setup = setup_tagged,
	.thread = {invalidate_and_reply, use},
	.goals = 7},
    {.name = "a place to which the key returns",
	.setup = setup_return,
	.thread = {return_to_the_place, use},
	.goals = 15},
    {.name = "the key returns, pinned",
	.setup = setup_return_pinned,
	.thread = {return_to_the_place, use},
	.goals = 15},
    {.name = "a place of a value in extents",
	.setup = setup_extents,
	.thread = {replace_extents, use},
	.goals = 7},
    {.name = "a place in a replaced segment",
	.setup = setup_hand_over,
	.thread = {hand_over_and_reply, use},
	.goals = 7},
    {.name = "a counter has no place",
	.setup = setup_counter,
	.thread = {count_up, no_place},
	.goals = 2},
    {.name = "a place without its offset",
	.setup = scene_one,
	.thread = {put_and_reply, use_without_offset},
	.must_fail = true},
    {.name = "a place without its incarnation",
	.setup = setup_return,
	.thread = {return_to_the_place, use_without_incarnation},
	.must_fail = true},
    {.name = "a place without its segment",
	.setup = setup_hand_over,
	.thread = {hand_over_and_reply, use_without_segment},
	.must_fail = true},
    {.name = "a place without a look-up",
	.setup = scene_one,
	.thread = {delete_and_reply, use_without_look_up},
	.must_fail = true},
};

SCENARIO_TABLE(scen_place, scenarios);
