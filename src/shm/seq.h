/*
 * seq.h: every fence and every order stronger than relaxed that peekd and
 * libpeek use.
 *
 * Each carries a tag. A tag stands at two or more sites, which are each other's
 * partners. The comment beside it says what breaks without it, and tests/model
 * has a scenario that fails when the line is weakened.
 *
 *   [S1] enter fence      <-> [S1] validate fence     a reader that saw one of
 *                                                     the writer's words sees
 *                                                     the odd sequence
 *   [S2] exit release     <-> [S2] begin acquire      a reader that begins at
 *                                                     an even sequence sees the
 *                                                     whole update
 *   [S3] retire fence     <-> [S3] standing fence     a reader that saw reused
 *                                                     memory sees the new
 *                                                     incarnation
 *   [S4] counter release  <-> [S4] counter acquire    a CAS id is never seen
 *                                                     before the value it
 *                                                     belongs to
 *   [S5] attach release   <-> [S5] attach acquire     a reader that sees the
 *                                                     magic sees the header
 *   [S6] hand-over release<-> [S6] follow fence       a reader that sees the
 *                                                     retired bit finds the new
 *                                                     segment
 *   [S7] recover fence    <-> [S1] validate fence     a successor's repairs are
 *                                                     covered as the dead
 *                                                     writer's stores were
 *   [S8] repaired release <-> [S2] begin acquire      as S2, for a bucket that
 *                                                     a successor repaired
 *   [S9] publish release  <-> [S9] follow acquire     a pointer inside one
 *                                                     process
 *   [R1] put release      <-> [R1] tail acquire       a side that sees a ring's
 *                                                     tail sees the bytes
 *   [R2] awaiting fence   <-> [R2] waking fence       of a side that goes to
 *                                                     sleep and one that puts
 *                                                     or takes, one at least
 *                                                     sees the other
 *   [R3] taken release    <-> [R3] head acquire       a side that sees a ring's
 *                                                     head writes over bytes
 *                                                     that were copied out
 *   [C1] crash order      <-> recovery                program order of two
 *                                                     stores, for a successor
 *                                                     only
 *
 * The sequence is 64 bits wide and does not wrap in the life of a host. Odd:
 * the bucket is being rewritten.
 */
#ifndef PEEK_SHM_SEQ_H
#define PEEK_SHM_SEQ_H

#include <stdbool.h>

#include "base/check.h"
#include "shm/atomic.h"

/* ---- the writer's side of a bucket --------------------------------------- */

/* Makes the sequence odd. The store needs no release, since the fence that must
 * follow orders it before the data. Several buckets may be marked and share one
 * fence. */
static inline void
seq_mark(struct word *seq)
{
	/* relaxed: the only writer reads its own store */
	uint64_t even = word_load_rlx(seq);

	CHECK(even % 2 == 0);
	word_store_rlx(seq, even + 1);
}

/*
 * The same for a bucket that no reader looks at yet. Its sequence may be odd: a
 * split was cut short, or its memory is damaged.
 */
static inline void
seq_mark_unborn(struct word *seq)
{
	word_store_rlx(seq, word_load_rlx(seq) | 1); /* relaxed: as above */
}

/* [S1] After the marks, before the first data store. Pairs with seq_validate:
 *      without it a reader takes a new word and the old even sequence, and a
 *      torn bucket validates. */
static inline void
seq_marked(void)
{
	fence_rel();
}

/* Marks one bucket and fences: the beginning of every mutation of a single
 * bucket. */
static inline void
seq_enter(struct word *seq)
{
	seq_mark(seq);
	seq_marked();
}

/* [S2] Pairs with seq_begin: without it a reader begins at the new even
 *      sequence, reads an old word, and validates. */
static inline void
seq_exit(struct word *seq)
{
	uint64_t odd = word_load_rlx(seq); /* relaxed: own store */

	CHECK(odd % 2 == 1);
	word_store_rel(seq, odd + 1);
}

/* ---- the reader's side of a bucket --------------------------------------- */

/* [S2] Returns the sequence; odd means that the bucket is being rewritten, and
 *      the caller owns the budget of tries. */
static inline uint64_t
seq_begin(const struct word *seq)
{
	return word_load_acq(seq);
}

/* [S1] True when every word read since seq_begin returned `begun` belongs to
 *      that sequence. Also the check in the middle of a pinned read. Without
 *      the fence the re-load may come before the data loads. */
static inline bool
seq_validate(const struct word *seq, uint64_t begun)
{
	fence_acq();
	return word_load_rlx(seq) == begun; /* relaxed: the fence above orders it after the data */
}

/* ---- incarnations of blocks ---------------------------------------------- */

