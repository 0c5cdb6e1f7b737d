/*
 * soak.c: `soak [minutes]`: clients that write and readers of shared memory,
 * while everything happens to them and to the daemon at random: SIGKILL,
 * SIGSTOP, hand-over to another size, clean restarts, flushes, killed readers;
 * beside them an instance with -M whose snapshot loads are killed and whose
 * hand-overs are refused. `make soak MINUTES=n` runs it.
 *
 * Each client has keys of its own and a model of them (robust_model.h),
 * compared in full now and then and at the end; each reader judges what it
 * reads by what was acknowledged. In the last quarter the daemon is not killed
 * any more, so that its memory can be compared. Exit status 0: nothing wrong,
 * lost or leaked.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "proc/robust_model.h"
#include "proc/soak_strict.h"

#define N_CLIENTS  3u
#define LEAK_BYTES (512u << 10) /* what the heap's measure may differ by with all clients at work */

enum fault {
	KILLED,
	KILLED_AND_RESIZED,
	RESTARTED,
	STOPPED,
	READER_KILLED,
	FLUSHED,
	LOAD_KILLED,
	HAND_OVER_REFUSED,
	N_FAULTS
};

static const char *const fault_name[N_FAULTS] = {"daemon killed", "daemon killed, other size",
    "daemon restarted", "daemon stopped a while", "reader killed", "flush",
    "-M: loads of a snapshot killed", "-M: hand-over refused"};

struct room {
	struct peer_shared sh;
	_Atomic uint64_t ops, acked, lost, wrong, refused, compared, reconnects;
	_Atomic unsigned paused; /* the number of the pause it is in */
	char why[200];
};

struct common {
	struct room room[N_CLIENTS];
	_Atomic unsigned pause;   /* raised: clients finish what is pending and wait */
	_Atomic unsigned resumed; /* the last pause that is over */
	_Atomic int stop;         /* clients compare a last time and end */
};

static struct common *all;
static struct peer_daemon daemon_;
static struct strict strict;
static pid_t client_pid[N_CLIENTS], reader_pid[N_CLIENTS];
static unsigned size_turn, n_faults[N_FAULTS];
static const char *const sizes[] = {"64", "80"};

/* Ends the run with the reason. */
static _Noreturn void
give_up(const char *why, int status)
{
	fprintf(stderr, "soak: %s (%d)\n", why, status);
	exit(2);
}

static void
start_daemon(void)
{
	const char *args[] = {"-m", sizes[size_turn], "--log-level=warning", NULL};

	if (!peer_start(&daemon_, args, NULL)) {
		char line[256];
		FILE *log = fopen(daemon_.log, "re");
		fprintf(stderr, "the daemon doesn't start; its log:\n");
		while (log != NULL && fgets(line, sizeof(line), log) != NULL)
			fputs(line, stderr);
		exit(2);
	}
}

/* ---- a client ------------------------------------------------------------ */

static void
publish(struct room *room, const struct model *m)
{
	room->ops = m->n_ops;
	room->acked = m->n_acked;
	room->lost = m->n_lost;
	room->wrong = m->n_wrong;
	room->refused = m->n_refused;
	memcpy(room->why, m->n_refused > 0 ? m->why_refused : m->why, sizeof(m->why_refused));
}

static void
wait_for_flush(struct room *room, struct model *m)
{
	unsigned pause = all->pause;

	model_before_flush(m);
	room->paused = pause;
	while (all->resumed < pause && !all->stop)
		usleep(500);
	model_flushed(m);
}

static _Noreturn void
be_client(unsigned i)
{
	static struct peer_client c = {.fd = -1};
	static struct model m;
	struct room *room = &all->room[i];
	bool connected = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	peer_space = i + 1;
	model_init(&m, &room->sh, i + 11);
	m.shared = true;
	while (!all->stop) {
		if (!connected) {
			peer_close(&c);
			connected = peer_connect(&c, &daemon_) && model_settle(&m, &c);
			room->reconnects += connected;
			if (!connected)
				usleep(1000);
			continue;
		}
		if (all->pause != room->paused) {
			if (peer_send(&c, "version\r\n", 9) && peer_line(&c) != NULL)
				wait_for_flush(room, &m);
			else
				connected = false;
			continue;
		}
		connected = model_step(&m, &c);
		if (connected && m.n_ops % 20000 == 0) {
			/* With a kill in between, the comparison ends early and
			 * counts a wrong answer: then it doesn't count. */
			struct model before = m;
			if (!model_compare(&m, &c, daemon_.name) &&
			    !(peer_send(&c, "version\r\n", 9) && peer_line(&c) != NULL)) {
				m = before;
				connected = false;
			} else {
				room->compared++;
			}
		}
		publish(room, &m);
	}
	if (!connected) {
		peer_close(&c);
		connected = peer_connect(&c, &daemon_) && model_settle(&m, &c);
	}
	if (!connected || !model_compare(&m, &c, daemon_.name))
		m.n_wrong += !connected;
	room->compared++;
	publish(room, &m);
	_exit(0);
}

