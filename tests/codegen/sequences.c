/*
 * sequences.c: the four sequences that everything rests on, as a compiler sees
 * them; run.sh looks at what it made of them.
 *
 * Each function's second argument is the sequence, its third the data: the
 * first is where it returns what it read. -DWEAK takes every order away;
 * -DSWAPPED puts the data on the wrong side: what must be told from the right
 * code.
 */
#include "shm/atomic.h"

#ifdef WEAK
#undef fence_rel
#undef fence_acq
#undef word_store_rel
#undef word_load_acq
#define fence_rel()          ((void)0)
#define fence_acq()          ((void)0)
#define word_store_rel(w, v) word_store_rlx(w, v)
#define word_load_acq(w)     word_load_rlx(w)
#endif

#include "shm/seq.h"

void writer_enter(uint64_t v, struct word *seq, struct word *data);
void writer_exit(uint64_t v, struct word *seq, struct word *data);
uint64_t read_begin(uint64_t v, struct word *seq, struct word *data);
uint64_t read_validate(uint64_t begun, struct word *seq, struct word *data);

void
writer_enter(uint64_t v, struct word *seq, struct word *data)
{
#ifdef SWAPPED
	word_store_rlx(data, v);
	seq_enter(seq);
#else
	seq_enter(seq);
	word_store_rlx(data, v);
#endif
}

void
writer_exit(uint64_t v, struct word *seq, struct word *data)
{
#ifdef SWAPPED
	seq_exit(seq);
	word_store_rlx(data, v);
#else
	word_store_rlx(data, v);
	seq_exit(seq);
#endif
}

uint64_t
read_begin(uint64_t v, struct word *seq, struct word *data)
{
#ifdef SWAPPED
	v += word_load_rlx(data);
	return v + seq_begin(seq);
#else
	v += seq_begin(seq);
	return v + word_load_rlx(data);
#endif
}

uint64_t
read_validate(uint64_t begun, struct word *seq, struct word *data)
{
#ifdef SWAPPED
	bool valid = seq_validate(seq, begun);
	return valid ? word_load_rlx(data) : 0;
#else
	uint64_t v = word_load_rlx(data);
	return seq_validate(seq, begun) ? v : 0;
#endif
}
