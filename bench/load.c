/*
 * load.c: starts the processes of a load and waits for them; the commands.
 */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "payload.h"

#define READERS_MAX 256
#define PROGRESS_NS 200000000

static bool
options_ok(const struct options *o, enum load_kind kind)
{
	bool own = o->engine || o->name == NULL, writes = kind == LOAD_SET || kind == LOAD_MIXED;
	const char *wrong = NULL;

	if (o->keys < 1 || o->keys > UINT32_MAX / 2)
		wrong = "--keys is 1 to 2^31";
	else if (o->key_bytes < PAYLOAD_KEY_MIN || o->key_bytes > PEEK_KEY_MAX_BYTES)
		wrong = "--key-bytes is 8 to 250";
	else if (o->value_bytes > PEEK_VALUE_MAX_BYTES)
		wrong = "--value-bytes is at most 16777215";
	else if (o->readers < 1 || o->readers > READERS_MAX)
		wrong = "--readers is 1 to 256";
	else if (o->batch < 1 || o->batch > 4096)
		wrong = "--batch is 1 to 4096";
	else if (own && writes && (o->readers > 1 || o->writer != NULL))
		wrong = "a segment of its own has one writer: --readers 1 and no --writer, or -n";
	else if (o->zipf >= 5)
		wrong = "--zipf is below 5";
	if (wrong != NULL)
		fprintf(stderr, "peekbench: %s\n", wrong);
	return wrong == NULL;
}

/* The keys to read, and, unless --same-keys, as many keys for the writer. */
static int
load_fill(struct load *l)
{
	uint64_t n = l->o->keys * (l->o->writer != NULL && !l->o->same_keys ? 2 : 1);
	struct peek *p = l->target.own ? NULL : target_handle(&l->target);
	struct setter s;
	int rc = 0;

	if (l->o->no_fill)
		return 0;
	if ((!l->target.own && p == NULL) || setter_init(&s, &l->target, p, true) != 0)
		return -1;
	for (uint64_t id = 0; id < n && rc == 0; id++) {
		rc = setter_set(&s, id, 0);
		if (id % 65536 == 0 && isatty(2))
			fprintf(stderr, "\r\033[Kfilling: %llu of %llu", (unsigned long long)id,
			    (unsigned long long)n);
	}
	if (rc == 0)
		rc = setter_flush(&s);
	if (isatty(2))
		fputs("\r\033[K", stderr);
	if (rc != 0)
		fprintf(stderr, "peekbench: filling: %s\n", peek_strerror(rc));
	setter_fini(&s);
	peek_close(p);
	return rc == 0 ? 0 : -1;
}

static void
show_progress(const struct load *l)
{
	static uint64_t shown_ns, shown_ops;
	uint64_t now = timer_clock_ns(), ops = 0;

	if (!isatty(2) || now - shown_ns < PROGRESS_NS)
		return;
	for (unsigned i = 0; i < l->n_workers; i++)
		ops += atomic_load_explicit(&l->results[i].progress, memory_order_relaxed);
	if (shown_ns != 0)
		fprintf(stderr, "\r\033[K%s: %.2f M/s", l->name,
		    (double)(ops - shown_ops) * 1e3 / (double)(now - shown_ns));
	shown_ns = now;
	shown_ops = ops;
}

static unsigned n_running;

/* Reaps children that ended. */
static int
load_reap(int flags)
{
	int status, bad = 0;

	while (n_running > 0) {
		pid_t pid = waitpid(-1, &status, flags);
		if (pid == 0 || (pid < 0 && errno != EINTR))
			break;
		if (pid < 0)
			continue;
		n_running--;
		bad |= status != 0;
	}
	return bad;
}

static int worker_failed;

static bool
all_done(struct load *l)
{
	worker_failed |= load_reap(WNOHANG);
	show_progress(l);
	return n_running == 0;
}

static bool
writer_child_done(struct load *l)
{
	return timer_clock_ns() > l->end_ns;
}

static void
child_of(pid_t parent)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* Readers are children. On a segment of its own this process is the writer;
 * on a daemon's segment a child is. */
static int
run_processes(struct load *l, uint64_t rate)
{
	bool writes = l->o->writer != NULL;
	pid_t parent = getpid(), writer = 0;

	for (unsigned i = 0; i < l->n_workers; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return -1;
		if (pid == 0) {
			child_of(parent);
			_exit(load_worker(l, i) != 0);
		}
		n_running++;
	}
	struct load_result *res = &l->results[l->n_workers];
	if (writes && l->target.own)
		return load_writer(l, res, all_done, rate) | worker_failed;
	if (writes) {
		l->end_ns = timer_clock_ns() + (uint64_t)(l->o->seconds * 1e9) + 500000000;
		writer = fork();
		if (writer == 0) {
			child_of(parent);
			_exit(load_writer(l, res, writer_child_done, rate) != 0);
		}
		n_running += writer > 0;
	}
	while (!all_done(l))
		usleep(10000);
	return worker_failed;
}

static int
run_load(const struct options *o, enum load_kind kind, const char *name)
{
	struct load l = {.o = o, .kind = kind, .name = name, .n_workers = (unsigned)o->readers};
	size_t shared_bytes = (o->readers + 1) * sizeof(*l.results) + sizeof(*l.gate);
	uint64_t rate = UINT64_MAX, bad = 0;
	struct timer timer;
	int rc = -1;

	if (!options_ok(o, kind))
		return 2;
	if (o->writer != NULL && strcmp(o->writer, "flat") != 0 &&
	    (!options_amount(o->writer, 0, &rate) || rate == 0)) {
		fprintf(stderr, "peekbench: --writer is a number of sets a second, or 'flat'\n");
		return 2;
	}
	l.results =
	    mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l.results == MAP_FAILED)
		return 1;
	l.gate = (void *)&l.results[o->readers + 1];
	timer_calibrate(&timer);
	if (target_open(o, o->keys * 2, &l.target) != 0)
		return 1;
	if (load_fill(&l) == 0) {
		bool here = l.target.own && (kind == LOAD_SET || kind == LOAD_MIXED);
		rc = here ? load_worker(&l, 0) : run_processes(&l, rate);
	}
	if (isatty(2))
		fputs("\r\033[K", stderr);
	target_close(&l.target);
	if (rc != 0)
		return 1;
	load_print(&l, &timer);
	for (unsigned i = 0; i < l.n_workers; i++)
		bad += l.results[i].n.wrong + l.results[i].n.failed +
		    (kind != LOAD_MISS ? l.results[i].n.misses : 0);
	return bad != 0;
}

#define LOAD_COMMAND(name, kind) \
	int command_##name(const struct options *o) \
	{ \
		return run_load(o, kind, #name); \
	}
LOAD_COMMAND(get, LOAD_GET)
LOAD_COMMAND(mget, LOAD_MGET)
LOAD_COMMAND(view, LOAD_VIEW)
LOAD_COMMAND(place, LOAD_PLACE)
LOAD_COMMAND(same, LOAD_SAME)
LOAD_COMMAND(miss, LOAD_MISS)
LOAD_COMMAND(set, LOAD_SET)
LOAD_COMMAND(mixed, LOAD_MIXED)
