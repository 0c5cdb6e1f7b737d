/*
 * scen_wrong.c: designs that must fail. They show that the checker sees what
 * the shipped order prevents: each differs from it in one step, which its name
 * tells.
 *
 * One item: a slot that holds the number of its place (0: none), and places of
 * two words, which an honest item has equal.
 */
#include "model/scenarios.h"
#include "model/world.h"
#include "shm/seq.h"

static struct word seq, slot, place[3][2], incarnation;
static uint64_t plain[2];

static void
setup(void)
{
	word_store_rlx(&seq, 0);
	word_store_rlx(&incarnation, 0);
	word_store_rlx(&slot, 1);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned w = 0; w < 2; w++)
			word_store_rlx(&place[i][w], i == 1 ? 'A' : 0);
	plain[0] = plain[1] = 'A';
}

static void
write_place(unsigned i, char version)
{
	word_store_rlx(&place[i][0], version);
	word_store_rlx(&place[i][1], version);
}

static void
switch_slot(unsigned to)
{
	seq_enter(&seq);
	word_store_rlx(&slot, to);
	seq_exit(&seq);
}

static void
whole(uint64_t a, uint64_t b, bool b_is_allowed)
{
	model_check(a == b);
	model_check(a == 'A' || (b_is_allowed && a == 'B'));
}

/* The reader as it should be. */
static void
read_slot(void)
{
	uint64_t begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0)
		return;
	uint64_t a = word_load_rlx(&place[at][0]), b = word_load_rlx(&place[at][1]);
	if (seq_validate(&seq, begun) && at != 0)
		whole(a, b, true);
}

/* ---- one by one ---------------------------------------------------------- */

static void
plain_write(void)
{
	seq_enter(&seq);
	model_plain_store(&plain[0], 'B', __FILE__, __LINE__);
	model_plain_store(&plain[1], 'B', __FILE__, __LINE__);
	seq_exit(&seq);
}

static void
plain_read(void)
{
	uint64_t begun = seq_begin(&seq);

	if ((begun & 1) != 0)
		return;
	model_plain_load(&plain[0], __FILE__, __LINE__);
	model_plain_load(&plain[1], __FILE__, __LINE__);
	seq_validate(&seq, begun);
}

/* Honest: B is written at 2, the slot switched, the place of A rewritten for a
 * key X. */
static void
switch_and_reuse(void)
{
	write_place(2, 'B');
	switch_slot(2);
	write_place(1, 'X');
}

static void
read_validate_first(void)
{
	uint64_t begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0 || !seq_validate(&seq, begun))
		return;
	whole(word_load_rlx(&place[at][0]), word_load_rlx(&place[at][1]), true);
}

static void
switch_without_change(void)
{
	write_place(2, 'B');
	word_store_rlx(&slot, 2);
	write_place(1, 'X');
}

static void
unlink_without_bump(void)
{
	word_store_rlx(&slot, 0);
	write_place(1, 'X');
}

static void
enter_after_store(void)
{
	write_place(2, 'B');
	word_store_rlx(&slot, 2);
	seq_enter(&seq);
	seq_exit(&seq);
	write_place(1, 'X');
}

static void
link_then_write(void)
{
	switch_slot(2);
	write_place(2, 'B');
}

static void
write_in_place(void)
{
	write_place(1, 'B');
}

/* Pins without the check in the middle: incarnations alone, taken after the
 * slot was read. */
static void
unlink_and_retire(void)
{
	switch_slot(0);
	seq_retire(&incarnation);
	write_place(1, 'X');
}

static void
read_pin_unchecked(void)
{
	uint64_t begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0 || at == 0)
		return;
	uint64_t g = word_load_rlx(&incarnation);
	uint64_t a = word_load_rlx(&place[at][0]), b = word_load_rlx(&place[at][1]);
	seq_standing();
	if (word_load_rlx(&incarnation) == g)
		whole(a, b, true);
}

