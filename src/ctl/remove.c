/*
 * remove.c: delete: removes named keys, or all keys that begin with a prefix.
 *
 * Requests go out in batches, and each answer is checked. A walk finds the keys
 * of a prefix; it goes on between batches, so that the daemon serves other
 * clients meanwhile.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/control.h"
#include "ctl/walk.h"

#define BATCH_KEYS 256

struct removal {
	struct walk walk;
	struct ctl by; /* has the connection that removes; the walk has another */
	bool named;    /* the keys are named: tell which are not there */
	bool dry;
	unsigned n; /* keys in the batch */
	uint8_t key_len[BATCH_KEYS];
	char key[BATCH_KEYS][PEEK_KEY_MAX_BYTES];
	uint64_t n_removed;
	int worst;
};

/* False: no more can be removed, which was explained. */
static bool
send_batch(struct removal *d)
{
	struct wire_reply re;
	unsigned n = d->n;
	int error = control_send(d->by.conn, NULL, 0);

	d->n = 0;
	for (unsigned i = 0; i < n; i++) {
		/* a daemon that hung up may have answered before */
		int answered = control_reply(d->by.conn, &re);
		if (answered != 0) {
			d->worst = ctl_broken(error != 0 ? error : answered);
			return false;
		}
		if (re.code == WIRE_RE_HD) {
			d->n_removed++;
			continue;
		}
		if (re.code == WIRE_RE_NF && !d->named) /* the key went meanwhile */
			continue;
		int status = ctl_unhoped(&re, &(struct wire_str){d->key[i], d->key_len[i]});
		d->worst = status > d->worst ? status : d->worst;
		if (re.code != WIRE_RE_NF) /* all others would be refused too */
			return false;
	}
	return true;
}

static bool
add_key(struct removal *d, const void *key, size_t len)
{
	wire_put_meta(&d->by.conn->out, WIRE_MD, key, len, -1, "");
	memcpy(d->key[d->n], key, len);
	d->key_len[d->n++] = (uint8_t)len;
	return d->n < BATCH_KEYS || send_batch(d);
}

/* Checks all words before it removes a key. */
static int
remove_named(struct removal *d, struct ctl *c)
{
	struct wire_str *keys = calloc((size_t)c->n_args, sizeof(*keys));
	int status = keys == NULL ? ctl_error(NULL, "no memory for %d keys", c->n_args) : CTL_OK;

	for (int i = 0; i < c->n_args && status == CTL_OK; i++)
		status = ctl_key(c, c->args[i], &keys[i]);
	d->named = true;
	if (status == CTL_OK && ctl_connect(&d->by) != 0)
		status = CTL_ERROR;
	bool goes_on = status == CTL_OK;
	for (int i = 0; i < c->n_args && goes_on; i++)
		goes_on = add_key(d, keys[i].p, keys[i].len);
	if (goes_on)
		send_batch(d);
	free(keys);
	return status != CTL_OK ? status : d->worst;
}

/* ---- by prefix ---------------------------------------------------------- */

static int
visit_key(void *arg, const struct walk_entry *e)
{
	struct removal *d = arg;

	if (d->dry) {
		d->n_removed++;
		return 0;
	}
	if (add_key(d, e->key, e->key_len))
		return 0;
	d->walk.failed = d->worst;
	return 1;
}

static int
tell_count(const struct removal *d, const struct ctl *c, int status)
{
	struct output r;

	if (c->json) {
		output_begin(&r, true, 0);
		output_u64(&r, d->dry ? "would_delete" : "deleted", d->n_removed);
		output_end(&r);
	} else {
		printf("%" PRIu64 " key%s %sdeleted\n", d->n_removed, d->n_removed == 1 ? "" : "s",
		    d->dry ? "would be " : "");
	}
	return ctl_flushed(status);
}

static int
remove_prefix(struct removal *d, struct ctl *c)
{
	bool denied;

	if (walk_begin(&d->walk, c, c->prefix) != CTL_OK)
		return CTL_ERROR;
	if (d->walk.prefix.len == 0)
		return ctl_error(
		    "peekctl flush drops every key.", "every key begins with an empty prefix");
	if (isatty(STDERR_FILENO))
		d->walk.doing = d->dry ? "match" : "deleted";
	d->walk.visit = visit_key;
	d->walk.arg = d;
	if (!d->dry && ctl_connect(&d->by) != 0)
		return CTL_ERROR;
	int status = c->socket != NULL ? walk_daemon(&d->walk, &denied) : walk_segment(&d->walk);
	if (d->n > 0 && d->worst == CTL_OK)
		send_batch(d);
	walk_end(&d->walk);
	return tell_count(d, c, d->worst > status ? d->worst : status);
}

int
ctl_cmd_delete(struct ctl *c)
{
	static struct removal d; /* large */

	d = (struct removal){.by = *c, .dry = c->dry_run};
	if (c->prefix == NULL && c->n_args == 0)
		return ctl_error(
		    NULL, "usage: peekctl delete KEY..., or peekctl delete --prefix PREFIX");
	if (c->prefix == NULL && c->dry_run)
		return ctl_error(NULL, "--dry-run needs --prefix");
	if (c->prefix != NULL && c->n_args > 0)
		return ctl_error("Quote a prefix that has blanks or wildcards in it.",
		    "delete takes --prefix PREFIX or keys, not both: \"%s\"", c->args[0]);
	int status = c->prefix != NULL ? remove_prefix(&d, c) : remove_named(&d, c);
	control_close(d.by.conn);
	if (d.by.peek != c->peek)
		peek_close(d.by.peek);
	return status;
}
