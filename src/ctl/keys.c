/*
 * keys.c: keys and dump: print the items that a walk finds.
 *
 * dump asks the daemon if this user may, since only the daemon knows when an
 * item was last read. With -s both ask the daemon.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/walk.h"

struct listing {
	struct walk walk;
	const struct ctl *c;
	bool items; /* dump: prints more than the key */
	uint64_t n_shown;
	uint64_t n_left_out;     /* with -0: keys that a NUL byte in them would end early */
	struct walk_entry *kept; /* with --sort: copies of the entries and of their keys */
	size_t n_kept, cap_kept;
};

static int
compare_entries(const void *a, const void *b)
{
	const struct walk_entry *x = a, *y = b;

	return walk_compare(x->key, x->key_len, y->key, y->key_len);
}

static void
print_json(const struct listing *l, const struct walk_entry *e)
{
	struct output r;

	output_begin(&r, true, 0);
	output_key(&r, l->c, (struct wire_str){e->key, (uint32_t)e->key_len});
	if (l->items) {
		output_u64(&r, "length", e->value_len);
		if (e->age_s >= 0)
			output_i64(&r, "age_s", e->age_s);
		output_i64(&r, "ttl_s", e->ttl_s);
		output_u64(&r, "flags", e->flags);
		output_u64(&r, "cas", e->cas);
	}
	output_end(&r);
}

static void
print_entry(const struct listing *l, const struct walk_entry *e)
{
	const struct ctl *c = l->c;

	if (c->json) {
		print_json(l, e);
		return;
	}
	if (l->items) {
		char age[24] = "?", ttl[24] = "-";
		if (e->age_s >= 0)
			snprintf(age, sizeof(age), "%" PRId64, e->age_s);
		if (e->ttl_s >= 0)
			snprintf(ttl, sizeof(ttl), "%" PRId64, e->ttl_s);
		printf("%8" PRIu64 " %8s %8s  ", e->value_len, age, ttl);
	}
	if (c->null && !c->escape)
		fwrite(e->key, 1, e->key_len, stdout);
	else
		output_escaped(stdout, e->key, e->key_len);
	putchar(c->null ? '\0' : '\n');
}

static bool
keys_keep(struct listing *l, const struct walk_entry *e)
{
	if (l->n_kept == l->cap_kept) {
		size_t cap = l->cap_kept == 0 ? 1024 : l->cap_kept * 2;
		struct walk_entry *more = realloc(l->kept, cap * sizeof(*more));
		if (more == NULL)
			return false;
		l->kept = more;
		l->cap_kept = cap;
	}
	void *key = malloc(e->key_len + 1);
	if (key == NULL)
		return false;
	memcpy(key, e->key, e->key_len);
	l->kept[l->n_kept] = *e;
	l->kept[l->n_kept++].key = key;
	return true;
}

static int
list_entry(void *arg, const struct walk_entry *e)
{
	struct listing *l = arg;
	const struct ctl *c = l->c;

	if (c->null && !c->escape && !c->json && memchr(e->key, '\0', e->key_len) != NULL) {
		l->n_left_out++;
		return 0;
	}
	if (c->sort) {
		if (keys_keep(l, e))
			return 0;
		l->walk.failed = ctl_error(
		    "Without --sort none is needed.", "no memory to sort %zu keys", l->n_kept);
		return 1;
	}
	l->n_shown++;
	print_entry(l, e);
	return l->n_shown == c->limit || ferror(stdout);
}

static int
keys_finish(struct listing *l, int status)
{
	uint64_t limit = l->c->limit != 0 ? l->c->limit : UINT64_MAX;

	if (l->n_kept > 0)
		qsort(l->kept, l->n_kept, sizeof(*l->kept), compare_entries);
	for (size_t i = 0; i < l->n_kept; i++) {
		if (i < limit)
			print_entry(l, &l->kept[i]);
		free((void *)(uintptr_t)l->kept[i].key);
	}
	free(l->kept);
	walk_end(&l->walk);
	status = ctl_flushed(status);
	if (l->n_left_out > 0 && status == CTL_OK)
		return ctl_refused(
		    "keys -0x prints these keys too, as \\xHH, and commands read that with -x.",
		    "keys left out because they hold a NUL byte: %" PRIu64, l->n_left_out);
	return status;
}

static int
keys_begin(struct listing *l, struct ctl *c, bool items)
{
	*l = (struct listing){.c = c, .items = items};
	int status = walk_begin(&l->walk, c, c->n_args > 0 ? c->args[0] : NULL);
	if (isatty(STDERR_FILENO) && (c->sort || !isatty(STDOUT_FILENO)))
		l->walk.doing = "match";
	l->walk.visit = list_entry;
	l->walk.arg = l;
	return status;
}

int
ctl_cmd_keys(struct ctl *c)
{
	struct listing l;
	bool denied;
	int status = keys_begin(&l, c, false);

	if (status != CTL_OK)
		return status;
	return keys_finish(
	    &l, c->socket != NULL ? walk_daemon(&l.walk, &denied) : walk_segment(&l.walk));
}

int
ctl_cmd_dump(struct ctl *c)
{
	struct peek_status status;
	struct listing l;
	bool denied = false;
	int result = keys_begin(&l, c, true);

	if (result != CTL_OK)
		return result;
	if (c->socket == NULL && ctl_open_segment(c) != 0)
		return CTL_ERROR;
	bool daemon =
	    c->socket != NULL || (peek_status(c->peek, &status) == 0 && status.writer_present);
	result = daemon ? walk_daemon(&l.walk, &denied) : walk_segment(&l.walk);
	if (denied && c->socket == NULL) {
		fprintf(stderr, "peekctl: reads the segment instead, which has no ages\n");
		result = walk_segment(&l.walk);
	}
	return keys_finish(&l, result);
}
