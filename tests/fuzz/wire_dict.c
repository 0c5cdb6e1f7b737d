/*
 * wire_dict.c: prints a fuzzer's dictionary: every verb of verbs.def, and what
 * stands in its lines.
 */
#include <stdio.h>

static const char *const verbs[] = {
#define VERB(id, name, shape, access, words_min, words_max, noreply, args, help) name,
#include "wire/verbs.def"
#undef VERB
};

static const char *const words[] = {
    " noreply",
    "\\x0d\\x0a",
    "\\x0a",
    " k",
    " 0 0 1\\x0d\\x0ax\\x0d\\x0a",
    " 0 0 0\\x0d\\x0a\\x0d\\x0a",
    " -1",
    " 4294967296",
    " 2147483645",
    " 18446744073709551616",
    " +1",
    " b",
    " bl",
    " Zm9v b",
    " T30",
    " N30",
    " R30",
    " C1",
    " E1",
    " D1",
    " J1",
    " F1",
    " MA",
    " ME",
    " MX",
    " Oabc",
    " q",
    " I",
    " x",
    " HTTP/1.1",
    " graceful",
    " reset",
    "VA 1 ",
    "VALUE k 0 1",
    "HD c1",
    "\\x80",
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("\"%s \"\n", verbs[i]);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		printf("\"%s\"\n", words[i]);
	return 0;
}
