/*
 * runtime.h: a stateless model checker for C11 atomics, and what
 * src/shm/atomic.h calls under -DPEEK_MODEL.
 *
 * A scenario is a setup and up to MODEL_THREADS_MAX functions. The checker runs
 * them as coroutines of one thread, again and again, until every execution that
 * the memory model allows has been run once.
 *
 * Memory model: RC11; of seq_cst the fences alone, since the product has no
 * seq_cst access. Each location has
 * a history of stores in modification order; each thread has a view (the newest
 * store of each location that it must know of); a load takes any store that is
 * not older than the thread's view. A release store carries its thread's view,
 * a relaxed one the view at the last release fence; an acquire load takes the
 * view over, a relaxed one at the next acquire fence. A store may be inserted
 * anywhere in modification order behind the thread's own view, so that all of
 * 2+2W, S, R and Z6 are there. A read-modify-write stands directly behind the
 * store that it read and continues its release sequence; a later plain store of
 * the same thread does not (C++20's rule, the weaker one). A seq_cst fence is
 * an acquire fence, an addition to one hidden location that all such fences
 * share, and a release fence: the additions stand in one order, and each knows
 * what the ones before it knew. Plain accesses (model_plain_*) are checked for
 * races by vector clocks.
 *
 * Search: depth first over threads and choices, with sleep sets and source sets
 * (Abdulla and others, 2014). Two steps of different threads commute but where
 * one reads what the other stores; since a load made after a store may still
 * read an older one, only the pair (load, then store to its location) is ever
 * turned round. So each graph of reads-from and modification order is run once;
 * axiom.c enumerates the same graphs from RC11's axioms, and litmus.c compares
 * outcomes and counts.
 *
 * A killed thread (`killed` in a scenario) is stopped before one of its release
 * or crash fences or at its end, and of its stores since the last fence any
 * subset may have happened that keeps the order within each location, and all
 * that precedes a release store which happened: what a compiler may have made
 * of the program, cut at any instruction. (A kill loses no store that was
 * executed; of stores that no fence separates the compiler chose the order.)
 * The subset is chosen when somebody looks. A successor (`after`) begins
 * when its predecessor is dead, and has seen all that happened of it: the
 * kernel releases the lock after the dead process's last instruction, and
 * taking it acquires. fence_crash() orders the stores of a killed thread and
 * nothing else, as the compiler fence does that ships.
 *
 * Left out: load buffering (reads-from and program order never form a cycle, as
 * in RC11: no promises, no values out of thin air); of seq_cst fences the
 * orders that reads-from and program order contradict, which RC11 has where two
 * relaxed reads of a third thread lead from one fence to the other (of two
 * threads nothing is left out); seq_cst loads and stores,
 * accesses of two sizes to the same bytes, plain beside atomic access to the
 * same word, consume.
 *
 * Outside an exploration, in a setup and in a final check, the accessors read
 * and write memory directly.
 */
#ifndef PEEK_MODEL_RUNTIME_H
#define PEEK_MODEL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bounds of tries and of copies under the sequence in the model
 * (-DLOOKUP_TRIES=model_tries ...). */
extern unsigned model_tries, model_unpinned_bytes;

#define MODEL_THREADS_MAX 4
#define MODEL_SITES_MAX   64

enum model_order { MODEL_RLX, MODEL_ACQ, MODEL_REL, MODEL_ACQ_REL, MODEL_CRASH, MODEL_SC };

uint64_t model_load(
    const void *addr, unsigned size, enum model_order order, const char *file, int line);
void model_store(
    void *addr, unsigned size, uint64_t value, enum model_order order, const char *file, int line);
uint64_t model_add(
    void *addr, unsigned size, uint64_t addend, enum model_order order, const char *file, int line);
void model_fence(enum model_order order, const char *file, int line);
uint64_t model_plain_load(const uint64_t *addr, const char *file, int line);
void model_plain_store(uint64_t *addr, uint64_t value, const char *file, int line);
/* Byte by byte: `to`, and `from`, is plain memory that is watched. */
void model_plain_copy_in(unsigned char *to, const void *from, size_t n, const char *file, int line);
void model_plain_copy_out(
    void *to, const unsigned char *from, size_t n, const char *file, int line);

/* ---- what scenarios call ------------------------------------------------- */

/* In a thread: 0 .. n - 1, each explored. */
unsigned model_choose(unsigned n);

/* Ends the execution and the exploration: the scenario has failed. */
_Noreturn void model_fail(const char *file, int line, const char *what);
#define model_check(cond) ((cond) ? (void)0 : model_fail(__FILE__, __LINE__, #cond))

/* Ends the thread that calls it. */
_Noreturn void model_exit(void);

/* Says that the situation `goal` (0 .. 63) came up: a scenario names those
 * without which it would show nothing. */
void model_reached(unsigned goal);

/* The thread that runs; -1 in a setup or check. */
int model_self(void);

struct model_scenario {
	const char *name;
	/* once; what it leaves in memory (model_keep, malloc) each execution
	 * begins with */
	void (*setup)(void);
	void (*thread[MODEL_THREADS_MAX])(void);
	/* after every thread has ended; loads give the last store in
	 * modification order */
	void (*check)(void);
	unsigned killed; /* mask of threads that are stopped anywhere */
	/* 1 + the thread that must be dead first; 0: begins at once */
	int after[MODEL_THREADS_MAX];
	uint64_t goals; /* mask of model_reached that must be complete */
	bool must_fail; /* a wrong design: the checker has to find it */
};

/* Private memory of the threads: put back before each execution as setup left
 * it. Called in setup. */
void model_keep(void *mem, size_t bytes);

struct model_result {
	uint64_t executions;
	uint64_t blocked; /* begun and given up, because what they lead to had been run */
	uint64_t goals;
	uint64_t sites; /* mask of the ordered sites that ran */
	bool failed;
	char why[512];
};

/* trace: print the failing execution. limit: executions after which it gives up
 * as failed; 0: none. */
void model_explore(
    const struct model_scenario *s, bool trace, uint64_t limit, struct model_result *ret);

/* ---- ordered sites and their mutations ----------------------------------- */

struct model_site {
	const char *file;
	int line;
	const char *kind; /* "acquire load" ... */
};

/* Sites are numbered as they are met; the numbers hold for this process and
 * those it forks. */
unsigned model_sites(const struct model_site **ret);
/* A site at one of the places from which it is reached. */
struct model_use {
	const char *file;
	int line;
	unsigned site;
};
#define MODEL_USES_MAX 256
unsigned model_uses(const struct model_use **ret);
void model_weaken_use(int use);

/* The accesses of this site are relaxed, its fence absent (a seq_cst fence:
 * acquire and release), in explorations from now on. -1: none. */
void model_weaken(int site);

#endif
