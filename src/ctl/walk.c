/*
 * walk.c: keys and dump: many items, by prefix and range.
 *
 * They come from the segment, without the daemon. dump asks the daemon where it may, since only the daemon knows when an item was last read;
 * with -s both do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/clock.h"
#include "ctl/conn.h"
#include "ctl/ctl.h"

#define WALK_BATCH        1000 /* items of one peek_dump */
#define PROGRESS_AFTER_NS INT64_C(2000000000)

struct entry {
	const void *key;
	size_t key_len;
	uint64_t value_len;
	int64_t age_s, ttl_s; /* -1: unknown; never expires */
	uint64_t cas;
	uint32_t flags;
};

struct walk {
	struct ctl *c;
	bool items; /* dump: more than the key */
	const char *prefix;
	size_t prefix_len;
	uint64_t n_seen, n_shown;
	struct entry *kept; /* with --sort: copies, key included */
	size_t n_kept, cap_kept;
	int64_t began_ns;
	bool progress;
	int failed; /* exit status of an error inside visit */
};

static int
compare_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return compare_bytes(x->key, x->key_len, y->key, y->key_len);
}

static void
print_entry(const struct walk *w, const struct entry *e)
{
	struct record r;

	if (w->c->json) {
		record_begin(&r, true, 0);
		record_bytes(&r, "key", e->key, e->key_len);
		if (w->items) {
			record_u64(&r, "length", e->value_len);
			if (e->age_s >= 0)
				record_i64(&r, "age_s", e->age_s);
			record_i64(&r, "ttl_s", e->ttl_s);
			record_u64(&r, "flags", e->flags);
			record_u64(&r, "cas", e->cas);
		}
		record_end(&r);
		return;
	}
	if (w->c->null) {
		fwrite(e->key, 1, e->key_len, stdout);
		putchar('\0');
		return;
	}
	if (w->items) {
		char age[24] = "?", ttl[24] = "-";
		if (e->age_s >= 0)
			snprintf(age, sizeof(age), "%" PRId64, e->age_s);
		if (e->ttl_s >= 0)
			snprintf(ttl, sizeof(ttl), "%" PRId64, e->ttl_s);
		printf("%8" PRIu64 " %8s %8s  ", e->value_len, age, ttl);
	}
	print_escaped(e->key, e->key_len);
	putchar('\n');
}

static void
show_progress(struct walk *w)
{
	if (!w->progress || w->n_seen % 4096 != 0)
		return;
	if (clock_now_ns() - w->began_ns >= PROGRESS_AFTER_NS)
		fprintf(stderr, "\r%" PRIu64 " keys seen, %" PRIu64 " match ", w->n_seen, w->n_shown);
}

static bool
keep(struct walk *w, const struct entry *e)
{
	if (w->n_kept == w->cap_kept) {
		size_t cap = w->cap_kept == 0 ? 1024 : w->cap_kept * 2;
		struct entry *more = realloc(w->kept, cap * sizeof(*more));
		if (more == NULL)
			return false;
		w->kept = more;
		w->cap_kept = cap;
	}
	void *key = malloc(e->key_len + 1);
	if (key == NULL)
		return false;
	memcpy(key, e->key, e->key_len);
	w->kept[w->n_kept] = *e;
	w->kept[w->n_kept++].key = key;
	return true;
}

/* Nonzero ends the walk. */
static int
visit(struct walk *w, const struct entry *e)
{
	const struct ctl *c = w->c;

	w->n_seen++;
	show_progress(w);
	if (e->key_len < w->prefix_len || memcmp(e->key, w->prefix, w->prefix_len) != 0)
		return 0;
	if (c->from != NULL && compare_bytes(e->key, e->key_len, c->from, strlen(c->from)) < 0)
		return 0;
	if (c->to != NULL && compare_bytes(e->key, e->key_len, c->to, strlen(c->to)) >= 0)
		return 0;
	w->n_shown++;
	if (c->sort) {
		if (keep(w, e))
			return 0;
		w->failed = ctl_error("Without --sort it takes none.", "no memory to sort %zu keys", w->n_kept);
		return 1;
	}
	print_entry(w, e);
	return w->n_shown == c->limit || ferror(stdout);
}

