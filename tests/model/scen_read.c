/*
 * scen_read.c: values under readers: whole, of the key that was asked for,
 * never going backwards (I2, I7).
 *
 * Thread 0 is the writer (store_put, store_delete ...), the others are reader
 * processes (peek_get).
 */
#include <errno.h>
#include <string.h>

#include "model/scenarios.h"
#include "model/scenes.h"
#include "shm/table.h"

static void
setup_pinned(void)
{
	scene_one();
	model_unpinned_bytes = 0; /* none is read under the sequence: every read is pinned */
}

static void
update_once(void)
{
	world_put(store, key_a, 'B');
}

static void
update_twice(void)
{
	world_put(store, key_a, 'B');
	world_put(store, key_a, 'C');
}

static void
read_once(void)
{
	expect(world_get(key_a), "~ABC");
}

static void
read_twice(void)
{
	char v = world_get(key_a), w = world_get(key_a);

	expect(v, "~AB");
	expect(w, "~AB");
	model_check(!(v == 'B' && w == 'A'));
	if (v == 'A' && w == 'B')
		model_reached(3);
}

/* ---- I7: acknowledged, then read by another process ---------------------- */

static void
update_acknowledged(void)
{
	world_put(store, key_a, 'B');
	ack_write(&ack, 1);
	world_put(store, key_a, 'C');
	ack_write(&ack, 2);
}

static void
read_acknowledged(void)
{
	uint64_t seen = ack_read(&ack);
	char v = world_get(key_a);

	expect(v, seen == 0 ? "~ABC" : seen == 1 ? "~?BC" : "~??C");
}

/* ---- delete and insert again --------------------------------------------- */

static void
delete_insert(void)
{
	world_delete(store, key_a);
	world_put(store, key_a, 'B');
}

static void
read_deleted(void)
{
	expect(world_get(key_a), "~A0B");
}

/* ---- a place that another key takes over --------------------------------- */

/* key_a lies alone in a segment that is sealed: what unlinks it frees that, and
 * the next that is opened is the same one. */
static void
setup_reuse(void)
{
	scene_empty(WORLD_BLOCK_SHIFT);
	world_put(store, key_a, 'A');
	world_put(store, key_b, 'X');
	world_put(store, key_c, 'Y'); /* opens the next segment */
	world_delete(store, key_b);
	world_put(store, key_c, 'Z'); /* and fills it */
	world_readers(&world);
}

static void
setup_reuse_pinned(void)
{
	setup_reuse();
	model_unpinned_bytes = 0;
}

static void
delete_and_reuse(void)
{
	uint64_t was = slot_unit(word_load_rlx(&world.buckets[0].slot[0]));

	world_delete(store, key_a);
	world_put(store, key_b, 'W');
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_unit(word_load_rlx(&world.buckets[0].slot[i])) == was)
			model_reached(3);
}

static void
read_reused(void)
{
	expect(world_get(key_a), "~A0");
}

static void
read_newcomer(void)
{
	expect(world_get(key_b), "~W0");
}

/* key_a is switched to a new place, and its old one taken by key_b. */
static void
switch_and_reuse(void)
{
	uint64_t was = slot_unit(word_load_rlx(&world.buckets[0].slot[0]));

	world_put(store, key_a, 'B');
	world_put(store, key_b, 'V'); /* fills the segment of B */
	world_put(store, key_b, 'W');
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_unit(word_load_rlx(&world.buckets[0].slot[i])) == was)
			model_reached(3);
}

static void
read_switched(void)
{
	expect(world_get(key_a), "~AB");
}

/* ---- a copy that stands though its bucket was rewritten meanwhile -------- */

static void
setup_neighbour(void)
{
	scene_one();
	world_put(store, key_b, 'X');
	model_unpinned_bytes = 0;
}

static void
update_neighbour(void)
{
	world_put(store, key_b, 'Y');
}

static void
read_beside(void)
{
	uint64_t before = word_load_rlx(&world.buckets[0].seq);
	char v = world_get(key_a);

	expect(v, "~A");
	if (v == 'A' && word_load_rlx(&world.buckets[0].seq) != before)
		model_reached(2);
}

/* ---- a large value in extents -------------------------------------------- */

#define LONG_BYTES 32 /* one extent of 32 bytes */

static void
setup_extents(void)
{
	scene_empty(5);
	world_put_long(store, key_a, 'A', LONG_BYTES);
	world_readers(&world);
}

