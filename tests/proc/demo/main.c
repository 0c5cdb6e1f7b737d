/*
 * main.c: the course of the demo, and what it prints.
 *
 *   demo --peekd PROGRAM [--dir DIR] [--seconds N] [--readers N]
 *
 * Exit status 0: no value was wrong, no present key was missed, the daemon came
 * back. 1 otherwise; 2: it could not run.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "demo.h"

#define ITEM_MAX_BYTES (UINT32_C(16) << 20)
#define KILL_GAP_NS    UINT64_C(600000000) /* how long the daemon stays dead */

static struct daemon the_daemon;
static pid_t children[READERS_MAX + 1];
static unsigned n_children;
static volatile sig_atomic_t interrupted;
static struct corpus corpus;
static struct tally *alone; /* through shared memory, through the socket, the last look */

static void
on_signal(int number)
{
	interrupted = number;
}

static void
end_children(int signal_number)
{
	for (unsigned i = 0; i < n_children; i++)
		kill(children[i], signal_number);
	while (n_children > 0)
		waitpid(children[--n_children], NULL, 0);
}

static int
give_up(const char *what, int error)
{
	if (!interrupted)
		fprintf(stderr, "demo: %s%s%s\n", what, error != 0 ? ": " : "",
		    error == -ECHILD ? "see above"
			: error != 0 ? peek_strerror(error)
				     : "");
	end_children(SIGKILL);
	daemon_tidy(&the_daemon);
	corpus_free(&corpus);
	free(alone);
	return interrupted ? 128 + interrupted : 2;
}

