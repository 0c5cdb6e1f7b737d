/*
 * test_lib_functions.h: every function of peek.h that returns an error, called
 * by one shape, and the row that the header's table has for it.
 */
#ifndef PEEK_TESTS_LIB_FUNCTIONS_H
#define PEEK_TESTS_LIB_FUNCTIONS_H

#include "proc/test_lib_live.h"

#include <ctype.h>

/* ---- the header's table -------------------------------------------------- */

static const struct {
	const char *name;
	int error;
} errors[] = {
#define E(x) \
	{ \
#x, x \
	}
    E(ENOENT),
    E(EAGAIN),
    E(ENOSPC),
    E(EINVAL),
    E(EMSGSIZE),
    E(EEXIST),
    E(EDOM),
    E(EACCES),
    E(EPERM),
    E(EPROTO),
    E(EBADMSG),
    E(ECONNREFUSED),
    E(ETIMEDOUT),
    E(EINPROGRESS),
    E(ENOMEM),
    E(ENOTSUP),
    E(ESTALE),
    E(EIO),
#undef E
};
#define N_ERRORS (sizeof(errors) / sizeof(*errors))

/* By index into `functions`. */
#define ATTACHING "EACCES EPERM ENOMEM EIO"
static char allowed[40][256];

static const char *
name_of(int error)
{
	for (size_t i = 0; i < N_ERRORS; i++)
		if (errors[i].error == error)
			return errors[i].name;
	return "an unknown error";
}

