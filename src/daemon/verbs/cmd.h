/*
 * cmd.h: verbs to store calls: a request value in, reply bytes out. It never
 * sees a connection, an input buffer or an event, and reads no clock.
 *
 * How a server drives it, for each connection:
 *
 *   status = wire_parse(in, in_len, scanned, &req)
 *   WIRE_MORE   read on (scanned = in_len); nothing more to do for now
 *   WIRE_DATA   cmd_admit(cmd, level, &req, out): true: make room for
 *               req.total_bytes in all and read on; false: its reply, if any,
 *               is in out: drop req.total_bytes without keeping them. Ask
 *               once for each request
 *   WIRE_BAD    cmd_bad(cmd, &req, out); drop req.total_bytes
 *   WIRE_CLOSE  close; out that is not yet sent may be dropped
 *   WIRE_OK     cmd_execute(cmd, level, &req, &cursor, out), with cursor 0 at
 *               first:
 *     CMD_DONE      consume req.total_bytes; cursor = 0; go on
 *     CMD_AGAIN     out holds more than cmd->reply_bytes_max: send it, and call
 *                   again when it is (nearly) empty. Or the batch's work is
 *                   done: call again when the others had their turn. The call
 *                   gets the same cursor and the same request, in which `line`
 *                   is the one pointer that must be right. No request behind
 *                   this one may run before it is done
 *     CMD_FLUSH     as CMD_DONE, and send what is in out at once (mn)
 *     CMD_CLOSE     close; send out first, nothing pipelined behind runs
 *     CMD_SHUTDOWN  end the daemon: nothing is answered
 *     CMD_ATTACH    peek_attach: req.number is the epoch that the reader saw.
 *                   The server answers: wire_put_attached and the hint page's
 *                   descriptor, or WIRE_RE_NO_HINT_PAGE. Then as CMD_DONE
 *     CMD_RING      peek_ring: req.number is the version of ring.h that the
 *                   client knows. The server answers: wire_put_ring and a new
 *                   ring's descriptor, or WIRE_RE_NO_RING. Then as CMD_DONE
 *     CMD_SNAPSHOT  peek_save, peek_load, peek_load_part: the server answers.
 *                   Then as CMD_DONE
 *
 * Values are copied into out at once, so a reply keeps the value it began with.
 * Before a batch of requests the server sets now_s, now_unix_s, now_ms, owner
 * and work (0), and calls store_tick. One thread.
 */
#ifndef PEEKD_CMD_H
#define PEEKD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/verbs/lease.h"
#include "engine/store.h"
#include "shm/stats.h"
#include "wire/wire.h"

enum stats_part { STATS_SETTINGS, STATS_CONNS, STATS_SNAPSHOT };

/*
 * The parts of `stats` that only the server knows: each call appends
 * wire_put_stat_* lines. The commands call back here, and nowhere else.
 */
struct stats_source {
	void (*put)(void *arg, enum stats_part part, struct wire_out *out);
	void *arg;
};

struct cmd {
	/* ---- set once ---- */
	struct store *store;
	/* the daemon's counters (shm/stats.def): the commands count into the
	 * rows of requests; all of them are what `stats` prints */
	uint64_t *stat;
	size_t reply_bytes_max; /* a multi-get stops between keys when out holds more; 0: never */
	uint64_t limit_maxbytes;
	uint32_t item_max_bytes;
	uint64_t work_max;  /* keys looked up, or what takes as long, in one batch; 0: no limit */
	bool flush_allowed; /* not -F */
	bool evicts;        /* not -M */
	bool shutdown_allowed; /* -A */
	int64_t started_unix_s;
	uint32_t started_s; /* by the segment's clock, which nobody sets */
	long pid;
	const char *name; /* the instance's; "" if it has none */

	struct leases *leases; /* NULL: leases last as long as their items say */
	struct stats_source source;

	/* ---- set before each batch ---- */
	uint32_t now_s; /* the segment's clock */
	int64_t now_unix_s;
	uint64_t now_ms;           /* for leases; from any beginning */
	struct lease_owner *owner; /* the connection's leases */
	uint64_t work;             /* done in this batch; a batch ends where it reaches work_max */
	bool over_tcp; /* the level is that of tcp_access, and errors name the setting */

	/* ---- live ---- */
	unsigned verbosity; /* `verbosity` writes it; the log reads it */
	/* ---- private ---- */
	uint64_t base[SHM_STAT_N]; /* the counters' values at `stats reset` */
};

/* True: the batch has done its work. */
static inline bool
cmd_work_done(const struct cmd *cmd)
{
	return cmd->work_max != 0 && cmd->work >= cmd->work_max;
}

enum cmd_result {
	CMD_DONE,
	CMD_AGAIN,
	CMD_FLUSH,
	CMD_CLOSE,
	CMD_SHUTDOWN,
	CMD_ATTACH,
	CMD_RING,
	CMD_SNAPSHOT
};

/*
 * Carries a request out and appends its reply. *cursor: see above. out->failed
 * means that there was no memory for a reply: the result is then CMD_CLOSE.
 */
enum cmd_result cmd_execute(struct cmd *cmd, enum wire_access level, const struct wire_request *req,
    uint32_t *cursor, struct wire_out *out);

/* True: the data block of a WIRE_DATA request is wanted. False: the request is
 * answered, and the old value is removed if a refusal removes it. */
bool cmd_admit(
    struct cmd *cmd, enum wire_access level, const struct wire_request *req, struct wire_out *out);

/* Answers a WIRE_BAD request. */
void cmd_bad(struct cmd *cmd, const struct wire_request *req, struct wire_out *out);

/*
 * All counters as they are shown and published: cmd->stat, the engine's, and
 * the readers' sums. values: SHM_STAT_N of them.
 */
void cmd_collect(const struct cmd *cmd, uint64_t *values);

#endif
