/*
 * robust_peer.h: shared by the tests that break things: values that prove
 * themselves, daemons, raw clients, reading processes.
 *
 * A key is a number. Its value holds a state, a number above 0, and proves it;
 * 0 is absent. Kinds:
 *
 *   stable    [0, 40)     rewritten, never deleted: a reader must never miss
 *                         one
 *   counter   [40, 60)    the state is the counter's value plus 1
 *   growing   [60, 80)    appended to: the state is the number of words, which
 *                         count up
 *   fleeting  [80, 100)   stored for a second or two
 *   other     [100, ...)  set, deleted; short or long enough for whole segments
 *
 * States of a key only grow, but for absent; counters and growing keys may
 * begin anew. floor[key] is a state that was acknowledged: a reader that loads
 * it before its read must find that or a later one, or absent where that is
 * allowed. Before a flush or a beginning anew is asked for the floor is lowered
 * and begun_anew[key] raised: a reader that sees it raised since knows nothing
 * of the floor, which may be up again.
 */
#ifndef PEEK_TESTS_ROBUST_PEER_H
#define PEEK_TESTS_ROBUST_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PEER_STABLE    40u
#define PEER_COUNTER   60u
#define PEER_GROWING   80u
#define PEER_FLEETING  100u
#define PEER_KEYS      4000u
#define PEER_VALUE_MAX 70000u
#define PEER_DAMAGED   UINT64_MAX /* a value that is no state of its key */

/* How many times as long anything may take here: under an emulator (RUNNER),
 * and where every access is watched. */
unsigned peer_slowness(void);

/*
 * How long reads took. A read may give its processor up for one thing, a page
 * that has to be there first (one that is being made huge, above all), and
 * begins anew LOOKUP_TRIES times at most: both are counts, and judged. Times
 * are printed alone, since a host that takes its cores away counts that as the
 * guest's. Reads that attached to another segment or hint page are apart.
 */
struct peer_waits {
	_Atomic uint64_t longest_cpu_ns; /* of a read that attached nothing */
	_Atomic uint64_t over_2ms;       /* of these */
	_Atomic uint64_t over_budget;    /* of these, by their tries */
	_Atomic uint64_t slept;          /* reads that gave up the processor, and not for a page */
	_Atomic uint64_t page_waits, longest_page_wait_ns;
	_Atomic uint64_t attached, longest_attach_cpu_ns;
	_Atomic uint64_t longest_ns; /* of any, with waits for a core */
};

/* In memory that all processes of a test share. */
struct peer_shared {
	_Atomic uint64_t floor[PEER_KEYS], begun_anew[PEER_KEYS];
	_Atomic uint64_t reads, wrong, missed, stale, again, failed;
	struct peer_waits waits;
	_Atomic int stop;
	bool evicting; /* any key may be absent */
	char why[200]; /* the last answer that was wrong, missed, stale or an error */
};

/* part of every key of this process, so that several can have keys of their
 * own */
extern unsigned peer_space;

uint32_t peer_key(uint32_t key, char *buf); /* 64 bytes are enough; returns the length */
uint32_t peer_value(uint32_t key, uint64_t state, char *buf);
uint64_t peer_state(uint32_t key, const char *value, size_t n);

/* ---- a daemon ------------------------------------------------------------ */

struct peer_daemon {
	char name[64], socket[100], log[120];
	pid_t pid; /* 0: none */
};

/* name: a private instance; the folder for socket and log is made below
 * TMPDIR. */
void peer_daemon_init(struct peer_daemon *d, const char *what);

/* Starts PEEKD with -n, -s and these arguments, and env ("NAME=value"; NULL:
 * none). True: it answers; false: it has ended (waited for). */
bool peer_start(struct peer_daemon *d, const char *const *args, const char *env);

void peer_kill(struct peer_daemon *d);        /* SIGKILL, and waits */
int peer_terminate(struct peer_daemon *d);    /* SIGTERM, and waits: the status as of waitpid */
void peer_daemon_fini(struct peer_daemon *d); /* kills, and removes every object of the instance */

/* ---- a client that speaks bytes ------------------------------------------ */

struct peer_client {
	int fd; /* -1: none */
	size_t begin, end;
	char buf[1 << 18];
};

bool peer_connect(struct peer_client *c, const struct peer_daemon *d);
void peer_close(struct peer_client *c);
bool peer_send(struct peer_client *c, const void *bytes, size_t n);
/* A line without CR LF, valid until the next call; NULL: the connection has
 * ended. */
const char *peer_line(struct peer_client *c);
/* n bytes of data and CR LF; NULL as above. */
const char *peer_data(struct peer_client *c, size_t n);
uint64_t peer_stat(struct peer_client *c, const char *name); /* UINT64_MAX: none */

/* ---- a process that reads ------------------------------------------------ */

/* Reads until sh->stop, with every read call of libpeek, and judges each
 * answer. Never returns. */
_Noreturn void peer_read_forever(
    struct peer_shared *sh, const char *name, unsigned open_flags, unsigned seed);

static inline void
peer_begin_anew(struct peer_shared *sh, uint32_t key)
{
	sh->begun_anew[key]++;
	sh->floor[key] = 0;
}

void peer_waits_add(struct peer_waits *to, const struct peer_waits *w);

/*
 * True: the bounds hold. Of ten million reads none slept (one that asks a new
 * daemon for the hint page enters the kernel, which has locks), and not more
 * than one was over the budget, as a virtual machine's own pauses make it. A
 * defect that makes reads wait for a writer shows at each kill inside an
 * update; one that makes them wait for an answer, at each start.
 * test_lib_daemon has that for certain.
 */
bool peer_waits_hold(const struct peer_waits *w, uint64_t n_reads);

/* Lines of a table, `before` at the beginning of each. */
void peer_waits_print(const struct peer_waits *w, const char *before);

uint64_t peer_now_ns(void);

#endif
