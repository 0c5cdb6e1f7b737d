/*
 * replies.c: the rows of replies.def as a table, and the way from a line to its
 * row.
 */
#include <errno.h>

#include "wire/parse.h"

const struct wire_reply_info wire_replies[WIRE_N_REPLIES] = {
    [WIRE_RE_NONE] = {.text = ""},
#define REPLY(id, kind, text, args, error, status, help) \
	[WIRE_RE_##id] = { \
	    text, sizeof(text) - 1, sizeof(args) > 1, WIRE_KIND_##kind, -(error), status},
#include "wire/replies.def"
#undef REPLY
};

/* An error's text is the whole line, unless arguments follow. */
static bool
is_error_line(const struct wire_reply_info *row, const char *line, size_t len)
{
	if (len < row->text_len || memcmp(line, row->text, row->text_len) != 0)
		return false;
	return len == row->text_len || (row->has_args && line[row->text_len] == ' ');
}

enum wire_code
wire_reply_find(const struct wire_str *word, const char *end)
{
	for (unsigned code = WIRE_RE_NONE + 1; code < WIRE_N_REPLIES; code++) {
		const struct wire_reply_info *row = &wire_replies[code];
		if (row->kind >= WIRE_KIND_ERROR
			? is_error_line(row, word->p, (size_t)(end - word->p))
			: wire_word_is(word, row->text, row->text_len))
			return (enum wire_code)code;
	}
	return WIRE_RE_NONE;
}
