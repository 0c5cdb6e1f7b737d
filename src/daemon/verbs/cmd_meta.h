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

/* The flags that come back as they were sent, whatever the reply. */
#define CMD_SENT_FLAGS (WIRE_HAS('O') | WIRE_HAS('k'))

/* The item that a reply tells of. */
struct cmd_shown {
	struct store_item *item; /* N and T set its expiry_s when they are met */
	uint64_t letters;        /* WIRE_HAS(letter) of each flag that counts in this reply */
	bool created;            /* N made the item */
	bool key_encoded;        /* k shows the key in base64, with the b that says so */
	bool won;                /* set where R makes the client the winner */
};

/* Writes the flags at p in the order in which they were sent; returns the
 * end. */
char *cmd_put_flags(
    const struct cmd *cmd, const struct wire_request *req, struct cmd_shown *shown, char *p);

/* The beginning of a reply with an item: VA and the value's length, or HD. */
static inline char *
cmd_put_head(char *p, bool with_value, uint64_t value_bytes)
{
	if (!with_value)
		return wire_reply_text(p, WIRE_RE_HD);
	p = wire_reply_text(p, WIRE_RE_VA);
	*p++ = ' ';
	return wire_digits(p, value_bytes);
}

/* A reply without a value: the code and the flags. */
void cmd_put_shown(const struct cmd *cmd, const struct wire_request *req, enum wire_code code,
    struct cmd_shown *shown, struct wire_out *out);

/* A reply that has no item to tell of. */
void cmd_put_bare(const struct cmd *cmd, const struct wire_request *req, enum wire_code code,
    struct wire_out *out);

/*
 * Creates the item that N asks for on a miss, with a value and state bits.
 * False: the item can't be made, and the error has been answered. *ret is what
 * a reply shows before its flags are read (N and T set the time, in their
 * order). It is no item of the store's.
 */
bool cmd_vivify(struct cmd *cmd, const struct wire_request *req, const struct store_key *key,
    const void *value, uint32_t value_bytes, uint32_t state, struct store_item *ret,
    struct wire_out *out);

#endif
