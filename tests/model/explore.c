/*
 * explore.c: the threads of a scenario and the search over everything they may
 * do (runtime.h says how).
 *
 * A node is a state on the path from the start: which thread goes on, by which
 * of its choices, what is left to try. An event is what a node's choice did in
 * the execution at hand. A thread that comes to an access parks with the access
 * pending; whoever runs picks the next event, performs it, and goes to its
 * thread if that is another.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/coro.h"
#include "model/core.h"

#define STACK_BYTES (256u << 10)
#define SLEEP_MAX   192
#define KEEPS_MAX   16

struct node {
	uint8_t thread;
	uint8_t backtrack, done; /* masks of threads: to be tried from here; tried */
	uint8_t n_keys, at;      /* the thread's choices; n_keys 0: not computed yet */
	uint16_t keys[CHOICES_MAX];
	uint16_t n_sleep;
	struct {
		uint8_t thread;
		uint16_t key;
	} sleep[SLEEP_MAX]; /* steps whose continuations have all been run */
};

struct event {
	struct op op;
	uint8_t thread;
	uint16_t idx; /* in its thread, from 1 */
	/* how many events of each thread precede it by program order and
	 * reads-from */
	uint16_t cause[MODEL_THREADS_MAX];
	int prev_same_loc;
	unsigned key, msg;
	uint64_t value;
};

static struct node nodes[EVENTS_MAX];
static struct event events[EVENTS_MAX];
static unsigned n_nodes, n_replay, n_events;

static struct thread {
	struct coro coro;
	struct op op; /* pending */
	uint64_t result;
	bool exists, ended, started;
	uint16_t n_events;
	uint16_t cause[MODEL_THREADS_MAX];
} threads[MODEL_THREADS_MAX];
static _Alignas(64) unsigned char stacks[MODEL_THREADS_MAX][STACK_BYTES];

static struct coro main_coro, spare;
static _Alignas(64) unsigned char spare_stack[STACK_BYTES];
static const struct model_scenario *scenario;
static struct model_result *result;
static int self = -1; /* the thread that runs */
static enum explore_phase phase;
static enum { COMPLETE, BLOCKED, FAILED } outcome;

static struct {
	unsigned char *mem, *copy;
	size_t bytes;
} keeps[KEEPS_MAX];
static unsigned n_keeps;

static _Noreturn void
to_main(void)
{
	struct coro lost;

	coro_switch(&lost, &main_coro);
	abort();
}

/* A CHECK of the code under test (base/check.h). */
_Noreturn void
check_failed(const char *file, int line, const char *expr)
{
	model_fail(file, line, expr);
}

_Noreturn void
model_fail(const char *file, int line, const char *what)
{
	const char *base = strrchr(file, '/');

	if (result == NULL || phase == PHASE_IDLE) {
		fprintf(stderr, "model: %s:%d: %s\n", file, line, what);
		exit(2);
	}
	if (!result->failed)
		snprintf(result->why, sizeof(result->why), "%s:%d: %s",
		    base != NULL ? base + 1 : file, line, what);
	result->failed = true;
	outcome = FAILED;
	to_main();
}

/* ---- choosing ------------------------------------------------------------ */

static bool
is_enabled(const struct thread *t)
{
	return t->exists && !t->ended && (t->op.kind != OP_AWAIT || threads[t->op.n].ended);
}

/* Makes t the thread of this node, with those of its choices that do not sleep.
 * False: all do. */
static bool
node_take(struct node *n, unsigned t)
{
	uint16_t keys[CHOICES_MAX];
	unsigned n_all = mem_choices(t, &threads[t].op, keys);

	n->n_keys = 0;
	for (unsigned i = 0; i < n_all; i++) {
		bool asleep = false;
		for (unsigned s = 0; s < n->n_sleep && !asleep; s++)
			asleep = n->sleep[s].thread == t && n->sleep[s].key == keys[i];
		if (!asleep)
			n->keys[n->n_keys++] = keys[i];
	}
	if (n->n_keys == 0)
		return false;
	n->thread = (uint8_t)t;
	n->at = 0;
	n->backtrack |= (uint8_t)(1u << t);
	return true;
}

