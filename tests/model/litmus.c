/*
 * litmus.c: the checker checks itself: known litmus tests with the outcomes
 * that RC11 requires and forbids, each compared with the axioms outcome by
 * outcome and graph by graph, and random programs compared likewise.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/litmus.h"

#define RANDOM_PROGRAMS 2500

struct litmus {
	const char *name, *text, *finals;
	/* "=" first: these outcomes and no other. Else each is required, and
	 * forbidden with "!". "race", "norace": plain ones. */
	const char *expect;
};

static const struct litmus tests[] = {
    {"SB", "Wx1;Ry | Wy1;Rx", "", "= 00 01 10 11"},
    {"SB+rel+acq", "Wx1.rel;Ry.acq | Wy1.rel;Rx.acq", "", "= 00 01 10 11"},
    {"SB+fences", "Wx1;Frel;Facq;Ry | Wy1;Frel;Facq;Rx", "", "= 00 01 10 11"},
    {"SB+fseq", "Wx1;Fseq;Ry | Wy1;Fseq;Rx", "", "= 01 10 11"},
    {"SB+fseq+frel+facq", "Wx1;Fseq;Ry | Wy1;Frel;Facq;Rx", "", "= 00 01 10 11"},
    {"SB+fseq+none", "Wx1;Fseq;Ry | Wy1;Rx", "", "= 00 01 10 11"},
    {"SB+fseq-early", "Fseq;Wx1;Ry | Fseq;Wy1;Rx", "", "= 00 01 10 11"},
    {"SB+fseq, three", "Wx1;Fseq;Ry | Wy1;Fseq;Rz | Wz1;Fseq;Rx", "",
	"= 001 010 011 100 101 110 111"},
    {"MP+fseq", "Wx1;Fseq;Wy1 | Ry;Fseq;Rx", "", "= 00 01 11"},
    {"MP+fseq+acq", "Wx1;Fseq;Wy1 | Ry.acq;Rx", "", "= 00 01 11"},
    {"IRIW+fseq", "Wx1 | Wy1 | Rx;Fseq;Ry | Ry;Fseq;Rx", "", "!1010 1011 1110 0000 1111"},
    {"2+2W+fseq", "Wx1;Fseq;Wy2 | Wy1;Fseq;Wx2", "xy", "= 12 21 22"},
    {"R+fseq", "Wx1;Fseq;Wy1 | Wy2;Fseq;Rx", "y", "= 01 11 12"},
    {"RWC+fseq", "Wx1 | Rx;Fseq;Ry | Wy1;Fseq;Rx", "", "!100 101 110 111"},
    {"W+RWC+fseq", "Wx1;Wy1.rel | Ry.acq;Fseq;Rz | Wz1;Fseq;Rx", "", "!100 101 110"},
    {"SB+fseq, by way of two relaxed reads", "Wx1;Fseq;Wy1 | Ry;Wz1 | Rz;Fseq;Rx", "",
	"!110 111 010 000"},
    {"MP+rlx+rlx", "Wx1;Wy1 | Ry;Rx", "", "= 00 01 10 11"},
    {"MP+rlx+acq", "Wx1;Wy1 | Ry.acq;Rx", "", "= 00 01 10 11"},
    {"MP+rlx+facq", "Wx1;Wy1 | Ry;Facq;Rx", "", "= 00 01 10 11"},
    {"MP+rel+rlx", "Wx1;Wy1.rel | Ry;Rx", "", "= 00 01 10 11"},
    {"MP+rel+acq", "Wx1;Wy1.rel | Ry.acq;Rx", "", "= 00 01 11"},
    {"MP+rel+facq", "Wx1;Wy1.rel | Ry;Facq;Rx", "", "= 00 01 11"},
    {"MP+frel+rlx", "Wx1;Frel;Wy1 | Ry;Rx", "", "= 00 01 10 11"},
    {"MP+frel+acq", "Wx1;Frel;Wy1 | Ry.acq;Rx", "", "= 00 01 11"},
    {"MP+frel+facq", "Wx1;Frel;Wy1 | Ry;Facq;Rx", "", "= 00 01 11"},
    {"MP+frel-late+facq", "Wx1;Wy1;Frel | Ry;Facq;Rx", "", "= 00 01 10 11"},
    {"MP+frel-early+facq", "Frel;Wx1;Wy1 | Ry;Facq;Rx", "", "= 00 01 10 11"},
    {"MP+frel+facq-late", "Wx1;Frel;Wy1 | Ry;Rx;Facq", "", "= 00 01 10 11"},
    {"MP+frel+facq-early", "Wx1;Frel;Wy1 | Facq;Ry;Rx", "", "= 00 01 10 11"},
    {"MP+facq-for-frel", "Wx1;Facq;Wy1 | Ry;Frel;Rx", "", "= 00 01 10 11"},
    {"MP+one-fence-two-flags", "Wx1;Frel;Wy1;Wz1 | Rz;Facq;Ry;Rx", "", "!110 !100 101 111 000"},
    {"LB (excluded: the model's limit)", "Rx;Wy1 | Ry;Wx1", "", "= 00 01 10"},
    {"CoRR", "Wx1 | Rx;Rx", "", "= 00 01 11"},
    {"CoRR+2W", "Wx1 | Wx2 | Rx;Rx", "", "= 00 01 02 11 12 21 22"},
    {"CoRR2", "Wx1 | Wx2 | Rx;Rx | Rx;Rx", "", "1212 2121 !1221 !2112"},
    {"CoWW", "Wx1;Wx2", "x", "= 2"},
    {"CoWR", "Wx1;Rx | Wx2", "x", "= 11 12 22"},
    {"CoRW", "Rx;Wx1 | Wx2", "x", "= 01 02 21"},
    {"CoRW2", "Rx;Wx1 | Wx2", "x", "!22"},
    {"IRIW", "Wx1 | Wy1 | Rx;Ry | Ry;Rx", "", "1010 1011 0000 1111"},
    {"IRIW+rel+acq", "Wx1.rel | Wy1.rel | Rx.acq;Ry.acq | Ry.acq;Rx.acq", "", "1010 1111"},
    {"2+2W", "Wx1;Wy2 | Wy1;Wx2", "xy", "= 11 12 21 22"},
    {"2+2W+rel", "Wx1;Wy2.rel | Wy1;Wx2.rel", "xy", "= 11 12 21 22"},
    {"3.2W", "Wx1;Wy2 | Wy1;Wz2 | Wz1;Wx2", "xyz", "111 222 121 !011"},
    {"RS+own-store (not continued)", "Wx1;Wy1.rel;Wy2 | Ry.acq;Rx", "", "= 00 01 11 20 21"},
    {"RS+add", "Wx1;Wy1.rel | Ay2 | Ry.acq;Rx", "", "!130 131 020 021"},
    {"RS+add+add", "Wx1;Wy1.rel | Ay2;Ay2 | Ry;Facq;Rx", "", "!1350 1351 0200"},
    {"RS+frel+add", "Wx1;Frel;Wy1 | Ay2 | Ry;Facq;Rx", "", "!130 131"},
    {"add-acq", "Wx1;Wy1.rel | Ay2.acq;Rx", "", "= 00 01 11"},
    {"add-rel", "Wx1;Ay1.rel | Ry.acq;Rx", "", "= 000 001 011"},
    {"WRC", "Wx1 | Rx;Wy1 | Ry;Rx", "", "110 111"},
    {"WRC+rel+acq", "Wx1 | Rx;Wy1.rel | Ry.acq;Rx", "", "!110 111"},
    {"WRC+frel+facq", "Wx1 | Rx;Frel;Wy1 | Ry;Facq;Rx", "", "!110 111"},
    {"ISA2", "Wx1;Wy1 | Ry;Wz1 | Rz;Rx", "", "110"},
    {"ISA2+rel+acq", "Wx1;Wy1.rel | Ry.acq;Wz1.rel | Rz.acq;Rx", "", "!110 111"},
    {"ISA2+one-rlx", "Wx1;Wy1.rel | Ry;Wz1.rel | Rz.acq;Rx", "", "110"},
    {"add+add", "Ax1 | Ax1", "x", "= 012 102"},
    {"add+add+add", "Ax1 | Ax1 | Ax1", "x", "= 0123 0213 1023 1203 2013 2103"},
    {"add+store", "Ax1 | Wx5", "x", "= 05 56"},
    {"S", "Wx2;Wy1 | Ry;Wx1", "x", "= 01 02 11 12"},
    {"S+rel+acq", "Wx2;Wy1.rel | Ry.acq;Wx1", "x", "= 01 02 11"},
    {"R", "Wx1;Wy1 | Wy2;Rx", "y", "= 01 02 11 12"},
    {"R+rel", "Wx1;Wy1.rel | Wy2;Rx.acq", "y", "= 01 02 11 12"},
    {"Z6.3+rel+acq", "Wx1;Wy1.rel | Wy2;Wz1.rel | Rz.acq;Rx", "y", "102 112 001"},
    {"W+RWC", "Wx1;Wy1.rel | Ry.acq;Rz | Wz1;Rx", "", "100 111"},
    {"RWC", "Wx1 | Rx.acq;Ry | Wy1;Rx", "", "100"},
    {"seqlock+fences", "Wx1;Frel;Wy1;Wx2.rel | Rx.acq;Ry;Facq;Rx", "",
	"= 000 001 002 011 012 101 102 111 112 212"},
    {"seqlock-frel", "Wx1;Wy1;Wx2.rel | Rx.acq;Ry;Facq;Rx", "", "010"},
    {"seqlock-facq", "Wx1;Frel;Wy1;Wx2.rel | Rx.acq;Ry;Rx", "", "010"},
    {"seqlock-acq", "Wx1;Frel;Wy1;Wx2.rel | Rx;Ry;Facq;Rx", "", "202"},
    /* Thread 0 is killed anywhere, 1 is its successor, 2 a reader beside
	 * both. */
    {"kill", "Wx1;Wy1 | Rx;Ry", "", "= 00 01 10 11"},
    {"kill+crash-fence", "Wx1;Fcra;Wy1 | Rx;Ry", "", "= 00 10 11"},
    {"kill+frel", "Wx1;Frel;Wy1 | Rx;Ry", "", "= 00 10 11"},
    {"kill+facq", "Wx1;Facq;Wy1 | Rx;Ry", "", "= 00 01 10 11"},
    {"kill+rel-second", "Wx1;Wy1.rel | Rx;Ry", "", "= 00 10 11"},
    {"kill+rel-first", "Wx1.rel;Wy1 | Rx;Ry", "", "= 00 01 10 11"},
    {"kill+one-place", "Wx1;Wx2 | Rx;Rx", "", "= 00 11 22"},
    {"kill+own-load", "Wx1;Rx;Wy1 | Rx;Ry", "", "= 100 101 110 111"},
    {"kill+three", "Wx1;Wy1;Fcra;Wz1 | Rz;Rx;Ry", "", "= 000 001 010 011 111"},
    {"kill+rel-between", "Wx1;Wy1.rel;Wz1 | Rz;Rx;Ry", "", "= 000 010 011 100 110 111"},
    {"kill+seen-by-reader", "Wx1;Wy1 | Rx | Rx", "", "= 00 10 11"},
    {"kill+release-seen", "Wx1;Wy1.rel | Rx | Ry", "", "= 00 10 11"},
    {"kill+release-seen, fence", "Wx1;Fcra;Wy1 | Rx | Ry", "", "00 10 11 !01"},
    {"kill+crash-fence is no fence", "Wx1;Fcra;Wy1 | | Ry;Facq;Rx", "", "= 00 01 10 11"},
    {"kill+successor-stores", "Wx1 | Wx2 | Rx;Rx", "", "= 00 01 02 11 12 22"},
    {"kill+successor-releases", "Wx1 | Rx;Wy1.rel | Ry.acq;Rx", "", "= 000 010 100 101 111"},
    {"kill+successor-unlooked", "Wx1 | Wy1.rel;Rx | Ry.acq;Rx", "", "= 000 010 100 101 111"},
    {"kill+successor-frel", "Wx1 | Frel;Wy1;Rx | Ry.acq;Rx", "", "= 000 010 100 101 111"},
    {"kill+successor-rlx", "Wx1 | Rx;Wy1 | Ry.acq;Rx", "", "= 000 010 100 101 110 111"},
    {"plain+rel+acq", "Px1;Wy1.rel | Ry.acq;Q1;px", "", "norace"},
    {"plain+frel+facq", "Px1;Frel;Wy1 | Ry;Facq;Q1;px", "", "norace"},
    {"plain+rlx+acq", "Px1;Wy1 | Ry.acq;Q1;px", "", "race"},
    {"plain+rel+rlx", "Px1;Wy1.rel | Ry;Q1;px", "", "race"},
    {"plain+no-wait", "Px1;Wy1.rel | Ry.acq;px", "", "race"},
    {"plain+store-back", "Px1;Wy1.rel;Px2 | Ry.acq;Q1;px", "", "race"},
    {"plain+two-stores", "Px1 | Px2", "", "race"},
    {"plain+read-then-store", "px;Wy1.rel | Ry.acq;Q1;Px1", "", "norace"},
};