static pid_t
fork_reader(unsigned i)
{
	static unsigned turn;
	unsigned seed = ++turn;
	pid_t pid = fork();

	if (pid == 0) {
		peer_space = i + 1;
		peer_read_forever(
		    &all->room[i].sh, daemon_.name, seed % 3 == 0 ? PEEK_READ_ONLY : 0, seed);
	}
	return pid;
}

/* ---- what happens to them ------------------------------------------------ */

static void
flush_all(void)
{
	static struct peer_client c = {.fd = -1};
	const char *line;

	all->pause++;
	for (unsigned i = 0; i < N_CLIENTS; i++)
		while (all->room[i].paused != all->pause)
			usleep(200);
	if (!peer_connect(&c, &daemon_))
		give_up("flush_all: no connection", errno);
	if (!peer_send(&c, "flush_all\r\n", 11) || (line = peer_line(&c)) == NULL ||
	    strcmp(line, "OK") != 0)
		give_up("flush_all isn't answered OK", errno);
	peer_close(&c);
	all->resumed = all->pause;
}

static void
happen(enum fault f)
{
	unsigned i = (unsigned)rand() % N_CLIENTS;
	int status;

	n_faults[f]++;
	switch (f) {
	case KILLED_AND_RESIZED:
		size_turn ^= 1;
		/* fallthrough */
	case KILLED:
		peer_kill(&daemon_);
		usleep((unsigned)rand() % 20000);
		start_daemon();
		break;
	case RESTARTED:
		if ((status = peer_terminate(&daemon_)) != 0)
			give_up("the daemon's end has an exit status", status);
		start_daemon();
		break;
	case STOPPED:
		kill(daemon_.pid, SIGSTOP);
		usleep(20000 + (unsigned)rand() % 300000);
		kill(daemon_.pid, SIGCONT);
		break;
	case READER_KILLED:
		kill(reader_pid[i], SIGKILL);
		waitpid(reader_pid[i], NULL, 0);
		reader_pid[i] = fork_reader(i);
		break;
	case FLUSHED:
		flush_all();
		break;
	case LOAD_KILLED:
		strict_load_killed(&strict);
		break;
	case HAND_OVER_REFUSED:
		strict_refused(&strict);
		break;
	case N_FAULTS:
		break;
	}
}

/* ---- accounts ------------------------------------------------------------ */

struct account {
	uint64_t heap_bytes, anon_kib, n_fds;
};

static struct account
account(void)
{
	static struct peer_client c = {.fd = -1};
	struct account a = {0};
	char path[64], line[128];

	if (peer_connect(&c, &daemon_))
		a.heap_bytes = peer_stat(&c, "heap_bytes");
	peer_close(&c);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon_.pid);
	FILE *f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			a.anon_kib = strtoull(line + 8, NULL, 10);
	if (f != NULL)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_.pid);
	DIR *d = opendir(path);
	while (d != NULL && readdir(d) != NULL)
		a.n_fds++;
	if (d != NULL)
		closedir(d);
	return a;
}

/* Objects of the instance in /dev/shm beside segment and lock. */
static unsigned
n_objects_left(void)
{
	char prefix[80];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "peekd.%s.", daemon_.name);
	unsigned n = 0;
	struct dirent *e;
	DIR *d = opendir("/dev/shm");

	while (d != NULL && (e = readdir(d)) != NULL)
		n += strncmp(e->d_name, prefix, len) == 0 && strcmp(e->d_name + len, "lock") != 0;
	if (d != NULL)
		closedir(d);
	return n;
}

/* After a flush and a start nothing may hold memory of the segment. Returns the
 * segments that are not free. */
static uint64_t
segments_held(void)
{
	static struct peer_client c = {.fd = -1};
	uint64_t held = UINT64_MAX;

	if (!peer_connect(&c, &daemon_) || !peer_send(&c, "flush_all\r\n", 11) ||
	    peer_line(&c) == NULL)
		return held;
	peer_close(&c);
	peer_kill(&daemon_);
	start_daemon();
	if (peer_connect(&c, &daemon_))
		held = peer_stat(&c, "n_segments") - peer_stat(&c, "n_segments_free") +
		    peer_stat(&c, "curr_items");
	peer_close(&c);
	return held;
}

static void
clean_up(void)
{
	peer_daemon_fini(&daemon_);
	strict_end(&strict);
}

static pid_t main_pid;

/* A child that has not become another program yet must not clean up. */
static void
on_signal(int sig)
{
	(void)sig;
	if (getpid() != main_pid)
		_exit(130);
	exit(130);
}

struct totals {
	uint64_t ops, acked, lost, wrong, reads, read_wrong, again, compared;
	struct peer_waits waits;
};

/* Ends the readers, and adds up what all have seen. */
static void
add_up(struct totals *t)
{
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		struct room *r = &all->room[i];
		r->sh.stop = 1;
		waitpid(reader_pid[i], NULL, 0);
		t->ops += r->ops;
		t->acked += r->acked;
		t->lost += r->lost;
		t->wrong += r->wrong + r->refused;
		t->compared += r->compared;
		t->reads += r->sh.reads;
		t->read_wrong += r->sh.wrong + r->sh.missed + r->sh.stale + r->sh.failed;
		t->again += r->sh.again;
		peer_waits_add(&t->waits, &r->sh.waits);
		if (r->lost + r->wrong + r->refused > 0)
			printf("client %u: %s\n", i, r->why);
		if (r->sh.why[0] != '\0')
			printf("reader %u: %s\n", i, r->sh.why);
	}
}

