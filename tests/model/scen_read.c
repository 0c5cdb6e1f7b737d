/*
 * scen_read.c: values under readers: whole, of the key that was asked for, never going backwards (I2, I7).
 *
 * Thread 0 is the writer (store_put, store_delete ...), the others are reader processes (peek_get).
 */
#include <errno.h>

#include "model/scenarios.h"
#include "model/world.h"
#include "shm/copy.h"

static struct store *store;
static char k, k2, other;
static struct word ack;

/* One bucket, one item K with version A. */
static void
setup_one(void)
{
	world_init(&world, 1, 1, WORLD_SEG_SHIFT);
	store = world_open(&world);
	k = world_key(1, 0, 0);
	k2 = world_key(1, 0, 1);
	other = world_key(1, 0, 2);
	word_store_rlx(&ack, 0);
	world_put(store, k, 'A');
	world_readers(&world);
}

static void
setup_pinned(void)
{
	setup_one();
	model_quick_bytes = 0; /* nothing is quick: every read is pinned */
}

static void
update_once(void)
{
	world_put(store, k, 'B');
}

static void
update_twice(void)
{
	world_put(store, k, 'B');
	world_put(store, k, 'C');
}

static void
read_once(void)
{
	expect(world_get(k), "~ABC");
}

static void
read_twice(void)
{
	char v = world_get(k), w = world_get(k);

	expect(v, "~AB");
	expect(w, "~AB");
	model_check(!(v == 'B' && w == 'A'));
	if (v == 'A' && w == 'B')
		model_reached(3);
}

/* ---- I7: acknowledged, then read by another process -------------------------------------------------------------------- */

static void
update_acknowledged(void)
{
	world_put(store, k, 'B');
	ack_write(&ack, 1);
	world_put(store, k, 'C');
	ack_write(&ack, 2);
}

static void
read_acknowledged(void)
{
	uint64_t seen = ack_read(&ack);
	char v = world_get(k);

	expect(v, seen == 0 ? "~ABC" : seen == 1 ? "~?BC" : "~??C");
}

/* ---- delete and insert again --------------------------------------------------------------------------------------------- */

static void
delete_insert(void)
{
	world_delete(store, k);
	world_put(store, k, 'B');
}

static void
read_deleted(void)
{
	expect(world_get(k), "~A0B");
}

/* ---- a place that another key takes over ----------------------------------------------------------------------------------- */

/* K lies alone in a segment that is sealed: what unlinks K frees it, and the next that is opened is the same one. */
static void
setup_reuse(void)
{
	world_init(&world, 1, 1, WORLD_SEG_SHIFT);
	store = world_open(&world);
	k = world_key(1, 0, 0);
	k2 = world_key(1, 0, 1);
	other = world_key(1, 0, 2);
	word_store_rlx(&ack, 0);
	world_put(store, k, 'A');
	world_put(store, k2, 'X');
	world_put(store, other, 'Y'); /* opens the next segment */
	world_delete(store, k2);
	world_put(store, other, 'Z'); /* and fills it */
	world_readers(&world);
}

static void
setup_reuse_pinned(void)
{
	setup_reuse();
	model_quick_bytes = 0;
}

static void
delete_and_reuse(void)
{
	uint64_t was = slot_unit(word_load_rlx(&world.buckets[0].slot[0]));

	world_delete(store, k);
	world_put(store, k2, 'W');
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_unit(word_load_rlx(&world.buckets[0].slot[i])) == was)
			model_reached(3);
}

static void
read_reused(void)
{
	expect(world_get(k), "~A0");
}

static void
read_newcomer(void)
{
	expect(world_get(k2), "~W0");
}

/* K is switched to a new place, and its old one taken by K2. */
static void
switch_and_reuse(void)
{
	uint64_t was = slot_unit(word_load_rlx(&world.buckets[0].slot[0]));

	world_put(store, k, 'B');
	world_put(store, k2, 'V'); /* fills the segment of B */
	world_put(store, k2, 'W');
	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		if (slot_unit(word_load_rlx(&world.buckets[0].slot[i])) == was)
			model_reached(3);
}