/* ---- a program as threads of the checker --------------------------------- */

static struct lit_prog prog;
static uint64_t shared[LIT_LOCS_MAX];
static unsigned reg[MODEL_THREADS_MAX][LIT_OPS_MAX];
static struct lit_set found;

void
lit_set_add(struct lit_set *set, uint64_t outcome)
{
	unsigned i = 0;

	set->graphs++;
	while (i < set->n && set->outcome[i] < outcome)
		i++;
	if (i < set->n && set->outcome[i] == outcome)
		return;
	if (set->n == LIT_SET_MAX)
		abort();
	memmove(&set->outcome[i + 1], &set->outcome[i], (set->n - i) * sizeof(set->outcome[0]));
	set->outcome[i] = outcome;
	set->n++;
}

static void
thread(void)
{
	unsigned t = (unsigned)model_self(), last = 0;

	for (unsigned i = 0; i < LIT_OPS_MAX; i++)
		reg[t][i] = 15;
	for (unsigned i = 0; i < prog.n_ops[t]; i++) {
		const struct lit_op *o = &prog.op[t][i];
		uint64_t *at = &shared[o->loc];
		switch (o->kind) {
		case 'W':
			model_store(at, 8, o->value, o->order, __FILE__, __LINE__);
			break;
		case 'R':
			reg[t][i] = last =
			    (unsigned)model_load(at, 8, o->order, __FILE__, __LINE__);
			break;
		case 'A':
			reg[t][i] = last =
			    (unsigned)model_add(at, 8, o->value, o->order, __FILE__, __LINE__);
			break;
		case 'F':
			model_fence(o->order, __FILE__, __LINE__);
			break;
		case 'Q':
			if (last != o->value)
				return;
			break;
		case 'P':
			model_plain_store(at, o->value, __FILE__, __LINE__);
			break;
		default:
			model_plain_load(at, __FILE__, __LINE__);
		}
	}
}

