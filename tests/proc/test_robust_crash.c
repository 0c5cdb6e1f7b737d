/*
 * test_robust_crash.c: peekd is killed (SIGKILL) at every labelled point of
 * every mutation, of creation, of hand-over and of its start, under operations
 * from a real client and with readers attached; the next one takes over, and
 * every key is compared with what was acknowledged.
 *
 * Two runs: one that keeps everything, and one in a segment so small that items
 * are evicted all the time. Every second life of a label about hand-over comes
 * with another memory limit. Short: each label once or twice and 20 kills at
 * random instants in each run; PEEK_TEST_LONG=1: each label six times, 250
 * kills. The table at the end: fault, times, reads meanwhile, wrong, lost,
 * longest read.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "proc/robust_model.h"

#ifndef PEEK_HOOKS
int
main(void)
{
	printf("1..0 # SKIP crash points are compiled in by MODE=hooks\n");
	return 0;
}
#else

#define N_LABELS     96
#define N_READERS    2
#define OPS_PER_LIFE 3000

struct fault {
	char label[64];
	unsigned n_killed, n_lives;
	uint64_t reads, wrong, lost, longest_cpu_ns;
};

static struct peer_shared *sh;
static struct peer_daemon daemon_;
static struct peer_client client = {.fd = -1};
static struct model model;
static char list_path[160], list_env[200];
static unsigned n_tests, n_failed, size_turn;
static bool is_long;

static void
report(bool ok, const char *what)
{
	printf("%s %u - %.300s\n", ok ? "ok" : "not ok", ++n_tests, what);
	fflush(stdout);
	n_failed += !ok;
}

static const char *const *
arguments(bool other_size)
{
	static const char *args[] = {"-m", NULL, "--log-level=warning", NULL};
	static const char *const sizes[2][2] = {{"24", "30"}, {"2", "3"}};

	size_turn ^= other_size;
	args[1] = sizes[sh->evicting][size_turn];
	return args;
}

/* A life that ends at the label, at an instant, or (both NULL and 0) after its
 * operations. True: it was killed by itself. */
static bool
one_life(const char *env, bool other_size, unsigned kill_after_us)
{
	bool alive = peer_start(&daemon_, arguments(other_size), env);
	pid_t killer = 0;

	if (!alive)
		return true;
	if (!peer_connect(&client, &daemon_))
		alive = false;
	if (kill_after_us > 0 && (killer = fork()) == 0) {
		usleep(kill_after_us);
		kill(daemon_.pid, SIGKILL);
		_exit(0);
	}
	alive = alive && model_settle(&model, &client);
	for (unsigned i = 0; alive && (killer > 0 || i < OPS_PER_LIFE); i++)
		alive = model_step(&model, &client);
	peer_close(&client);
	if (killer > 0)
		waitpid(killer, NULL, 0);
	peer_kill(&daemon_);
	return !alive;
}

/* The successor, and the comparison. It is killed as well: between two lives
 * there is always a kill. */
static bool
judge(bool other_size)
{
	if (!peer_start(&daemon_, arguments(other_size), NULL) ||
	    !peer_connect(&client, &daemon_)) {
		snprintf(model.why, sizeof(model.why), "the successor doesn't start");
		return false;
	}
	bool ok = model_compare(&model, &client, daemon_.name);
	if (!sh->evicting && peer_stat(&client, "evictions") != 0) {
		snprintf(model.why, sizeof(model.why), "items were evicted where all have room");
		ok = false;
	}
	peer_close(&client);
	peer_kill(&daemon_);
	if (model.n_refused > 0) {
		memcpy(model.why, model.why_refused, sizeof(model.why_refused));
		model.n_refused = 0;
		ok = false;
	}
	return ok;
}

static bool
begins_with(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Labels that a daemon has passed, one a line. */
static unsigned
read_labels(struct fault *fault)
{
	FILE *f = fopen(list_path, "r");
	char line[64];
	unsigned n = 0, i;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < n && strcmp(fault[i].label, line) != 0; i++)
			;
		if (i == n && n < N_LABELS)
			memcpy(fault[n++].label, line, sizeof(line));
	}
	if (f != NULL)
		fclose(f);
	unlink(list_path);
	return n;
}

/* Leaves damage for the next start to repair: an item that stands twice, a
 * bucket that is odd. */
static void
make_damage(unsigned turn)
{
	static const char *const where[] = {"PEEK_CRASH_AT=close:copied",
	    "PEEK_CRASH_AT=unlink:stored:20", "PEEK_CRASH_AT=split:count stored",
	    "PEEK_CRASH_AT=link:entered:50"};

	one_life(where[turn % 4], false, 0);
}