static void
read_switched(void)
{
	expect(world_get(k), "~AB");
}

/* ---- a copy that stands though its bucket was rewritten meanwhile --------------------------------------------------------- */

static void
setup_neighbour(void)
{
	setup_one();
	world_put(store, k2, 'X');
	model_quick_bytes = 0;
}

static void
update_neighbour(void)
{
	world_put(store, k2, 'Y');
}

static void
read_beside(void)
{
	uint64_t before = word_load_rlx(&world.buckets[0].seq);
	char v = world_get(k);

	expect(v, "~A");
	if (v == 'A' && word_load_rlx(&world.buckets[0].seq) != before)
		model_reached(2);
}

/* ---- a large value in extents ------------------------------------------------------------------------------------------------ */

#define LONG_BYTES 32 /* one extent of 32 bytes */

static void
setup_extents(void)
{
	world_init(&world, 1, 1, 5);
	store = world_open(&world);
	k = world_key(1, 0, 0);
	k2 = world_key(1, 0, 1);
	world_put_long(store, k, 'A', LONG_BYTES);
	world_readers(&world);
}

static void
replace_extents(void)
{
	world_put_long(store, k, 'B', LONG_BYTES); /* frees the old extent and the record's segment */
	world_put_long(store, k2, 'W', 8);
}

/*
 * The extent of K is taken first, then the record that lists it; what then stands where the list stood names a segment of the same
 * incarnation as the extent had.
 */
#define WHOLE_SEGMENT 64
#define NAMES_ANOTHER '\x02'

static void
setup_extent_list(void)
{
	world_init(&world, 1, 1, WORLD_SEG_SHIFT);
	store = world_open(&world);
	k = world_key(1, 0, 0);
	k2 = world_key(1, 0, 1);
	other = world_key(1, 0, 2);
	world_put_long(store, k, 'A', WHOLE_SEGMENT); /* record in segment 0, extent in 1 */
	world_put(store, k2, 'X');                    /* beside the record */
	world_put(store, other, 'Y');                 /* segment 2 */
	world_readers(&world);
}

static void
take_extent_then_list(void)
{
	world_delete(store, k);
	world_put_long(store, other, 'W', WHOLE_SEGMENT);
	world_put(store, k2, NAMES_ANOTHER);
	world_put(store, k2, NAMES_ANOTHER);
	world_put(store, k2, NAMES_ANOTHER);
	if (word_load_rlx(&world.arena[ITEM_HEADER_BYTES / 8 + 1]) == NAMES_ANOTHER)
		model_reached(3);
}

/* ---- a counter in place, beside an update of the same bucket --------------------------------------------------------------- */

static uint64_t counter_cas[3];

static void
setup_counter(void)
{
	setup_one();
	struct store_put put = {.key = {.bytes = &other, .len = 1, .hash = store_hash(store, &other, 1)}, .value = "7", .value_bytes = 1};
	struct store_item item;
	uint64_t value, cas;
	store_put(store, &put, WORLD_NOW_S, &cas);
	store_find(store, &put.key, WORLD_NOW_S, &item, NULL);
	store_arith(store, &put.key, &item, false, 1, 0, WORLD_NOW_S, &value, &counter_cas[0]);
	model_check(value == 8);
	for (unsigned i = 1; i < 3; i++)
		counter_cas[i] = counter_cas[i - 1] + i; /* the second comes after a set, which takes one too */
}

static void
count_up(void)
{
	struct store_key key = {.bytes = &other, .len = 1, .hash = store_hash(store, &other, 1)};
	struct store_item item;
	uint64_t value, cas;

	for (unsigned i = 1; i < 3; i++) {
		store_find(store, &key, WORLD_NOW_S, &item, NULL);
		store_arith(store, &key, &item, false, 1, 0, WORLD_NOW_S, &value, &cas);
		model_check(cas == counter_cas[i] && value == 8 + i);
		if (i == 1)
			world_put(store, k, 'B');
	}
}

