/*
 * writes.h: what is measured of writes, and by which way they go.
 */
#ifndef PEEK_BENCH_WRITES_H
#define PEEK_BENCH_WRITES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WRITES_KEYS       10000
#define WRITES_KEY_BYTES  24
#define WRITES_VALUE      100
#define WRITES_ROUNDS_MAX 51

enum way { WAY_RING, WAY_SOCKET, WAY_MEMCACHED, N_WAYS };

extern const char *const way_names[N_WAYS];
extern pid_t way_daemon[N_WAYS]; /* which serves the way */
extern const char *writes_instance;

/* The figures of one run of one way. */
struct sample {
	double p50_us, p99_us; /* of a call; 0: not measured */
	double per_s;
	double daemon_pct; /* processor time of the daemon, in percent of one processor */
};

_Noreturn void writes_die(const char *what);

/* ways.c: each way in this process; opened before the first use. */
void ways_open(const char *memcached_path);
void ways_close(void);
void way_set(enum way w, uint64_t id);
/* Pipelined sets; way_flush waits until all are answered. */
void way_set_async(enum way w, uint64_t id);
void way_flush(enum way w);
/* The value, found in shared memory. */
void way_get(uint64_t id);

/* loads.c */
struct writes_load {
	const char *name;
	const char *bar;
	void (*run)(enum way w, struct sample *ret);
	bool has_memcached;
};
extern const struct writes_load writes_loads[];
extern const unsigned n_writes_loads;

/* The p99 of a socket client's set, in microseconds: alone, and beside two
 * clients that write through rings all the time. */
void writes_beside(double *ret_alone_us, double *ret_beside_us);
/* Processor time of the daemon in percent of one processor, with n rings that
 * have nothing to do. */
double writes_idle_pct(unsigned n_rings);

#endif