static bool
in_list(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

/* ---- the functions ------------------------------------------------------- */

static char got[4096], *large;
#define LARGE_BYTES 2000000

struct key {
	const char *bytes;
	size_t len;
};

static int
visit_nothing(void *arg, const struct peek_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

/* The error of peek_set_async that `failed` was told. */
static void
on_failed(void *arg, const void *key, size_t key_len, int error)
{
	(void)key;
	(void)key_len;
	*(int *)arg = error;
}

static int
async(struct peek *q, const struct key *k)
{
	int told = 0, r = peek_set_async(q, k->bytes, k->len, "v", 1, 0, on_failed, &told);
	int flushed = peek_set_flush(q);

	/* A refusal is what peek_set would have returned, or that a reply isn't
	 * in the protocol. */
	assert_true(told == 0 ||
	    in_list("EMSGSIZE ENOSPC EACCES ECONNREFUSED EBADMSG EIO", name_of(-told)));
	return r != 0 ? r : flushed;
}

static int
async_large(struct peek *q, const struct key *k)
{
	return peek_set_async(q, k->bytes, k->len, large, LARGE_BYTES, 0, NULL, NULL);
}

static int
flush_queue(struct peek *q, const struct key *k)
{
	int r = peek_set_async(q, k->bytes, k->len, "v", 1, 0, NULL, NULL);

	return r != 0 ? 0 : peek_set_flush(q);
}

static int
mget(struct peek *q, const struct key *k)
{
	struct peek_op op[2] = {{k->bytes, k->len, got, sizeof(got), 0}, {"k", 1, got, 0, 0}};
	int r = (int)peek_mget(q, op, 2);

	for (int i = 0; i < 2; i++)
		if (op[i].result < 0 && !in_list(allowed[0], name_of((int)-op[i].result)))
			return (int)op[i].result; /* which is not in peek_mget's own row */
	return r;
}

static int
status(struct peek *q, const struct key *k)
{
	struct peek_status s;

	(void)k;
	return peek_status(q, &s);
}

#define FUNCTION(id, expression) \
	static int id(struct peek *q, const struct key *k) \
	{ \
		const void *b = k->bytes; \
		size_t n = k->len; \
		(void)b; \
		(void)n; \
		return (int)(expression); \
	}
static struct peek_view view;
static struct peek_info info;
static struct peek_place place;
static uint64_t number;
FUNCTION(get, peek_get(q, b, n, got, sizeof(got)))
FUNCTION(get_nothing, peek_get(q, b, n, got, 0))
FUNCTION(get_u64, peek_get_u64(q, b, n, &number))
FUNCTION(get_info, peek_get_info(q, b, n, got, sizeof(got), &info))
FUNCTION(view_it, peek_view(q, b, n, &view))
FUNCTION(place_it, peek_place(q, b, n, &place))
FUNCTION(scan, peek_scan(q, visit_nothing, NULL))
FUNCTION(set, peek_set(q, b, n, "v", 1, 0))
FUNCTION(set_large, peek_set(q, b, n, large, LARGE_BYTES, 0))
FUNCTION(set_flags, peek_set_flags(q, b, n, "v", 1, 0, 7))
FUNCTION(add, peek_add(q, b, n, "v", 1, 0))
FUNCTION(replace, peek_replace(q, b, n, "v", 1, 0))
FUNCTION(append, peek_append(q, b, n, "v", 1))
FUNCTION(append_large, peek_append(q, b, n, large, LARGE_BYTES))
FUNCTION(prepend, peek_prepend(q, b, n, "v", 1))
FUNCTION(cas, peek_cas(q, b, n, "v", 1, 0, 12345678))
FUNCTION(lease, peek_lease(q, b, n, 1000, &number))
FUNCTION(lease_early, peek_lease_early(q, b, n, 1000, 5, &number))
FUNCTION(fill_it, peek_fill(q, b, n, "v", 1, 0, 0, 12345678))
FUNCTION(unlease, peek_unlease(q, b, n, 12345678))
FUNCTION(wait_for_it, peek_wait(q, b, n, 0, 0))
FUNCTION(delete_it, peek_delete(q, b, n))
FUNCTION(touch, peek_touch(q, b, n, 100))
FUNCTION(incr, peek_incr(q, b, n, 1, &number))
FUNCTION(decr, peek_decr(q, b, n, 1, NULL))
FUNCTION(flush_all, peek_flush(q, 3000000))
FUNCTION(set_tagged, peek_set_tagged(q, b, n, "v", 1, 0, (const char *const[]){"tag"}, 1))
FUNCTION(set_tagged_large,
    peek_set_tagged(q, b, n, large, LARGE_BYTES, 0, (const char *const[]){"tag"}, 1))
FUNCTION(invalidate, peek_invalidate(q, (const char *const[]){"tag"}, 1))
FUNCTION(timeout, peek_set_timeout(q, 0))

static const struct {
	const char *name;
	int (*fn)(struct peek *q, const struct key *k);
	bool writes;
} functions[] = {
    {"peek_get", get, false},
    {"peek_get", get_nothing, false},
    {"peek_get_u64", get_u64, false},
    {"peek_get_info", get_info, false},
    {"peek_mget", mget, false},
    {"peek_view", view_it, false},
    {"peek_place", place_it, false},
    {"peek_scan", scan, false},
    {"peek_wait", wait_for_it, false},
    {"peek_status", status, false},
    {"peek_set_timeout", timeout, false},
    {"peek_set", set, true},
    {"peek_set", set_large, true},
    {"peek_set_flags", set_flags, true},
    {"peek_add", add, true},
    {"peek_replace", replace, true},
    {"peek_append", append, true},
    {"peek_append", append_large, true},
    {"peek_prepend", prepend, true},
    {"peek_cas", cas, true},
    {"peek_lease", lease, true},
    {"peek_lease_early", lease_early, true},
    {"peek_fill", fill_it, true},
    {"peek_unlease", unlease, true},
    {"peek_delete", delete_it, true},
    {"peek_touch", touch, true},
    {"peek_incr", incr, true},
    {"peek_decr", decr, true},
    {"peek_flush", flush_all, true},
    {"peek_set_tagged", set_tagged, true},
    {"peek_set_tagged", set_tagged_large, true},
    {"peek_invalidate", invalidate, true},
    {"peek_set_async", async, true},
    {"peek_set_async", async_large, true},
    {"peek_set_flush", flush_queue, true},
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(*functions))

static void
read_row(const char *row)
{
	char function[32];
	int at;

	if (sscanf(row, " * %31s%n", function, &at) != 1 || strncmp(function, "peek_", 5) != 0 ||
	    !isspace((unsigned char)row[at]) ||
	    strncmp(row + at + strspn(row + at, " "), "E", 1) != 0)
		return;
	char list[256];
	snprintf(list, sizeof(list), "%s", row + at + strspn(row + at, " "));
	list[strcspn(list, ";\n")] = '\0';
	char *star = strstr(list, " *");
	if (star != NULL)
		snprintf(star, sizeof(list) - (size_t)(star - list), " " ATTACHING);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		if (strcmp(functions[i].name, function) == 0)
			snprintf(allowed[i], sizeof(allowed[i]), "%s", list);
}

/* A row that goes on in the next line is joined: " *" and 20 blanks more. */
static int
read_table(void **state)
{
	FILE *f = fopen("include/peek.h", "re");
	char line[512], row[1024] = "";

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL) {
		size_t len = strcspn(row, "\n");
		if (strncmp(line, " *                     E", 24) == 0) {
			snprintf(row + len, sizeof(row) - len, " %s", line + 23);
			continue;
		}
		read_row(row);
		snprintf(row, sizeof(row), "%s", line);
	}
	read_row(row);
	fclose(f);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		if (allowed[i][0] == '\0')
			return -1; /* a function without a row */
	large = calloc(1, LARGE_BYTES);
	return large == NULL ? -1 : group_setup(state);
}

/* ---- all functions in one situation -------------------------------------- */

static unsigned n_wrong;

static void
try_all(struct peek *q, const char *situation, bool writes_too)
{
	char long_key[251];
	memset(long_key, 'k', sizeof(long_key));
	const struct key keys[] = {{"k", 1}, {"number", 6}, {"absent", 6}, {"large", 5},
	    {"\0 \n", 3}, {"", 0}, {long_key, 251}, {long_key, 250}};

	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
			if (functions[i].writes && !writes_too)
				continue;
			int r = functions[i].fn(q, &keys[k]);
			if (r >= 0 || in_list(allowed[i], name_of(-r)))
				continue;
			print_error("# %s: %s (key %zu) is -%s\n", situation, functions[i].name, k,
			    name_of(-r));
			n_wrong++;
		}
	}
}

#endif