/* An id that is older than the value only fails a later cas; the reverse would let it overwrite what it has not seen. */
static void
read_counter(void)
{
	char buf[24];
	struct peek_info info;
	ssize_t n = peek_get_info(world_peek((unsigned)model_self()), &other, 1, buf, sizeof(buf), &info);

	if (n < 0) {
		model_check(n == -EAGAIN);
		return;
	}
	unsigned value = n == 1 ? (unsigned)(buf[0] - '0') : (unsigned)(10 + buf[1] - '0'), i = value - 8;
	model_check(i < 3);
	model_reached(i);
	for (unsigned j = i + 1; j < 3; j++)
		model_check(info.cas != counter_cas[j]);
	if (info.cas != counter_cas[i])
		model_reached(3);
}

/* Nine becomes ten: one digit more. The walk loads id and value within one window. */
static void
setup_scan_counter(void)
{
	setup_counter();
	struct store_key key = {.bytes = &other, .len = 1, .hash = store_hash(store, &other, 1)};
	struct store_item item;
	uint64_t value;
	store_find(store, &key, WORLD_NOW_S, &item, NULL);
	store_arith(store, &key, &item, false, 1, 0, WORLD_NOW_S, &value, &counter_cas[0]);
	counter_cas[1] = counter_cas[0] + 1;
}

static void
count_to_ten(void)
{
	struct store_key key = {.bytes = &other, .len = 1, .hash = store_hash(store, &other, 1)};
	struct store_item item;
	uint64_t value, cas;

	store_find(store, &key, WORLD_NOW_S, &item, NULL);
	store_arith(store, &key, &item, false, 1, 0, WORLD_NOW_S, &value, &cas);
	model_check(value == 10 && cas == counter_cas[1]);
}

static int
visit_counter(void *arg, const struct peek_entry *entry)
{
	(void)arg;
	if (*(const char *)entry->key != other)
		return 0;
	model_check(entry->info.cas == counter_cas[0] || (entry->info.cas == counter_cas[1] && entry->info.value_len == 2));
	model_reached((unsigned)entry->info.value_len - 1);
	return 0;
}

static void
scan_counter(void)
{
	int r = peek_scan(world_peek((unsigned)model_self()), visit_counter, NULL);

	model_check(r == 0 || r == -EAGAIN);
}

/* ---- a view and a batch ----------------------------------------------------------------------------------------------------- */

/* What the caller reads through the view counts if the view is valid afterwards. */
static void
read_view(void)
{
	struct peek_view view;
	struct peek *p = world_peek((unsigned)model_self());
	char value[WORLD_VALUE];
	int r = peek_view(p, &k, 1, &view);

	if (r != 0) {
		model_check(r == -EAGAIN || r == -ENOENT);
		return;
	}
	model_check(view.len == sizeof(value));
	copy_out(value, world.arena, (size_t)((const char *)view.data - (const char *)world.arena), sizeof(value));
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
	struct peek_op op[2] = {{.key = &k, .key_len = 1, .buf = buf[0], .buf_cap = sizeof(buf[0])},
	    {.key = &k2, .key_len = 1, .buf = buf[1], .buf_cap = sizeof(buf[1])}};

	model_check(peek_mget(world_peek((unsigned)model_self()), op, 2) >= 0);
	model_check(op[0].result == -ENOENT || op[0].result == -EAGAIN || op[0].result == WORLD_VALUE);
	for (unsigned i = 1; op[0].result == WORLD_VALUE && i < WORLD_VALUE; i++)
		model_check(buf[0][i] == buf[0][0]);
	if (op[0].result == WORLD_VALUE)
		expect(buf[0][0], "~AB");
	model_check(op[1].result == -ENOENT || op[1].result == -EAGAIN || op[1].result == WORLD_VALUE);
	for (unsigned i = 1; op[1].result == WORLD_VALUE && i < WORLD_VALUE; i++)
		model_check(buf[1][i] == buf[1][0]);
	if (op[1].result == WORLD_VALUE)
		expect(buf[1][0], "~???XVW");
}