static int
visit_scanned(void *arg, const struct peek_entry *from)
{
	struct entry e = {from->key, from->key_len, from->info.value_len, -1, from->info.ttl_s, from->info.cas, from->info.flags};

	return visit(arg, &e);
}

static int
walk_segment(struct walk *w)
{
	if (ctl_open_segment(w->c) != 0)
		return CTL_ERROR;
	int error = peek_scan(w->c->peek, visit_scanned, w);
	if (error < 0)
		return ctl_error(error == -EAGAIN ? "A daemon that runs frees it; start one, or try again." : NULL, "the walk ended early: %s",
		    peek_strerror(error));
	return w->failed;
}

/* ITEM key bytes age ttl cas flags */
static bool
entry_of(const struct wire_reply *re, unsigned char *key, struct entry *ret)
{
	uint64_t number[5] = {0};

	if (re->n_args < 6 || re->arg[0].len > WIRE_REPLY_LINE_MAX || !wire_urldecode(re->arg[0].p, re->arg[0].len, key, &ret->key_len))
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

/* *ret_denied: this user may not; nothing was printed. */
static int
walk_daemon(struct walk *w, bool *ret_denied)
{
	unsigned char key[WIRE_REPLY_LINE_MAX];
	struct wire_reply re;
	struct entry e;
	uint64_t cursor = 0;

	*ret_denied = false;
	if (ctl_connect(w->c) != 0)
		return CTL_ERROR;
	do {
		int error = conn_ask(w->c->conn, &re, "peek_dump %" PRIu64 " %d", cursor, WALK_BATCH);
		while (error == 0 && re.code == WIRE_RE_ITEM) {
			if (!entry_of(&re, key, &e))
				return ctl_error(NULL, "the daemon's answer is not understood");
			if (visit(w, &e) != 0)
				return w->failed;
			error = conn_reply(w->c->conn, &re);
		}
		if (error != 0)
			return ctl_broken(error);
		if (re.code == WIRE_RE_CLIENT_ERROR || re.code == WIRE_RE_SERVER_ERROR || re.code == WIRE_RE_ERROR) {
			*ret_denied = true;
			return ctl_unhoped(&re, NULL);
		}
		if (re.code != WIRE_RE_END || re.n_args < 1 || !wire_u64(re.arg[0].p, re.arg[0].len, &cursor))
			return ctl_error(NULL, "the daemon's answer is not understood");
	} while (cursor != 0);
	return CTL_OK;
}

static int
finish(struct walk *w, int status)
{
	if (w->n_kept > 0)
		qsort(w->kept, w->n_kept, sizeof(*w->kept), compare_entries);
	uint64_t limit = w->c->limit != 0 ? w->c->limit : UINT64_MAX;
	for (size_t i = 0; i < w->n_kept; i++) {
		if (i < limit)
			print_entry(w, &w->kept[i]);
		free((void *)(uintptr_t)w->kept[i].key);
	}
	free(w->kept);
	if (w->progress)
		fprintf(stderr, "\r%40s\r", "");
	return ctl_flushed(status);
}

static void
begin(struct walk *w, struct ctl *c, bool items)
{
	*w = (struct walk){.c = c, .items = items, .prefix = c->n_args > 0 ? c->args[0] : ""};
	w->prefix_len = strlen(w->prefix);
	w->progress = isatty(STDERR_FILENO) && (c->sort || !isatty(STDOUT_FILENO));
	w->began_ns = clock_now_ns();
}

int
cmd_keys(struct ctl *c)
{
	struct walk w;
	bool denied;

	begin(&w, c, false);
	return finish(&w, c->socket != NULL ? walk_daemon(&w, &denied) : walk_segment(&w));
}

int
cmd_dump(struct ctl *c)
{
	struct peek_status status;
	struct walk w;
	bool denied = false;

	begin(&w, c, true);
	if (c->socket == NULL && ctl_open_segment(c) != 0)
		return CTL_ERROR;
	bool daemon = c->socket != NULL || (peek_status(c->peek, &status) == 0 && status.writer_present);
	int result = daemon ? walk_daemon(&w, &denied) : walk_segment(&w);
	if (denied && c->socket == NULL) {
		fprintf(stderr, "peekctl: reading the segment instead; ages are not in it\n");
		result = walk_segment(&w);
	}
	return finish(&w, result);
}
