/*
 * trace.h: a stream of requests, as an array of 16-byte records (little-endian)
 * without a header, plain or compressed with zstd.
 */
#ifndef PEEK_BENCH_TRACE_H
#define PEEK_BENCH_TRACE_H

#include <stdint.h>

struct trace_record {
	uint32_t key;    /* dense: 0, 1, 2 ... in order of first appearance */
	uint32_t size;   /* key and value bytes, constant for a key; 0: unknown */
	uint32_t time_s; /* since the start; 0: unknown */
	uint32_t ttl_s;  /* 0: none */
};

struct trace {
	struct trace_record *rec;
	uint64_t n;
	uint32_t n_keys;
	/* by key: bytes of key and value; from the size mix `etc` if the trace
	 * has no sizes */
	uint32_t *size_of;
	int has_sizes, has_ttls;
};

/*
 * Reads a whole trace; "-" is standard input. -ENOENT and other errors of open;
 * -EBADMSG: a record isn't whole, or the keys aren't dense; -ENOMEM; -EIO: zstd
 * failed.
 */
int trace_load(const char *path, struct trace *ret);

/* Takes over rec (from malloc) and derives the rest. -EBADMSG -ENOMEM. */
int trace_from_records(struct trace_record *rec, uint64_t n, struct trace *ret);

void trace_free(struct trace *t);

#endif