static void
record(void)
{
	uint64_t outcome = 1;

	for (unsigned t = 0; t < prog.n_threads; t++)
		for (unsigned i = 0; i < prog.n_ops[t]; i++)
			if (prog.op[t][i].kind == 'R' || prog.op[t][i].kind == 'A')
				outcome = outcome << 4 | reg[t][i];
	for (unsigned l = 0; l < LIT_LOCS_MAX; l++)
		if (prog.finals >> l & 1)
			outcome =
			    outcome << 4 | model_load(&shared[l], 8, MODEL_RLX, __FILE__, __LINE__);
	lit_set_add(&found, outcome);
}

static void
explore(bool kill, struct model_result *ret)
{
	struct model_scenario s = {.check = record, .killed = kill, .after = {0, kill}};

	for (unsigned t = 0; t < prog.n_threads; t++)
		s.thread[t] = thread;
	memset(&found, 0, sizeof(found));
	model_explore(&s, false, 0, ret);
}

/* ---- text ---------------------------------------------------------------- */

static void
parse(const char *s, const char *finals)
{
	struct lit_op *o = NULL;

	memset(&prog, 0, sizeof(prog));
	prog.n_threads = 1;
	for (; *s != '\0'; s++) {
		unsigned t = prog.n_threads - 1;
		if (*s == '|')
			prog.n_threads++;
		else if (strchr("WRAQPpF", *s) != NULL) {
			o = &prog.op[t][prog.n_ops[t]++];
			o->kind = *s;
			if (*s == 'F') {
				o->order = s[1] == 'r' ? MODEL_REL
				    : s[1] == 'c'      ? MODEL_CRASH
				    : s[1] == 's'      ? MODEL_SC
						       : MODEL_ACQ;
				s += 3;
			} else if (*s != 'Q') {
				o->loc = (uint8_t)(*++s - 'x');
			}
		} else if (isdigit((unsigned char)*s) && o != NULL) {
			o->value = (uint8_t)(*s - '0');
		} else if (*s == '.' && o != NULL) {
			o->order = s[1] == 'r' ? MODEL_REL
			    : s[2] == 'r'      ? MODEL_ACQ_REL
					       : MODEL_ACQ;
			s += s[2] == 'r' ? 2 : 3;
		}
	}
	for (; *finals != '\0'; finals++)
		prog.finals |= 1u << (*finals - 'x');
}

