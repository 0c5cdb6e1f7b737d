/*
 * table_private.h: chains, as table.c, table_split.c and table_repair.c walk
 * and close them.
 */
#ifndef PEEK_ENGINE_TABLE_PRIVATE_H
#define PEEK_ENGINE_TABLE_PRIVATE_H

#include "engine/table.h"

struct chain {
	uint32_t n_lines;
	uint64_t line[CHAIN_LINES_MAX];
};

/* The lines of a chain. Links are clamped: a damaged one ends the chain. */
void table_chain_of(const struct table *t, uint64_t head, struct chain *ret);

/* Moves a slot's hint and last access, which are kept outside the table. */
void table_move_aside(struct table *t, uint64_t from_ref, uint64_t to_ref);

/* Makes sure that overflow buckets [0, n) have memory. False: it can't be
 * had. */
bool table_overflow_memory(struct table *t, uint64_t n);

/* Returns the line of an overflow bucket that no chain leads to; 0 if there is
 * no memory. */
uint64_t table_overflow_take(struct table *t);

/* Frees an overflow bucket. The caller has cut it off from its chain, and calls
 * inside that chain's window or after it. */
void table_overflow_give(struct table *t, uint64_t line);

/*
 * Closes up a chain inside its head's window: holes in front are filled from
 * the last line; a last line with one item gives it to the slot that leads
 * there, with none it is cut off. Each step leaves every item in the chain. At
 * the end each link tells what lies behind it and nothing else; until then a
 * link may tell more.
 */
void table_close_up(struct table *t, uint64_t head);

/* The link from the l-th line of a chain to the next, with the filter of all
 * items behind it. */
uint64_t table_link_of(const struct table *t, const struct chain *c, uint32_t l);

static inline struct word *
slot_at(const struct table *t, uint64_t line, unsigned slot)
{
	CHECK(slot < BUCKET_SLOTS);
	return &table_line(t, line)->slot[slot];
}

#endif
