/*
 * cmd_meta.h: the pieces of a meta reply. Its flags stand in the order in which
 * they were asked for; Z, X and W come last.
 */
#ifndef PEEKD_CMD_META_H
#define PEEKD_CMD_META_H

#include "daemon/verbs/cmd_private.h"

/* A line: code, length, every flag once at its longest (O and its token), the
 * key, encoded if need be. */
#define CMD_META_LINE_MAX (64 + 2 + WIRE_KEY_B64_MAX + 2 + WIRE_FLAGS_MAX * (1 + WIRE_OPAQUE_MAX))
_Static_assert(CMD_META_LINE_MAX <= WIRE_REPLY_LINE_MAX, "a client's limit for lines");

static inline bool
cmd_given(const struct wire_request *req, char letter)
{
	return (req->given & WIRE_HAS(letter)) != 0;
}

static inline char *
cmd_put_flag(char *p, char letter, uint64_t v)
{
	*p++ = ' ';
	*p++ = letter;
	return wire_digits(p, v);
}

static inline char *
cmd_put_ttl(char *p, int64_t ttl_s)
{
	if (ttl_s >= 0)
		return cmd_put_flag(p, 't', (uint64_t)ttl_s);
	memcpy(p, " t-1", 4);
	return p + 4;
}

/* The key encoded, with the b that says so, or as it is. */
static inline char *
cmd_put_key(char *p, const struct wire_str *key, bool encoded)
{
	memcpy(p, " k", 2);
	p += 2;
	if (!encoded) {
		memcpy(p, key->p, key->len);
		return p + key->len;
	}
	p = wire_base64(p, key->p, key->len);
	memcpy(p, " b", 2);
	return p + 2;
}

static inline char *
cmd_put_opaque(char *p, const struct wire_flag *f)
{
	memcpy(p, " O", 2);
	memcpy(p + 2, f->token, f->len);
	return p + 2 + f->len;
}

static inline char *
cmd_put_word(char *p, const char *blank_and_letter)
{
	memcpy(p, blank_and_letter, 2);
	return p + 2;
}

/* A reply that has no item to tell of: the code, and what was sent along. */
void cmd_put_bare(const struct wire_request *req, enum wire_code code, struct wire_out *out);

/*
 * Creates the item that N asks for on a miss, with a value and state bits.
 * False: it can't be, and the error has been answered. *ret has what a reply
 * shows before its flags are looked at (N and T set the time, in their order),
 * and is no item of the store's.
 */
bool cmd_vivify(struct cmd *cmd, const struct wire_request *req, const struct store_key *key,
    const void *value, uint32_t value_bytes, uint32_t state, struct store_item *ret,
    struct wire_out *out);

#endif
