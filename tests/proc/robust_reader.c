/*
 * robust_reader.c: a process that reads through shared memory with every call
 * there is, and believes nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/handle.h"
#include "lib/count_lane.h"
#include "lib/lookup_pinned.h"
#include "peek.h"
#include "proc/robust_peer.h"

#define GROUP        8
#define LOOK_FROM_NS 20000u /* a read that slept took longer, and one that is over its budget */

static char buf[GROUP][PEER_VALUE_MAX];
static uint64_t last[PEER_KEYS];

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
raise_to(_Atomic uint64_t *max, uint64_t v)
{
	uint64_t was = *max;

	while (v > was && !atomic_compare_exchange_weak(max, &was, v))
		;
}

/* Before a read. */
struct begun {
	struct rusage usage;
	uint64_t cpu_ns, now_ns, n_retries;
	const struct attached *attached;
};

/* The processor time of this process's only thread. */
static uint64_t
retries(const struct attached *a)
{
	return a != NULL && lane_is_own(lane_mine.cell_at)
	    ? word_load_rlx(&lane_cell(a->cells, lane_mine.cell_at)->retries)
	    : 0;
}

/* Since then. A daemon that ends in good order clears its clients' counters on
 * the way. */
static uint64_t
retries_since(const struct begun *b)
{
	uint64_t now = retries(b->attached);

	return now >= b->n_retries ? now - b->n_retries : now;
}

static struct begun
begin(const struct peek *p)
{
	struct begun b = {.attached = seq_load_ptr(&p->own.now)};

	b.n_retries = retries(b.attached);
	getrusage(RUSAGE_THREAD, &b.usage);
	b.cpu_ns = cpu_ns();
	b.now_ns = peer_now_ns();
	return b;
}

static void
judge_time(struct peer_waits *w, const struct peek *p, const struct begun *b, unsigned n_reads)
{
	uint64_t took = peer_now_ns() - b->now_ns;
	struct rusage now;

	if (took < LOOK_FROM_NS)
		return;
	uint64_t cpu = (cpu_ns() - b->cpu_ns) / n_reads;
	getrusage(RUSAGE_THREAD, &now);
	long slept = now.ru_nvcsw - b->usage.ru_nvcsw,
	     faults = now.ru_minflt + now.ru_majflt - b->usage.ru_minflt - b->usage.ru_majflt;
	raise_to(&w->longest_ns, took / n_reads);
	if (seq_load_ptr(&p->own.now) != b->attached) {
		w->attached++;
		raise_to(&w->longest_attach_cpu_ns, cpu);
		return;
	}
	raise_to(&w->longest_cpu_ns, cpu);
	w->over_2ms += cpu > 2000000;
	w->over_budget += retries_since(b) > (uint64_t)LOOKUP_TRIES * n_reads;
	if (slept > faults) {
		w->slept++;
	} else if (slept > 0) {
		w->page_waits++;
		raise_to(&w->longest_page_wait_ns, took);
	}
}

void
peer_waits_add(struct peer_waits *to, const struct peer_waits *w)
{
	raise_to(&to->longest_cpu_ns, w->longest_cpu_ns);
	to->over_budget += w->over_budget;
	to->over_2ms += w->over_2ms;
	to->slept += w->slept;
	to->page_waits += w->page_waits;
	raise_to(&to->longest_page_wait_ns, w->longest_page_wait_ns);
	to->attached += w->attached;
	raise_to(&to->longest_attach_cpu_ns, w->longest_attach_cpu_ns);
	raise_to(&to->longest_ns, w->longest_ns);
}

bool
peer_waits_hold(const struct peer_waits *w, uint64_t n_reads)
{
	return w->slept <= n_reads / 10000000 && w->over_budget == 0;
}

void
peer_waits_print(const struct peer_waits *w, const char *before)
{
	printf("%s%-34s %12.3f ms of processor time (%.1f ms with waits for a core)\n", before,
	    "longest read", (double)w->longest_cpu_ns / 1e6, (double)w->longest_ns / 1e6);
	printf(
	    "%s%-34s %12llu\n", before, "reads over 2 ms of it", (unsigned long long)w->over_2ms);
	printf("%s%-34s %12llu\n", before, "reads over their budget of tries",
	    (unsigned long long)w->over_budget);
	printf("%s%-34s %12llu\n", before, "reads that slept", (unsigned long long)w->slept);
	printf("%s%-34s %12llu (longest %.1f ms)\n", before, "reads that waited for a page",
	    (unsigned long long)w->page_waits, (double)w->longest_page_wait_ns / 1e6);
	printf("%s%-34s %12llu (longest %.3f ms of processor time)\n", before,
	    "reads that attached anew", (unsigned long long)w->attached,
	    (double)w->longest_attach_cpu_ns / 1e6);
}

