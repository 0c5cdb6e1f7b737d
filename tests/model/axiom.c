/*
 * axiom.c: what a litmus program may do, from RC11's axioms: every choice of
 * reads-from and modification order is tried and judged. Slow and simple, and
 * has nothing in common with memory.c and explore.c, which it checks.
 *
 *   hb  = (sb | sw)+        sw = release side ; (rf of read-modify-writes)* ;
 *                           rf ; acquire side, fences included
 *   eco = (rf | mo | fr)+   hb irreflexive, hb;eco irreflexive, no store
 *                           between a read-modify-write and its source,
 *   sb | rf acyclic
 *   seq_cst fences stand in one order, in which none precedes another that it
 *   follows by hb;eco;hb, or by sb | rf (RC11: by hb). Each such order counts
 *   as a graph.
 */
#include <string.h>

#include "model/litmus.h"

#define N_MAX (LIT_LOCS_MAX + MODEL_THREADS_MAX * LIT_OPS_MAX)

typedef uint64_t relation[N_MAX]; /* bit b of r[a]: a before b */

static const struct lit_prog *prog;
static struct lit_set *out;
static unsigned n_events;
static struct event {
	struct lit_op op;
	unsigned thread, at;
	bool initial, ran;
	unsigned read, wrote; /* values */
} ev[N_MAX];
static unsigned rf[N_MAX]; /* of what reads: the event that it reads */
static unsigned mo_n[LIT_LOCS_MAX], mo[LIT_LOCS_MAX][N_MAX];

static bool
reads(const struct event *e)
{
	return !e->initial && (e->op.kind == 'R' || e->op.kind == 'A');
}

static bool
writes(const struct event *e)
{
	return e->initial || e->op.kind == 'W' || e->op.kind == 'A';
}

static bool
releases(const struct event *e)
{
	return !e->initial &&
	    (e->op.order == MODEL_REL || e->op.order == MODEL_ACQ_REL || e->op.order == MODEL_SC);
}

static bool
acquires(const struct event *e)
{
	return !e->initial &&
	    (e->op.order == MODEL_ACQ || e->op.order == MODEL_ACQ_REL || e->op.order == MODEL_SC);
}

static bool
is_seq_cst(const struct event *e)
{
	return !e->initial && e->ran && e->op.kind == 'F' && e->op.order == MODEL_SC;
}

/* Runs the program with rf given. False: it can't be run in any order, or
 * something reads what never ran. */
static bool
evaluate(void)
{
	unsigned pc[MODEL_THREADS_MAX] = {0}, last[MODEL_THREADS_MAX] = {0};
	bool moved = true, quit[MODEL_THREADS_MAX] = {false};

	for (unsigned e = 0; e < n_events; e++)
		ev[e].ran = ev[e].initial;
	while (moved) {
		moved = false;
		for (unsigned e = 0; e < n_events; e++) {
			struct event *v = &ev[e];
			if (v->initial || v->ran || quit[v->thread] || v->at != pc[v->thread])
				continue;
			if (reads(v) && !ev[rf[e]].ran)
				continue;
			if (reads(v))
				last[v->thread] = v->read = ev[rf[e]].wrote;
			if (writes(v))
				v->wrote = v->op.value + (v->op.kind == 'A' ? v->read : 0);
			if (v->op.kind == 'Q' && last[v->thread] != v->op.value)
				quit[v->thread] = true;
			v->ran = moved = true;
			pc[v->thread]++;
		}
	}
	for (unsigned t = 0; t < prog->n_threads; t++)
		if (!quit[t] && pc[t] < prog->n_ops[t])
			return false;
	for (unsigned e = 0; e < n_events; e++)
		if (reads(&ev[e]) && !ev[e].ran && rf[e] != ev[e].op.loc)
			/* what never ran has one rf, its location's initial
			 * event: no doubles */
			return false;
	return true;
}

static void
close_relation(relation r)
{
	for (unsigned k = 0; k < n_events; k++)
		for (unsigned a = 0; a < n_events; a++)
			if (r[a] >> k & 1)
				r[a] |= r[k];
}

static bool
before_in_thread(unsigned a, unsigned b)
{
	return ev[a].ran && ev[b].ran && !ev[b].initial &&
	    (ev[a].initial || (ev[a].thread == ev[b].thread && ev[a].at < ev[b].at));
}

static void
synchronizes(relation hb)
{
	for (unsigned r = 0; r < n_events; r++) {
		if (!reads(&ev[r]) || !ev[r].ran)
			continue;
		/* w: each store whose release sequence r reads. */
		for (unsigned w = rf[r];; w = rf[w]) {
			uint64_t from = releases(&ev[w]) ? UINT64_C(1) << w : 0,
				 to = acquires(&ev[r]) ? UINT64_C(1) << r : 0;
			for (unsigned f = 0; f < n_events; f++) {
				if (ev[f].op.kind != 'F' || ev[f].initial)
					continue;
				if (releases(&ev[f]) && before_in_thread(f, w) && !ev[w].initial)
					from |= UINT64_C(1) << f;
				if (acquires(&ev[f]) && before_in_thread(r, f))
					to |= UINT64_C(1) << f;
			}
			for (unsigned a = 0; a < n_events; a++)
				if (from >> a & 1)
					hb[a] |= to;
			if (ev[w].initial || ev[w].op.kind != 'A')
				break;
		}
	}
}

/* follows[f]: the fences that must stand before f. Returns how many orders of
 * the fences in `left` there are. */
static unsigned
orders_of_fences(uint64_t left, relation follows)
{
	unsigned n = left == 0;

	for (unsigned f = 0; f < n_events; f++)
		if ((left >> f & 1) != 0 && (follows[f] & left) == 0)
			n += orders_of_fences(left & ~(UINT64_C(1) << f), follows);
	return n;
}

