/*
 * core.h: what the two halves of the checker share: memory.c (histories and
 * views) and explore.c (threads and search).
 */
#ifndef PEEK_MODEL_CORE_H
#define PEEK_MODEL_CORE_H

#include "model/runtime.h"

#define CHOICES_MAX 64   /* stores that one load may read */
#define EVENTS_MAX  4096 /* accesses of one execution */

enum op_kind { OP_LOAD, OP_STORE, OP_ADD, OP_FENCE, OP_CHOOSE, OP_AWAIT };

struct loc;

struct op {
	enum op_kind kind;
	enum model_order order;
	const void *addr;
	unsigned size;
	unsigned n; /* OP_CHOOSE: choices; OP_AWAIT: the thread */
	uint64_t value;
	const char *file;
	int line;
	struct loc *loc;
};

/* Keys of OP_FENCE in a thread that is killed. */
enum { FENCE_PASSED, FENCE_KILLED };

/* ---- memory.c ------------------------------------------------------------ */

void mem_reset(unsigned killed);
struct loc *mem_loc(const void *addr, unsigned size);
/* The last event that touched the location, for the search: -1 at first. */
int *mem_last_event(struct loc *loc);
/* The operation's choices now. A load's key is the store that it reads, a
 * store's key the store that it stands behind. */
unsigned mem_choices(unsigned tid, const struct op *op, uint16_t keys[CHOICES_MAX]);
/* Does it. *ret_msg is the store that was read (load) or made; *ret_read the
 * one that was read, or 0. */
uint64_t mem_perform(unsigned tid, const struct op *op, unsigned key, int event, unsigned *ret_msg,
    unsigned *ret_read);
int mem_msg_event(unsigned msg); /* the event that made it; -1: initial */
void mem_thread_died(unsigned tid);
bool mem_may_be_killed(unsigned tid);
/* NULL, or what raced. */
const char *mem_plain(unsigned tid, const void *addr, unsigned size, bool store, uint64_t *value);
uint64_t mem_final(const void *addr, unsigned size);

/* ---- explore.c ----------------------------------------------------------- */

enum explore_phase { PHASE_IDLE, PHASE_STARTING, PHASE_RUNNING, PHASE_CHECKING };
enum explore_phase explore_phase(void);
/* Parks the running thread until the search performs this. */
uint64_t explore_access(struct op *op);

/* ---- sites.c ------------------------------------------------------------- */

/* Notes the site and gives the order that is in force there. A fence may come
 * back as MODEL_RLX: none. */
enum model_order site_order(enum op_kind kind, enum model_order order, const char *file, int line);
void site_begin(uint64_t *mask);
void site_add(const char *file, int line, const char *kind);

/* ---- heap.c: malloc inside an exploration -------------------------------- */

void heap_begin(void); /* empties the heap and turns it on */
void heap_snapshot(void);
void heap_restore(void);
void heap_end(void);

#endif