static const char *
show(uint64_t outcome)
{
	static char buf[20];
	char *p = buf;
	int shift = 60;

	while (shift >= 0 && (outcome >> shift & 15) != 1)
		shift -= 4;
	for (shift -= 4; shift >= 0; shift -= 4)
		*p++ = (outcome >> shift & 15) == 15 ? '-' : (char)('0' + (outcome >> shift & 15));
	*p = '\0';
	return buf;
}

static bool
has(const struct lit_set *set, const char *text, size_t len)
{
	for (unsigned i = 0; i < set->n; i++) {
		const char *s = show(set->outcome[i]);
		if (strlen(s) == len && memcmp(s, text, len) == 0)
			return true;
	}
	return false;
}

static bool
as_expected(const char *expect, const char *name)
{
	bool exact = *expect == '=', good = true;
	unsigned n = 0;

	for (const char *p = expect + exact; *p != '\0';) {
		size_t len;
		bool forbidden;
		p += strspn(p, " ");
		forbidden = *p == '!';
		p += forbidden;
		len = strcspn(p, " ");
		if (has(&found, p, len) == forbidden) {
			printf("# %s: %.*s is %s\n", name, (int)len, p,
			    forbidden ? "forbidden and was found" : "required and is missing");
			good = false;
		}
		n += !forbidden;
		p += len;
	}
	if (exact && n != found.n) {
		printf("# %s: %u outcomes, not %u\n", name, found.n, n);
		good = false;
	}
	return good;
}