static unsigned
seq_cst_orders(relation hb, relation eco)
{
	relation follows = {0}, cause = {0};
	uint64_t fences = 0;

	for (unsigned a = 0; a < n_events; a++)
		for (unsigned b = 0; b < n_events; b++)
			if (before_in_thread(a, b) ||
			    (reads(&ev[b]) && ev[b].ran && rf[b] == a && !ev[a].initial))
				cause[a] |= UINT64_C(1) << b;
	close_relation(cause);

	for (unsigned f = 0; f < n_events; f++) {
		if (!is_seq_cst(&ev[f]))
			continue;
		fences |= UINT64_C(1) << f;
		uint64_t later = cause[f], reached = 0;
		for (unsigned a = 0; a < n_events; a++)
			if (hb[f] >> a & 1)
				reached |= eco[a];
		for (unsigned b = 0; b < n_events; b++)
			if (reached >> b & 1)
				later |= hb[b];
		for (unsigned g = 0; g < n_events; g++)
			if (later >> g & 1)
				follows[g] |= UINT64_C(1) << f;
	}
	return orders_of_fences(fences, follows);
}

static void
judge(void)
{
	relation hb = {0}, eco = {0};

	for (unsigned a = 0; a < n_events; a++)
		for (unsigned b = 0; b < n_events; b++)
			if (before_in_thread(a, b))
				hb[a] |= UINT64_C(1) << b;
	synchronizes(hb);
	close_relation(hb);
	for (unsigned l = 0; l < LIT_LOCS_MAX; l++)
		for (unsigned i = 0; i < mo_n[l]; i++)
			for (unsigned j = i + 1; j < mo_n[l]; j++)
				eco[mo[l][i]] |= UINT64_C(1) << mo[l][j];
	for (unsigned r = 0; r < n_events; r++) {
		if (!reads(&ev[r]) || !ev[r].ran)
			continue;
		/* fr; of mo alone, as rf is added below */
		uint64_t later = eco[rf[r]] & ~(UINT64_C(1) << r);
		for (unsigned l = 0; l < LIT_LOCS_MAX; l++)
			for (unsigned i = 0; i + 1 < mo_n[l]; i++)
				if (mo[l][i] == rf[r] && ev[r].op.kind == 'A' && mo[l][i + 1] != r)
					return;
		if (ev[r].op.kind == 'A' && (eco[r] >> rf[r] & 1) != 0)
			return;
		eco[r] |= later;
	}
	for (unsigned r = 0; r < n_events; r++)
		if (reads(&ev[r]) && ev[r].ran)
			eco[rf[r]] |= UINT64_C(1) << r;
	close_relation(eco);
	for (unsigned a = 0; a < n_events; a++) {
		if (hb[a] >> a & 1)
			return;
		for (unsigned b = 0; b < n_events; b++)
			if ((hb[a] >> b & 1) != 0 && (eco[b] >> a & 1) != 0)
				return;
	}
	uint64_t outcome = 1; /* a leading 1, so that leading zeros count */
	for (unsigned e = 0; e < n_events; e++)
		if (reads(&ev[e]))
			outcome = outcome << 4 | (ev[e].ran ? ev[e].read : 15);
	for (unsigned l = 0; l < LIT_LOCS_MAX; l++)
		if (prog->finals >> l & 1)
			outcome = outcome << 4 | ev[mo[l][mo_n[l] - 1]].wrote;
	for (unsigned n = seq_cst_orders(hb, eco); n > 0; n--)
		lit_set_add(out, outcome);
}

/* Every order of each location's stores, the initial one first. */
static void
choose_mo(unsigned l)
{
	if (l == LIT_LOCS_MAX) {
		judge();
		return;
	}
	uint64_t placed = 0;
	unsigned all = 0;
	for (unsigned i = 0; i < mo_n[l]; i++)
		placed |= UINT64_C(1) << mo[l][i];
	for (unsigned e = 0; e < n_events; e++) {
		if (!ev[e].ran || !writes(&ev[e]) || ev[e].op.loc != l || (placed >> e & 1) != 0)
			continue;
		all++;
		mo[l][mo_n[l]++] = e;
		choose_mo(l);
		mo_n[l]--;
	}
	if (all == 0)
		choose_mo(l + 1);
}

static void
choose_rf(unsigned e)
{
	while (e < n_events && !reads(&ev[e]))
		e++;
	if (e == n_events) {
		if (!evaluate())
			return;
		for (unsigned l = 0; l < LIT_LOCS_MAX; l++) {
			mo[l][0] = l;
			mo_n[l] = 1;
		}
		choose_mo(0);
		return;
	}
	for (unsigned w = 0; w < n_events; w++) {
		if (w == e || !writes(&ev[w]) || ev[w].op.loc != ev[e].op.loc)
			continue;
		rf[e] = w;
		choose_rf(e + 1);
	}
}

void
axiom_run(const struct lit_prog *p, struct lit_set *ret)
{
	prog = p;
	out = ret;
	memset(ret, 0, sizeof(*ret));
	memset(ev, 0, sizeof(ev));
	n_events = LIT_LOCS_MAX;
	for (unsigned l = 0; l < LIT_LOCS_MAX; l++) {
		ev[l].initial = true;
		ev[l].op.loc = (uint8_t)l;
	}
	for (unsigned t = 0; t < p->n_threads; t++)
		for (unsigned i = 0; i < p->n_ops[t]; i++)
			ev[n_events++] = (struct event){.op = p->op[t][i], .thread = t, .at = i};
	choose_rf(0);
}