/* ---- flush --------------------------------------------------------------------------------------------------------------------- */

static void
flush_and_store(void)
{
	store_flush(store);
	ack_write(&ack, 1);
	world_put(store, k, 'B');
	ack_write(&ack, 2);
}

static void
read_flushed(void)
{
	uint64_t seen = ack_read(&ack);
	char v = world_get(k), w = world_get(k);

	expect(v, seen == 0 ? "~A0B" : seen == 1 ? "~?0B" : "~??B");
	model_check(!(v == 'B' && (w == 'A' || w == WORLD_MISS)));
	model_check(!(v == WORLD_MISS && w == 'A'));
}

/* ---- hints ------------------------------------------------------------------------------------------------------------------------ */

static struct byte hints[(WORLD_BUCKETS + WORLD_OVERFLOW) * HINT_BYTES_PER_BUCKET];

static void
setup_hints(void)
{
	setup_one();
	for (unsigned i = 0; i < sizeof(hints); i++)
		byte_store_rlx(&hints[i], 0);
	store_set_hints(store, hints, sizeof(hints));
	world_reader_hints(1, hints);
	world_reader_hints(2, hints);
}

static void
delete_beside_hints(void)
{
	world_delete(store, k); /* clears the slot's hint */
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
	{.name = "torn value, 1 reader, 2 updates", .setup = setup_one, .thread = {update_twice, read_once}, .goals = 15},
	{.name = "torn value, pinned, 2 updates", .setup = setup_pinned, .thread = {update_twice, read_once}, .goals = 15},
	{.name = "torn value, 2 readers", .setup = setup_one, .thread = {update_once, read_once, read_once}, .goals = 7},
	{.name = "two reads never go backwards", .setup = setup_one, .thread = {update_once, read_twice}, .goals = 15},
	{.name = "acknowledged is visible (I7)", .setup = setup_one, .thread = {update_acknowledged, read_acknowledged}, .goals = 15},
	{.name = "delete and insert again", .setup = setup_one, .thread = {delete_insert, read_deleted}, .goals = 15},
	{.name = "old place taken by another key", .setup = setup_reuse, .thread = {delete_and_reuse, read_reused}, .goals = 15},
	{.name = "old place taken, pinned", .setup = setup_reuse_pinned, .thread = {delete_and_reuse, read_reused}, .goals = 15},
	{.name = "old place taken, the newcomer", .setup = setup_reuse, .thread = {delete_and_reuse, read_newcomer}, .goals = 15},
	{.name = "switched, old place taken, pinned", .setup = setup_reuse_pinned, .thread = {switch_and_reuse, read_switched}, .goals = 15},
	{.name = "a copy stands beside a rewrite", .setup = setup_neighbour, .thread = {update_neighbour, read_beside}, .goals = 7},
	{.name = "extents replaced and reused", .setup = setup_extents, .thread = {replace_extents, read_switched}, .goals = 7},
	{.name = "extent and list taken in turn", .setup = setup_extent_list, .thread = {take_extent_then_list, read_reused}, .goals = 15},
	{.name = "counter in place, slot update", .setup = setup_counter, .thread = {count_up, read_counter}, .goals = 15},
	{.name = "counter under a walk", .setup = setup_scan_counter, .thread = {count_to_ten, scan_counter}, .goals = 3},
	{.name = "a view whose place is taken", .setup = setup_reuse, .thread = {delete_and_reuse, read_view}, .goals = 11},
	{.name = "a batch beside an update", .setup = setup_neighbour, .thread = {update_once, read_batch}, .goals = 0x16},
	{.name = "a batch whose place is taken", .setup = setup_reuse_pinned, .thread = {switch_and_reuse, read_batch}, .goals = 6},
	{.name = "flush cut-off", .setup = setup_one, .thread = {flush_and_store, read_flushed}, .goals = 15},
	{.name = "hints beside a clear", .setup = setup_hints, .thread = {delete_beside_hints, read_reused, read_reused},
	    .check = check_hints, .goals = 0x77},
};

SCENARIO_TABLE(scen_read, scenarios);