static void
node_sleep(struct node *n, unsigned thread, uint16_t key)
{
	if (n->n_sleep == SLEEP_MAX) {
		fprintf(stderr, "model: too many sleeping steps\n");
		exit(2);
	}
	n->sleep[n->n_sleep].thread = (uint8_t)thread;
	n->sleep[n->n_sleep++].key = key;
}

static void
node_new(struct node *n, const struct node *before)
{
	n->backtrack = n->done = 0;
	n->n_sleep = 0;
	for (unsigned i = 0; before != NULL && i < before->n_sleep; i++)
		if (before->sleep[i].thread != before->thread)
			node_sleep(n, before->sleep[i].thread, before->sleep[i].key);
}

/*
 * Event i loaded (or added to) the location that event j stored to, and need
 * not precede it: an execution in which the store comes first must be tried
 * from i's node. It begins with the events between them that j needs and that
 * do not depend on i.
 */
static void
turn_round(unsigned i, unsigned j)
{
	unsigned initials = 0, first_thread = events[j].thread, seen = 0;
	uint16_t first_idx[MODEL_THREADS_MAX];
	const struct event *e = &events[i];

	for (unsigned k = i + 1; k <= j; k++) {
		const struct event *f = &events[k];
		if ((k < j && f->cause[e->thread] >= e->idx) || (seen >> f->thread & 1) != 0)
			continue;
		bool initial = true;
		for (unsigned t = 0; t < MODEL_THREADS_MAX; t++)
			if ((seen >> t & 1) != 0 && f->cause[t] >= first_idx[t])
				initial = false;
		if (seen == 0)
			first_thread = f->thread;
		seen |= 1u << f->thread;
		first_idx[f->thread] = f->idx;
		initials |= (unsigned)initial << f->thread;
	}
	if ((initials & nodes[i].backtrack) == 0)
		nodes[i].backtrack |= (uint8_t)(1u << first_thread);
}

static void
perform(unsigned tid, unsigned key)
{
	struct thread *t = &threads[tid];
	struct event *ev = &events[n_events];
	unsigned read;

	ev->op = t->op;
	ev->thread = (uint8_t)tid;
	ev->idx = ++t->n_events;
	ev->key = key;
	ev->prev_same_loc = -1;
	if (t->op.kind == OP_FENCE && key == FENCE_KILLED) {
		memcpy(ev->cause, t->cause, sizeof(ev->cause));
		ev->cause[tid] = t->cause[tid] = ev->idx;
		ev->msg = 0;
		n_events++;
		t->ended = true;
		mem_thread_died(tid);
		return;
	}
	ev->value = t->result = mem_perform(tid, &t->op, key, (int)n_events, &ev->msg, &read);
	if (t->op.loc != NULL) {
		int *last = mem_last_event(t->op.loc);
		ev->prev_same_loc = *last;
		*last = (int)n_events;
	}
	/* Before the cause of what an add has read is joined: two adds are
	 * turned round too. */
	memcpy(ev->cause, t->cause, sizeof(ev->cause));
	if (t->op.kind == OP_STORE || t->op.kind == OP_ADD)
		for (int i = ev->prev_same_loc; i >= 0; i = events[i].prev_same_loc)
			if (events[i].thread != tid && events[i].op.kind != OP_STORE &&
			    ev->cause[events[i].thread] < events[i].idx)
				turn_round((unsigned)i, n_events);
	const uint16_t *from = NULL;
	if (t->op.kind == OP_AWAIT)
		from = threads[t->op.n].cause;
	else if (t->op.loc != NULL && mem_msg_event(read) >= 0)
		from = events[mem_msg_event(read)].cause;
	for (unsigned u = 0; from != NULL && u < MODEL_THREADS_MAX; u++)
		if (from[u] > ev->cause[u])
			ev->cause[u] = from[u];
	ev->cause[tid] = ev->idx;
	memcpy(t->cause, ev->cause, sizeof(ev->cause));
	n_events++;
}