static bool
as_axioms(const char *name)
{
	static struct lit_set axioms;

	axiom_run(&prog, &axioms);
	if (axioms.n == found.n && axioms.graphs == found.graphs &&
	    memcmp(axioms.outcome, found.outcome, found.n * sizeof(found.outcome[0])) == 0)
		return true;
	printf("# %s: %u outcomes in %" PRIu64 " executions; by the axioms %u in %" PRIu64 "\n",
	    name, found.n, found.graphs, axioms.n, axioms.graphs);
	return false;
}

/* ---- random programs ----------------------------------------------------- */

static uint64_t seed = 0x9e3779b97f4a7c15;

static unsigned
random_below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 33) % n);
}

static void
random_prog(void)
{
	static const enum model_order load[] = {MODEL_RLX, MODEL_RLX, MODEL_ACQ};
	static const enum model_order store[] = {MODEL_RLX, MODEL_RLX, MODEL_REL};
	static const enum model_order fence[] = {MODEL_ACQ, MODEL_REL, MODEL_SC, MODEL_SC};
	static const enum model_order both[] = {MODEL_RLX, MODEL_ACQ, MODEL_REL, MODEL_ACQ_REL};
	unsigned budget = 9; /* the axioms' side is exponential */

	memset(&prog, 0, sizeof(prog));
	prog.n_threads = 2 + random_below(3);
	prog.finals = random_below(4);
	for (unsigned t = 0; t < prog.n_threads; t++) {
		unsigned most = prog.n_threads == 2 ? 5 : prog.n_threads == 3 ? 4 : 3;
		for (unsigned n = 1 + random_below(most); n > 0 && budget > 0; n--, budget--) {
			struct lit_op *o = &prog.op[t][prog.n_ops[t]++];
			o->loc = (uint8_t)random_below(2 + (random_below(4) == 0));
			o->value = (uint8_t)(1 + t);
			unsigned k = random_below(20);
			if (k < 7) {
				o->kind = 'R';
				o->order = load[random_below(3)];
			} else if (k < 13) {
				o->kind = 'W';
				o->order = store[random_below(3)];
			} else if (k < 15) {
				o->kind = 'A';
				o->order = both[random_below(4)];
			} else if (k < 19) {
				o->kind = 'F';
				o->order = fence[random_below(4)];
			} else {
				o->kind = 'Q';
				o->value = (uint8_t)random_below(3);
			}
		}
	}
}