/* [S3] Called when every item of the block is unlinked and before its first
 *      byte is rewritten. Pairs with seq_standing: without the fence a reader
 *      that copied new bytes may still see the old incarnation. */
static inline void
seq_retire(struct word *incarnation)
{
	/* relaxed: the fence below orders it */
	word_store_rlx(incarnation, word_load_rlx(incarnation) + 1);
	fence_rel();
}

/* [S3] After a pinned copy, before the incarnations are loaded again. */
static inline void
seq_standing(void)
{
	fence_acq();
}

/* ---- a counter's value and its CAS id ------------------------------------ */

/* [S4] The value first, its CAS id after it. */
static inline void
seq_counter_store(
    struct word *value, uint64_t new_value, struct word *cas_state, uint64_t new_cas_state)
{
	word_store_rlx(value, new_value); /* relaxed: the release below orders it */
	word_store_rel(cas_state, new_cas_state);
}

/* [S4] The CAS id first: an old id with a new value fails a later cas, as it
 *      should; never the reverse. */
static inline uint64_t
seq_counter_cas_state(const struct word *cas_state)
{
	return word_load_acq(cas_state);
}

/* ---- attach, hand-over, recovery ----------------------------------------- */

/* [S5] The last store of creation. Without it a reader sees the magic over an
 *      unwritten header. */
static inline void
seq_publish_magic(struct word *magic, uint64_t value)
{
	word_store_rel(magic, value);
}

/* [S5] */
static inline uint64_t
seq_load_magic(const struct word *magic)
{
	return word_load_acq(magic);
}

/* [S6] Retires a segment after its successor was renamed into place. Pairs with
 *      seq_follow. */
static inline void
seq_hand_over(struct word *count, uint64_t retired_count)
{
	word_store_rel(count, retired_count);
}

/* [S6] A reader that saw the retired bit, before it attaches anew. Without it
 *      the new segment's first words, or the name it now has, may be seen as
 *      they were before the hand-over. */
static inline void
seq_follow(void)
{
	fence_acq();
}

/* [S7] Once, right after the lock was taken, before a successor's first store.
 *      Pairs with the fence in seq_validate: the dead writer's fences do not
 *      cover this process's stores, even where every sequence is even. */
static inline void
seq_recover(void)
{
	fence_rel();
}

/* [S8] Makes a repaired bucket even again. Pairs with seq_begin. */
static inline void
seq_repaired(struct word *seq)
{
	uint64_t odd = word_load_rlx(seq); /* relaxed: the only writer */

	CHECK(odd % 2 == 1);
	word_store_rel(seq, odd + 1);
}

/* [C1] Between two stores of which a successor must never find the second
 *      without the first. */
static inline void
seq_crash_order(void)
{
	fence_crash();
}

/* ---- rings of bytes (ring.h) --------------------------------------------- */

/* [R1] Without it the taker copies bytes that are not there yet. */
static inline void
seq_ring_put(struct word *tail, uint64_t n_put)
{
	word_store_rel(tail, n_put);
}

/* [R1] Pairs with seq_ring_put. */
static inline uint64_t
seq_ring_tail(const struct word *tail)
{
	return word_load_acq(tail);
}

/* [R3] Without it the other side puts new bytes where old ones are still being
 *      copied out.
 * [C1] The request in the bytes is carried out afterwards: where a taker was
 *      killed, the side that put them must not find the effect without the
 *      head. */
static inline void
seq_ring_taken(struct word *head, uint64_t n_taken)
{
	word_store_rel(head, n_taken);
	fence_crash();
}

/* [R3] Pairs with seq_ring_taken. */
static inline uint64_t
seq_ring_head(const struct word *head)
{
	return word_load_acq(head);
}

/*
 * [R2] Between the store of the own flag and the last look at the other side's
 *      counters. Pairs with seq_ring_waking: each side stores one word and then
 *      loads the other's (store buffering), which no release or acquire orders.
 *      Without it both loads may give the old words: one side sleeps, the other
 *      doesn't wake it.
 */
static inline void
seq_ring_awaiting(void)
{
	fence_sc();
}

/* [R2] Between the store of a counter and the load of the other side's flag.
 *      Pairs with seq_ring_awaiting. */
static inline void
seq_ring_waking(void)
{
	fence_sc();
}

/* ---- pointers inside one process ----------------------------------------- */

/* [S9] */
static inline void
seq_publish_ptr(struct shared_ptr *p, void *value)
{
	ptr_store_rel(p, value);
}

/* [S9] Without the acquire a thread follows the pointer to fields that are not
 *      there yet. */
static inline void *
seq_load_ptr(const struct shared_ptr *p)
{
	return ptr_load_acq(p);
}

#endif
