/*
 * request.h: what writes have in common: a meta request's flags, and the errno
 * that a reply means.
 */
#ifndef PEEK_LIB_REQUEST_H
#define PEEK_LIB_REQUEST_H

#include "lib/handle.h"

#define REQUEST_FLAGS_CAP 96
#define REQUEST_LINE_CAP  (WIRE_KEY_B64_MAX + 32 + REQUEST_FLAGS_CAP)

/* What a store's conditions are, for the letters of a meta request and the
 * meaning of its refusal. */
struct request_store {
	char mode; /* of meta M: S E R A P */
	bool has_cas;
	uint64_t cas;
	uint32_t ttl_s; /* 0: never, or not sent with append and prepend */
	uint32_t flags;
};

/* Flags of `ms` for a store, into buf of REQUEST_FLAGS_CAP bytes. */
void request_store_flags(const struct request_store *s, char *buf);

/* "T<ttl>" as the wire has it: relative, whatever its size. Returns the end. */
char *request_put_ttl(char *buf, uint32_t ttl_s);

/*
 * The result of a write: 0, or the errno that a reply means; of these only
 * those that peek.h lists for the function. kind: a store's mode, and C (cas),
 * D (delete), T (touch), N (incr, decr), F (flush).
 */
int request_verdict(const struct wire_reply *re, char kind);

/* The kind of a store. */
char request_kind(const struct request_store *s);

#endif
