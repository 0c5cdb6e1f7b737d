/*
 * commands.h: the commands of peekbench. Each returns the program's exit
 * status. 0: done; 1: it failed, or found a wrong value; 2: wrong arguments.
 */
#ifndef PEEK_BENCH_COMMANDS_H
#define PEEK_BENCH_COMMANDS_H

#include "options.h"

int command_get(const struct options *o);
int command_mget(const struct options *o);
int command_view(const struct options *o);
int command_place(const struct options *o);
int command_same(const struct options *o);
int command_set(const struct options *o);
int command_mixed(const struct options *o);
int command_miss(const struct options *o);
int command_replay(const struct options *o);
int command_fill(const struct options *o);
int command_gen(const struct options *o);
int command_hints(const struct options *o);
int command_gate(const struct options *o);

#define COMMANDS(COMMAND) \
	COMMAND(get, FOR_LOAD, "keys that are there, one by one") \
	COMMAND(mget, FOR_LOAD, "the same in batches") \
	COMMAND(view, FOR_LOAD, "the same without a copy") \
	COMMAND(place, FOR_LOAD, "the place of each key's item, without its value") \
	COMMAND(same, FOR_LOAD, "whether each key's item is still at its place") \
	COMMAND(miss, FOR_LOAD, "keys that aren't there") \
	COMMAND(set, FOR_LOAD, "rewriting keys; over the socket in batches if --batch is above 1") \
	COMMAND(mixed, FOR_LOAD, "95 gets and 5 sets in 100") \
	COMMAND(replay, FOR_REPLAY, \
	    "a trace through the engine and libpeek: GET, and SET after a miss") \
	COMMAND(fill, FOR_FILL, "how much of the memory the items get, and what a SET may cost") \
	COMMAND(gen, FOR_GEN, "write a generated trace to the standard output") \
	COMMAND(hints, FOR_HINTS, \
	    "what a hint adds to a hit: two processes on a few hot keys, with hints and without " \
	    "in turn") \
	COMMAND(gate, FOR_GATE, \
	    "a fixed loop of gets, whose instructions callgrind or --steps counts")

#endif
