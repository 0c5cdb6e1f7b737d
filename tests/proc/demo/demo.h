/*
 * demo.h: the parts of `make demo`.
 *
 *   corpus.c   every regular file below a folder, in memory
 *   daemon.c   a peekd of our own: start, kill, end, tidy up
 *   work.c     what the child processes do: read and compare, rewrite
 *   main.c     the course of events, and what is printed
 *
 * A key is a file's path, its value the file's content. One key in
 * REWRITE_EVERY is rewritten all the time, in turn with the content and with
 * its complement (every bit inverted), so that a value that mixes two writes
 * matches neither.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "peek.h"

#define REWRITE_EVERY 8
#define READERS_MAX   16

/* ---- corpus.c ---- */

struct file {
	char *path; /* the key */
	uint32_t path_len;
	uint32_t len;
	unsigned char *bytes;
};

struct corpus {
	struct file *files;
	size_t n;
	uint64_t bytes;
	unsigned n_large, n_long_path, n_unreadable, n_no_room; /* left out, by reason */
	uint32_t longest;
};

/* Reads every regular file below dir, in the order of their paths, of at most
 * len_max bytes each and bytes_max in all. */
int corpus_read(const char *dir, uint32_t len_max, uint64_t bytes_max, struct corpus *ret);
void corpus_free(struct corpus *c);

/* ---- shared between the processes ---- */

enum { FORM_FILE, FORM_COMPLEMENT, FORM_UNKNOWN };

#define HIST_BUCKETS (64 * 16)

struct tally {
	_Atomic uint64_t reads, bytes, wrong, missing, busy, failed;
	_Atomic uint64_t longest_ns; /* since it was last set to 0 */
	_Atomic uint64_t hist[HIST_BUCKETS];
};

struct shared {
	_Atomic bool stop;
	_Atomic bool ready[READERS_MAX + 1];
	_Atomic uint64_t writes, writes_refused, writes_lost;
	_Atomic uint64_t write_at_ns; /* when the last one was acknowledged */
	struct tally tally[READERS_MAX];
	_Atomic unsigned char form[]; /* of each file: what was acknowledged last */
};

uint64_t now_ns(void);

void tally_add(struct tally *t, uint64_t ns, uint32_t bytes);
/* The p-th part of all reads took at most so long. */
uint64_t tally_quantile(const struct tally *t, unsigned n, double p);

/* ---- daemon.c ---- */

struct daemon {
	const char *program;
	char name[48];
	char dir[96]; /* private: socket and log */
	char socket[108];
	char log[108];
	uint64_t megabytes;
	uint64_t item_max_bytes;
	pid_t pid; /* 0: not running */
};

int daemon_prepare(struct daemon *d, const char *program);
/* Starts it and waits until it answers. -ETIMEDOUT, -ECHILD: it ended; its log
 * is printed. */
int daemon_start(struct daemon *d);
/* SIGKILL, and waits for its end. */
void daemon_kill(struct daemon *d);
/* SIGTERM; removes everything that it made. Safe to call twice. */
void daemon_tidy(struct daemon *d);
/* A blocking connection to its socket, or a negative errno. */
int daemon_connect(const struct daemon *d);

/* ---- work.c ---- */

/* Reads at random until sh->stop, compares, and counts in tally slot `self`.
 * Does not return. */
void work_read(const char *name, const struct corpus *c, struct shared *sh, unsigned self)
    __attribute__((noreturn));
/* Rewrites until sh->stop. Does not return. */
void work_write(const char *name, const struct corpus *c, struct shared *sh)
    __attribute__((noreturn));

/* One process, `seconds` long, the same keys in the same order: through shared
 * memory, or through the socket. Counts in t. 0, or a negative errno. */
int work_alone(const struct daemon *d, const struct corpus *c, bool through_socket, double seconds,
    struct tally *t);

/* Reads every key once and compares it with the form that was acknowledged
 * last. Counts in t. */
int work_check_all(
    const char *name, const struct corpus *c, const struct shared *sh, struct tally *t);

#endif
