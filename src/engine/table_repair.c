/* table_repair.c: a successor repairs chains. It may be killed at any step too:
 * no slot is cleared before its item stands where it belongs. */
#include "engine/crash.h"
#include "engine/table_private.h"
#include "shm/seq.h"

/* True if every link tells the items behind it. An item that a damaged link
 * doesn't tell can't be reached. */
static bool
links_are_right(const struct table *t, const struct chain *c)
{
	for (uint32_t l = 0; l + 1 < c->n_lines; l++)
		if (word_load_rlx(slot_at(t, c->line[l], LINK_SLOT)) != table_link_of(t, c, l))
			return false;
	return true;
}

/* Cuts a damaged link: to a line of this chain or of another, to no line, or
 * from the last line that a chain may have. Left in place, it would give an
 * item two places. */
static bool
cut_wrong_link(struct table *t, uint64_t head, uint64_t *used, bool *entered)
{
	uint64_t line = head;

	for (uint32_t n_lines = 1;; n_lines++) {
		struct word *at = slot_at(t, line, LINK_SLOT);
		uint64_t link = word_load_rlx(at), idx = slot_link_idx(link);
		if (!slot_is_link(link))
			return false;
		if (idx >= t->n_overflow_made || n_lines == CHAIN_LINES_MAX ||
		    (used[idx / 64] >> (idx % 64) & 1) != 0) {
			if (!*entered)
				seq_enter(&table_line(t, head)->seq);
			*entered = true;
			word_store_rlx(at, 0);
			CRASH_POINT("repair:cut");
			return true;
		}
		used[idx / 64] |= UINT64_C(1) << (idx % 64);
		line = t->map->n_buckets_max + idx;
	}
}

struct table_repair
table_repair(struct table *t, uint64_t head, uint64_t *used, table_keep_fn keep, void *arg)
{
	struct table_repair r = {0};
	struct bucket *b = table_line(t, head);
	uint64_t seen[CHAIN_LINES_MAX * BUCKET_SLOTS];
	uint32_t n_seen = 0;
	struct chain c;
	bool odd = (word_load_rlx(&b->seq) & 1) != 0, entered = odd;

	r.dropped += cut_wrong_link(t, head, used, &entered);
	table_chain_of(t, head, &c);
	t->n_overflow_used += c.n_lines - 1;
	for (uint32_t l = 0; l < c.n_lines; l++) {
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct word *at = slot_at(t, c.line[l], i);
			uint64_t slot = word_load_rlx(at);
			bool twice = false,
			     is_chain = i == LINK_SLOT && slot_is_link(slot) && l + 1 < c.n_lines;
			if (slot == 0 || is_chain)
				continue;
			for (uint32_t k = 0; k < n_seen && !twice; k++)
				twice = seen[k] == slot;
			if (!twice && slot_is_item(slot) && keep(arg, head, slot)) {
				seen[n_seen++] = slot;
				t->n_items++;
				t->n_overflow_items += l > 0;
				continue;
			}
			if (!entered) {
				seq_enter(&b->seq);
				entered = true;
			}
			word_store_rlx(at, 0);
			CRASH_POINT("repair:cleared");
			r.doubles += twice;
			r.dropped += !twice;
		}
	}
	bool links_wrong = !links_are_right(t, &c);
	if (!entered && !links_wrong)
		return r;
	if (!entered)
		seq_enter(&b->seq);
	r.odd = odd || links_wrong;
	table_close_up(t, head);
	seq_repaired(&b->seq);
	CRASH_POINT("repair:left");
	return r;
}

void
table_recover_free(struct table *t, uint64_t *used)
{
	struct chain c;

	/* overflow buckets that repairs gave back are found again below: a
	 * bucket listed twice would be handed out twice */
	t->overflow_free = 0;
	t->n_overflow_used = 0;
	for (uint64_t head = 0; head < t->n_buckets; head++) {
		uint64_t last = word_load_rlx(&t->map->buckets[head].slot[LINK_SLOT]);
		if (!slot_is_link(last))
			continue;
		table_chain_of(t, head, &c);
		for (uint32_t l = 1; l < c.n_lines; l++) {
			uint64_t idx = c.line[l] - t->map->n_buckets_max;
			used[idx / 64] |= UINT64_C(1) << (idx % 64);
			t->n_overflow_used++;
		}
	}
	for (uint64_t idx = t->n_overflow_made; idx-- > 0;)
		if ((used[idx / 64] >> (idx % 64) & 1) == 0) {
			/* relaxed: seq_recover came before [S7] */
			word_store_rlx(&t->map->overflow[idx].slot[0], t->overflow_free);
			t->overflow_free = idx + 1;
		}
}