static void
read_pin(void)
{
	uint64_t begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0 || at == 0)
		return;
	uint64_t g = word_load_rlx(&incarnation);
	if (!seq_validate(&seq, begun))
		return;
	uint64_t a = word_load_rlx(&place[at][0]), b = word_load_rlx(&place[at][1]);
	seq_standing();
	if (word_load_rlx(&incarnation) == g)
		whole(a, b, true);
}

static void
retire_after_rewrite(void)
{
	switch_slot(0);
	write_place(1, 'X');
	seq_retire(&incarnation);
}

/* The same slot's word again: the place was rewritten in between. */
static void
unlink_rewrite_link(void)
{
	switch_slot(0);
	write_place(1, 'B');
	switch_slot(1);
}

static void
read_compare_slot(void)
{
	uint64_t begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0 || at == 0)
		return;
	uint64_t a = word_load_rlx(&place[at][0]), b = word_load_rlx(&place[at][1]);
	seq_standing();
	if (word_load_rlx(&slot) == at)
		whole(a, b, true);
}

/* ---- split: bucket 0 gives its only key to bucket 1 ---------------------- */

static struct word count, bucket_seq[2], bucket_slot[2];

static void
setup_split(void)
{
	word_store_rlx(&count, 1);
	for (unsigned i = 0; i < 2; i++) {
		word_store_rlx(&bucket_seq[i], 0);
		word_store_rlx(&bucket_slot[i], i == 0);
	}
}

static void
move_key(void)
{
	word_store_rlx(&bucket_slot[1], 1);
	seq_crash_order();
	word_store_rlx(&bucket_slot[0], 0);
}

static void
enter_both(void)
{
	seq_mark(&bucket_seq[0]);
	seq_mark(&bucket_seq[1]);
	seq_marked();
}

static void
exit_both(void)
{
	seq_exit(&bucket_seq[0]);
	seq_exit(&bucket_seq[1]);
}

static void
split_count_after(void)
{
	enter_both();
	move_key();
	exit_both();
	word_store_rlx(&count, 2);
}

static void
split_count_before(void)
{
	word_store_rlx(&count, 2);
	enter_both();
	move_key();
	exit_both();
}

static void
split_right(void)
{
	enter_both();
	word_store_rlx(&bucket_slot[1], 1);
	word_store_rlx(&count, 2);
	word_store_rlx(&bucket_slot[0], 0);
	exit_both();
}

static bool
look(uint64_t n, bool *ret_found)
{
	uint64_t begun = seq_begin(&bucket_seq[n - 1]);

	if ((begun & 1) != 0)
		return false;
	*ret_found = word_load_rlx(&bucket_slot[n - 1]) != 0;
	return seq_validate(&bucket_seq[n - 1], begun);
}

static void
read_split(void)
{
	uint64_t n = word_load_rlx(&count);
	bool found;

	if (look(n, &found) && !found)
		model_check(word_load_rlx(&count) != n);
}

static void
read_split_once(void)
{
	bool found;

	if (look(word_load_rlx(&count), &found))
		model_check(found);
}

/* recovery: an odd bucket is made even without the successor's own fence */

static void
write_two(void)
{
	seq_enter(&seq);
	write_place(1, 'B');
	seq_exit(&seq);
}

static void
repair(bool fenced)
{
	if (fenced)
		seq_recover();
	if ((word_load_rlx(&seq) & 1) == 0)
		return;
	write_place(1, 'C');
	seq_repaired(&seq);
}

static void
repair_unfenced(void)
{
	repair(false);
}

static void
read_repaired(void)
{
	uint64_t begun = seq_begin(&seq);

	if ((begun & 1) != 0)
		return;
	uint64_t a = word_load_rlx(&place[1][0]), b = word_load_rlx(&place[1][1]);
	if (seq_validate(&seq, begun))
		model_check(a == b);
}

/* ---- tags: an item's CAS id is the number of its place ------------------- */

static struct word cut_off, ack;

static void
setup_tag(void)
{
	setup();
	word_store_rlx(&cut_off, 0);
	word_store_rlx(&ack, 0);
}