static void
replace_extents(void)
{
	/* frees the old extent and the record's segment */
	world_put_long(store, key_a, 'B', LONG_BYTES);
	world_put_long(store, key_b, 'W', 8);
}

/*
 * The extent of key_a is taken first, then the record that lists it; what then
 * stands where the list stood names a segment of the same incarnation as the
 * extent had.
 */
#define WHOLE_BLOCK   64
#define NAMES_ANOTHER '\x02'

static void
setup_extent_list(void)
{
	scene_empty(WORLD_BLOCK_SHIFT);
	world_put_long(store, key_a, 'A', WHOLE_BLOCK); /* record in segment 0, extent in 1 */
	world_put(store, key_b, 'X');                   /* beside the record */
	world_put(store, key_c, 'Y');                   /* segment 2 */
	world_readers(&world);
}

static void
take_extent_then_list(void)
{
	world_delete(store, key_a);
	world_put_long(store, key_c, 'W', WHOLE_BLOCK);
	world_put(store, key_b, NAMES_ANOTHER);
	world_put(store, key_b, NAMES_ANOTHER);
	world_put(store, key_b, NAMES_ANOTHER);
	if (word_load_rlx(&world.arena[ITEM_HEADER_BYTES / 8 + 1]) == NAMES_ANOTHER)
		model_reached(3);
}

/* ---- a counter in place, beside an update of the same bucket ------------- */

static uint64_t counter_cas[3];

static void
setup_counter(void)
{
	scene_counter(&counter_cas[0]);
	for (unsigned i = 1; i < 3; i++)
		/* the second comes after a set, which takes one too */
		counter_cas[i] = counter_cas[i - 1] + i;
}

static void
count_up(void)
{
	uint64_t cas;

	for (unsigned i = 1; i < 3; i++) {
		model_check(world_count_up(store, key_b, &cas) == 8 + i);
		model_check(cas == counter_cas[i]);
		if (i == 1)
			world_put(store, key_a, 'B');
	}
}

/* An id that is older than the value only fails a later cas; the reverse would
 * let it overwrite what it has not seen. */
static void
read_counter(void)
{
	char buf[24];
	struct peek_info info;
	ssize_t n =
	    peek_get_info(world_peek((unsigned)model_self()), &key_b, 1, buf, sizeof(buf), &info);

	if (n < 0) {
		model_check(n == -EAGAIN);
		return;
	}
	unsigned value = n == 1 ? (unsigned)(buf[0] - '0') : (unsigned)(10 + buf[1] - '0'),
		 i = value - 8;
	model_check(i < 3);
	model_reached(i);
	for (unsigned j = i + 1; j < 3; j++)
		model_check(info.cas != counter_cas[j]);
	if (info.cas != counter_cas[i])
		model_reached(3);
}

/* Nine becomes ten: one digit more. The walk loads id and value within one
 * window. */
static void
setup_scan_counter(void)
{
	scene_counter(&counter_cas[0]);
	world_count_up(store, key_b, &counter_cas[0]);
	counter_cas[1] = counter_cas[0] + 1;
}

static void
count_to_ten(void)
{
	uint64_t cas;

	model_check(world_count_up(store, key_b, &cas) == 10);
	model_check(cas == counter_cas[1]);
}

static int
visit_counter(void *arg, const struct peek_entry *entry)
{
	(void)arg;
	if (*(const char *)entry->key != key_b)
		return 0;
	model_check(entry->info.cas == counter_cas[0] ||
	    (entry->info.cas == counter_cas[1] && entry->info.value_len == 2));
	model_reached((unsigned)entry->info.value_len - 1);
	return 0;
}

static void
scan_counter(void)
{
	int r = peek_scan(world_peek((unsigned)model_self()), visit_counter, NULL);

	model_check(r == 0 || r == -EAGAIN);
}

/* ---- a view and a batch -------------------------------------------------- */

/* The bytes that the caller reads through the view count if the view is valid
 * afterwards. */
static void
read_view(void)
{
	struct peek_view view;
	struct peek *p = world_peek((unsigned)model_self());
	char value[WORLD_VALUE];
	int r = peek_view(p, &key_a, 1, &view);

	if (r != 0) {
		model_check(r == -EAGAIN || r == -ENOENT);
		return;
	}
	model_check(view.len == sizeof(value));
	copy_out(value, world.arena, (size_t)((const char *)view.data - (const char *)world.arena),
	    sizeof(value));
	if (!peek_view_valid(p, &view)) {
		model_reached(0);
		return;
	}
	for (unsigned i = 0; i < sizeof(value); i++)
		model_check(value[i] == 'A');
	model_reached(1);
}

