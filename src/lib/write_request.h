/*
 * write_request.h: write requests: a meta request's flags, and the errno that a
 * reply means.
 */
#ifndef PEEK_LIB_WRITE_REQUEST_H
#define PEEK_LIB_WRITE_REQUEST_H

#include "lib/handle.h"

#define REQUEST_FLAGS_CAP 96
#define REQUEST_TAGS_CAP  (2 + WIRE_TAGS_MAX * (WIRE_TAG_MAX + 1))
#define REQUEST_LINE_CAP  (WIRE_KEY_B64_MAX + 32 + REQUEST_FLAGS_CAP)

/* The conditions of a store, from which the letters of a meta request and the
 * meaning of its refusal follow. */
struct request_store {
	char mode; /* of the meta flag M: S E R A P */
	bool has_cas;
	uint64_t cas;
	uint32_t ttl_s; /* 0: never expires; append and prepend don't send it */
	uint32_t flags;
};

/* Writes the flags of `ms` for a store into buf of REQUEST_FLAGS_CAP bytes. */
void request_store_flags(const struct request_store *s, char *buf);

/* Writes "T<ttl>", which the daemon takes as relative, whatever its size.
 * Returns the end. */
char *request_put_ttl(char *buf, uint32_t ttl_s);

/*
 * The result of a write: 0, or the errno that a reply means. It is one that
 * peek.h lists for the function. kind: a store's mode, or C (cas), D (delete),
 * T (touch), N (incr, decr), F (flush), L (lease), U (unlease).
 */
int request_verdict(const struct wire_reply *re, char kind);

/* Writes "G<tag>,<tag>..." into buf of REQUEST_TAGS_CAP bytes. False: too many
 * tags, or a name that is not allowed. n_tags at least 1. */
bool request_put_tags(char *buf, const char *const *tags, size_t n_tags);

/* The kind of a store, for request_verdict. */
char request_kind(const struct request_store *s);

#endif