static void
acknowledge_first(void)
{
	ack_write(&ack, 1);
	word_store_rlx(&cut_off, 1);
}

static void
acknowledge_last(void)
{
	word_store_rlx(&cut_off, 1);
	ack_write(&ack, 1);
}

/* Covers the id that the next set gets. */
static void
cut_off_ahead(void)
{
	word_store_rlx(&cut_off, 2);
	write_place(2, 'B');
	switch_slot(2);
	ack_write(&ack, 2);
}

static void
cut_off_last(void)
{
	word_store_rlx(&cut_off, 1);
	write_place(2, 'B');
	switch_slot(2);
	ack_write(&ack, 2);
}

static void
read_tagged(void)
{
	uint64_t seen = ack_read(&ack), begun = seq_begin(&seq), at = word_load_rlx(&slot);

	if ((begun & 1) != 0)
		return;
	bool is_past = at <= word_load_rlx(&cut_off);
	if (seq_validate(&seq, begun))
		model_check(seen == 0 || is_past == (seen == 1));
}

static const struct model_scenario scenarios[] = {
    {.name = "payload as plain memory",
	.setup = setup,
	.thread = {plain_write, plain_read},
	.must_fail = true},
    {.name = "validate before copying",
	.setup = setup,
	.thread = {switch_and_reuse, read_validate_first},
	.must_fail = true},
    {.name = "switch without a sequence change",
	.setup = setup,
	.thread = {switch_without_change, read_slot},
	.must_fail = true},
    {.name = "unlink without a bump",
	.setup = setup,
	.thread = {unlink_without_bump, read_slot},
	.must_fail = true},
    {.name = "enter after the store",
	.setup = setup,
	.thread = {enter_after_store, read_slot},
	.must_fail = true},
    {.name = "link before the item is written",
	.setup = setup,
	.thread = {link_then_write, read_slot},
	.must_fail = true},
    {.name = "value rewritten in place",
	.setup = setup,
	.thread = {write_in_place, read_slot},
	.must_fail = true},
    {.name = "pin without the check in the middle",
	.setup = setup,
	.thread = {unlink_and_retire, read_pin_unchecked},
	.must_fail = true},
    {.name = "retire after the rewrite",
	.setup = setup,
	.thread = {retire_after_rewrite, read_pin},
	.must_fail = true},
    {.name = "slot's word compared at the end",
	.setup = setup,
	.thread = {unlink_rewrite_link, read_compare_slot},
	.must_fail = true},
    {.name = "split published after the exits",
	.setup = setup_split,
	.thread = {split_count_after, read_split},
	.must_fail = true},
    {.name = "split published before enter",
	.setup = setup_split,
	.thread = {split_count_before, read_split},
	.must_fail = true},
    {.name = "no second look at a miss",
	.setup = setup_split,
	.thread = {split_right, read_split_once},
	.must_fail = true},
    {.name = "repair without the recover fence",
	.setup = setup,
	.thread = {write_two, repair_unfenced, read_repaired},
	.killed = 1,
	.after = {0, 1},
	.must_fail = true},
    {.name = "tag acknowledged before its cut-off",
	.setup = setup_tag,
	.thread = {acknowledge_first, read_tagged},
	.must_fail = true},
    {.name = "cut-off of a tag ahead of the ids",
	.setup = setup_tag,
	.thread = {cut_off_ahead, read_tagged},
	.must_fail = true},
    /* And what they differ from, in the same words. */
    {.name = "switched and reused as it should be",
	.setup = setup,
	.thread = {switch_and_reuse, read_slot}},
    {.name = "pinned and retired as it should be",
	.setup = setup,
	.thread = {unlink_and_retire, read_pin}},
    {.name = "tag invalidated as it should be",
	.setup = setup_tag,
	.thread = {acknowledge_last, read_tagged}},
    {.name = "tag stored again as it should be",
	.setup = setup_tag,
	.thread = {cut_off_last, read_tagged}},
    {.name = "split as it should be", .setup = setup_split, .thread = {split_right, read_split}},
};

SCENARIO_TABLE(scen_wrong, scenarios);