/* Performs the next event. Returns its thread, or goes back to the explorer
 * when there is none. */
static unsigned
step(void)
{
	for (;;) {
		unsigned i = n_events;
		struct node *n = &nodes[i];

		if (i == EVENTS_MAX)
			model_fail(__FILE__, __LINE__,
			    "the execution is too long: a loop without a bound?");
		if (i >= n_replay) {
			unsigned t, alive = 0, enabled = 0;
			node_new(n, i > 0 ? &nodes[i - 1] : NULL);
			for (t = 0; t < MODEL_THREADS_MAX; t++) {
				alive += threads[t].exists && !threads[t].ended;
				if (!is_enabled(&threads[t]))
					continue;
				enabled++;
				if (node_take(n, t))
					break;
			}
			if (t == MODEL_THREADS_MAX) {
				if (alive > 0 && enabled == 0)
					model_fail(__FILE__, __LINE__, "deadlock");
				outcome = alive == 0 ? COMPLETE : BLOCKED;
				to_main();
			}
			n_nodes = i + 1;
		} else if (n->n_keys == 0 && !node_take(n, n->thread)) {
			outcome = BLOCKED;
			to_main();
		}
		unsigned t = n->thread;
		perform(t, n->keys[n->at]);
		if (!threads[t].ended)
			return t;
	}
}

/* Leaves the thread that runs: to the next event's, which may be itself. */
static void
go_on(void)
{
	unsigned from = (unsigned)self, to = step();

	if (to != from) {
		self = (int)to;
		coro_switch(&threads[from].coro, &threads[to].coro);
	}
}

uint64_t
explore_access(struct op *op)
{
	struct thread *t = &threads[self];

	if (op->addr != NULL)
		op->loc = mem_loc(op->addr, op->size);
	t->op = *op;
	if (!t->started) {
		t->started = true;
		coro_switch(&t->coro, &main_coro);
	} else {
		go_on();
	}
	return t->result;
}

static _Noreturn void
thread_end(void)
{
	struct thread *t = &threads[self];

	t->ended = true;
	mem_thread_died((unsigned)self);
	if (t->started)
		go_on();
	to_main(); /* it had no event at all */
}

_Noreturn void
model_exit(void)
{
	thread_end();
}

static void
thread_entry(void)
{
	int me = self;

	if (scenario->after[me] != 0) {
		struct op op = {.kind = OP_AWAIT,
		    .n = (unsigned)scenario->after[me] - 1,
		    .file = "",
		    .line = 0};
		explore_access(&op);
	}
	scenario->thread[me]();
	thread_end();
}

/* The first step of an execution: no thread runs yet. */
static void
starter_entry(void)
{
	self = (int)step();
	coro_switch(&spare, &threads[self].coro);
}

static void
check_entry(void)
{
	scenario->check();
	to_main();
}

/* ---- one execution after another ----------------------------------------- */

static void
print_trace(void)
{
	static const char *const kinds[] = {"load", "store", "add", "fence", "choose", "await"};
	static const char *const orders[] = {"rlx", "acq", "rel", "acq_rel", "crash", "sc"};

	for (unsigned i = 0; i < n_events; i++) {
		const struct event *e = &events[i];
		const char *base = strrchr(e->op.file, '/');
		base = base != NULL ? base + 1 : e->op.file;
		printf("#   T%u %-6s %-5s", e->thread, kinds[e->op.kind], orders[e->op.order]);
		if (e->op.loc != NULL)
			printf(" %p %s 0x%" PRIx64 " (from event %d)", e->op.addr,
			    e->op.kind == OP_LOAD ? "=" : "<-",
			    e->op.kind == OP_LOAD ? e->value : e->op.value, mem_msg_event(e->msg));
		else
			printf(" %s",
			    e->op.kind == OP_FENCE && e->key == FENCE_KILLED ? "KILLED" : "");
		printf("  [%u] %s:%d\n", i, base, e->op.line);
	}
}

