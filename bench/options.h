/*
 * options.h: every option of peekbench, one row each. The parser and the help
 * come from these rows.
 *
 * OPTION(kind, field, name, letter, argument, default, commands, help)
 *   kind      COUNT (suffixes k, m, g: 2^10, 2^20, 2^30; a % where the help
 *             says so), REAL, TEXT, FLAG
 *   commands  the groups of commands that take it, a bit for each
 */
#ifndef PEEK_BENCH_OPTIONS_H
#define PEEK_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FOR_LOAD = 1,
	FOR_REPLAY = 2,
	FOR_FILL = 4,
	FOR_GEN = 8,
	FOR_GATE = 16,
	FOR_HINTS = 32,
};

#define OPTIONS(OPTION) \
	OPTION(TEXT, name, "name", 'n', "NAME", NULL, FOR_LOAD, \
	    "read this running instance; without it: a segment of its own, with the engine in " \
	    "this process") \
	OPTION(FLAG, engine, "engine", 0, NULL, 0, FOR_LOAD, \
	    "a segment of its own, also if -n is given") \
	OPTION(COUNT, keys, "keys", 'k', "N", 1000000, FOR_LOAD, "how many keys") \
	OPTION(COUNT, key_bytes, "key-bytes", 0, "N", 24, FOR_LOAD, "length of a key, 8 to 250") \
	OPTION(COUNT, value_bytes, "value-bytes", 0, "N", 100, FOR_LOAD, "length of a value") \
	OPTION(COUNT, readers, "readers", 'r', "N", 1, FOR_LOAD, \
	    "processes that read at the same time") \
	OPTION(REAL, seconds, "seconds", 't', "S", 2, FOR_LOAD, "how long") \
	OPTION(REAL, zipf, "zipf", 'z', "A", 0, FOR_LOAD, \
	    "keys by Zipf's law with this exponent (0.99 is usual); 0: uniform") \
	OPTION(COUNT, batch, "batch", 'b', "N", 64, FOR_LOAD, \
	    "keys of one mget, or sets of one flush") \
	OPTION(TEXT, writer, "writer", 'w', "RATE", NULL, FOR_LOAD, \
	    "beside the readers one writer: sets a second, or `flat' out") \
	OPTION(FLAG, same_keys, "same-keys", 0, NULL, 0, FOR_LOAD, \
	    "the writer rewrites the keys that are read; without it: others") \
	OPTION(FLAG, no_hints, "no-hints", 0, NULL, 0, FOR_LOAD, "open with PEEK_NO_HINTS") \
	OPTION(FLAG, no_fill, "no-fill", 0, NULL, 0, FOR_LOAD, \
	    "the keys are there already (an earlier run with -n)") \
	OPTION(TEXT, trace, "trace", 'f', "FILE", NULL, FOR_REPLAY, \
	    "16-byte records, plain or zstd; - is standard input") \
	OPTION(TEXT, profile, "profile", 'p', "NAME", NULL, FOR_REPLAY | FOR_GEN, \
	    "a generated trace in place of a file") \
	OPTION(COUNT, requests, "requests", 0, "N", 2000000, FOR_REPLAY | FOR_GEN, \
	    "length of the generated trace") \
	OPTION(TEXT, entries, "entries", 'e', "N|P%", NULL, FOR_REPLAY, \
	    "room for so many items of one size (or so much of the trace's keys)") \
	OPTION(TEXT, bytes, "bytes", 0, "N|P%", NULL, FOR_REPLAY, \
	    "room for so many bytes, items of the trace's sizes") \
	OPTION(TEXT, hints, "hints", 'H', "KIND", "on", FOR_REPLAY, \
	    "on, off (all lost), lossy (10 % lost), hostile") \
	OPTION(FLAG, compare, "compare", 'c', NULL, 0, FOR_REPLAY, \
	    "exact LRU, S3-FIFO with fixed queues and Belady beside it") \
	OPTION(TEXT, socket, "socket", 0, "PATH", NULL, FOR_REPLAY, \
	    "replay against a memcached on this socket instead") \
	OPTION(TEXT, mix, "mix", 'x', "NAME", NULL, FOR_FILL, "one size mix; without it: all") \
	OPTION(TEXT, pattern, "pattern", 0, "NAME", NULL, FOR_FILL, \
	    "fill, overwrite, shift, ttl or big; without it: all but big") \
	OPTION(COUNT, arena, "arena", 'm', "BYTES", 256u << 20, FOR_FILL, "memory for items") \
	OPTION(COUNT, items, "items", 0, "N", 10000000, FOR_FILL, "items of the pattern `big'") \
	OPTION(COUNT, hot, "hot", 0, "N", 2000, FOR_HINTS, "how many keys") \
	OPTION(COUNT, rounds, "rounds", 0, "N", 301, FOR_HINTS, "with hints and without, in turn") \
	OPTION(COUNT, gets, "gets", 0, "N", 100000, FOR_GATE, "gets in the counted loop") \
	OPTION( \
	    FLAG, steps, "steps", 0, NULL, 0, FOR_GATE, "count them here, by single steps (slow)") \
	OPTION(COUNT, seed, "seed", 's', "N", 1, \
	    FOR_LOAD | FOR_REPLAY | FOR_FILL | FOR_GEN | FOR_HINTS, "of everything random") \
	OPTION(FLAG, json, "json", 'j', NULL, 0, FOR_LOAD | FOR_REPLAY | FOR_FILL | FOR_HINTS, \
	    "one JSON object a result")

struct options {
#define OPTION_TYPE_COUNT uint64_t
#define OPTION_TYPE_REAL  double
#define OPTION_TYPE_TEXT  const char *
#define OPTION_TYPE_FLAG  bool
#define OPTION_FIELD(kind, field, name, letter, argument, preset, commands, help) \
	OPTION_TYPE_##kind field;
	OPTIONS(OPTION_FIELD)
#undef OPTION_FIELD
};

/* Fills in the defaults and reads argv[1] .. for a command of this group.
 * Returns 0; 1: --help was given; -1: an option is wrong, which was printed. */
int options_parse(int argc, char **argv, unsigned group, struct options *ret);
void options_help(unsigned group);

/* Parses a count with a suffix, or a share of `whole` with a %. False: the text
 * is neither. */
bool options_amount(const char *text, uint64_t whole, uint64_t *ret);

#endif
