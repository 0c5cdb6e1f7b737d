/*
 * walk.c: see walk.h.
 */
#include "ctl/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"
#include "ctl/control.h"

#define WALK_BATCH        1000 /* items of one peek_dump */
#define PROGRESS_AFTER_NS INT64_C(2000000000)

int
walk_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

int
walk_begin(struct walk *w, struct ctl *c, char *prefix)
{
	static char none[] = "";

	*w = (struct walk){.c = c, .began_ns = now_monotonic_ns()};
	int status = ctl_word(c, prefix != NULL ? prefix : none, &w->prefix);
	if (status == CTL_OK && c->from != NULL)
		status = ctl_word(c, c->from, &w->from);
	if (status == CTL_OK && c->to != NULL)
		status = ctl_word(c, c->to, &w->to);
	return status;
}

static void
show_progress(struct walk *w)
{
	if (w->doing == NULL || w->n_seen % 4096 != 0)
		return;
	if (now_monotonic_ns() - w->began_ns >= PROGRESS_AFTER_NS)
		fprintf(stderr, "\r%" PRIu64 " keys seen, %" PRIu64 " %s ", w->n_seen, w->n_matched,
		    w->doing);
}

void
walk_end(struct walk *w)
{
	if (w->doing != NULL)
		fprintf(stderr, "\r%50s\r", "");
}

/* Nonzero ends the walk. */
static int
pass_on(struct walk *w, const struct walk_entry *e)
{
	const struct wire_str *prefix = &w->prefix, *from = &w->from, *to = &w->to;

	w->n_seen++;
	show_progress(w);
	if (e->key_len < prefix->len || memcmp(e->key, prefix->p, prefix->len) != 0)
		return 0;
	if (from->p != NULL && walk_compare(e->key, e->key_len, from->p, from->len) < 0)
		return 0;
	if (to->p != NULL && walk_compare(e->key, e->key_len, to->p, to->len) >= 0)
		return 0;
	w->n_matched++;
	return w->visit(w->arg, e);
}

static int
visit_scanned(void *arg, const struct peek_entry *from)
{
	const struct peek_info *info = &from->info;
	struct walk_entry e = {
	    from->key, from->key_len, info->value_len, -1, info->ttl_s, info->cas, info->flags};

	return pass_on(arg, &e);
}

int
walk_segment(struct walk *w)
{
	if (ctl_open_segment(w->c) != 0)
		return CTL_ERROR;
	int error = peek_scan(w->c->peek, visit_scanned, w);
	if (error < 0)
		return ctl_error(error == -EAGAIN ? "A bucket is being changed. A running daemon "
						    "finishes that: start it, or try "
						    "again."
						  : NULL,
		    "the walk ended early, and keys may be missing: %s", peek_strerror(error));
	return w->failed;
}

/* ITEM key bytes age ttl cas flags */
static bool
entry_of(const struct wire_reply *re, unsigned char *key, struct walk_entry *ret)
{
	uint64_t number[5] = {0};

	if (re->n_args < 6 || re->arg[0].len > WIRE_REPLY_LINE_MAX ||
	    !wire_urldecode(re->arg[0].p, re->arg[0].len, key, &ret->key_len))
		return false;
	for (unsigned i = 0; i < 5; i++) {
		const struct wire_str *word = &re->arg[i + 1];
		if (word->len == 2 && memcmp(word->p, "-1", 2) == 0)
			number[i] = UINT64_MAX;
		else if (!wire_u64(word->p, word->len, &number[i]))
			return false;
	}
	ret->key = key;
	ret->value_len = number[0];
	ret->age_s = (int64_t)number[1];
	ret->ttl_s = (int64_t)number[2];
	ret->cas = number[3];
	ret->flags = (uint32_t)number[4];
	return true;
}

int
walk_daemon(struct walk *w, bool *ret_denied)
{
	unsigned char key[WIRE_REPLY_LINE_MAX];
	struct wire_reply re;
	struct walk_entry e;
	uint64_t cursor = 0;

	*ret_denied = false;
	if (ctl_connect(w->c) != 0)
		return CTL_ERROR;
	do {
		int error =
		    control_ask(w->c->conn, &re, "peek_dump %" PRIu64 " %d", cursor, WALK_BATCH);
		while (error == 0 && re.code == WIRE_RE_ITEM) {
			if (!entry_of(&re, key, &e))
				return ctl_error(
				    NULL, "the daemon's answer is not in the protocol");
			if (pass_on(w, &e) != 0)
				return w->failed;
			error = control_reply(w->c->conn, &re);
		}
		if (error != 0)
			return ctl_broken(error);
		if (wire_reply_is_error(&re)) {
			*ret_denied = cursor == 0;
			return ctl_unhoped(&re, NULL);
		}
		if (re.code != WIRE_RE_END || re.n_args < 1 ||
		    !wire_u64(re.arg[0].p, re.arg[0].len, &cursor))
			return ctl_error(NULL, "the daemon's answer is not in the protocol");
	} while (cursor != 0);
	return CTL_OK;
}
