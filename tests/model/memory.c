/*
 * memory.c: the memory of one execution: histories, views, and what of a killed
 * thread's stores has happened.
 *
 * Stores ("messages") are numbered as they are made; 0 is every location's
 * initial value. A view is by location slot, given to a location at its first
 * store; a slot beyond a view's n is at the initial value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/core.h"

#define LOCS_MAX  2048
#define HASH_SIZE 8192 /* a power of two above LOCS_MAX */
#define MSGS_MAX  2048
#define SLOTS_MAX 256 /* locations that are stored to */
#define MO_MAX    (CHOICES_MAX - 2)

struct view {
	uint16_t n;
	uint16_t clock[MODEL_THREADS_MAX]; /* happens-before, for races of plain accesses */
	uint16_t msg[SLOTS_MAX];
};

struct loc {
	const void *addr;
	unsigned size;
	int slot; /* -1: nobody stored to it */
	int last_event;
	uint64_t value; /* initial, or a plain location's */
	unsigned n;     /* messages, the initial one included */
	uint16_t mo[MO_MAX];
	uint16_t plain_writer, plain_write_at; /* thread + 1, its clock */
	uint16_t plain_read_at[MODEL_THREADS_MAX];
};

struct msg {
	struct loc *loc;
	uint64_t value;
	int event;
	uint16_t pos;  /* in loc->mo */
	uint16_t prev; /* the same thread's message before it; 0: none */
	uint16_t read; /* is_add: the message that it stands directly behind */
	uint8_t tid;
	bool is_add, is_release;
	bool tentative; /* of a killed thread since its last fence: may not have happened */
	bool dropped;   /* decided: has not happened */
	struct view view;
};

static struct loc locs[LOCS_MAX];
static unsigned n_locs, n_slots, n_msgs;
static struct msg msgs[MSGS_MAX];
static struct {
	uint32_t stamp;
	uint32_t loc;
} hash[HASH_SIZE];
static uint32_t stamp;

static struct mem_thread {
	struct view cur;               /* what a load must not be older than */
	struct view acq;               /* what an acquire fence would add */
	struct view rel;               /* cur at the last release fence */
	uint16_t last_msg, fenced_msg; /* its newest; its newest at the last fence */
	bool killable, dead;
} threads[MODEL_THREADS_MAX];

static _Noreturn void
too_many(const char *what)
{
	fprintf(stderr, "model: too many %s in one execution\n", what);
	exit(2);
}

void
mem_reset(unsigned killed)
{
	stamp++;
	n_locs = n_slots = 0;
	n_msgs = 1;
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++) {
		struct mem_thread *th = &threads[t];
		th->cur.n = th->acq.n = th->rel.n = 0;
		memset(th->cur.clock, 0, sizeof(th->cur.clock));
		memset(th->acq.clock, 0, sizeof(th->acq.clock));
		memset(th->rel.clock, 0, sizeof(th->rel.clock));
		th->cur.clock[t] = 1;
		th->last_msg = th->fenced_msg = 0;
		th->killable = (killed >> t & 1) != 0;
		th->dead = false;
	}
}

