/*
 * gate.c: a loop of gets that is the same in every run, so that its
 * instructions can be counted. Seed, keys, values and order are fixed; there is
 * no clock and no other process. callgrind counts from gate_loop's entry to its
 * end. With --steps a parent counts single steps of the processor instead: this
 * is slow, but works for instructions that valgrind doesn't know.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "payload.h"
#include "segment.h"

#define KEYS        20000
#define KEY_BYTES   24
#define VALUE_BYTES 100

uint64_t gate_loop(
    struct peek *p, const unsigned char *keys, uint64_t n_gets, unsigned char *value);

/* Returns the number of hits. */
__attribute__((noinline)) uint64_t
gate_loop(struct peek *p, const unsigned char *keys, uint64_t n_gets, unsigned char *value)
{
	uint64_t hits = 0;

	for (uint64_t i = 0; i < n_gets; i++)
		hits +=
		    peek_get(p, keys + i * KEY_BYTES, KEY_BYTES, value, VALUE_BYTES) == VALUE_BYTES;
	return hits;
}

static int
gate_run(const struct options *o)
{
	unsigned char value[VALUE_BYTES], *keys = malloc(o->gets * KEY_BYTES + 1);
	struct own_segment segment;
	struct peek *p = NULL;
	struct rng rng = {1};
	uint64_t hits = 0;
	struct own_conf conf = {.arena_bytes = 16 << 20, .hash_seed = 1};
	int rc = keys == NULL ? -1 : own_segment_create(&conf, &segment);

	if (rc != 0) {
		fprintf(stderr, "peekbench gate: no segment\n");
		free(keys);
		return 1;
	}
	for (uint64_t id = 0; id < KEYS; id++) {
		unsigned char key[KEY_BYTES];
		uint64_t cas;
		payload_key(key, KEY_BYTES, id);
		payload_value(value, VALUE_BYTES, id, 0);
		struct store_put put = {.key = {.bytes = key,
					    .len = KEY_BYTES,
					    .hash = store_hash(segment.store, key, KEY_BYTES)},
		    .value = value,
		    .value_bytes = VALUE_BYTES};
		rc |= store_put(segment.store, &put, segment.now_s, &cas) != STORE_OK;
	}
	for (uint64_t i = 0; i < o->gets; i++)
		payload_key(keys + i * KEY_BYTES, KEY_BYTES, rng_below(&rng, KEYS));
	if (rc == 0 && own_segment_add_hints(&segment) == 0 &&
	    own_segment_open(&segment, true, &p) == 0) {
		gate_loop(p, keys, 1, value); /* the first get initializes the thread */
		if (o->steps)
			raise(SIGSTOP); /* the parent counts from here */
		hits = gate_loop(p, keys, o->gets, value);
		if (o->steps)
			raise(SIGSTOP);
		peek_close(p);
	}
	own_segment_destroy(&segment);
	free(keys);
	printf("gets=%llu hits=%llu\n", (unsigned long long)o->gets, (unsigned long long)hits);
	return hits != o->gets;
}

/* Waits for the child's next stop by SIGSTOP, and counts single steps until
 * then. False: the child ended, or can't be traced. */
static bool
until_stop(pid_t child, enum __ptrace_request request, uint64_t *n_steps)
{
	int status;

	for (;;) {
		if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == SIGSTOP)
			return true;
		++*n_steps;
		if (ptrace(request, child, NULL, NULL) != 0)
			return false;
	}
}

/* The instructions of the loop, and of the two calls of raise() around it. */
static int
count_steps(const struct options *o)
{
	uint64_t n_steps = 0;
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		status = gate_run(o);
		fflush(stdout);
		_exit(status);
	}
	if (child > 0 && until_stop(child, PTRACE_CONT, &n_steps) &&
	    ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	    until_stop(child, PTRACE_SINGLESTEP, &n_steps) &&
	    ptrace(PTRACE_CONT, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child &&
	    status == 0) {
		printf("steps=%llu\n", (unsigned long long)n_steps);
		return 0;
	}
	fprintf(stderr, "peekbench gate: the loop can't be stepped through: %s\n", strerror(errno));
	return 1;
}

int
command_gate(const struct options *o)
{
	return o->steps ? count_steps(o) : gate_run(o);
}
