/*
 * gen_command.c: writing a generated trace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "gen.h"

int
command_gen(const struct options *o)
{
	const struct gen_profile *p = o->profile != NULL ? gen_profile_find(o->profile) : NULL;

	if (p == NULL || o->requests == 0 || o->requests > UINT32_C(1) << 31) {
		if (p == NULL)
			fprintf(stderr, "peekbench gen: --profile is one of these:\n");
		for (unsigned i = 0; p == NULL && gen_profile_at(i) != NULL; i++)
			fprintf(stderr, "  %-6s %s\n", gen_profile_name(gen_profile_at(i)),
			    gen_profile_help(gen_profile_at(i)));
		if (p == NULL)
			fprintf(stderr,
			    "  equal:KEYS:BYTES  Zipf 0.9 over so many items, each of so many "
			    "bytes\n");
		if (p != NULL)
			fprintf(stderr, "peekbench gen: --requests is 1 to 2^31\n");
		return 2;
	}
	if (isatty(1)) {
		fprintf(stderr,
		    "peekbench gen: the records are binary; send them to a file or a pipe\n");
		return 2;
	}
	struct trace_record *rec = gen_make(p, o->seed, o->requests);
	if (rec == NULL) {
		fprintf(stderr, "peekbench gen: %s\n", strerror(ENOMEM));
		return 1;
	}
	size_t n = fwrite(rec, sizeof(*rec), o->requests, stdout);
	free(rec);
	if (n != o->requests || fflush(stdout) != 0) {
		perror("peekbench gen");
		return 1;
	}
	return 0;
}