static void
run_once(void)
{
	for (unsigned k = 0; k < n_keeps; k++)
		memcpy(keeps[k].mem, keeps[k].copy, keeps[k].bytes);
	heap_restore();
	mem_reset(scenario->killed);
	n_events = 0;
	outcome = COMPLETE;
	phase = PHASE_STARTING;
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++) {
		threads[t] = (struct thread){.exists = scenario->thread[t] != NULL};
		if (!threads[t].exists)
			continue;
		coro_make(&threads[t].coro, stacks[t], STACK_BYTES, thread_entry);
		self = (int)t;
		coro_switch(&main_coro, &threads[t].coro);
		if (outcome == FAILED)
			return;
	}
	phase = PHASE_RUNNING;
	bool any = false;
	for (unsigned t = 0; t < MODEL_THREADS_MAX; t++)
		any = any || (threads[t].exists && !threads[t].ended);
	if (any) {
		coro_make(&spare, spare_stack, STACK_BYTES, starter_entry);
		coro_switch(&main_coro, &spare);
	}
	if (outcome == COMPLETE && scenario->check != NULL) {
		phase = PHASE_CHECKING;
		coro_make(&spare, spare_stack, STACK_BYTES, check_entry);
		coro_switch(&main_coro, &spare);
	}
}

/* Goes to the next path. False: all are done. */
static bool
next_path(void)
{
	while (n_nodes > 0) {
		struct node *n = &nodes[n_nodes - 1];
		if (n->n_keys > 0 && n->at + 1u < n->n_keys) {
			n->at++;
			n_replay = n_nodes;
			return true;
		}
		n->done |= (uint8_t)(1u << n->thread);
		for (unsigned i = 0; i < n->n_keys; i++)
			node_sleep(n, n->thread, n->keys[i]);
		unsigned left = n->backtrack & ~(unsigned)n->done;
		if (left != 0) {
			n->thread = (uint8_t)__builtin_ctz(left);
			n->n_keys = 0;
			n_replay = n_nodes;
			return true;
		}
		n_nodes--;
	}
	return false;
}

void
model_keep(void *mem, size_t bytes)
{
	if (n_keeps == KEEPS_MAX) {
		fprintf(stderr, "model: too many kept regions\n");
		exit(2);
	}
	keeps[n_keeps].mem = mem;
	keeps[n_keeps++].bytes = bytes;
}

void
model_explore(const struct model_scenario *s, bool trace, uint64_t limit, struct model_result *ret)
{
	*ret = (struct model_result){.failed = false};
	scenario = s;
	result = ret;
	n_nodes = n_replay = n_keeps = 0;
	heap_begin();
	if (s->setup != NULL)
		s->setup();
	for (unsigned k = 0; k < n_keeps; k++) {
		keeps[k].copy = malloc(keeps[k].bytes);
		memcpy(keeps[k].copy, keeps[k].mem, keeps[k].bytes);
	}
	heap_snapshot();
	site_begin(&ret->sites);
	do {
		run_once();
		if (outcome == FAILED)
			break;
		if (outcome == COMPLETE)
			ret->executions++;
		else
			ret->blocked++;
		if (limit != 0 && ret->executions + ret->blocked >= limit) {
			snprintf(
			    ret->why, sizeof(ret->why), "more than %" PRIu64 " executions", limit);
			ret->failed = true;
			break;
		}
	} while (next_path());
	if (outcome == FAILED && trace)
		print_trace();
	phase = PHASE_IDLE;
	self = -1;
	if (!ret->failed && (ret->goals & s->goals) != s->goals) {
		ret->failed = true;
		snprintf(ret->why, sizeof(ret->why), "never came up: goals 0x%" PRIx64,
		    s->goals & ~ret->goals);
	}
	site_begin(NULL);
	heap_end();
	result = NULL;
}

enum explore_phase
explore_phase(void)
{
	return phase;
}

int
model_self(void)
{
	return phase == PHASE_RUNNING || phase == PHASE_STARTING ? self : -1;
}

void
model_reached(unsigned goal)
{
	result->goals |= UINT64_C(1) << goal;
}