static void
print_prog(void)
{
	static const char *const orders[] = {"", ".acq", ".rel", ".ar"};

	for (unsigned t = 0; t < prog.n_threads; t++) {
		printf(t == 0 ? "# " : " | ");
		for (unsigned i = 0; i < prog.n_ops[t]; i++) {
			const struct lit_op *o = &prog.op[t][i];
			printf("%c", o->kind);
			if (o->kind != 'F' && o->kind != 'Q')
				printf("%c", 'x' + o->loc);
			if (o->kind != 'F' && o->kind != 'R')
				printf("%u", o->value);
			printf("%s;", o->order == MODEL_SC ? ".seq" : orders[o->order]);
		}
	}
	printf("\n");
}

unsigned
litmus_run(bool verbose)
{
	unsigned failures = 0, n = sizeof(tests) / sizeof(tests[0]);
	uint64_t graphs = 0, blocked = 0;
	struct model_result r;

	for (unsigned i = 0; i < n; i++) {
		const struct litmus *l = &tests[i];
		bool good;
		parse(l->text, l->finals);
		bool kill = strncmp(l->name, "kill", 4) == 0;
		explore(kill, &r);
		if (strstr(l->expect, "race") != NULL)
			good = r.failed == (l->expect[0] == 'r') &&
			    (!r.failed || strstr(r.why, "data race") != NULL);
		else
			good = !r.failed && as_expected(l->expect, l->name) &&
			    (kill || as_axioms(l->name));
		if (verbose || !good)
			printf("# litmus %-34s %s  %" PRIu64 " executions\n", l->name,
			    good ? "ok" : "FAILED", r.executions);
		failures += !good;
	}
	printf("# litmus: %u tests, %u failed\n", n, failures);
	unsigned random_failures = 0;
	for (unsigned i = 0; i < RANDOM_PROGRAMS; i++) {
		random_prog();
		explore(false, &r);
		graphs += r.executions;
		blocked += r.blocked;
		if (r.failed || !as_axioms("random program")) {
			print_prog();
			if (++random_failures == 10)
				break;
		}
	}
	printf("# litmus: %u random programs against the axioms: %" PRIu64 " executions, %" PRIu64
	       " given up, %u programs differ\n",
	    RANDOM_PROGRAMS, graphs, blocked, random_failures);
	return failures + random_failures;
}
