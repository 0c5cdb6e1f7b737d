/* snapshot_words.c: snapshot jobs in words: requests, `stats snapshot`, the
 * sentence for the log. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/host/log.h"
#include "daemon/snapshot/snapshot.h"

static const char *
snapshot_words_explain(int error)
{
	switch (error) {
	case -EBADMSG:
		return "it is no snapshot, or damaged";
	case -ENODATA:
		return "it is cut short";
	case -EPROTO:
		return "it is a snapshot of another version";
	case -ESTALE:
		return "it is older than snapshot_max_age allows";
	case -EINVAL:
		return "it is no plain file";
	case -EACCES:
	case -EROFS:
		return "the daemon can't reach it: its user or its sandbox (ProtectHome=, "
		       "PrivateTmp=, "
		       "ReadWritePaths= of a unit) decides; /var/lib/peekd is a service's own";
	case -EEXIST:
		return "the file that is there is no snapshot, and is left alone";
	default:
		return strerror(-error);
	}
}

void
snapshot_describe(const struct snapshot *s, char *buf, size_t cap)
{
	const struct snapshot_result *r = snapshot_result(s);

	switch (r->state) {
	case SNAPSHOT_SAVED:
		snprintf(buf, cap, "%" PRIu64 " items saved in %" PRIu64 " bytes", r->items,
		    r->file_bytes);
		return;
	case SNAPSHOT_LOADED:
		snprintf(buf, cap,
		    "%" PRIu64 " items loaded (not loaded: %" PRIu64 " expired, %" PRIu64
		    " that are there already, %" PRIu64 " for which there is no room)%s%s",
		    r->items, r->expired, r->kept, r->refused,
		    r->error != 0 ? "; the rest of the file is not loaded: " : "",
		    r->error != 0 ? snapshot_words_explain(r->error) : "");
		return;
	case SNAPSHOT_FAILED:
		if (r->whole_items > 0)
			snprintf(buf, cap, "%s; %" PRIu64 " items before that are whole",
			    snapshot_words_explain(r->error), r->whole_items);
		else
			snprintf(buf, cap, "%s", snapshot_words_explain(r->error));
		return;
	default:
		snprintf(buf, cap, "%" PRIu64 " items so far", r->items);
	}
}

void
snapshot_request(struct snapshot *s, const struct wire_request *req, int *passed_fd,
    int64_t now_unix_s, struct wire_out *out)
{
	unsigned char path[WIRE_LINE_MAX + 1];
	struct snapshot_source file = {.path = (const char *)path, .fd = -1};
	bool passed = req->word.len > 0 && req->word.p[0] == '-';
	size_t len;
	int64_t job;

	if (!wire_urldecode(req->word.p + passed, req->word.len - passed, path, &len) ||
	    len >= PATH_MAX || memchr(path, '\0', len) != NULL) {
		wire_put_reply(out, WIRE_RE_BAD_PATH);
		return;
	}
	path[len] = '\0';
	if (passed && *passed_fd < 0) {
		wire_put_reply(out, WIRE_RE_NO_FD);
		return;
	}
	if (passed) {
		file.fd = *passed_fd;
		*passed_fd = -1;
	}
	log_info("%s %s%s", wire_verbs[req->verb].name, (const char *)path,
	    passed ? ", which the client has opened" : "");
	if (req->verb == WIRE_PEEK_SAVE)
		job = snapshot_save(s, &file, now_unix_s);
	else
		job = snapshot_load(s, &file,
		    SNAPSHOT_KEEP | (req->verb == WIRE_PEEK_LOAD_PART ? SNAPSHOT_PARTIAL : 0u),
		    now_unix_s);
	if (job > 0)
		wire_put_reply_words(out, WIRE_RE_NUMBER, "%" PRId64, job);
	else if (job == -EBUSY)
		wire_put_reply(out, WIRE_RE_SNAPSHOT_BUSY);
	else if (job == -EINVAL)
		wire_put_reply(out, WIRE_RE_NOT_ABSOLUTE);
	else
		wire_put_reply_words(out, WIRE_RE_SERVER_ERROR, "%s", strerror((int)-job));
}

void
snapshot_put_stats(const struct snapshot *s, struct wire_out *out)
{
	static const char *const states[] = {
	    "none", "saving", "loading", "saved", "loaded", "failed"};
	const struct snapshot_result *r = snapshot_result(s);
	char words[512];

	snapshot_describe(s, words, sizeof(words));
	wire_put_stat_u64(out, "job", r->job);
	wire_put_stat_str(out, "state", states[r->state]);
	wire_put_stat_u64(out, "items", r->items);
	wire_put_stat_u64(out, "expired", r->expired);
	wire_put_stat_u64(out, "kept", r->kept);
	wire_put_stat_u64(out, "refused", r->refused);
	wire_put_stat_u64(out, "whole_items", r->whole_items);
	wire_put_stat_u64(out, "file_bytes", r->file_bytes);
	wire_put_stat_str(out, "words", words);
}
