/*
 * verbs.c: the rows of verbs.def as a table, and the way from a word to its
 * row.
 */
#include "wire/parse.h"

const struct wire_verb_info wire_verbs[WIRE_N_VERBS] = {
#define VERB(id, name, shape, access, words_min, words_max, noreply, args, help) \
	[WIRE_##id] = {name, WIRE_SHAPE_##shape, WIRE_ACCESS_##access, words_min, words_max, \
	    noreply, args, help},
#include "wire/verbs.def"
#undef VERB
};

const char *
wire_access_name(enum wire_access access)
{
	static const char *const names[] = {"read", "write", "admin"};

	return names[access];
}

enum wire_verb
wire_verb_find(const char *p, size_t len, size_t readable)
{
	uint64_t want[2] = {0, 0};

	if (len == 0 || len >= sizeof(want))
		return WIRE_N_VERBS;
	if (len < 8 && readable >= 8) { /* one load; bytes behind the word are masked off */
		memcpy(want, p, 8);
		want[0] &= (UINT64_C(1) << (8 * len)) - 1;
	} else {
		memcpy(want, p, len);
	}
	for (unsigned v = 0; v < WIRE_N_VERBS; v++) {
		uint64_t have[2];
		memcpy(have, wire_verbs[v].name, sizeof(have));
		if (((have[0] ^ want[0]) | (have[1] ^ want[1])) == 0)
			return (enum wire_verb)v;
	}
	return WIRE_N_VERBS;
}
