/*
 * sockets.c: the control socket beside memcached's: the same client, bytes and
 * order to both, on Unix sockets, memcached with one worker thread. Rounds are
 * interleaved; the table has medians, and the median of the rounds' ratios.
 *
 * usage: peekbench-sockets PEEKD [ROUNDS [OPS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../peers/peer.h"
#include "../timer.h"

#define KEYS       10000
#define KEY_BYTES  24
#define VALUE      100
#define PIPELINE   64
#define ROUNDS_MAX 51

struct peer_conf peer_conf;

enum { SERVER_PEEKD, SERVER_MEMCACHED, N_SERVERS };

static const char *const names[N_SERVERS] = {"peekd", "memcached -t 1"};

/* One load: requests of `n` operations at once. */
struct load {
	const char *name;
	unsigned n;
	enum { LOAD_GET, LOAD_SET, LOAD_MULTIGET } kind;
};

static const struct load loads[] = {
    {"get, one at a time", 1, LOAD_GET},
    {"set, one at a time", 1, LOAD_SET},
    {"get, 64 pipelined", PIPELINE, LOAD_GET},
    {"set, 64 pipelined", PIPELINE, LOAD_SET},
    {"get of 64 keys", PIPELINE, LOAD_MULTIGET},
};
#define N_LOADS (sizeof(loads) / sizeof(loads[0]))

static struct stream in[N_SERVERS];
static double ns[N_LOADS][N_SERVERS][ROUNDS_MAX];

static void
sockets_die(const char *what)
{
	fprintf(stderr, "peekbench-sockets: %s\n", what);
	exit(1);
}

static char *
put_key(char *p, uint64_t id)
{
	return p + sprintf(p, "key:%020llu", (unsigned long long)id);
}

/* Reads the answer to one request, and checks it. */
static void
take_replies(struct stream *s, const struct load *l)
{
	size_t len;

	for (unsigned i = 0; i < l->n; i++) {
		const char *line = stream_line(s, &len);
		if (line == NULL)
			sockets_die("the server hung up");
		if (l->kind == LOAD_SET) {
			if (len != 6 || memcmp(line, "STORED", 6) != 0)
				sockets_die("a set was refused");
			continue;
		}
		if (len < 6 || memcmp(line, "VALUE ", 6) != 0 || stream_bytes(s, VALUE + 2) == NULL)
			sockets_die("a get missed");
		if (l->kind == LOAD_GET && ((line = stream_line(s, &len)) == NULL || len != 3))
			sockets_die("no END");
	}
	if (l->kind == LOAD_MULTIGET && (stream_line(s, &len) == NULL || len != 3))
		sockets_die("no END");
}

static void
sockets_run(struct stream *s, const struct load *l, uint64_t n_ops, double *ret_ns)
{
	static char out[PIPELINE * (KEY_BYTES + VALUE + 64)], value[VALUE];
	uint64_t id = 1, begin_ns;

	memset(value, 'v', sizeof(value));
	begin_ns = timer_clock_ns();
	for (uint64_t done = 0; done < n_ops; done += l->n) {
		char *p = out;
		if (l->kind == LOAD_MULTIGET)
			p = mempcpy(p, "get", 3);
		for (unsigned i = 0; i < l->n; i++) {
			id = (id * 6364136223846793005u + 1442695040888963407u);
			if (l->kind == LOAD_MULTIGET) {
				*p++ = ' ';
				p = put_key(p, (id >> 33) % KEYS);
				continue;
			}
			p = mempcpy(p, l->kind == LOAD_SET ? "set " : "get ", 4);
			p = put_key(p, (id >> 33) % KEYS);
			if (l->kind == LOAD_SET) {
				p = mempcpy(p, " 0 0 100\r\n", 10);
				p = mempcpy(p, value, VALUE);
			}
			p = mempcpy(p, "\r\n", 2);
		}
		if (l->kind == LOAD_MULTIGET)
			p = mempcpy(p, "\r\n", 2);
		if (server_send(s->fd, out, (size_t)(p - out)) != 0)
			sockets_die("the server hung up");
		take_replies(s, l);
	}
	*ret_ns = (double)(timer_clock_ns() - begin_ns) / (double)n_ops;
}