static void
kill_at_label(struct fault *f, unsigned n_lives)
{
	char env[128], what[400];
	bool ok = true;
	model.why[0] = '\0';
	uint64_t reads = sh->reads, wrong = sh->wrong + sh->stale + sh->missed + sh->failed,
		 lost = model.n_lost;

	sh->waits.longest_cpu_ns = 0;
	/* a table that evicts has few keys left to delete */
	for (unsigned i = 0;
	     i < n_lives + 12 * peer_slowness() && (i < n_lives || f->n_killed == 0); i++) {
		unsigned nth = i == 0 ? 1 : 1 + (unsigned)rand() % (i < n_lives ? 60 : 3);
		bool start = begins_with(f->label, "repair") || begins_with(f->label, "close") ||
		    begins_with(f->label, "recover");
		bool other_size = begins_with(f->label, "handover") ||
		    begins_with(f->label, "create") ||
		    (!start && begins_with(f->label, "split") && i % 2 == 1) ||
		    (!start && rand() % 4 == 0);
		if (start)
			make_damage(i);
		if (begins_with(f->label, "flush"))
			model.n_ops = MODEL_FLUSH_EVERY - 100;
		if (begins_with(f->label, "evict"))
			model.n_ops = 5000; /* many different keys */
		snprintf(env, sizeof(env), "PEEK_CRASH_AT=%.60s:%u", f->label,
		    start || i == 0 ? 1 : nth);
		f->n_lives++;
		f->n_killed += one_life(env, other_size, 0);
		ok = judge(other_size && i % 3 == 2) && ok;
	}
	f->reads = sh->reads - reads;
	f->wrong = sh->wrong + sh->stale + sh->missed + sh->failed - wrong;
	f->lost = model.n_lost - lost;
	f->longest_cpu_ns = sh->waits.longest_cpu_ns;
	if (f->n_killed == 0) {
		ok = false;
		snprintf(model.why, sizeof(model.why), "never reached in %u lives", f->n_lives);
	}
	snprintf(what, sizeof(what), "%s: killed at %.60s%s%.200s",
	    sh->evicting ? "evicting" : "keeping", f->label, ok ? "" : ": ", ok ? "" : model.why);
	report(ok, what);
}

static void
print_fault(const char *name, const struct fault *f)
{
	printf("# | %-10s %-26s | %5u | %8llu | %5llu | %4llu | %8.1f |\n", name, f->label,
	    f->n_killed, (unsigned long long)f->reads, (unsigned long long)f->wrong,
	    (unsigned long long)f->lost, (double)f->longest_cpu_ns / 1000);
}

static void
print_account(
    const char *name, const struct fault *fault, unsigned n_labels, const struct fault *at_random)
{
	printf("# acknowledged %llu, lost %llu, wrong %llu; reads refused inside a dead writer's "
	       "window %llu\n",
	    (unsigned long long)model.n_acked, (unsigned long long)model.n_lost,
	    (unsigned long long)model.n_wrong, (unsigned long long)sh->again);
	for (unsigned i = 0; i < n_labels; i++)
		if (fault[i].longest_cpu_ns > sh->waits.longest_cpu_ns)
			sh->waits.longest_cpu_ns = fault[i].longest_cpu_ns;
	peer_waits_print(&sh->waits, "# ");
	printf("# | %-37s | %5s | %8s | %5s | %4s | %8s |\n", "killed at", "times", "reads",
	    "wrong", "lost", "longest, us");
	for (unsigned i = 0; i < n_labels; i++)
		if (fault[i].n_lives > 0)
			print_fault(name, &fault[i]);
	print_fault(name, at_random);
}

static void
kill_at_labels(bool evicting, struct fault *fault, unsigned n_labels)
{
	/* labels that begin so, when one is looked into */
	const char *only = getenv("PEEK_TEST_LABEL");
	for (unsigned i = 0; i < n_labels; i++) {
		if (only != NULL && !begins_with(fault[i].label, only))
			continue;
		if (evicting && begins_with(fault[i].label, "mark"))
			continue; /* asked for only of keys that are known to be there */
		if (strcmp(fault[i].label, "create:named") != 0 &&
		    (!evicting || is_long || begins_with(fault[i].label, "evict") ||
			begins_with(fault[i].label, "clean") ||
			begins_with(fault[i].label, "append") ||
			begins_with(fault[i].label, "seal") ||
			begins_with(fault[i].label, "extents") ||
			begins_with(fault[i].label, "handover")))
			kill_at_label(&fault[i], is_long ? 6 : 1);
	}
}

