/*
 * replay_command.c: what replay reads and prints.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "gen.h"
#include "peek.h"
#include "policy.h"
#include "replay.h"

static const char *const hintings[] = {
    [HINTS_ON] = "on",
    [HINTS_OFF] = "off",
    [HINTS_LOSSY] = "lossy",
    [HINTS_HOSTILE] = "hostile",
};

static bool
hinting_of(const char *name, enum hinting *ret)
{
	for (unsigned i = 0; i < sizeof(hintings) / sizeof(hintings[0]); i++)
		if (strcmp(name, hintings[i]) == 0) {
			*ret = (enum hinting)i;
			return true;
		}
	return false;
}

static int
replay_command_load(const struct options *o, struct trace *ret)
{
	if ((o->trace == NULL) == (o->profile == NULL)) {
		fprintf(stderr, "peekbench replay: give --trace or --profile\n");
		return 2;
	}
	int rc;
	if (o->trace != NULL) {
		rc = trace_load(o->trace, ret);
	} else {
		const struct gen_profile *p = gen_profile_find(o->profile);
		if (p == NULL || o->requests == 0 || o->requests > UINT32_C(1) << 31) {
			fprintf(stderr,
			    "peekbench replay: no such profile (peekbench gen lists them), or no "
			    "such length\n");
			return 2;
		}
		struct trace_record *rec = gen_make(p, o->seed, o->requests);
		rc = rec == NULL ? -ENOMEM : trace_from_records(rec, o->requests, ret);
	}
	if (rc != 0)
		fprintf(stderr, "peekbench replay: %s: %s\n",
		    o->trace != NULL ? o->trace : o->profile,
		    rc == -EBADMSG ? "not a trace: 16-byte records whose keys are numbered in "
				     "order of appearance"
				   : strerror(-rc));
	return rc != 0;
}

static uint64_t
all_bytes(const struct trace *t)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < t->n_keys; k++)
		sum += t->size_of[k];
	return sum;
}

static void
replay_command_print(const struct options *o, const struct trace *t, const struct replay_conf *conf,
    const struct replay_result *r)
{
	double ratio = (double)r->misses / (double)t->n;

	if (!o->json) {
		printf("requests=%llu misses=%llu miss_ratio=%.6f evictions=%llu seconds=%.3f\n",
		    (unsigned long long)t->n, (unsigned long long)r->misses, ratio,
		    (unsigned long long)r->evictions, r->seconds);
		return;
	}
	printf("{\"trace\":\"%s\",\"capacity\":%llu,\"unit\":\"%s\",\"hints\":\"%s\",\"keys\":%u,"
	       "\"sizes\":%d,\"ttls\":%d",
	    o->trace != NULL ? o->trace : o->profile, (unsigned long long)conf->capacity,
	    conf->by_bytes ? "bytes" : "entries", o->hints, t->n_keys, t->has_sizes, t->has_ttls);
	printf(",\"requests\":%llu,\"misses\":%llu,\"miss_ratio\":%.6f,\"evictions\":%llu,"
	       "\"seconds\":%.3f",
	    (unsigned long long)t->n, (unsigned long long)r->misses, ratio,
	    (unsigned long long)r->evictions, r->seconds);
	printf(",\"wrong\":%llu,\"refused\":%llu,\"too_large\":%llu,\"memory\":%llu",
	    (unsigned long long)r->wrong, (unsigned long long)r->refused,
	    (unsigned long long)r->too_large, (unsigned long long)r->memory_bytes);
	printf(",\"longest_set_items\":%llu,\"longest_set_copied_bytes\":%llu",
	    (unsigned long long)r->longest_set_items,
	    (unsigned long long)r->longest_set_copied_bytes);
}

/* Misses of the others, and by how many percent peekd has fewer than LRU. */
static int
replay_command_compare(const struct options *o, const struct trace *t,
    const struct replay_conf *conf, uint64_t own_misses)
{
	struct policy_result r;
	uint64_t lru = 0;

	for (unsigned i = 0; i < n_policies; i++) {
		int rc = policies[i].run(t, conf->capacity, conf->by_bytes, &r);
		if (rc != 0) {
			fprintf(
			    stderr, "peekbench replay: %s: %s\n", policies[i].name, strerror(-rc));
			return 1;
		}
		if (i == POLICY_LRU)
			lru = r.misses;
		double less = 100 * (1 - (double)r.misses / (double)lru);
		if (o->json)
			printf(",\"%s\":%llu", policies[i].name, (unsigned long long)r.misses);
		else
			printf("  %-8s misses=%llu miss_ratio=%.6f evictions=%llu "
			       "against_lru=%+.2f%%\n",
			    policies[i].name, (unsigned long long)r.misses,
			    (double)r.misses / (double)t->n, (unsigned long long)r.evictions, less);
	}
	double less = 100 * (1 - (double)own_misses / (double)lru);
	if (o->json)
		printf(",\"against_lru_percent\":%.3f", less);
	else
		printf("  %-8s misses=%llu miss_ratio=%.6f against_lru=%+.2f%%\n", "peekd",
		    (unsigned long long)own_misses, (double)own_misses / (double)t->n, less);
	return 0;
}

int
command_replay(const struct options *o)
{
	struct replay_conf conf = {.by_bytes = o->bytes != NULL, .seed = o->seed};
	struct replay_result r = {0};
	struct trace t;
	int status;

	if (!hinting_of(o->hints, &conf.hinting) ||
	    (o->socket == NULL && (o->entries == NULL) == (o->bytes == NULL))) {
		fprintf(stderr,
		    "peekbench replay: give --entries or --bytes; --hints is on, off, lossy or "
		    "hostile\n");
		return 2;
	}
	if ((status = replay_command_load(o, &t)) != 0)
		return status;
	if (o->socket != NULL) {
		int rc = replay_socket(&t, o->socket, &r);
		if (rc != 0)
			fprintf(stderr, "peekbench replay: %s: %s\n", o->socket, strerror(-rc));
		else
			replay_command_print(o, &t, &conf, &r);
		if (rc == 0 && o->json)
			puts("}");
		trace_free(&t);
		return rc != 0 || r.wrong != 0;
	}
	if (!options_amount(conf.by_bytes ? o->bytes : o->entries,
		conf.by_bytes ? all_bytes(&t) : t.n_keys, &conf.capacity)) {
		fprintf(stderr, "peekbench replay: how much is '%s'?\n",
		    conf.by_bytes ? o->bytes : o->entries);
		trace_free(&t);
		return 2;
	}
	int rc = replay_run(&t, &conf, &r);
	if (rc == -EINVAL)
		fprintf(stderr,
		    "peekbench replay: %llu %s are too few for a segment log, or too many\n",
		    (unsigned long long)conf.capacity, conf.by_bytes ? "bytes" : "entries");
	else if (rc != 0)
		fprintf(stderr, "peekbench replay: %s\n", peek_strerror(rc));
	if (rc == 0) {
		replay_command_print(o, &t, &conf, &r);
		status = o->compare ? replay_command_compare(o, &t, &conf, r.misses) : 0;
		if (o->json)
			puts("}");
		if (r.wrong != 0 || r.refused != 0)
			fprintf(stderr, "peekbench replay: %llu wrong values, %llu refused SETs\n",
			    (unsigned long long)r.wrong, (unsigned long long)r.refused);
	}
	trace_free(&t);
	return rc != 0 || status != 0 || r.wrong != 0 || r.refused != 0;
}