static void
sockets_fill(struct stream *s)
{
	char out[512];
	size_t len;

	for (uint64_t id = 0; id < KEYS; id++) {
		char *p = mempcpy(out, "set ", 4);
		p = put_key(p, id);
		p += sprintf(p, " 0 0 %d\r\n%0*d\r\n", VALUE, VALUE, 7);
		if (server_send(s->fd, out, (size_t)(p - out)) != 0 ||
		    stream_line(s, &len) == NULL || len != 6)
			sockets_die("a server takes no keys");
	}
}

static int
by_value(const void *x, const void *y)
{
	const double *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static double
sockets_median(const double *v, unsigned n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return sorted[n / 2];
}

int
main(int argc, char **argv)
{
	unsigned n_rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 11;
	uint64_t n_ops = argc > 3 ? (uint64_t)atoll(argv[3]) : 40000;
	char dir[] = "/tmp/peekbench-XXXXXX", path[N_SERVERS][64], name[64];
	pid_t pid[N_SERVERS];

	if (argc < 2 || n_rounds == 0 || n_rounds > ROUNDS_MAX)
		sockets_die("usage: peekbench-sockets PEEKD [ROUNDS [OPS]]");
	if (mkdtemp(dir) == NULL)
		sockets_die("no private folder");
	for (unsigned s = 0; s < N_SERVERS; s++)
		snprintf(path[s], sizeof(path[s]), "%s/%u.sock", dir, s);
	snprintf(name, sizeof(name), "bench-sockets-%d", (int)getpid());
	const char *peekd[] = {argv[1], "-n", name, "-s", path[SERVER_PEEKD], "-m", "64",
	    "--unlink", "--log-level", "error", NULL};
	const char *memcached[] = {"memcached", "-s", path[SERVER_MEMCACHED], "-m", "64", "-t", "1",
	    geteuid() == 0 ? "-u" : NULL, "root", NULL};
	pid[SERVER_PEEKD] = server_start(peekd, path[SERVER_PEEKD], &in[SERVER_PEEKD].fd);
	pid[SERVER_MEMCACHED] =
	    server_start(memcached, path[SERVER_MEMCACHED], &in[SERVER_MEMCACHED].fd);
	for (unsigned s = 0; s < N_SERVERS; s++) {
		if (pid[s] < 0)
			sockets_die(s == SERVER_PEEKD
				? "peekd doesn't start"
				: "memcached doesn't start (Debian: memcached)");
		sockets_fill(&in[s]);
	}
	for (unsigned r = 0; r < n_rounds; r++)
		for (unsigned l = 0; l < N_LOADS; l++)
			for (unsigned s = 0; s < N_SERVERS; s++) /* they begin in turn */
				sockets_run(&in[(s + r) % N_SERVERS], &loads[l], n_ops,
				    &ns[l][(s + r) % N_SERVERS][r]);
	printf("| ns an operation, median of %u rounds | %s | %s | times as fast "
	       "|\n|---|---|---|---|\n",
	    n_rounds, names[0], names[1]);
	for (unsigned l = 0; l < N_LOADS; l++) {
		double ratio[ROUNDS_MAX];
		for (unsigned r = 0; r < n_rounds; r++)
			ratio[r] = ns[l][SERVER_MEMCACHED][r] / ns[l][SERVER_PEEKD][r];
		printf("| %s | %.0f | %.0f | %.2f |\n", loads[l].name,
		    sockets_median(ns[l][SERVER_PEEKD], n_rounds),
		    sockets_median(ns[l][SERVER_MEMCACHED], n_rounds),
		    sockets_median(ratio, n_rounds));
	}
	for (unsigned s = 0; s < N_SERVERS; s++) {
		server_end(pid[s]);
		unlink(path[s]);
	}
	rmdir(dir);
	return 0;
}