static void
tell(struct peer_shared *sh, const char *what, uint32_t key, long long n, uint64_t state,
    uint64_t floor, unsigned form)
{
	snprintf(sh->why, sizeof(sh->why),
	    "%s: key %u answer %lld state %llu, acknowledged %llu, read before %llu, call %u", what,
	    key, n, (unsigned long long)state, (unsigned long long)floor,
	    (unsigned long long)last[key], form);
}

/* floor: what had been acknowledged before the read began; 0 if it was taken
 * back since. */
static void
judge(struct peer_shared *sh, uint32_t key, const char *value, ssize_t n, uint64_t floor,
    unsigned form)
{
	sh->reads++;
	if (n == -EAGAIN) {
		sh->again++;
	} else if (n == -ENOENT) {
		if (key < PEER_STABLE && !sh->evicting && floor > 0) {
			sh->missed++;
			tell(sh, "missed", key, n, 0, floor, form);
		}
	} else if (n < 0) {
		sh->failed++;
		tell(sh, "error", key, n, 0, floor, form);
	} else {
		uint64_t state = peer_state(key, value, (size_t)n);
		if (state == PEER_DAMAGED) {
			sh->wrong++;
			tell(sh, "wrong", key, n, 0, floor, form);
			return;
		}
		if (state < floor ||
		    ((key < PEER_STABLE || key >= PEER_GROWING) && state < last[key])) {
			sh->stale++;
			tell(sh, "stale", key, n, state, floor, form);
		}
		last[key] = state;
	}
}

static ssize_t
read_view(struct peek *p, const char *text, size_t len, char *to)
{
	struct peek_view v;
	int r = peek_view(p, text, len, &v);

	if (r == -ENOTSUP)
		return peek_get(p, text, len, to, PEER_VALUE_MAX);
	if (r != 0)
		return r;
	if (v.len > PEER_VALUE_MAX)
		return peek_view_valid(p, &v) ? -EIO : -EAGAIN;
	memcpy(to, v.data, v.len);
	return peek_view_valid(p, &v) ? (ssize_t)v.len : -EAGAIN;
}

_Noreturn void
peer_read_forever(struct peer_shared *sh, const char *name, unsigned open_flags, unsigned seed)
{
	char text[GROUP][64];
	struct peek_op op[GROUP];
	uint64_t anew[GROUP], floor[GROUP];
	uint32_t key[GROUP];
	struct peek_info info;
	struct peek *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (peek_open(name, open_flags, &p) != 0) { /* before, during or after creation */
		if (sh->stop)
			_exit(0);
		usleep(1000);
	}
	for (uint32_t i = 0; !sh->stop; i++) {
		unsigned form = i % 8, n = form == 3 ? GROUP : 1;
		for (unsigned k = 0; k < n; k++) {
			uint32_t r = (uint32_t)rand_r(&seed);
			key[k] = r % 4 == 0 ? (r >> 3) % PEER_KEYS : (r >> 3) % PEER_FLEETING;
			anew[k] = sh->begun_anew[key[k]]; /* before the floor */
			floor[k] = sh->floor[key[k]];
			op[k] = (struct peek_op){
			    text[k], peer_key(key[k], text[k]), buf[k], PEER_VALUE_MAX, 0};
		}
		struct begun begun = begin(p);
		if (form == 3)
			peek_mget(p, op, n);
		else if (form == 5)
			op[0].result = peek_get_info(
			    p, op[0].key, op[0].key_len, buf[0], PEER_VALUE_MAX, &info);
		else if (form == 7)
			op[0].result = read_view(p, op[0].key, op[0].key_len, buf[0]);
		else
			op[0].result =
			    peek_get(p, op[0].key, op[0].key_len, buf[0], PEER_VALUE_MAX);
		judge_time(&sh->waits, p, &begun, n);
		for (unsigned k = 0; k < n; k++)
			judge(sh, key[k], buf[k], op[k].result,
			    sh->begun_anew[key[k]] == anew[k] ? floor[k] : 0, form);
	}
	peek_close(p);
	_exit(0);
}