static void
read_batch(void)
{
	char buf[2][WORLD_VALUE];
	struct peek_op op[2] = {
	    {.key = &key_a, .key_len = 1, .buf = buf[0], .buf_cap = sizeof(buf[0])},
	    {.key = &key_b, .key_len = 1, .buf = buf[1], .buf_cap = sizeof(buf[1])}};

	model_check(peek_mget(world_peek((unsigned)model_self()), op, 2) >= 0);
	model_check(
	    op[0].result == -ENOENT || op[0].result == -EAGAIN || op[0].result == WORLD_VALUE);
	for (unsigned i = 1; op[0].result == WORLD_VALUE && i < WORLD_VALUE; i++)
		model_check(buf[0][i] == buf[0][0]);
	if (op[0].result == WORLD_VALUE)
		expect(buf[0][0], "~AB");
	model_check(
	    op[1].result == -ENOENT || op[1].result == -EAGAIN || op[1].result == WORLD_VALUE);
	for (unsigned i = 1; op[1].result == WORLD_VALUE && i < WORLD_VALUE; i++)
		model_check(buf[1][i] == buf[1][0]);
	if (op[1].result == WORLD_VALUE)
		expect(buf[1][0], "~???XVW");
}

/* ---- flush --------------------------------------------------------------- */

static void
flush_and_store(void)
{
	store_flush(store);
	ack_write(&ack, 1);
	world_put(store, key_a, 'B');
	ack_write(&ack, 2);
}

static void
read_flushed(void)
{
	uint64_t seen = ack_read(&ack);
	char v = world_get(key_a), w = world_get(key_a);

	expect(v, seen == 0 ? "~A0B" : seen == 1 ? "~?0B" : "~??B");
	model_check(!(v == 'B' && (w == 'A' || w == WORLD_MISS)));
	model_check(!(v == WORLD_MISS && w == 'A'));
}

/* ---- tags ---------------------------------------------------------------- */

static void
put_tagged(char key, char version)
{
	char value[WORLD_VALUE];
	uint64_t cas;
	struct store_put put = {.key = world_key_of(store, &key),
	    .mode = STORE_SET,
	    .value = value,
	    .value_bytes = WORLD_VALUE,
	    .state = ITEM_TAGS};

	memset(value, version, sizeof(value));
	enum store_result r = store_put(store, &put, WORLD_NOW_S, &cas);
	model_check(r == STORE_OK);
}

/* key_a has the tag, key_b has none, and they lie in different buckets. */
static void
setup_tagged(void)
{
	world_init(&world, 2, 2, WORLD_BLOCK_SHIFT + 1);
	store = world_open(&world);
	key_a = world_key(2, 0, 0);
	key_b = world_key(2, 1, 0);
	word_store_rlx(&ack, 0);
	put_tagged(key_a, 'A');
	world_put(store, key_b, 'X');
	world_readers(&world);
}

static void
invalidate_and_store(void)
{
	store_invalidate(store, 0);
	ack_write(&ack, 1);
	world_put(store, key_b, 'Y');
}

static void
invalidate_and_store_again(void)
{
	store_invalidate(store, 0);
	put_tagged(key_a, 'B');
	ack_write(&ack, 1);
}

/* A reader that has the reply, or sees a later set of another key, misses. */
static void
read_invalidated(void)
{
	uint64_t seen = ack_read(&ack);
	char later = world_get(key_b), v = world_get(key_a);

	expect(later, "~XY");
	model_check(v == 'A' || v == WORLD_MISS || v == WORLD_AGAIN);
	model_check(!(v == 'A' && (seen == 1 || later == 'Y')));
	if (v == 'A')
		model_reached(3);
	if (v == WORLD_MISS && later == 'X')
		model_reached(4);
}

static void
read_tagged_again(void)
{
	uint64_t seen = ack_read(&ack);
	char v = world_get(key_a), w = world_get(key_a);

	expect(v, seen == 0 ? "~A0B" : "~??B");
	model_check(!(v == 'B' && (w == 'A' || w == WORLD_MISS)));
	model_check(!(v == WORLD_MISS && w == 'A'));
}