static void
pause_ms(unsigned ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void
bar(const char *what, double part, const char *text)
{
	char cells[31];
	int filled = (int)(part * 30);

	if (!isatty(STDERR_FILENO))
		return;
	for (int i = 0; i < 30; i++)
		cells[i] = i < filled ? '#' : '.';
	cells[30] = '\0';
	fprintf(stderr, "\r%-8s [%s] %3.0f %%  %s\033[K", what, cells, part * 100, text);
}

static void
bar_end(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

static const char *
grouped(uint64_t v)
{
	static char buf[8][32];
	static unsigned turn;
	char digits[24], *out = buf[turn = (turn + 1) % 8];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v), at = 0;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *
duration(uint64_t ns)
{
	static char buf[4][32];
	static unsigned turn;
	char *out = buf[turn = (turn + 1) % 4];

	if (ns < 10000)
		snprintf(out, 32, "%llu ns", (unsigned long long)ns);
	else if (ns < 10000000)
		snprintf(out, 32, "%.1f us", (double)ns / 1e3);
	else
		snprintf(out, 32, "%.1f ms", (double)ns / 1e6);
	return out;
}

/* ---- the phases ---------------------------------------------------------- */

struct loading {
	unsigned n_refused;
	int error;
};

static void
on_refused(void *arg, const void *key, size_t key_len, int error)
{
	struct loading *l = arg;

	(void)key;
	(void)key_len;
	l->n_refused++;
	l->error = error;
}

static int
load(const struct corpus *c)
{
	struct loading l = {0};
	struct peek *p;
	uint64_t began = now_ns();
	int error = peek_open(the_daemon.name, 0, &p);

	if (error != 0)
		return error;
	peek_set_timeout(p, 10000);
	for (size_t i = 0; i < c->n && error == 0 && !interrupted; i++) {
		const struct file *f = &c->files[i];
		error =
		    peek_set_async(p, f->path, f->path_len, f->bytes, f->len, 0, on_refused, &l);
		if (i % 64 == 0)
			bar("loading", (double)i / (double)c->n, f->path);
	}
	int last = peek_set_flush(p);
	peek_close(p);
	bar_end();
	error = error != 0 ? error : last;
	if (l.n_refused > 0) {
		fprintf(stderr, "demo: the daemon refused %u of %zu files, the last with: %s\n",
		    l.n_refused, c->n, peek_strerror(l.error));
		return l.error;
	}
	double seconds = (double)(now_ns() - began) / 1e9;
	printf("loaded      %s files, %.1f MB, in %.2f s (%.0f MB/s)\n", grouped(c->n),
	    (double)c->bytes / 1e6, seconds, (double)c->bytes / 1e6 / seconds);
	return error;
}

struct sum {
	uint64_t reads, bytes, wrong, missing, busy, failed, longest_ns;
};

static struct sum
sum_of(const struct tally *t, unsigned n)
{
	struct sum s = {0};

	for (unsigned i = 0; i < n; i++) {
		s.reads += t[i].reads;
		s.bytes += t[i].bytes;
		s.wrong += t[i].wrong;
		s.missing += t[i].missing;
		s.busy += t[i].busy;
		s.failed += t[i].failed;
		s.longest_ns = t[i].longest_ns > s.longest_ns ? t[i].longest_ns : s.longest_ns;
	}
	return s;
}

static int
start_children(const struct corpus *c, struct shared *sh, unsigned n_readers)
{
	fflush(stdout);
	for (unsigned i = 0; i <= n_readers; i++) {
		pid_t pid = fork();
		if (pid == 0 && i < n_readers)
			work_read(the_daemon.name, c, sh, i);
		if (pid == 0)
			work_write(the_daemon.name, c, sh);
		if (pid < 0)
			return -errno;
		children[n_children++] = pid;
	}
	for (unsigned waited_ms = 0; waited_ms < 5000; waited_ms += 5) {
		unsigned n_ready = sh->ready[READERS_MAX];
		for (unsigned i = 0; i < n_readers; i++)
			n_ready += sh->ready[i];
		if (n_ready == n_readers + 1)
			return 0;
		pause_ms(5);
	}
	return -ETIMEDOUT;
}

/* True: all children and the daemon still run; else it prints which one
 * doesn't. */
static bool
all_run(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return true;
	const char *what = pid == the_daemon.pid                ? "peekd"
	    : n_children > 0 && pid == children[n_children - 1] ? "the writer"
								: "a reader";
	if (WIFSIGNALED(status))
		fprintf(stderr, "demo: %s was ended by signal %d\n", what, WTERMSIG(status));
	else
		fprintf(stderr, "demo: %s ended with status %d\n", what, WEXITSTATUS(status));
	if (pid == the_daemon.pid)
		the_daemon.pid = 0;
	return false;
}

static int
watch(
    const struct shared *sh, unsigned n_readers, uint64_t began, double from, double to, double all)
{
	char text[128];

	while ((double)(now_ns() - began) / 1e9 < to && !interrupted) {
		struct sum s = sum_of(sh->tally, n_readers);
		double at = (double)(now_ns() - began) / 1e9;
		snprintf(text, sizeof(text), "%s reads, %s rewrites, %llu wrong, %llu missed",
		    grouped(s.reads), grouped(sh->writes), (unsigned long long)s.wrong,
		    (unsigned long long)s.missing);
		bar(from == 0 ? "reading" : "again", at / all, text);
		pause_ms(50);
		if (!all_run())
			return -ECHILD;
	}
	return interrupted ? -EINTR : 0;
}

/* Readers and the writer run; in the middle the daemon is killed, and started
 * again. */
static int
run_and_kill(const struct corpus *c, struct shared *sh, unsigned n_readers, double seconds)
{
	uint64_t began = now_ns();
	int error = start_children(c, sh, n_readers);

	if (error == 0)
		error = watch(sh, n_readers, began, 0, seconds / 2, seconds);
	if (error != 0)
		return error;

	for (unsigned i = 0; i < n_readers; i++)
		sh->tally[i].longest_ns = 0;
	struct sum at_kill = sum_of(sh->tally, n_readers);
	uint64_t killed = now_ns();
	daemon_kill(&the_daemon);
	bar("killed", .5, "peekd is dead; the readers go on");
	pause_ms(KILL_GAP_NS / 1000000);
	uint64_t restarted = now_ns();
	error = daemon_start(&the_daemon);
	if (error != 0)
		return error;
	uint64_t answered = now_ns();
	struct sum at_restart = sum_of(sh->tally, n_readers);
	while (sh->write_at_ns < restarted && now_ns() - answered < 5000000000u && !interrupted)
		pause_ms(1);
	uint64_t wrote = sh->write_at_ns;
	error = watch(sh, n_readers, began, 1, seconds, seconds);
	sh->stop = true;
	bar_end();
	uint64_t ended = now_ns();
	while (n_children > 0)
		waitpid(children[--n_children], NULL, 0);
	if (error != 0)
		return error;

	struct sum s = sum_of(sh->tally, n_readers);
	double took = (double)(ended - began) / 1e9;
	printf("readers     %u processes, %.1f s: %s reads/s, each compared with its file; %.1f "
	       "GB/s copied\n",
	    n_readers, took, grouped((uint64_t)((double)s.reads / took)),
	    (double)s.bytes / 1e9 / took);
	printf("  one read  p50 %s, p99 %s\n", duration(tally_quantile(sh->tally, n_readers, .5)),
	    duration(tally_quantile(sh->tally, n_readers, .99)));
	printf("writer      %s rewrites of %s keys meanwhile\n", grouped(sh->writes),
	    grouped((c->n + REWRITE_EVERY - 1) / REWRITE_EVERY));
	printf("kill -9     peekd was dead for %s; %s reads succeeded without it, the longest took "
	       "%s\n",
	    duration(answered - killed),
	    grouped(at_restart.reads - at_kill.reads - (at_restart.busy - at_kill.busy)),
	    duration(at_restart.longest_ns));
	printf("            it answered %s after its restart; the first write was acknowledged %s "
	       "after it\n",
	    duration(answered - restarted),
	    wrote > restarted ? duration(wrote - restarted) : "never");
	printf("            %s writes were refused meanwhile; %s were under way, their keys hold "
	       "the old value or the new one, whole\n",
	    grouped(sh->writes_refused), grouped(sh->writes_lost));
	printf("            %s reads met a bucket that the dead daemon had left half-written, and "
	       "said so\n",
	    grouped(s.busy));
	return wrote > restarted ? 0 : -ETIMEDOUT;
}

static int
compare_with_socket(const struct corpus *c, double seconds, struct tally t[2])
{
	for (unsigned socket = 0; socket < 2; socket++) {
		bar(socket ? "socket" : "shared", socket ? .5 : .1, "one process alone");
		int error = work_alone(&the_daemon, c, socket == 1, seconds, &t[socket]);
		if (error != 0)
			return error;
	}
	bar_end();
	printf("one process, the same keys:      reads/s        p50        p99\n");
	for (unsigned socket = 0; socket < 2; socket++)
		printf("  through %-20s %10s %10s %10s\n",
		    socket ? "the control socket" : "shared memory",
		    grouped((uint64_t)((double)t[socket].reads / seconds)),
		    duration(tally_quantile(&t[socket], 1, .5)),
		    duration(tally_quantile(&t[socket], 1, .99)));
	return 0;
}

static int
demo(const char *dir, unsigned n_readers, double seconds)
{
	struct statvfs shm;
	struct corpus *c = &corpus;
	uint64_t room = statvfs("/dev/shm", &shm) == 0 ? (uint64_t)shm.f_bavail * shm.f_frsize : 0;

	int error = corpus_read(dir, ITEM_MAX_BYTES - 1024, room / 5 * 2, c);
	if (error != 0 || c->n == 0)
		return give_up(c->n == 0 && error == 0 ? "there is no file to load" : dir, error);
	the_daemon.item_max_bytes = ITEM_MAX_BYTES;
	the_daemon.megabytes = (c->bytes * 2 + c->n * 1024) / 1048576 + 64;
	if ((error = daemon_start(&the_daemon)) != 0)
		return give_up("peekd did not start; what it said stands above", 0);
	printf("peekd       -n %s -m %llu -I 16m\n", the_daemon.name,
	    (unsigned long long)the_daemon.megabytes);

	struct shared *sh = mmap(
	    NULL, sizeof(*sh) + c->n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	alone = calloc(3, sizeof(*alone));
	if (sh == MAP_FAILED || alone == NULL)
		return give_up("memory", -ENOMEM);
	if ((error = load(c)) != 0)
		return give_up("loading", error);
	printf("left out    %u too large (over 16 MiB), %u with a path over 250 bytes, %u "
	       "unreadable, %u for lack of room in /dev/shm\n",
	    c->n_large, c->n_long_path, c->n_unreadable, c->n_no_room);
	if ((error = run_and_kill(c, sh, n_readers, seconds)) != 0)
		return give_up("reading and rewriting", error);
	if ((error = compare_with_socket(c, seconds < 4 ? .5 : 2, alone)) != 0)
		return give_up("one process alone", error);
	if ((error = work_check_all(the_daemon.name, c, sh, &alone[2])) != 0)
		return give_up("the last look", error);
	daemon_tidy(&the_daemon);

	struct sum s = sum_of(sh->tally, n_readers), a = sum_of(alone, 3);
	printf("at the end  all %s keys read once more, each as it was last acknowledged\n",
	    grouped(c->n));
	uint64_t wrong = s.wrong + a.wrong, missing = s.missing + a.missing,
		 failed = s.failed + a.failed;
	printf("\nwrong values              %s (must be 0)\nmisses of present keys    %s (must be "
	       "0)\n",
	    grouped(wrong), grouped(missing));
	if (failed > 0)
		printf("reads with another error  %s (must be 0)\n", grouped(failed));
	bool good = wrong == 0 && missing == 0 && failed == 0 && s.reads > 0;
	printf("%s\n", good ? "ok" : "FAILED");
	corpus_free(c);
	free(alone);
	return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"peekd", required_argument, NULL, 'p'},
	    {"dir", required_argument, NULL, 'd'}, {"seconds", required_argument, NULL, 't'},
	    {"readers", required_argument, NULL, 'r'}, {0}};
	const char *program = NULL, *dir = "/usr/include";
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN),
	     n_readers = n_cpus < 3 ? 2
	    : n_cpus > 9            ? 8
				    : n_cpus - 1;
	double seconds = 8;
	int got;

	descriptor_fill_standard();
	while ((got = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (got) {
		case 'p':
			program = optarg;
			break;
		case 'd':
			dir = optarg;
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 'r':
			n_readers = strtol(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (program == NULL || optind < argc || !(seconds >= 1 && seconds <= 3600) ||
	    n_readers < 1 || n_readers > READERS_MAX) {
		fprintf(stderr,
		    "usage: demo --peekd PROGRAM [--dir DIR] [--seconds 1..3600] [--readers "
		    "1..%d]\n",
		    READERS_MAX);
		return 2;
	}
	struct sigaction sa = {.sa_handler = on_signal};
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	int error = daemon_prepare(&the_daemon, program);
	if (error != 0)
		return give_up("no private folder", error);
	int status = demo(dir, (unsigned)n_readers, seconds);
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	fprintf(stderr, "demo: standard output can't be written\n");
	return 1;
}