/* Prints the account of the run. False: something was wrong, lost or leaked. */
static bool
judge(double minutes, const struct account *first, const struct account *last)
{
	struct totals t = {0};

	add_up(&t);
	uint64_t held = segments_held();
	for (int i = 0; i < 100 && n_objects_left() > 0; i++)
		usleep(100000); /* readers had their time; the memory is given back */
	unsigned left = n_objects_left();
	int64_t leaked = (int64_t)last->heap_bytes - (int64_t)first->heap_bytes;

	printf("\nsoak of %.1f minutes: %u clients, %u readers\n", minutes, N_CLIENTS, N_CLIENTS);
	for (unsigned f = 0; f < N_FAULTS; f++)
		printf("  %-34s %12u\n", fault_name[f], n_faults[f]);
	printf("  %-34s %12llu\n", "requests", (unsigned long long)t.ops);
	printf("  %-34s %12llu\n", "acknowledged writes", (unsigned long long)t.acked);
	printf("  %-34s %12llu\n", "of these lost", (unsigned long long)t.lost);
	printf("  %-34s %12llu\n", "wrong replies and values", (unsigned long long)t.wrong);
	printf("  %-34s %12llu\n", "comparisons of all keys", (unsigned long long)t.compared);
	printf("  %-34s %12llu\n", "reads through shared memory", (unsigned long long)t.reads);
	printf(
	    "  %-34s %12llu\n", "wrong, missed, stale or failed", (unsigned long long)t.read_wrong);
	printf("  %-34s %12llu\n", "refused (writer dead or stopped)", (unsigned long long)t.again);
	peer_waits_print(&t.waits, "  ");
	printf("  %-34s %12lld bytes (%llu, then %llu; RssAnon %llu, then %llu KiB)\n",
	    "heap grown in the last life", (long long)leaked, (unsigned long long)first->heap_bytes,
	    (unsigned long long)last->heap_bytes, (unsigned long long)first->anon_kib,
	    (unsigned long long)last->anon_kib);
	printf("  %-34s %12lld (%llu, then %llu)\n", "descriptors leaked",
	    (long long)(last->n_fds - first->n_fds), (unsigned long long)first->n_fds,
	    (unsigned long long)last->n_fds);
	printf("  %-34s %12llu (%llu checked) %s\n", "-M: lost or wrong",
	    (unsigned long long)strict.wrong, (unsigned long long)strict.checked, strict.why);
	printf("  %-34s %12llu\n", "segments held after a flush", (unsigned long long)held);
	printf("  %-34s %12u\n", "objects left in /dev/shm", left);
	bool ok = t.lost + t.wrong + t.read_wrong == 0 && t.reads > 1000 && t.acked > 1000 &&
	    leaked < (int64_t)LEAK_BYTES && held == 0 && left == 0 && strict.wrong == 0 &&
	    peer_waits_hold(&t.waits, t.reads) && last->n_fds <= first->n_fds + 2;
	printf("%s\n", ok ? "nothing wrong, lost or leaked" : "FAILED");
	return ok;
}

int
main(int argc, char **argv)
{
	double minutes = argc > 1 ? strtod(argv[1], NULL) : 1;
	uint64_t begun = peer_now_ns(), total_ns = (uint64_t)(minutes * 60e9),
		 quiet_at = begun + total_ns / 4 * 3;
	struct account first = {0}, last;
	bool quiet = false;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	srand(7);
	peer_daemon_init(&daemon_, "soak");
	main_pid = getpid();
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	start_daemon();
	strict_begin(&strict);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		if ((client_pid[i] = fork()) == 0)
			be_client(i);
		reader_pid[i] = fork_reader(i);
	}
	atexit(clean_up);
	while (peer_now_ns() < begun + total_ns) {
		static const enum fault loud[] = {KILLED, KILLED, KILLED, KILLED_AND_RESIZED,
		    RESTARTED, STOPPED, READER_KILLED, READER_KILLED, FLUSHED, LOAD_KILLED,
		    HAND_OVER_REFUSED};
		static const enum fault calm[] = {
		    STOPPED, READER_KILLED, READER_KILLED, READER_KILLED, FLUSHED};
		usleep(50000 + (unsigned)rand() % 400000);
		happen(quiet ? calm[rand() % 5] : loud[rand() % 11]);
		if (!quiet && peer_now_ns() > quiet_at) {
			quiet = true;
			sleep(2);
			flush_all();
			sleep(2);
			first = account();
		}
	}
	flush_all();
	sleep(2);
	last = account();
	all->stop = 1;
	for (unsigned i = 0; i < N_CLIENTS; i++)
		waitpid(client_pid[i], NULL, 0);
	return !judge(minutes, &first, &last);
}