/* ---- hints --------------------------------------------------------------- */

static struct byte hints[(WORLD_BUCKETS + WORLD_OVERFLOW) * HINT_BYTES_PER_BUCKET];

static void
setup_hints(void)
{
	scene_one();
	for (unsigned i = 0; i < sizeof(hints); i++)
		byte_store_rlx(&hints[i], 0);
	store_set_hints(store, hints, sizeof(hints));
	world_reader_hints(1, hints);
	world_reader_hints(2, hints);
}

static void
delete_beside_hints(void)
{
	world_delete(store, key_a); /* clears the slot's hint */
}

static void
check_hints(void)
{
	model_check(byte_load_rlx(&hints[0]) <= HINT_MAX);
	model_reached(4 + byte_load_rlx(&hints[0]));
	for (unsigned i = 1; i < sizeof(hints); i++)
		model_check(byte_load_rlx(&hints[i]) == 0);
}

static const struct model_scenario scenarios[] = {
    {.name = "torn value, 1 reader, 2 updates",
	.setup = scene_one,
	.thread = {update_twice, read_once},
	.goals = 15},
    {.name = "torn value, pinned, 2 updates",
	.setup = setup_pinned,
	.thread = {update_twice, read_once},
	.goals = 15},
    {.name = "torn value, 2 readers",
	.setup = scene_one,
	.thread = {update_once, read_once, read_once},
	.goals = 7},
    {.name = "two reads never go backwards",
	.setup = scene_one,
	.thread = {update_once, read_twice},
	.goals = 15},
    {.name = "acknowledged is visible (I7)",
	.setup = scene_one,
	.thread = {update_acknowledged, read_acknowledged},
	.goals = 15},
    {.name = "delete and insert again",
	.setup = scene_one,
	.thread = {delete_insert, read_deleted},
	.goals = 15},
    {.name = "old place taken by another key",
	.setup = setup_reuse,
	.thread = {delete_and_reuse, read_reused},
	.goals = 15},
    {.name = "old place taken, pinned",
	.setup = setup_reuse_pinned,
	.thread = {delete_and_reuse, read_reused},
	.goals = 15},
    {.name = "old place taken, the newcomer",
	.setup = setup_reuse,
	.thread = {delete_and_reuse, read_newcomer},
	.goals = 15},
    {.name = "switched, old place taken, pinned",
	.setup = setup_reuse_pinned,
	.thread = {switch_and_reuse, read_switched},
	.goals = 15},
    {.name = "a copy stands beside a rewrite",
	.setup = setup_neighbour,
	.thread = {update_neighbour, read_beside},
	.goals = 7},
    {.name = "extents replaced and reused",
	.setup = setup_extents,
	.thread = {replace_extents, read_switched},
	.goals = 7},
    {.name = "extent and list taken in turn",
	.setup = setup_extent_list,
	.thread = {take_extent_then_list, read_reused},
	.goals = 15},
    {.name = "counter in place, slot update",
	.setup = setup_counter,
	.thread = {count_up, read_counter},
	.goals = 15},
    {.name = "counter under a walk",
	.setup = setup_scan_counter,
	.thread = {count_to_ten, scan_counter},
	.goals = 3},
    {.name = "a view whose place is taken",
	.setup = setup_reuse,
	.thread = {delete_and_reuse, read_view},
	.goals = 11},
    {.name = "a batch beside an update",
	.setup = setup_neighbour,
	.thread = {update_once, read_batch},
	.goals = 0x16},
    {.name = "a batch whose place is taken",
	.setup = setup_reuse_pinned,
	.thread = {switch_and_reuse, read_batch},
	.goals = 6},
    {.name = "flush cut-off",
	.setup = scene_one,
	.thread = {flush_and_store, read_flushed},
	.goals = 15},
    {.name = "invalidated tag",
	.setup = setup_tagged,
	.thread = {invalidate_and_store, read_invalidated},
	.goals = 0x1e},
    {.name = "invalidated tag, stored again",
	.setup = setup_tagged,
	.thread = {invalidate_and_store_again, read_tagged_again},
	.goals = 14},
    {.name = "hints beside a clear",
	.setup = setup_hints,
	.thread = {delete_beside_hints, read_reused, read_reused},
	.check = check_hints,
	.goals = 0x77},
};

SCENARIO_TABLE(scen_read, scenarios);
