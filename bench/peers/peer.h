/*
 * peer.h: the functions of an adapter. One process opens one peer, so adapters
 * keep their state in static variables.
 *
 * Keys have one length and values have one length in a run. Adapters are
 * compiled when what they need is installed; the table in main.c names them
 * all.
 */
#ifndef PEEK_BENCH_PEER_H
#define PEEK_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer_conf {
	uint64_t n_keys;
	uint32_t key_bytes, value_bytes;
	const char *dir;   /* private folder in memory: files, sockets; removed afterwards */
	const char *peekd; /* the daemon's program */
};

/* Set by the driver before open. */
extern struct peer_conf peer_conf;

enum {
	/* children of the process that opened it may read at the same time, and
	 * each in its own right */
	PEER_SHARED = 1,
	PEER_SOCKET = 2, /* every operation is a system call or more: fewer are timed */
	PEER_DAEMON = 4, /* the same of its sets alone */
};

/*
 * Keys lie one behind the other, key_bytes each, values likewise. Functions
 * that are NULL are not compared. get copies the value out and returns its
 * length, or -1: no such key, or -2: it failed.
 */
struct peer {
	const char *name;
	const char *about;
	unsigned flags;
	int (*open)(void); /* 0, or a negative errno */
	ssize_t (*get)(const void *key, void *value);
	size_t (*get_many)(const void *keys, size_t n, void *values); /* hits */
	/* its first and last whole 8 bytes */
	bool (*view)(const void *key, uint64_t *ret_first, uint64_t *ret_last);
	int (*set)(const void *key, const void *value);
	int (*set_many)(const void *keys, size_t n, const void *values); /* pipelined */
	void (*close)(void);
	/* a child of a PEER_SHARED peer's process begins; NULL: nothing to
	 * do */
	void (*child)(void);
};

/* An adapter's records, each a key and then its value. Freed records are used
 * again, the oldest first. */
struct pool;
void pool_open(uint64_t n_records, size_t record_bytes);
void *pool_take(void);
void pool_give(void *record);

/* Starts a program that listens on the Unix socket at path; waits until it
 * answers. Its pid, or -1. It ends with this process. */
pid_t server_start(const char *const argv[], const char *path, int *ret_fd);
void server_end(pid_t pid);
/* Connects to a Unix socket. The descriptor, or -1. */
int server_dial(const char *path);

/* Whole transfers. 0 or -1. */
int server_send(int fd, const void *buf, size_t n);

/* Buffered input. */
struct stream {
	int fd;
	size_t at, end;
	char buf[1 << 20];
};
/* n bytes, valid until the next call; NULL: the peer hung up. n <=
 * sizeof(buf). */
const char *stream_bytes(struct stream *s, size_t n);
/* The next line, without its CR LF. */
const char *stream_line(struct stream *s, size_t *ret_len);
/* Takes n lines. 0; -EIO: one of them differs from this line. */
int stream_expect(struct stream *s, size_t n, const char *line);

#ifdef __cplusplus
}
#endif

#endif