struct loc *
mem_loc(const void *addr, unsigned size)
{
	uint32_t h =
	    (uint32_t)(((uintptr_t)addr * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (HASH_SIZE - 1);

	while (hash[h].stamp == stamp) {
		struct loc *l = &locs[hash[h].loc];
		if (l->addr == addr) {
			if (l->size != size)
				model_fail(__FILE__, __LINE__, "one word is accessed in two sizes");
			return l;
		}
		h = (h + 1) & (HASH_SIZE - 1);
	}
	if (n_locs == LOCS_MAX)
		too_many("locations");
	hash[h].stamp = stamp;
	hash[h].loc = n_locs;
	struct loc *l = &locs[n_locs++];
	l->addr = addr;
	l->size = size;
	l->slot = -1;
	l->last_event = -1;
	l->n = 1;
	l->mo[0] = 0;
	l->plain_writer = 0;
	memset(l->plain_read_at, 0, sizeof(l->plain_read_at));
	l->value = size == 1 ? *(const uint8_t *)addr : *(const uint64_t *)addr;
	return l;
}

int *
mem_last_event(struct loc *loc)
{
	return &loc->last_event;
}

int
mem_msg_event(unsigned msg)
{
	return msg == 0 ? -1 : msgs[msg].event;
}

static void
view_join(struct view *to, const struct view *from)
{
	unsigned both = to->n < from->n ? to->n : from->n;

	for (unsigned i = 0; i < both; i++)
		if (to->msg[i] != from->msg[i] && msgs[from->msg[i]].pos > msgs[to->msg[i]].pos)
			to->msg[i] = from->msg[i];
	if (from->n > to->n) {
		memcpy(to->msg + to->n, from->msg + to->n, (from->n - to->n) * sizeof(to->msg[0]));
		to->n = from->n;
	}
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++)
		if (from->clock[t] > to->clock[t])
			to->clock[t] = from->clock[t];
}

static void
view_copy(struct view *to, const struct view *from)
{
	to->n = from->n;
	memcpy(to->clock, from->clock, sizeof(to->clock));
	memcpy(to->msg, from->msg, from->n * sizeof(to->msg[0]));
}

static void
view_set(struct view *v, unsigned slot, unsigned msg)
{
	while (v->n <= slot)
		v->msg[v->n++] = 0;
	v->msg[slot] = (uint16_t)msg;
}

/* ---- what of a killed thread's stores has happened ----------------------- */

/* It happened: so did what precedes it in its location, and before a release
 * everything. */
static void
confirm(unsigned m)
{
	if (!msgs[m].tentative)
		return;
	msgs[m].tentative = false;
	for (unsigned k = msgs[m].prev; k != 0 && msgs[m].is_release; k = msgs[k].prev)
		confirm(k);
	for (unsigned k = msgs[m].prev; k != 0; k = msgs[k].prev)
		if (msgs[k].loc == msgs[m].loc)
			confirm(k);
}

/* It did not: nor did what needs it. */
static void
drop(unsigned m)
{
	if (msgs[m].dropped)
		return;
	if (!msgs[m].tentative)
		model_fail(__FILE__, __LINE__, "the checker drops a store that has happened");
	msgs[m].dropped = true;
	for (unsigned k = threads[msgs[m].tid].last_msg; k != m; k = msgs[k].prev)
		if (msgs[k].loc == msgs[m].loc || msgs[k].is_release)
			drop(k);
}

static void
confirm_all(unsigned tid)
{
	for (unsigned k = threads[tid].last_msg; k != threads[tid].fenced_msg; k = msgs[k].prev)
		msgs[k].tentative = false;
	threads[tid].fenced_msg = threads[tid].last_msg;
}

void
mem_thread_died(unsigned tid)
{
	threads[tid].dead = true;
}

bool
mem_may_be_killed(unsigned tid)
{
	return threads[tid].killable;
}

/* ---- choices ------------------------------------------------------------- */

/* The position in mo that the thread's view of the location has reached. */
static unsigned
base_pos(unsigned tid, const struct loc *loc)
{
	const struct view *v = &threads[tid].cur;
	unsigned pos = 0;

	if (loc->slot >= 0 && (unsigned)loc->slot < v->n)
		pos = msgs[v->msg[loc->slot]].pos;
	while (pos > 0 && msgs[loc->mo[pos]].dropped)
		pos--;
	return pos;
}

static unsigned
next_pos(const struct loc *loc, unsigned pos)
{
	do
		pos++;
	while (pos < loc->n && msgs[loc->mo[pos]].dropped);
	return pos;
}

/* Nothing may come between a read-modify-write and what it read. */
static bool
is_taken(const struct loc *loc, unsigned pos)
{
	unsigned next = next_pos(loc, pos);

	return next < loc->n && msgs[loc->mo[next]].is_add &&
	    msgs[loc->mo[next]].read == loc->mo[pos];
}

unsigned
mem_choices(unsigned tid, const struct op *op, uint16_t keys[CHOICES_MAX])
{
	const struct loc *loc = op->loc;
	unsigned n = 0;

	if (op->kind == OP_CHOOSE) {
		for (; n < op->n && n < CHOICES_MAX; n++)
			keys[n] = (uint16_t)n;
		return n;
	}
	if (op->kind == OP_FENCE || op->kind == OP_AWAIT) {
		keys[n++] = FENCE_PASSED;
		if (op->kind == OP_FENCE && threads[tid].killable &&
		    (op->order == MODEL_REL || op->order == MODEL_CRASH))
			keys[n++] = FENCE_KILLED;
		return n;
	}
	unsigned base = base_pos(tid, loc);
	for (unsigned pos = loc->n; pos-- > base;)
		if (!msgs[loc->mo[pos]].dropped && (op->kind == OP_LOAD || !is_taken(loc, pos)))
			keys[n++] = loc->mo[pos];
	if (op->kind != OP_LOAD)
		return n;
	for (unsigned pos = base;
	     pos > 0 && msgs[loc->mo[pos]].tentative && threads[msgs[loc->mo[pos]].tid].dead;) {
		do
			pos--;
		while (pos > 0 && msgs[loc->mo[pos]].dropped);
		keys[n++] = loc->mo[pos];
	}
	return n;
}

/* ---- effects ------------------------------------------------------------- */

static uint64_t
read_msg(struct mem_thread *th, unsigned tid, const struct op *op, unsigned m)
{
	struct loc *loc = op->loc;

	if (loc->slot >= 0) {
		for (unsigned pos = base_pos(tid, loc); pos > msgs[m].pos; pos--)
			if (op->kind == OP_LOAD)
				drop(loc->mo[pos]);
		/* that a thread sees its own store tells nobody that it
		 * happened */
		if (m != 0 && msgs[m].tid != tid)
			confirm(m);
		view_set(&th->cur, (unsigned)loc->slot, m);
	}
	if (m == 0)
		return loc->value;
	if (op->order == MODEL_ACQ || op->order == MODEL_ACQ_REL || op->order == MODEL_SC)
		view_join(&th->cur, &msgs[m].view);
	else
		view_join(&th->acq, &msgs[m].view);
	return msgs[m].value;
}

static unsigned
make_msg(struct mem_thread *th, unsigned tid, const struct op *op, unsigned behind, uint64_t value,
    int event)
{
	struct loc *loc = op->loc;

	if (n_msgs == MSGS_MAX || loc->n == MO_MAX)
		too_many("stores");
	if (loc->slot < 0) {
		if (n_slots == SLOTS_MAX)
			too_many("locations that are stored to");
		loc->slot = (int)n_slots++;
	}
	unsigned m = n_msgs++, pos = behind == 0 ? 1 : msgs[behind].pos + 1u;
	for (unsigned i = loc->n++; i > pos; i--) {
		loc->mo[i] = loc->mo[i - 1];
		msgs[loc->mo[i]].pos = (uint16_t)i;
	}
	loc->mo[pos] = (uint16_t)m;
	struct msg *msg = &msgs[m];
	msg->loc = loc;
	msg->value = op->size == 1 ? (uint8_t)value : value;
	msg->event = event;
	msg->pos = (uint16_t)pos;
	msg->prev = th->last_msg;
	msg->read = (uint16_t)behind;
	msg->tid = (uint8_t)tid;
	msg->is_add = op->kind == OP_ADD;
	msg->is_release =
	    op->order == MODEL_REL || op->order == MODEL_ACQ_REL || op->order == MODEL_SC;
	msg->tentative = th->killable;
	msg->dropped = false;
	th->last_msg = (uint16_t)m;
	view_set(&th->cur, (unsigned)loc->slot, m);
	view_copy(&msg->view, msg->is_release ? &th->cur : &th->rel);
	view_set(&msg->view, (unsigned)loc->slot, m);
	if (msg->is_add && behind != 0)
		view_join(&msg->view, &msgs[behind].view);
	return m;
}

uint64_t
mem_perform(unsigned tid, const struct op *op, unsigned key, int event, unsigned *ret_msg,
    unsigned *ret_read)
{
	struct mem_thread *th = &threads[tid];
	uint64_t value = 0;

	*ret_msg = *ret_read = 0;
	switch (op->kind) {
	case OP_CHOOSE:
		return key;
	case OP_AWAIT:
		view_join(&th->cur, &threads[op->n].cur);
		break;
	case OP_FENCE:
		if (op->order == MODEL_ACQ || op->order == MODEL_ACQ_REL)
			view_join(&th->cur, &th->acq);
		if (op->order == MODEL_REL || op->order == MODEL_ACQ_REL)
			view_copy(&th->rel, &th->cur);
		if (op->order == MODEL_REL || op->order == MODEL_CRASH)
			confirm_all(tid);
		break;
	case OP_LOAD:
		value = read_msg(th, tid, op, key);
		*ret_msg = *ret_read = key;
		break;
	case OP_STORE:
		*ret_msg = make_msg(th, tid, op, key, op->value, event);
		break;
	case OP_ADD:
		if (op->order == MODEL_SC)
			view_join(&th->cur, &th->acq);
		value = read_msg(th, tid, op, key);
		*ret_read = key;
		*ret_msg = make_msg(th, tid, op, key, value + op->value, event);
		if (op->order == MODEL_SC)
			view_copy(&th->rel, &th->cur);
		break;
	}
	th->cur.clock[tid]++;
	return value;
}

const char *
mem_plain(unsigned tid, const void *addr, unsigned size, bool store, uint64_t *value)
{
	struct loc *l = mem_loc(addr, size);
	const uint16_t *clock = threads[tid].cur.clock;

	if (l->plain_writer != 0 && clock[l->plain_writer - 1] < l->plain_write_at)
		return store ? "data race: two plain stores"
			     : "data race: a plain load beside a plain store";
	if (store) {
		for (unsigned t = 0; t < MODEL_THREADS_MAX; t++)
			if (clock[t] < l->plain_read_at[t])
				return "data race: a plain store beside a plain load";
		l->plain_writer = (uint16_t)(tid + 1);
		l->plain_write_at = clock[tid];
		l->value = *value;
	} else {
		l->plain_read_at[tid] = clock[tid];
		*value = l->value;
	}
	threads[tid].cur.clock[tid]++;
	return NULL;
}

uint64_t
mem_final(const void *addr, unsigned size)
{
	const struct loc *l = mem_loc(addr, size);
	unsigned pos = l->n - 1;

	while (pos > 0 && msgs[l->mo[pos]].dropped)
		pos--;
	return pos == 0 ? l->value : msgs[l->mo[pos]].value;
}