static void
run(bool evicting)
{
	static struct fault fault[N_LABELS];
	const char *name = evicting ? "evicting" : "keeping";
	struct fault at_random = {.label = "any instant"};
	unsigned n_labels, n_random = is_long ? 250 : 20;
	pid_t reader[N_READERS];
	char what[300];
	bool ok = true;

	memset(fault, 0, sizeof(fault));
	memset(sh, 0, sizeof(*sh));
	sh->evicting = evicting;
	size_turn = 0;
	peer_daemon_init(&daemon_, evicting ? "crash-e" : "crash-k");
	snprintf(list_path, sizeof(list_path), "%s.labels", daemon_.socket);
	snprintf(list_env, sizeof(list_env), "PEEK_CRASH_LIST=%s", list_path);
	model_init(&model, sh, evicting ? 2 : 1);
	for (unsigned i = 0; i < N_READERS; i++)
		if ((reader[i] = fork()) == 0)
			peer_read_forever(sh, daemon_.name, i == 0 ? 0 : PEEK_READ_ONLY, i + 1);
	/* Lives without a kill at a label show which labels there are:
	 * creation, a restart, a repair, a hand-over. */
	for (unsigned i = 0; i < 3; i++) {
		one_life(list_env, i == 2, 0);
		ok = judge(false) && ok;
		make_damage(i);
		one_life(list_env, false, 0);
		ok = judge(false) && ok;
	}
	snprintf(what, sizeof(what), "%s: lives without a kill at a label%s%s", name,
	    ok ? "" : ": ", ok ? "" : model.why);
	report(ok, what);
	n_labels = read_labels(fault);
	kill_at_labels(evicting, fault, n_labels);
	uint64_t reads = sh->reads;
	sh->waits.longest_cpu_ns = 0;
	model.why[0] = '\0';
	ok = true;
	for (unsigned i = 0; i < n_random; i++) {
		at_random.n_killed += one_life(NULL, i % 8 == 7, 200 + (unsigned)rand() % 20000);
		ok = judge(false) && ok;
	}
	at_random.reads = sh->reads - reads;
	at_random.longest_cpu_ns = sh->waits.longest_cpu_ns;
	snprintf(what, sizeof(what), "%s: %u kills at random instants%s%s", name,
	    at_random.n_killed, ok ? "" : ": ", ok ? "" : model.why);
	report(ok && at_random.n_killed == n_random, what);
	sh->stop = 1;
	for (unsigned i = 0; i < N_READERS; i++)
		waitpid(reader[i], NULL, 0);
	snprintf(what, sizeof(what),
	    "%s: readers: %llu reads, wrong %llu, missed %llu, stale %llu, errors %llu%s%s", name,
	    (unsigned long long)sh->reads, (unsigned long long)sh->wrong,
	    (unsigned long long)sh->missed, (unsigned long long)sh->stale,
	    (unsigned long long)sh->failed, sh->why[0] != '\0' ? "; " : "", sh->why);
	report(sh->reads > 1000 && sh->wrong + sh->missed + sh->stale + sh->failed == 0, what);
	snprintf(what, sizeof(what),
	    "%s: not one read of ten millions slept, or was over its budget", name);
	report(peer_waits_hold(&sh->waits, sh->reads), what);
	print_account(name, fault, n_labels, &at_random);
	peer_daemon_fini(&daemon_);
}

/* A name's first creation, and a removal: nothing is there to be compared, but
 * nothing may be left half done. */
static void
first_and_last(const char *label, const char *const *args, bool by_end)
{
	char env[128], what[400], path[120];
	bool ok;

	peer_daemon_init(&daemon_, "crash-f");
	snprintf(env, sizeof(env), "PEEK_CRASH_AT=%s", label);
	snprintf(path, sizeof(path), "/dev/shm/peekd.%s.new", daemon_.name);
	ok = peer_start(&daemon_, args, env) == by_end;
	if (ok && by_end)
		ok = WIFSIGNALED(peer_terminate(&daemon_));
	ok = ok && peer_start(&daemon_, args, NULL) && access(path, F_OK) != 0;
	model_init(&model, sh, 3);
	memset(sh, 0, sizeof(*sh));
	ok = ok && peer_connect(&client, &daemon_);
	for (unsigned i = 0; ok && i < 200; i++)
		ok = model_step(&model, &client);
	ok = ok && model_compare(&model, &client, daemon_.name);
	peer_close(&client);
	snprintf(what, sizeof(what), "first start or last end: killed at %s%s%s", label,
	    ok ? "" : ": ", ok ? "" : model.why);
	report(ok, what);
	peer_daemon_fini(&daemon_);
}

static void
clean_up(void)
{
	peer_daemon_fini(&daemon_);
}

int
main(void)
{
	static const char *const plain[] = {"-m", "4", "--log-level=warning", NULL};
	static const char *const unlinked[] = {"-m", "4", "--log-level=warning", "--unlink", NULL};
	static const char *const first[] = {"create:allocated", "create:published", "create:named",
	    "recover:begun", "start:epoch stored", "start:pid stored"};

	is_long = getenv("PEEK_TEST_LONG") != NULL;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	srand(1);
	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		first_and_last(first[i], plain, false);
	first_and_last("unlink:retired", unlinked, true);
	run(false);
	run(true);
	clean_up();
	printf("1..%u\n", n_tests);
	return n_failed != 0;
}
#endif
