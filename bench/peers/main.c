/*
 * main.c: peekbench-peers: the same work by each, in turn, and the ratios.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define PEERS(X) \
	X(ideal, "ideal", "left out of this program") \
	X(ideal_huge, "ideal-huge", "left out of this program") \
	X(peekd, "peekd", "left out of this program") \
	X(peekd_small, "peekd-4k", "left out of this program") \
	X(engine, "engine", "left out of this program") \
	X(rte_hash, "rte_hash", "libdpdk-dev was not installed when this was built") \
	X(ck_ht, "ck_ht", "libck-dev was not installed when this was built") \
	X(lfht, "lfht", "liburcu-dev was not installed when this was built") \
	X(boost, "boost", "libboost-dev was not installed when this was built") \
	X(tkrzw, "tkrzw", "libtkrzw-dev was not installed when this was built") \
	X(lmdb, "lmdb", "liblmdb-dev was not installed when this was built") \
	X(memcached, "memcached", "") \
	X(redis, "redis", "")

#define DECLARE(symbol, id, package) extern struct peer peer_##symbol __attribute__((weak));
PEERS(DECLARE)

struct peer_conf peer_conf = {
    .n_keys = 1000000, .key_bytes = 24, .value_bytes = 100, .peekd = "build/release/peekd"};

static volatile sig_atomic_t stopped;

static void
on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

static const struct option options[] = {
    {"keys", required_argument, NULL, 'k'},
    {"key-bytes", required_argument, NULL, 'b'},
    {"value-bytes", required_argument, NULL, 'v'},
    {"ops", required_argument, NULL, 'o'},
    {"rounds", required_argument, NULL, 'r'},
    {"zipf", required_argument, NULL, 'z'},
    {"only", required_argument, NULL, 'p'},
    {"peekd", required_argument, NULL, 'd'},
    {"json", required_argument, NULL, 'j'},
    {"data", required_argument, NULL, 'g'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
main_usage(FILE *to)
{
	fputs("usage: peekbench-peers [options]\n"
	      "  --keys N          how many (1000000)\n"
	      "  --key-bytes N     8 to 250 (24)\n"
	      "  --value-bytes N   8 to 65536 (100)\n"
	      "  --ops N           timed operations of a run (1000000; a fiftieth of it over a "
	      "socket)\n"
	      "  --rounds N        runs of each, one after the other in turn (7); the first is not "
	      "counted\n"
	      "  --zipf A          exponent of the zipf run (0.99)\n"
	      "  --only ID,ID...   these alone\n"
	      "  --peekd PATH      the daemon (build/release/peekd)\n"
	      "  --json FILE, --data FILE   the figures, for programs and for gnuplot\n"
	      "peers:",
	    to);
#define NAME(symbol, id, package) fprintf(to, " %s", id);
	PEERS(NAME)
	fputs("\n", to);
}

static uint64_t
main_number(const char *arg, uint64_t lo, uint64_t hi)
{
	char *end;
	unsigned long long v = strtoull(arg, &end, 10);

	if (*end != '\0' || *arg == '-' || v < lo || v > hi) {
		fprintf(stderr, "peekbench-peers: '%s' is not a number from %llu to %llu\n", arg,
		    (unsigned long long)lo, (unsigned long long)hi);
		exit(2);
	}
	return v;
}

static bool
main_listed(const char *list, const char *id)
{
	size_t n = strlen(id);

	for (const char *at = list; at != NULL; at = strchr(at, ','), at += at != NULL)
		if (strncmp(at, id, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	return list == NULL;
}

/* Opens and fills one peer after the other. */
static unsigned
start_all(struct report *rep, const char *only, const struct sequences *seqs)
{
#define ROW(symbol, id, package) {&peer_##symbol, id, package},
	const struct {
		struct peer *peer;
		const char *id, *package;
	} all[] = {PEERS(ROW)};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]) && !stopped; i++) {
		struct measured *m = &rep->peer[rep->n_peers];
		if (!main_listed(only, all[i].id))
			continue;
		if (all[i].peer == NULL) {
			fprintf(stderr, "skipped: %s (%s)\n", all[i].id, all[i].package);
			continue;
		}
		fprintf(stderr, "filling: %s\n", all[i].peer->name);
		int rc = run_start(&m->worker, all[i].peer, seqs);
		if (rc == 0)
			rc = run_ready(&m->worker).error;
		if (rc != 0) {
			if (m->worker.pid > 0)
				run_end(&m->worker);
			fprintf(stderr, "skipped: %s (%s)\n", all[i].id,
			    rc == -EILSEQ       ? "a value was lost or wrong after filling"
				: rc == -ENOENT ? "its program is not installed"
						: strerror(-rc));
			rep->n_failed += rc == -EILSEQ;
			continue;
		}
		m->id = all[i].id;
		rep->n_peers++;
	}
	return rep->n_peers;
}

