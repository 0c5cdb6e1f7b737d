/*
 * cmd_private.h: what the files that carry out verbs share. The function of a
 * verb takes a request of that verb's shape, which the peer may make.
 */
#ifndef PEEKD_CMD_PRIVATE_H
#define PEEKD_CMD_PRIVATE_H

#include "daemon/verbs/cmd.h"

#define CMD_STATS_WORK 256 /* keys that could be looked up while all counters are printed */

static inline void
cmd_count(struct cmd *cmd, enum shm_stat stat)
{
	cmd->stat[stat]++;
}

static inline struct store_key
cmd_key(const struct cmd *cmd, const struct wire_str *key)
{
	return (struct store_key){key->p, key->len, store_hash(cmd->store, key->p, key->len)};
}

/* cmd_refuse.c: a set, or an ms in any mode, could not store. Removes the old
 * value, which a client would take for the new one. */
void cmd_drop_old(struct cmd *cmd, const struct wire_request *req);

/* cmd_expiry.c: a request's exptime on the segment's clock: 0 never, 1 has
 * passed. */
uint32_t cmd_expiry(const struct cmd *cmd, int64_t exptime);

/* Seconds left: -1 never. */
static inline int64_t
cmd_ttl(const struct cmd *cmd, uint32_t expiry_s)
{
	if (expiry_s == 0)
		return -1;
	return expiry_s > cmd->now_s ? (int64_t)(expiry_s - cmd->now_s) : 0;
}

/* Seconds since the item was accessed. */
static inline uint32_t
cmd_age(const struct cmd *cmd, const struct store_item *item)
{
	return cmd->now_s > item->last_access_s ? cmd->now_s - item->last_access_s : 0;
}

/* cmd_classic.c */
enum cmd_result cmd_get(
    struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out);
void cmd_store(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_delete(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_arith(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_touch(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_flush(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);

/* cmd_tags.c */
void cmd_invalidate(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);

/* The word of tags that ms asks for with G: store_tags. */
uint64_t cmd_tags(const struct wire_request *req);

/* cmd_mg.c, cmd_ms.c. level: a peer that may only read is never made the winner
 * of a stale item, since it can't store a new value. */
void cmd_mg(
    struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out);
void cmd_ms(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_md(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_ma(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_me(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);

/* cmd_stats.c */
void cmd_stats(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);
void cmd_dump(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);

/* cmd_crawl.c: CMD_AGAIN after each slice; *cursor as for cmd_get. */
enum cmd_result cmd_crawl(
    struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out);
enum cmd_result cmd_cachedump(
    struct cmd *cmd, const struct wire_request *req, uint32_t *cursor, struct wire_out *out);

/* metrics.c: calls cmd_stats.c */
void cmd_metrics(struct cmd *cmd, struct wire_out *out);

#endif