static void
remove_dir(const char *dir)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "peekbench-peers: %s is left behind\n", dir);
}

static void
main_measure(struct report *rep, unsigned n_rounds, uint64_t n_ops)
{
	for (unsigned round = 0; round < n_rounds + 1; round++) {
		for (unsigned w = 0; w < N_WORKLOADS; w++) {
			for (unsigned i = 0; i < rep->n_peers && !stopped; i++) {
				struct measured *m = &rep->peer[i];
				bool sets = w == SET || w == SET_MANY;
				bool slow = (m->worker.peer->flags &
						(PEER_SOCKET | (sets ? PEER_DAEMON : 0u))) != 0;
				uint64_t n = slow ? n_ops / 50 : n_ops;
				if (!run_offers(m->worker.peer, (enum workload)w))
					continue;
				if (isatty(2))
					fprintf(stderr, "\r\033[Kround %u of %u: %s, %s", round,
					    n_rounds, workload_names[w], m->worker.peer->name);
				struct run_reply r =
				    run_once(&m->worker, (enum workload)w, n < BATCH ? BATCH : n);
				report_add(rep, i, (enum workload)w, round, &r);
			}
		}
		rep->n_rounds = round;
		if (stopped)
			break;
	}
	if (isatty(2))
		fputs("\r\033[K", stderr);
}

static int
print_reports(const struct report *rep, const char *json, const char *data)
{
	report_markdown(rep, stdout);
	if (json != NULL && report_to(rep, json, report_json) != 0)
		return 1;
	if (data != NULL && report_to(rep, data, report_data) != 0)
		return 1;
	return rep->n_failed != 0;
}

int
main(int argc, char **argv)
{
	static struct report rep;
	const char *only = NULL, *json = NULL, *data = NULL;
	uint64_t n_ops = 1000000;
	unsigned n_rounds = 7;
	double alpha = 0.99;
	struct sequences seqs;
	char dir[] = "/dev/shm/peekbench.XXXXXX";

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'k':
			peer_conf.n_keys = main_number(optarg, 1000, UINT32_MAX / 4);
			break;
		case 'b':
			peer_conf.key_bytes = (uint32_t)main_number(optarg, 8, 250);
			break;
		case 'v':
			peer_conf.value_bytes = (uint32_t)main_number(optarg, 8, 65536);
			break;
		case 'o':
			n_ops = main_number(optarg, 1000, 100000000);
			break;
		case 'r':
			n_rounds = (unsigned)main_number(optarg, 1, ROUNDS_MAX);
			break;
		case 'z':
			alpha = strtod(optarg, NULL);
			break;
		case 'p':
			only = optarg;
			break;
		case 'd':
			peer_conf.peekd = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		case 'g':
			data = optarg;
			break;
		case 'h':
			main_usage(stdout);
			return 0;
		default:
			main_usage(stderr);
			return 2;
		}
	}
	if (optind != argc || !(alpha > 0 && alpha < 5)) {
		main_usage(stderr);
		return 2;
	}
	if (mkdtemp(dir) == NULL || sequences_make(&seqs, n_ops, alpha) != 0) {
		perror("peekbench-peers");
		return 1;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	peer_conf.dir = dir;
	if (start_all(&rep, only, &seqs) > 0)
		main_measure(&rep, n_rounds, n_ops);
	for (unsigned i = 0; i < rep.n_peers; i++)
		run_end(&rep.peer[i].worker);
	remove_dir(dir);
	if (rep.n_rounds == 0)
		return 1;
	return print_reports(&rep, json, data);
}
